import type { Link } from '@appfactory/host'
import { openPeer, waitUntil } from '@appfactory/host/internal'
import { isPluginError } from '@appfactory/sdk'
import type { Peer } from '@appfactory/sdk/internal'
import { z } from 'zod'
import type { Cable, NodeRun } from './cable.js'
import { lostInDrain, nodeLost, noSuchNode, onNoNode, rolledBack, stoppedAt } from './caller-errors.js'
import { type Directory, pluginOn } from './directory.js'
import { pluginNames } from './remote-places.js'

/** How a plugin is loaded on nodes. */
export interface AdminOptions {
  /** Names of the nodes. */
  on: readonly string[]
  /** As for `host.load`. Default: `{}`. */
  config?: Record<string, unknown>
  /** How many processes it has on each of them. Default: 1. */
  replicas?: number
  /** An abort ends what is being loaded; nodes before it keep the plugin. */
  signal?: AbortSignal | undefined
}

/** How a plugin is swapped on nodes. */
export interface ClusterSwapOptions {
  /** Names of the nodes. Default: all that have it. */
  on?: readonly string[]
  /** As for `host.swap`. */
  config?: Record<string, unknown>
  /** As for `host.swap`. Default: true. */
  preserveState?: boolean
  /** Whether nodes that have been swapped go back where a later one fails. Default: false. */
  rollback?: boolean
  /** Called with each node as soon as it has been swapped. */
  onNode?(swapped: NodeSwap): void
}

/** What came of a swap on one node. */
export interface NodeSwap {
  readonly node: string
  /** null: it was not known. */
  readonly oldVersion: string | null
  readonly newVersion: string
  /** Whether the new plugin has the state of the old one. */
  readonly statePreserved: boolean
  /** Calls that waited meanwhile. */
  readonly heldCalls: number
  /** In ms. */
  readonly durationMs: number
}

/** What came of a swap on several nodes. */
export interface ClusterSwapResult {
  readonly oldPlugin: string
  readonly newPlugin: string
  /** In the order in which they were swapped. */
  readonly nodes: readonly NodeSwap[]
}

const swapAnswer = z.looseObject({
  old_version: z.string().nullable(),
  new_version: z.string(),
  state_preserved: z.boolean(),
  held_calls: z.number(),
  swap_duration_ms: z.number(),
})

/** What changes nodes: over links of administrators, one node after the other. */
export class ClusterAdmin {
  readonly #cable: Cable
  readonly #directory: Directory

  constructor(cable: Cable, directory: Directory) {
    this.#cable = cable
    this.#directory = directory
  }

  async load(name: string, { on, config, replicas, signal }: AdminOptions): Promise<void> {
    const params = { name, ...(config ? { config } : {}), ...(replicas === undefined ? {} : { replicas }) }
    await this.#onEach(`Loading "${name}"`, this.#named(on), (peer) =>
      peer.request('plugin/load', params, { signal }),
    )
  }

  async unload(
    name: string,
    { on, force = false }: { on?: readonly string[]; force?: boolean },
  ): Promise<void> {
    await this.#onEach(`Unloading "${name}"`, this.#nodesWith(name, on), (peer) =>
      peer.request('plugin/unload', { name, force }),
    )
  }

  async scale(name: string, replicas: number, { on }: { on?: readonly string[] }): Promise<void> {
    await this.#onEach(`Scaling "${name}"`, this.#nodesWith(name, on), (peer) =>
      peer.request('plugin/scale', { name, replicas }),
    )
  }

  async swap(old: string, replacement: string, options: ClusterSwapOptions): Promise<ClusterSwapResult> {
    const { on, rollback = false, onNode, ...how } = options
    const done: NodeSwap[] = []
    const runs: NodeRun[] = []
    try {
      await this.#onEach(`The swap of "${old}"`, this.#nodesWith(old, on), async (peer, run) => {
        const swapped = await swapOn(peer, run.node, [old, replacement], how)
        done.push(swapped)
        runs.push(run)
        onNode?.(swapped)
      })
    } catch (error) {
      throw rollback ? rolledBack(error, await this.#swapBack(old, replacement, runs)) : error
    }
    return { oldPlugin: old, newPlugin: replacement, nodes: done }
  }

  /** Resolves when the node has left. */
  async drain(node: string): Promise<void> {
    for (const run of this.#named([node])) await drainOver(this.#cable, run)
  }

  /** Swaps nodes back, the last one first. Resolves to those that have the old plugin again. */
  async #swapBack(old: string, replacement: string, done: readonly NodeRun[]): Promise<string[]> {
    const back: string[] = []
    for (const run of [...done].reverse())
      await this.#on(run, (peer) => swapOn(peer, run.node, [replacement, old], {})).then(
        () => back.push(run.node),
        () => {},
      )
    return back
  }

  /** Does it on one node after the other, until one fails. */
  async #onEach(
    what: string,
    runs: readonly NodeRun[],
    work: (peer: Peer, run: NodeRun) => Promise<unknown>,
  ): Promise<void> {
    const done: string[] = []
    for (const run of runs) {
      try {
        await this.#on(run, (peer) => work(peer, run))
        done.push(run.node)
      } catch (error) {
        throw stoppedAt(what, run.node, done, error)
      }
    }
  }

  /** Of two nodes with one name, only one may do it, and not a later run of it either. */
  async #on<Result>({ node, boot }: NodeRun, work: (peer: Peer) => Promise<Result>): Promise<Result> {
    const { link, byteNonce } = await this.#cable.admin(node, boot)
    try {
      let isWaiting = true
      link.watch?.(() => isWaiting)
      const peer = await openPeer(link, { byteNonce, lost: nodeLost(node) })
      return await work(peer).finally(() => {
        isWaiting = false
      })
    } finally {
      link.close()
    }
  }

  /** Each once, in the order of the names. */
  #named(names: readonly string[]): readonly NodeRun[] {
    const { nodes } = this.#directory
    return [...new Set(names)].map((name) => {
      const found = nodes.find(({ node }) => node === name)
      if (found) return found
      throw noSuchNode(
        name,
        nodes.map(({ node }) => node),
      )
    })
  }

  #nodesWith(plugin: string, names: readonly string[] | undefined): readonly NodeRun[] {
    if (names) return this.#named(names)
    const { nodes } = this.#directory
    const having = nodes.filter((beat) => pluginOn(beat, plugin))
    // One that drains takes no orders, and is about to leave: it is asked only where nobody else has it.
    const staying = having.filter(({ draining }) => !draining)
    const asked = (staying.length > 0 ? staying : having).map(({ node }) => node)
    if (asked.length > 0) return this.#named(asked.sort())
    throw onNoNode(
      plugin,
      nodes.map(({ node }) => node),
      pluginNames(nodes),
    )
  }
}

