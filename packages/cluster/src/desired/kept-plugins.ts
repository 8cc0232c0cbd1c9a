import { ErrorCodes } from '@appfactory/sdk'
import { describeThrown } from '@appfactory/sdk/internal'
import type { FollowedLease } from './followed.js'
import { Lease } from './lease.js'
import { type LocalPlugins, type Obstacle, obstacleOf } from './local-plugins.js'
import { type DesiredRecord, runsTheSame } from './record.js'
import type { DesiredStore } from './store.js'

export interface KeptPluginsOptions {
  node: string
  /** Of this run of the node. */
  boot: string
  leaseMs: number
  local: LocalPlugins
  store(): Promise<DesiredStore>
  /** Whether there is a record that asks for a plugin. */
  isWanted(plugin: string): boolean
  /** What is known of the lease of a plugin. */
  leaseOf(plugin: string): FollowedLease | undefined
  /** Its lease is over: nobody may be answered by it any more. */
  onLost(plugin: string): void
}

/** A plugin that runs here since it is wanted. */
interface Kept {
  /** What it was started by. */
  record: DesiredRecord
  replicas: number
  lease?: Lease | undefined
  /** Whether it has the lease that it needs, and no other. */
  isSettled: boolean
}

/** What could not be done, and when it is tried again. */
interface Failure extends Obstacle {
  times: number
  /** As `performance.now()` has it. */
  until: number
}

/** Between two attempts to load a plugin that failed, in ms: the first wait, which doubles, and the longest. */
const retryMs = { first: 5000, longest: 60_000 } as const

/** The plugins that a node has for others: it starts, changes and ends them, one thing at a time for each. */
export class KeptPlugins {
  readonly #options: KeptPluginsOptions
  readonly #kept = new Map<string, Kept>()
  readonly #failures = new Map<string, Failure>()
  /** Why nothing is done at the moment, without anybody's fault. */
  readonly #notes = new Map<string, string>()
  /** Plugins that turned out to keep no state, so that they need no lease. */
  readonly #stateless = new Set<string>()
  readonly #working = new Map<string, Promise<void>>()
  /** Plugins whose lease is over, until they have ended. */
  readonly #lost = new Set<string>()

  constructor(options: KeptPluginsOptions) {
    this.#options = options
  }

