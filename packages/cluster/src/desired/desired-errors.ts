import { ErrorCodes, isPluginError, PluginError } from '@appfactory/sdk'
import { listed } from '@appfactory/sdk/internal'
import type { Beat, DesiredOnNode } from '../beat.js'
import { maxRecordBytes } from './record.js'

// The wording of errors about what is wanted of the whole cluster.

type Told = readonly (readonly [node: string, told: DesiredOnNode])[]

/** Whether what is away may come back by itself. */
export function isPassing(error: unknown): boolean {
  return isPluginError(error) && Reflect.get(Object(error.data), 'transient') === true
}

/** Whether the store is not there, and not only away. */
export function isAbsent(error: unknown): boolean {
  return isPluginError(error) && Reflect.get(Object(error.data), 'absent') === true
}

/** No node can run it: of one reason, the code is that of the reason. */
export function nowhere(plugin: string, beats: readonly Beat[], told: Told): PluginError {
  const nodes = beats.map(({ node }) => node).sort()
  if (told.length === 0) {
    const there =
      nodes.length > 0
        ? `${listed(nodes)} ${nodes.length === 1 ? 'runs' : 'run'} only what is loaded by the node’s name. Start nodes with --desired`
        : 'No node is there. Start nodes with --desired'
    return new PluginError('PLUGIN_NOT_FOUND', `No node can run plugin "${plugin}": ${there}`, {
      plugin,
      nodes,
    })
  }
  const reasons = told.map(([node, { why = 'it has none' }]) => `${node}: ${why}`)
  const codes = new Set(told.flatMap(([, { code }]) => code ?? []))
  // What another node has not got says less than why one that has it can't run it.
  if (codes.size > 1) codes.delete(ErrorCodes.PLUGIN_NOT_FOUND)
  const [code = 'PLUGIN_NOT_READY'] = codes.size === 1 ? codes : []
  const asked = told.map(([node]) => node)
  return new PluginError(
    code,
    `No node can run plugin "${plugin}"; ${listed(asked)} ${asked.length === 1 ? 'was' : 'were'} asked. ${reasons.join('; ')}`,
    { plugin, nodes: asked, reasons },
  )
}

export function stillMissing(plugin: string, timeoutMs: number, told: Told): PluginError {
  const running = told.reduce((sum, [, { running: here }]) => sum + here, 0)
  const reasons = told.flatMap(([node, { why }]) => (why === undefined ? [] : `${node}: ${why}`))
  return new PluginError(
    'CALL_TIMEOUT',
    `Plugin "${plugin}" does not run as wanted after ${timeoutMs} ms: ${running} of ${told[0]?.[1].wanted ?? 'the wanted'} processes do. It stays wanted; cluster.desired() tells how it goes on${reasons.length > 0 ? `. ${reasons.join('; ')}` : ''}`,
    { plugin, timeout_ms: timeoutMs, running, reasons },
  )
}

export function stillThere(plugin: string, timeoutMs: number, nodes: readonly string[]): PluginError {
  return new PluginError(
    'CALL_TIMEOUT',
    `Plugin "${plugin}" is wanted no more, and ${listed(nodes)} ${nodes.length === 1 ? 'has' : 'have'} not ended it after ${timeoutMs} ms. Its calls in flight may take long`,
    { plugin, timeout_ms: timeoutMs, nodes },
  )
}

/** Nodes still have it, and what was wanted of it is gone. */
export function wantedNoMore(plugin: string): PluginError {
  return new PluginError(
    'PLUGIN_NOT_FOUND',
    `What was wanted of plugin "${plugin}" is gone: it was unloaded, or its bucket was lost. Load it again, with the number of processes`,
    { plugin },
  )
}

export function wantedBeside(plugin: string, old: string): PluginError {
  return new PluginError(
    'PLUGIN_ALREADY_LOADED',
    `Plugin "${plugin}" is wanted beside "${old}" already, so that it can’t take its place. Unload one of them`,
    { plugin },
  )
}

export function changedMeanwhile(plugin: string): PluginError {
  return new PluginError(
    'PLUGIN_ALREADY_LOADED',
    `Somebody else has changed what is wanted of plugin "${plugin}" at the same time. Look at cluster.desired(), and try again`,
    { plugin },
  )
}

export function recordTooLarge(plugin: string, bytes: number): PluginError {
  return new PluginError(
    'MESSAGE_TOO_LARGE',
    `The configuration of plugin "${plugin}" makes a record of ${bytes} bytes; ${maxRecordBytes} is the most. Put what is large into a file that its nodes have`,
    { plugin, bytes, limit: maxRecordBytes },
  )
}

export function keepsState(plugin: string, replicas: number): PluginError {
  return new PluginError(
    'PLUGIN_LOAD_FAILED',
    `Plugin "${plugin}" keeps state, and ${replicas} processes would each have a state of their own. Keep one, or say "replicas": "independent" in its manifest`,
    { plugin, replicas },
  )
}
