import { replicaCount } from '../numbers.js'
import { configurationOf } from './call.js'
import type { ConnectedCluster, NodeSwap } from './cluster.js'
import { connectCluster } from './front.js'
import { type CommonOptions, exitCodes, print, printJson, type Streams } from './output.js'
import { UsageError } from './usage-error.js'
import { namesIn } from './words.js'

interface Administering extends CommonOptions {
  plugin: string
  on?: string[]
}

/** `appfactory-host load PLUGIN`: on one node after the other. */
export async function load(
  streams: Streams,
  options: Administering & { replicas?: number; config?: string[] },
): Promise<number> {
  const { plugin, replicas } = options
  if (replicas !== undefined) checkReplicas('--replicas', replicas)
  const config = configurationOf(options.config)
  await using cluster = await connectCluster(streams, options)
  const on = namesIn(options.on) ?? takingNodes(cluster)
  await cluster.load(plugin, { on, config, ...(replicas === undefined ? {} : { replicas }) })
  return done(streams, options, { nodes: on }, `${plugin} is loaded on ${on.join(', ')}`)
}

/** `appfactory-host unload PLUGIN`: on one node after the other. */
export async function unload(streams: Streams, options: Administering & { force: boolean }): Promise<number> {
  const { plugin, force } = options
  await using cluster = await connectCluster(streams, options)
  const on = namesIn(options.on) ?? nodesWith(cluster, plugin)
  await cluster.unload(plugin, { force, ...(on.length > 0 ? { on } : {}) })
  return done(streams, options, { nodes: on }, `${plugin} is unloaded ${onWords(on)}`)
}

/** `appfactory-host scale PLUGIN REPLICAS`: on one node after the other. */
export async function scale(
  streams: Streams,
  options: Administering & { replicas: string },
): Promise<number> {
  const { plugin } = options
  const replicas = Number(options.replicas)
  checkReplicas('scale PLUGIN REPLICAS', replicas)
  await using cluster = await connectCluster(streams, options)
  const on = namesIn(options.on) ?? nodesWith(cluster, plugin)
  await cluster.scale(plugin, replicas, on.length > 0 ? { on } : {})
  const words = `${plugin} has ${replicas} process${replicas === 1 ? '' : 'es'} ${onWords(on)}`
  return done(streams, options, { replicas, nodes: on }, words)
}

/** `appfactory-host swap PLUGIN`: on one node after the other, and each is told as soon as it is done. */
export async function swap(
  streams: Streams,
  options: Administering & {
    replacement: string
    rollback: boolean
    freshState: boolean
    config?: string[]
  },
): Promise<number> {
  const { plugin, rollback, freshState, json } = options
  const config = options.config === undefined ? {} : { config: configurationOf(options.config) }
  const on = namesIn(options.on)
  await using cluster = await connectCluster(streams, options)
  const swapped = await cluster.swap(plugin, options.replacement || plugin, {
    ...{ rollback, preserveState: !freshState, ...config },
    ...(on ? { on } : {}),
    onNode: (each: NodeSwap) => {
      if (!json) print(streams, swapWords(each))
    },
  })
  const { oldPlugin, newPlugin, nodes } = swapped
  if (json) printJson(streams, { old_plugin: oldPlugin, new_plugin: newPlugin, nodes: nodes.map(wireSwap) })
  else print(streams, `${newPlugin} serves on ${nodes.map(({ node }) => node).join(', ')}`)
  return exitCodes.done
}

function swapWords({ node, oldVersion, newVersion, heldCalls, durationMs }: NodeSwap): string {
  const held = heldCalls > 0 ? `, ${heldCalls} call${heldCalls === 1 ? '' : 's'} waited` : ''
  return `${node}: ${oldVersion ?? 'unknown'} -> ${newVersion} in ${Math.round(durationMs)} ms${held}`
}

function wireSwap({ node, ...swapped }: NodeSwap): object {
  return {
    node,
    old_version: swapped.oldVersion,
    new_version: swapped.newVersion,
    state_preserved: swapped.statePreserved,
    held_calls: swapped.heldCalls,
    swap_duration_ms: swapped.durationMs,
  }
}

function done(streams: Streams, { plugin, json }: Administering, details: object, words: string): number {
  if (json) printJson(streams, { success: true, plugin, ...details })
  else print(streams, words)
  return exitCodes.done
}

function checkReplicas(what: string, replicas: number): void {
  if (!replicaCount.fits(replicas)) throw new UsageError(`${what} takes ${replicaCount.takes}`)
}

function takingNodes(cluster: ConnectedCluster): string[] {
  const nodes = cluster
    .nodes()
    .flatMap(({ node, draining }) => (draining ? [] : [node]))
    .sort()
  if (nodes.length === 0)
    throw new Error(
      'No node of the cluster is there. Start one: appfactory-host serve --nats URL --node NAME',
    )
  return nodes
}

function onWords(nodes: readonly string[]): string {
  return nodes.length === 0 ? 'on each node that has it' : `on ${nodes.join(', ')}`
}

/** None: it has another name by now, or the cluster words the error. */
function nodesWith(cluster: ConnectedCluster, plugin: string): string[] {
  return cluster
    .nodes()
    .flatMap(({ node, plugins }) => (plugins.some(({ name }) => name === plugin) ? [node] : []))
    .sort()
}