/** A node that is silent for so long has gone, in ms. */
const silenceMs = 3000

/**
 * Lets a run of a node finish its calls and leave. Resolves when it has.
 *
 * @throws PluginError Why it can't be told to; PLUGIN_CRASHED where it was lost before its calls had ended.
 */
export async function drainOver(cable: Cable, { node, boot }: NodeRun): Promise<void> {
  let hasLeft = false
  let heardAt = performance.now()
  const endBeats = cable.onBeat((beat) => {
    if (beat.boot !== boot) return
    heardAt = performance.now()
    hasLeft ||= beat.leaving
  })
  // What it told while nothing could be heard is not missed.
  const endChanges = cable.onChange(() => {
    heardAt = performance.now()
  })
  try {
    const link = await tellToLeave(cable, { node, boot })
    let hasServed = false
    let problem: string | undefined
    void link?.closed.then((error) => {
      hasServed = error === undefined
      problem = error?.message
    })
    const isSilent = (): boolean => cable.isConnected && performance.now() - heardAt > silenceMs
    heardAt = performance.now()
    await waitUntil(() => hasLeft || problem !== undefined || isSilent(), Number.POSITIVE_INFINITY)
    // Once its callers have been served, it only has plugins to unload.
    if (!hasLeft && !hasServed) throw lostInDrain(node, problem ?? 'nothing was heard of it any more')
  } finally {
    endBeats()
    endChanges()
  }
}

/** The link over which it was told. Undefined: it is about to leave anyway. */
async function tellToLeave(cable: Cable, { node, boot }: NodeRun): Promise<Link | undefined> {
  let link: Link | undefined
  try {
    const dialled = await cable.admin(node, boot)
    link = dialled.link
    const peer = await openPeer(link, { byteNonce: dialled.byteNonce, lost: nodeLost(node) })
    await peer.request('shutdown', { reason: 'drain' })
    return link
  } catch (error) {
    link?.close()
    if (isPluginError(error) && Reflect.get(Object(error.data), 'draining') === true) return undefined
    throw error
  }
}

async function swapOn(
  peer: Peer,
  node: string,
  [old, replacement]: readonly [string, string],
  { config, preserveState }: Pick<ClusterSwapOptions, 'config' | 'preserveState'>,
): Promise<NodeSwap> {
  const answer = swapAnswer.parse(
    await peer.request('plugin/swap', {
      ...{ old, new: replacement },
      ...(config ? { config } : {}),
      ...(preserveState === undefined ? {} : { preserve_state: preserveState }),
    }),
  )
  return {
    node,
    oldVersion: answer.old_version,
    newVersion: answer.new_version,
    statePreserved: answer.state_preserved,
    heldCalls: answer.held_calls,
    durationMs: answer.swap_duration_ms,
  }
}
