import { PluginError } from '@appfactory/sdk'
import { shortened } from '@appfactory/sdk/internal'
import type { Beat } from '../beat.js'
import type { Cable } from '../cable.js'
import {
  changedMeanwhile,
  keepsState,
  nowhere,
  recordTooLarge,
  stillMissing,
  stillThere,
  wantedBeside,
  wantedNoMore,
} from './desired-errors.js'
import { patient, pause, untilAnswered } from './patient-store.js'
import {
  asksTheSame,
  checkedRecord,
  type DesiredRecord,
  isPluginName,
  keyOfRecord,
  type Labels,
  maxRecordBytes,
  readRecord,
  recordAfterSwap,
  recordBytes,
} from './record.js'
import { toldBy } from './status.js'
import type { DesiredStore, StoredChange } from './store.js'

/** How a plugin is loaded on any of several nodes. */
export interface DesiredOptions {
  /** What a node must have to run it: `{ gpu: 'true' }`. Default: nothing, any node will do. */
  on?: Labels | undefined
  /** As for `host.load`, without `$env`. Default: `{}`. */
  config?: Record<string, unknown> | undefined
  /** Processes on all nodes together, from 1 to 1,000. Default: 1. */
  replicas?: number | undefined
  /** The version that nodes must have of it. Default: any. */
  version?: string | undefined
  /** How long it may take until it runs, in ms. What is wanted stays so afterwards. Default: 60,000. */
  timeoutMs?: number | undefined
}

const defaultTimeoutMs = 60_000
/** Between two looks at what nodes have told, in ms. */
const stepMs = 20
/** How often a change is tried that others were faster with. */
const maxAttempts = 10

/** Says what is wanted of the whole cluster, and waits until nodes have done it. */
export class DesiredAdmin {
  readonly #cable: Pick<Cable, 'desired'>
  readonly #nodes: () => readonly Beat[]

  constructor(cable: Pick<Cable, 'desired'>, nodes: () => readonly Beat[]) {
    this.#cable = cable
    this.#nodes = nodes
  }

  /** Whether nodes tell that it is wanted. */
  has(name: string): boolean {
    return toldBy(name, this.#nodes()).length > 0
  }

  async load(name: string, options: DesiredOptions): Promise<void> {
    const { on, config, replicas, version, timeoutMs = defaultTimeoutMs } = options
    const given = Object.entries({ on, config, replicas, version }).filter(([, value]) => value !== undefined)
    const wanted = checkedGiven(name, Object.fromEntries(given))
    const store = await this.#store()
    const before = await store.get(keyOfRecord(name))
    const present = recordOf(before)
    const isNew = present === undefined
    const [generation, revision] =
      present && asksTheSame(present, wanted)
        ? [present.generation ?? 0, before?.revision]
        : await this.#write(store, name, wanted, before)
    try {
      await this.#running(store, name, generation, timeoutMs)
    } catch (error) {
      // As with a host, what could not be loaded at all is not loaded.
      const isHopeless = error instanceof PluginError && error.codeName !== 'CALL_TIMEOUT'
      if (isNew && isHopeless && revision !== undefined)
        await store.remove(keyOfRecord(name), revision).catch(() => {})
      throw error
    }
  }

  /** @returns Whether it was wanted. */
  async unload(name: string, timeoutMs = defaultTimeoutMs): Promise<boolean> {
    const store = await this.#store()
    const { isThere, generation } = await this.#remove(store, name)
    if (isThere) await this.#gone(name, generation, timeoutMs)
    return isThere
  }

  /** @returns Whether it was wanted. */
  async scale(name: string, replicas: number, timeoutMs = defaultTimeoutMs): Promise<boolean> {
    checkedGiven(name, { replicas })
    const isHeld = toldBy(name, this.#nodes()).some(([, { lease }]) => lease !== undefined)
    if (isHeld && replicas > 1) throw keepsState(name, replicas)
    const store = await this.#store()
    let generation = 0
    const isThere = await this.#change(store, name, async (found) => {
      const record = recordOf(found)
      if (!record) throw wrongRecord(name, found)
      generation = generationAfter(found)
      const bytes = recordBytes({ ...record, replicas, generation })
      return (await store.put(keyOfRecord(name), bytes, found.revision)) !== undefined
    })
    if (isThere) await this.#running(store, name, generation, timeoutMs)
    // To scale it on each node is not what was asked for.
    else if (this.has(name)) throw wantedNoMore(name)
    return isThere
  }

