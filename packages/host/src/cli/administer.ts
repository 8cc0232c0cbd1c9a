import { quoted } from '@appfactory/sdk/internal'
import { type NumberRule, replicaCount, wantedCount } from '../numbers.js'
import { configurationOf } from './call.js'
import { type ConnectedCluster, desiredWords, type NodeSwap } from './cluster.js'
import { connectCluster } from './front.js'
import { type CommonOptions, exitCodes, print, printJson, type Streams } from './output.js'
import { patiently } from './patience.js'
import { UsageError } from './usage-error.js'
import { namesIn } from './words.js'

interface Administering extends CommonOptions {
  plugin: string
  on?: string[]
}

/** `appfactory-host load PLUGIN`: on nodes that are named, one after the other, or kept running on any that have the labels. */
export async function load(
  streams: Streams,
  options: Administering & { replicas?: number; config?: string[] },
): Promise<number> {
  const { plugin, replicas } = options
  const on = placesIn(options.on)
  const isNamed = Array.isArray(on)
  if (replicas !== undefined) checkReplicas('--replicas', replicas, isNamed ? replicaCount : wantedCount)
  const config = options.config === undefined ? {} : { config: configurationOf(options.config) }
  await using cluster = await connectCluster(streams, options)
  const loading = cluster.load(plugin, {
    ...config,
    ...(replicas === undefined ? {} : { replicas }),
    ...(on ? { on } : {}),
  })
  await patiently(streams, waitingWords(cluster, plugin, isNamed ? on : undefined), loading)
  if (!isNamed) return doneDesired(streams, options, cluster)
  return done(streams, options, { nodes: on }, `${plugin} is loaded ${onWords(on)}`)
}

/** `appfactory-host unload PLUGIN`: on one node after the other, or wherever it is kept running. */
export async function unload(streams: Streams, options: Administering & { force: boolean }): Promise<number> {
  const { plugin, force } = options
  const named = namesOf(options.on)
  await using cluster = await connectCluster(streams, options)
  const wasWanted = isWanted(cluster, plugin, named)
  const nodes = named ?? nodesWith(cluster, plugin)
  const unloading = cluster.unload(plugin, { force, ...(named ? { on: named } : {}) })
  await patiently(streams, () => `waiting until ${plugin} has ended ${onWords(nodes)}`, unloading)
  const words = wasWanted ? ', and wanted no more' : ` ${onWords(nodes)}`
  return done(streams, options, { nodes }, `${plugin} is unloaded${words}`)
}

const scaled = 'scale PLUGIN REPLICAS'

/** `appfactory-host scale PLUGIN REPLICAS`: on one node after the other, or on all together where it is kept running. */
export async function scale(
  streams: Streams,
  options: Administering & { replicas: string },
): Promise<number> {
  const { plugin } = options
  const replicas = Number(options.replicas)
  const named = namesOf(options.on)
  checkReplicas(scaled, replicas, named ? replicaCount : wantedCount)
  await using cluster = await connectCluster(streams, options)
  // Each node has fewer than all of them together.
  if (!isWanted(cluster, plugin, named) && nodesWith(cluster, plugin).length > 0)
    checkReplicas(scaled, replicas, replicaCount)
  const scaling = cluster.scale(plugin, replicas, named ? { on: named } : {})
  await patiently(streams, waitingWords(cluster, plugin, named), scaling)
  if (isWanted(cluster, plugin, named)) return doneDesired(streams, options, cluster)
  const nodes = named ?? nodesWith(cluster, plugin)
  const words = `${plugin} has ${replicas} process${replicas === 1 ? '' : 'es'} ${onWords(nodes)}`
  return done(streams, options, { replicas, nodes }, words)
}

/** What came of it, where a plugin is kept running. */
function doneDesired(streams: Streams, options: Administering, cluster: ConnectedCluster): number {
  const { plugin: name } = options
  const { wanted = 0, running = 0, why } = cluster.desired().find((plugin) => plugin.name === name) ?? {}
  const details = { wanted, running, ...(why === undefined ? {} : { why }) }
  return done(streams, options, details, desiredWords({ name, wanted, running, why }))
}

/** What is waited for: nodes that are named, or what is wanted of all together. */
function waitingWords(cluster: ConnectedCluster, plugin: string, named?: readonly string[]): () => string {
  return () => {
    const wanted = cluster.desired().find(({ name }) => name === plugin)
    return named || !wanted
      ? `waiting until ${plugin} is ready ${onWords(named ?? [])}`
      : `waiting. ${desiredWords(wanted)}`
  }
}

/** Whether no node is named, and any may keep it running. */
function isWanted(cluster: ConnectedCluster, plugin: string, named: readonly string[] | undefined): boolean {
  return named === undefined && cluster.desired().some(({ name }) => name === plugin)
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
  const on = namesOf(options.on)
  await using cluster = await connectCluster(streams, options)
  const swapping = cluster.swap(plugin, options.replacement || plugin, {
    ...{ rollback, preserveState: !freshState, ...config },
    ...(on ? { on } : {}),
    onNode: (each: NodeSwap) => {
      if (!json) print(streams, swapWords(each))
    },
  })
  const words = `waiting for the swap of ${plugin} ${onWords(on ?? nodesWith(cluster, plugin))}`
  const swapped = await patiently(streams, () => words, swapping)
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

function checkReplicas(what: string, replicas: number, { fits, takes }: NumberRule): void {
  if (!fits(replicas)) throw new UsageError(`${what} takes ${takes}`)
}

type Labels = Readonly<Record<string, string>>

/** `one,two` are nodes, and `gpu=true` is what a node must have. */
function placesIn(given: readonly string[] | undefined): string[] | Labels | undefined {
  const words = given && [...new Set(namesIn(given))]
  const labels = words?.map((word) => /^([^=]+)=(.*)$/s.exec(word)?.slice(1) ?? [])
  if (!labels?.some(([key]) => key !== undefined)) return words
  const keys = labels.map(([key]) => key)
  const twice = keys.find((key, index) => key !== undefined && keys.indexOf(key) < index)
  if (twice !== undefined) throw new UsageError(`--on: a node has one value of the label ${quoted(twice)}`)
  if (!keys.includes(undefined)) return Object.fromEntries(labels) as Labels
  throw new UsageError('--on takes names of nodes, or labels such as gpu=true, and not both')
}

/** @throws UsageError for labels. */
function namesOf(given: readonly string[] | undefined): string[] | undefined {
  const places = placesIn(given)
  if (places === undefined || Array.isArray(places)) return places
  throw new UsageError('--on takes names of nodes here; only load takes labels')
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
