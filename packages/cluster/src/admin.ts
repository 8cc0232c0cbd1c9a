import { openPeer } from '@appfactory/host/internal'
import type { Peer } from '@appfactory/sdk/internal'
import { z } from 'zod'
import type { Cable } from './cable.js'
import { nodeLost, noSuchNode, onNoNode, rolledBack, stoppedAt } from './caller-errors.js'
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
    try {
      await this.#onEach(`The swap of "${old}"`, this.#nodesWith(old, on), async (peer, node) => {
        const swapped = await swapOn(peer, node, [old, replacement], how)
        done.push(swapped)
        onNode?.(swapped)
      })
    } catch (error) {
      throw rollback ? rolledBack(error, await this.#swapBack(old, replacement, done)) : error
    }
    return { oldPlugin: old, newPlugin: replacement, nodes: done }
  }

  /** Resolves when the node has left. */
  async drain(node: string): Promise<void> {
    this.#named([node])
    await drainOver(this.#cable, node)
  }

  /** Swaps nodes back, the last one first. Resolves to those that have the old plugin again. */
  async #swapBack(old: string, replacement: string, done: readonly NodeSwap[]): Promise<string[]> {
    const back: string[] = []
    for (const { node } of [...done].reverse())
      await this.#on(node, (peer) => swapOn(peer, node, [replacement, old], {})).then(
        () => back.push(node),
        () => {},
      )
    return back
  }

  /** Does it on one node after the other, until one fails. */
  async #onEach(
    what: string,
    nodes: readonly string[],
    work: (peer: Peer, node: string) => Promise<unknown>,
  ): Promise<void> {
    const done: string[] = []
    for (const node of nodes) {
      try {
        await this.#on(node, (peer) => work(peer, node))
        done.push(node)
      } catch (error) {
        throw stoppedAt(what, node, done, error)
      }
    }
  }

  async #on<Result>(node: string, work: (peer: Peer) => Promise<Result>): Promise<Result> {
    // Of two nodes with one name, only one may do it.
    const boot = this.#directory.nodes.find((beat) => beat.node === node)?.boot
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

  #named(names: readonly string[]): readonly string[] {
    const there = this.#directory.nodes.map(({ node }) => node)
    const unknown = names.find((name) => !there.includes(name))
    if (unknown !== undefined) throw noSuchNode(unknown, there)
    return names
  }

  #nodesWith(plugin: string, names: readonly string[] | undefined): readonly string[] {
    if (names) return this.#named(names)
    const { nodes } = this.#directory
    const having = nodes.filter((beat) => pluginOn(beat, plugin)).map(({ node }) => node)
    if (having.length > 0) return [...new Set(having)].sort()
    throw onNoNode(
      plugin,
      nodes.map(({ node }) => node),
      pluginNames(nodes),
    )
  }
}

/** Lets a node finish its calls and leave. Resolves when it has. */
export async function drainOver(cable: Cable, node: string): Promise<void> {
  const { link, byteNonce, boot } = await cable.admin(node)
  const left = new Promise<void>((resolve) => {
    const end = cable.onBeat((beat) => {
      if (beat.boot !== boot || !beat.leaving) return
      end()
      resolve()
    })
  })
  const peer = await openPeer(link, { byteNonce, lost: nodeLost(node) })
  await peer.request('shutdown', { reason: 'drain' })
  await Promise.race([left, link.closed])
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