  /** @throws PluginError PLUGIN_ALREADY_LOADED where what it is to be swapped for is wanted beside it. */
  async checkSwap(old: string, replacement: string): Promise<void> {
    if (old === replacement) return
    const store = await this.#store()
    const found = await store.get(keyOfRecord(old))
    checkFree(replacement, await store.get(keyOfRecord(replacement)), [old, generationOf(found)])
  }

  /**
   * It was swapped on all nodes: what it was swapped for is wanted in its place, so that no node goes back to it.
   *
   * @returns Whether it was wanted.
   */
  async swapped(
    old: string,
    replacement: string,
    { config, version }: { config: Record<string, unknown> | undefined; version: string },
  ): Promise<boolean> {
    const store = await this.#store()
    let generation = 0
    const isThere = await this.#change(store, old, async (found) => {
      const record = recordOf(found)
      if (!record) throw wrongRecord(old, found)
      const present = generationOf(found)
      const wanted = recordAfterSwap(record, [old, replacement], { config, version, generation: present })
      const before = old === replacement ? found : await store.get(keyOfRecord(replacement))
      if (old !== replacement) checkFree(replacement, before, [old, present])
      generation = old === replacement && asksTheSame(record, wanted) ? present : generationAfter(before)
      if (generation === present && old === replacement) return true
      const bytes = recordBytes({ ...wanted, generation })
      if (bytes.length > maxRecordBytes) throw recordTooLarge(replacement, bytes.length)
      return (await store.put(keyOfRecord(replacement), bytes, before?.revision ?? 0)) !== undefined
    })
    if (!isThere) return false
    const removed = old === replacement ? undefined : await this.#remove(store, old)
    await this.#running(store, replacement, generation, defaultTimeoutMs)
    if (removed) await this.#gone(old, removed.generation, defaultTimeoutMs)
    return true
  }

  async #store(): Promise<DesiredStore> {
    const { desired } = this.#cable
    if (!desired)
      throw new PluginError(
        'PLUGIN_NOT_READY',
        'This cluster keeps no desired state. Name the nodes with `on`',
      )
    return patient(await untilAnswered(() => desired.call(this.#cable)))
  }

  async #write(
    store: DesiredStore,
    name: string,
    wanted: DesiredRecord,
    before: StoredChange | undefined,
  ): Promise<[generation: number, revision: number]> {
    const generation = generationAfter(before)
    const bytes = recordBytes({ ...wanted, generation })
    if (bytes.length > maxRecordBytes) throw recordTooLarge(name, bytes.length)
    const revision = await store.put(keyOfRecord(name), bytes, before?.revision ?? 0)
    if (revision !== undefined) return [generation, revision]
    const now = await store.get(keyOfRecord(name))
    const record = recordOf(now)
    // Somebody else wants the very same.
    if (now && record && asksTheSame(record, wanted)) return [record.generation ?? now.revision, now.revision]
    throw changedMeanwhile(name)
  }

  /** Changes what is there, again where others were faster. Whether it is there. */
  async #change(
    store: DesiredStore,
    name: string,
    change: (found: StoredChange) => Promise<boolean>,
  ): Promise<boolean> {
    for (let attempt = 1; attempt <= maxAttempts; attempt++) {
      const found = await store.get(keyOfRecord(name))
      // It may be this end that has removed it, and was not told.
      if (!found || found.isRemoved) return attempt > 1
      if (await change(found)) return true
    }
    throw changedMeanwhile(name)
  }

  /** Removes the record: whether it was there, and its generation. */
  async #remove(store: DesiredStore, name: string): Promise<{ isThere: boolean; generation: number }> {
    let generation = 0
    const isThere = await this.#change(store, name, async (found) => {
      generation = generationOf(found)
      return store.remove(keyOfRecord(name), found.revision)
    })
    return { isThere, generation }
  }

  /** Resolves when all that can run does: at least one. */
  async #running(store: DesiredStore, name: string, generation: number, timeoutMs: number): Promise<void> {
    const begun = performance.now()
    let checkedAt = begun
    let hopefulAt = begun
    for (;;) {
      const nodes = this.#nodes().filter(({ desired, draining }) => desired && !draining)
      const told = toldBy(name, nodes).filter(([, { generation: seen }]) => seen >= generation)
      // What a node has beyond its share, or before it knows that, may be about to end.
      const running = sumOf(told, ({ current, running: here, share = 0 }) =>
        current ? Math.min(here, share) : 0,
      )
      const haveAll = told.length === nodes.length && told.every(([, { share }]) => share !== undefined)
      const shares = sumOf(told, ({ share = 0 }) => share)
      const wanted = told[0]?.[1].wanted ?? Number.POSITIVE_INFINITY
      const isStuck = told.some(([, { current, why }]) => !current && why !== undefined)
      // Who could run it, and is not to at the moment, has yet to hear what others tell.
      const hasNowhere = shares === 0 && told.every(([, { why }]) => why !== undefined)
      if (!haveAll || !(isStuck || hasNowhere)) hopefulAt = performance.now()
      const waited = performance.now() - begun
      // Those who have not heard of the change yet may have some to end.
      const everywhere = sumOf(toldBy(name, this.#nodes()), ({ running: here }) => here)
      const isEnding = everywhere > wanted && waited <= surplusMs
      if (running >= wanted && !isEnding && told.every(([, { current }]) => current)) return
      if (haveAll && waited > graceMs) {
        if (performance.now() - hopefulAt > graceMs) throw nowhere(name, this.#nodes(), told)
        if (running >= shares && running > 0 && !isEnding && !isStuck) return
      }
      if (waited > timeoutMs) throw stillMissing(name, timeoutMs, told)
      if (told.length === 0 && performance.now() - checkedAt > checkMs) {
        const found = await store.get(keyOfRecord(name))
        if (!found || found.isRemoved) throw wantedNoMore(name)
        checkedAt = performance.now()
      }
      await pause(stepMs)
    }
  }

  /** Resolves when nodes have ended it, or somebody wants it anew. A node that drains ends all when it leaves. */
  async #gone(name: string, before: number, timeoutMs: number): Promise<void> {
    const begun = performance.now()
    for (;;) {
      const nodes = this.#nodes().filter(({ draining }) => !draining)
      const told = toldBy(name, nodes).filter(
        ([, { generation, wanted }]) => generation <= before || wanted === 0,
      )
      if (told.length === 0) return
      if (performance.now() - begun > timeoutMs)
        throw stillThere(
          name,
          timeoutMs,
          told.map(([node]) => node),
        )
      await pause(stepMs)
    }
  }
}