  get names(): string[] {
    return [...this.#kept.keys()]
  }

  has(name: string): boolean {
    return this.#kept.has(name)
  }

  /** What it was started by. */
  recordOf(name: string): DesiredRecord | undefined {
    return this.#kept.get(name)?.record
  }

  /** Processes that serve. */
  running(name: string): number {
    const kept = this.#kept.get(name)
    return kept && (kept.lease?.isHeld ?? true) ? kept.replicas : 0
  }

  lease(name: string): number | undefined {
    const { lease } = this.#kept.get(name) ?? {}
    return lease?.isHeld ? lease.number : undefined
  }

  /** Whether callers may be answered by a plugin, whichever of the names before and after a swap they use. */
  mayServe(name: string): boolean {
    const { local } = this.#options
    const today = local.nameToday(name)
    const isIt = (each: string): boolean => each === name || local.nameToday(each) === today
    for (const [each, { lease }] of this.#kept) if (lease && isIt(each)) lease.check()
    return ![...this.#lost].some(isIt)
  }

  isWorking(name: string): boolean {
    return this.#working.has(name)
  }

  /** Why it could not be started the last time, until it is tried again. */
  failure(name: string): Obstacle | undefined {
    const failure = this.#failures.get(name)
    return failure && performance.now() < failure.until ? failure : undefined
  }

  note(name: string): string | undefined {
    return this.#notes.get(name)
  }

  /** The record is another one: what failed before may succeed now. */
  forgive(name: string): void {
    this.#failures.delete(name)
    this.#notes.delete(name)
    this.#stateless.delete(name)
  }

  /** Sees to it that so many processes run by that record; without a record, as they are. Does one thing at most. */
  aim(name: string, record: DesiredRecord | undefined, replicas: number): void {
    if (this.#working.has(name)) return
    const work = this.#next(name, record, replicas)
    if (!work) return
    const done = work()
      .catch((error: unknown) => this.#fail(name, obstacleOf(error)))
      .finally(() => {
        if (this.#working.get(name) === done) this.#working.delete(name)
      })
    this.#working.set(name, done)
  }

  /** Has a plugin take the place of the one before it, which was swapped for it here, or is now. */
  succeed(before: string, name: string, record: DesiredRecord): void {
    const kept = this.#kept.get(before)
    if (!kept || this.#kept.has(name) || this.#working.has(before) || this.#working.has(name)) return
    const { local } = this.#options
    const isSwapped = local.nameToday(before) === name
    const move = (): void => {
      this.#kept.delete(before)
      this.#kept.set(name, kept)
      kept.record = record
      kept.isSettled = false
    }
    const work = async (): Promise<void> => {
      // It may have been swapped with a configuration that is not wanted.
      if (!isSwapped || !local.runs(name, record)) await local.swap(before, name, record.config)
      if (!isSwapped) move()
      await this.#settle(name, kept)
    }
    // What others hear of it must not say that it runs nowhere.
    if (isSwapped) move()
    const done = work()
      .catch((error: unknown) => this.#fail(name, obstacleOf(error)))
      .finally(() => {
        for (const each of [before, name]) if (this.#working.get(each) === done) this.#working.delete(each)
      })
    for (const each of [before, name]) this.#working.set(each, done)
  }

  /** Unloads all. */
  async end(): Promise<void> {
    await Promise.all(this.#working.values())
    await Promise.all(this.names.map((name) => this.#end(name).catch(() => {})))
  }

  #next(
    name: string,
    record: DesiredRecord | undefined,
    replicas: number,
  ): (() => Promise<void>) | undefined {
    const { local, isWanted } = this.#options
    const kept = this.#kept.get(name)
    if (!kept) return record && replicas > 0 ? () => this.#start(name, record, replicas) : undefined
    // Somebody has unloaded it.
    if (!local.isLoaded(name)) return () => this.#end(name)
    if (replicas === 0) return () => this.#end(name)
    const failure = local.failure(name)
    if (failure !== undefined) return () => this.#giveUp(name, failure)
    if (!kept.isSettled) return this.failure(name) ? undefined : () => this.#settle(name, kept)
    const today = local.nameToday(name)
    // Somebody has swapped it for what is wanted beside it.
    const isAstray = today !== name && isWanted(today)
    if (record && (isAstray || !runsTheSame(kept.record, record)))
      return this.failure(name) ? undefined : () => this.#swap(name, kept, record)
    if (record) kept.record = record
    const count = kept.lease ? 1 : replicas
    if (kept.replicas === count || this.failure(name)) return undefined
    return () => this.#scale(name, kept, count)
  }

  async #start(name: string, record: DesiredRecord, replicas: number): Promise<void> {
    const { local } = this.#options
    // Who has more than one of it has none that keeps state.
    const needsLease = record.replicas === 1 && !this.#stateless.has(name)
    const taken = needsLease ? await this.#take(name) : undefined
    const lease = taken === 'unknown' ? undefined : taken
    if (needsLease && !lease) return
    try {
      await local.load(name, record.config, replicas)
    } catch (error) {
      await lease?.release()
      throw error
    }
    const kept: Kept = { record, replicas, lease, isSettled: false }
    this.#kept.set(name, kept)
    this.#notes.delete(name)
    await this.#settle(name, kept)
    if (this.#kept.has(name)) this.#failures.delete(name)
  }

  /** Sees to it that it has a lease of its own where it keeps state, and none where it does not. */
  async #settle(name: string, kept: Kept): Promise<void> {
    kept.isSettled = false
    const keepsState = this.#options.local.keepsState(name)
    if (keepsState === undefined) return
    const before = kept.lease
    if (keepsState) {
      this.#stateless.delete(name)
      if (kept.record.replicas > 1 && !before)
        return await this.#giveUp(name, stateWords(kept.record.replicas))
      if (kept.lease?.plugin !== name) {
        const taken = await this.#take(name)
        // By the lease of the plugin before it, it may run on while the store is away.
        if (taken === 'unknown' && before?.isHeld) return
        kept.lease = taken === 'unknown' ? undefined : taken
      }
      // What has none must not run.
      if (!kept.lease?.isHeld) await this.#end(name, true)
    } else {
      this.#stateless.add(name)
      kept.lease = undefined
    }
    kept.isSettled = true
    if (kept.lease !== before) await before?.release()
  }

  async #swap(name: string, kept: Kept, record: DesiredRecord): Promise<void> {
    const { local } = this.#options
    // An administrator has swapped it already.
    if (!local.runs(name, record)) await local.swap(name, name, record.config)
    kept.record = record
    kept.isSettled = false
    this.#failures.delete(name)
    await this.#settle(name, kept)
  }

  async #scale(name: string, kept: Kept, replicas: number): Promise<void> {
    // Those that end take no calls from now on; those that begin, not before they are ready.
    const before = kept.replicas
    kept.replicas = Math.min(before, replicas)
    try {
      await this.#options.local.scale(name, replicas)
      kept.replicas = replicas
    } catch (error) {
      kept.replicas = before
      throw error
    }
  }

  async #end(name: string, isForced = false): Promise<void> {
    const { local } = this.#options
    const kept = this.#kept.get(name)
    // Others take over while the last calls end.
    this.#kept.delete(name)
    if (local.isLoaded(name)) await local.unload(name, isForced).catch(() => {})
    await kept?.lease?.release()
  }

  /** It does not run, and others may try. */
  async #giveUp(name: string, why: string): Promise<void> {
    await this.#end(name, true)
    this.#fail(name, { code: ErrorCodes.PLUGIN_LOAD_FAILED, why })
  }

  /** Takes the lease of a plugin, or notes who has it, or why nobody can tell. */
  async #take(name: string): Promise<Lease | 'unknown' | undefined> {
    const { node, boot, leaseMs, store, leaseOf } = this.#options
    const seen = leaseOf(name)
    let lease: Lease | undefined
    try {
      const onLost = (): void => void (lease && this.#lose(lease))
      lease = await Lease.take({ plugin: name, value: { node, boot, leaseMs }, store, onLost }, seen)
    } catch (error) {
      this.#notes.set(name, `its lease can’t be taken: ${describeThrown(error).message}`)
      return 'unknown'
    }
    if (lease) return lease
    const holder = seen?.value?.node
    this.#notes.set(
      name,
      holder === undefined || holder === node
        ? 'another node has just taken it'
        : `node ${holder} has it until its lease is over`,
    )
    return undefined
  }

  /** Ends what has that lease, by whatever name it goes by now. */
  #lose(lease: Lease): void {
    this.#notes.set(lease.plugin, 'its lease was over before it could be renewed')
    const [name] = [...this.#kept].find(([, kept]) => kept.lease === lease) ?? []
    if (name === undefined) return
    this.#lost.add(name)
    this.#options.onLost(name)
    const before = this.#working.get(name)
    const ended = this.#end(name, true)
    const done = Promise.all([before, ended])
      .then(() => {})
      .finally(() => {
        this.#lost.delete(name)
        if (this.#working.get(name) === done) this.#working.delete(name)
      })
    this.#working.set(name, done)
  }

  #fail(name: string, obstacle: Obstacle): void {
    const times = (this.#failures.get(name)?.times ?? 0) + 1
    const wait = Math.min(retryMs.first * 2 ** (times - 1), retryMs.longest)
    this.#failures.set(name, { ...obstacle, times, until: performance.now() + wait })
  }
}

function stateWords(replicas: number): string {
  return `it keeps state, and ${replicas} are wanted. Ask for one, or say "replicas": "independent" in its manifest`
}