/** How long nodes have to end processes that are too many, in ms: one that is cut off may not hear of it. */
const surplusMs = 5000

/** Between two looks whether what no node tells of is wanted still, in ms. */
const checkMs = 2000

/** Nodes that have just come may still tell that they take part, in ms. */
const graceMs = 500

/** @throws PluginError INVALID_PARAMS or PLUGIN_NOT_FOUND. */
function checkedGiven(name: string, given: object): DesiredRecord {
  if (!isPluginName(name))
    throw new PluginError('PLUGIN_NOT_FOUND', `${shortened(String(name))} is no name of a plugin`)
  const record = checkedRecord(given)
  if (typeof record === 'object') return record
  throw new PluginError('INVALID_PARAMS', `Plugin "${name}": ${record}`, { plugin: name })
}

function recordOf(found: StoredChange | undefined): DesiredRecord | undefined {
  const record = found && !found.isRemoved ? readRecord(found.data) : undefined
  return typeof record === 'object' ? record : undefined
}

/** A record in the place of what is swapped may only be what an earlier attempt has left. */
function checkFree(
  name: string,
  found: StoredChange | undefined,
  [old, generation]: readonly [string, number],
): void {
  const { replaces } = recordOf(found) ?? {}
  const isLeft = replaces?.name === old && generation <= replaces.generation
  if (found && !found.isRemoved && !isLeft) throw wantedBeside(name, old)
}

function wrongRecord(name: string, { data }: StoredChange): PluginError {
  const problem = readRecord(data)
  return new PluginError(
    'CONFIG_INVALID',
    `What is wanted of plugin "${name}" can’t be read: ${typeof problem === 'string' ? problem : 'unknown'}. Load it again, or unload it`,
    { plugin: name },
  )
}

/** Higher than all before: a revision is never lower than a generation. */
function generationAfter(found: StoredChange | undefined): number {
  return generationOf(found) + 1
}

/** Of a record without one, its revision; 0 where there is none. */
function generationOf(found: StoredChange | undefined): number {
  return recordOf(found)?.generation ?? found?.revision ?? 0
}

function sumOf<T>(told: readonly [string, T][], numberOf: (one: T) => number): number {
  return told.reduce((sum, [, one]) => sum + numberOf(one), 0)
}
