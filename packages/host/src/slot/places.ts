import { type ContractDescriptor, type PluginError, PluginStatus } from '@appfactory/sdk'
import { callTimeout, pluginStopping, replicasKeepState } from '../errors.js'
import type { Instance } from '../instance/instance.js'
import type { Source } from '../instance/source.js'
import { Supervisor, type SupervisorEvents, type SupervisorOptions } from './supervisor.js'
import type { Workers } from './worker.js'

/** What happens in a slot. `place`: in which of several places; undefined: it is about all of them, or there is only one. */
export interface PlacesEvents {
  status(status: PluginStatus, previous: PluginStatus, place?: number): void
  crash(error: PluginError, place?: number): void
  restart(attempt: number, delayMs: number, place?: number): void
  replaced: SupervisorEvents['replaced']
  gone: SupervisorEvents['gone']
  changed: SupervisorEvents['changed']
}

export interface PlacesOptions extends Omit<SupervisorOptions, 'events' | 'refuse' | 'place'> {
  replicas: number
  events: PlacesEvents
}

/** What several places are together: the first of these that one of them is. */
const bestFirst: readonly PluginStatus[] = [
  PluginStatus.READY,
  PluginStatus.BUSY,
  PluginStatus.INITIALIZING,
  PluginStatus.ERROR,
  PluginStatus.SHUTTING_DOWN,
  PluginStatus.STOPPED,
]

/** The status of a plugin with places of these statuses. */
export function overallStatus(statuses: readonly PluginStatus[]): PluginStatus {
  return bestFirst.find((status) => statuses.includes(status)) ?? PluginStatus.UNLOADED
}

/** The processes of one plugin, each supervised by itself. Most plugins have one; all are of the same source. */
export class Places implements Workers {
  readonly #options: PlacesOptions
  #supervisors: readonly Supervisor[]
  /** The status of all that was reported last. */
  #status: PluginStatus = PluginStatus.UNLOADED
  /** Where the next search begins, so that those with the same load take turns. */
  #turn = 0
  /** Calls and streams given to instances that take only so many at once. */
  readonly #taken = new WeakMap<Instance, number>()

  constructor(options: PlacesOptions) {
    this.#options = options
    const first = this.#supervisor(1, options.source)
    const others = Array.from({ length: options.replicas - 1 }, (_, index) =>
      this.#supervisor(index + 2, options.source),
    )
    this.#supervisors = [first, ...others]
  }

  get all(): readonly Supervisor[] {
    return this.#supervisors
  }

  /** The first one, which is always there. */
  get first(): Supervisor {
    const [first] = this.#supervisors
    if (!first) throw new Error('A slot has at least one place')
    return first
  }

  /** How many there are to be. */
  get count(): number {
    return this.#supervisors.length
  }

  /** The name of the plugin that serves. */
  get name(): string {
    return this.first.name
  }

  get source(): Source {
    return this.first.source
  }

  /** What callers rely on, also while no instance is there. Undefined before the first one. */
  get contract(): ContractDescriptor | undefined {
    return this.#supervisors.find(({ contract }) => contract !== undefined)?.contract
  }

  /** The instances that are there: they serve, or are let finish. */
  get instances(): Instance[] {
    return this.#supervisors.flatMap(({ instance }) => instance ?? [])
  }

  /** One that takes calls, however many it has. */
  get serving(): Instance | undefined {
    return this.#supervisors.find(({ serving }) => serving !== undefined)?.serving
  }

  /** Whether they are closed, or being closed. */
  get isClosed(): boolean {
    return this.first.isClosed
  }

  /** Why no instance is there, nor about to be. */
  get failure(): PluginError | undefined {
    return this.#supervisors.some(({ isUp }) => isUp)
      ? undefined
      : this.#supervisors.find(({ failure }) => failure !== undefined)?.failure
  }

  /** Why a call that waits can wait no longer. Undefined: an instance is there, or about to be. */
  get whyNone(): PluginError | undefined {
    if (this.#supervisors.some(({ isUp }) => isUp)) return undefined
    return this.isClosed ? pluginStopping(this.name) : (this.failure ?? pluginStopping(this.name))
  }

  get status(): PluginStatus {
    return overallStatus(this.#supervisors.map(({ status }) => status))
  }

  /** How often one of them was started again after a crash. */
  get restarts(): number {
    return this.#supervisors.reduce((sum, { restarts }) => sum + restarts, 0)
  }

  /**
   * An instance that serves, or the first that is about to.
   *
   * @throws PluginError Why none does.
   */
  ready(): Promise<Instance> {
    const { serving, whyNone } = this
    if (serving) return Promise.resolve(serving)
    if (whyNone) return Promise.reject(whyNone)
    const coming = this.#supervisors.filter(({ isUp }) => isUp).map((supervisor) => supervisor.ready())
    return Promise.any(coming).catch(() => {
      throw this.whyNone ?? pluginStopping(this.name)
    })
  }

  /**
   * The instance that is to take a call at once: of those that serve and have room, the one with the least to do. One that is
   * not well is chosen only where no other is there.
   *
   * @param sessionsOf How many sessions an instance has.
   */
  free(sessionsOf: (instance: Instance) => number): Instance | undefined {
    const [only] = this.#supervisors
    if (only && this.#supervisors.length === 1) {
      const { serving } = only
      return serving && this.#hasRoom(serving) ? serving : undefined
    }
    return this.#leastLoaded(sessionsOf)
  }

  #leastLoaded(sessionsOf: (instance: Instance) => number): Instance | undefined {
    const count = this.#supervisors.length
    let best: Instance | undefined
    let least = Number.POSITIVE_INFINITY
    let chosen = this.#turn
    for (let step = 0; step < count; step++) {
      const at = (this.#turn + step) % count
      const place = this.#supervisors[at]
      const instance = place?.serving
      if (!place || !instance?.isRunning || !this.#hasRoom(instance)) continue
      const work = instance.callsInFlight + instance.openStreams + sessionsOf(instance)
      const load = place.isWell ? work : work + sickness
      if (load >= least) continue
      ;[best, least, chosen] = [instance, load, at]
    }
    this.#turn = (chosen + 1) % count
    return best
  }

  /** Whether an instance takes another call now: its manifest may say how many it does at a time. */
  #hasRoom(instance: Instance): boolean {
    const { max_concurrency: most } = instance.manifest
    return most === undefined || (this.#taken.get(instance) ?? 0) < most
  }

  /** Notes that an instance was given a call or a stream. Returns what notes its end. Undefined: it takes any number of them. */
  occupy(instance: Instance): (() => void) | undefined {
    if (instance.manifest.max_concurrency === undefined) return undefined
    this.#taken.set(instance, (this.#taken.get(instance) ?? 0) + 1)
    return () => {
      this.#taken.set(instance, (this.#taken.get(instance) ?? 1) - 1)
      this.#options.events.changed()
    }
  }

  placeOf(instance: Instance): number | undefined {
    const at = this.#supervisors.findIndex((place) => place.instance === instance)
    return at < 0 ? undefined : this.told(at + 1)
  }

  /** What is said of a place, from 1. Where a plugin has one process, nothing is. */
  told(place: number): number | undefined {
    return this.count > 1 || place > 1 ? place : undefined
  }

  countRefused(method: string, error: unknown): void {
    this.source.figures.refuse(method, error)
  }

  late(timeoutMs: number): PluginError {
    return callTimeout(this.name, 'a call', timeoutMs)
  }

  /**
   * Adds places of the same source, and starts them. Whatever fails, those that were there go on alone.
   *
   * @throws PluginError Why one of them could not be started.
   */
  async add(count: number): Promise<void> {
    const before = this.#supervisors
    const refused = this.instances
      .map((instance) => this.refuse(instance, before.length + count))
      .find(Boolean)
    if (refused) throw refused
    const added = Array.from({ length: count }, (_, index) =>
      this.#supervisor(before.length + index + 1, this.source),
    )
    this.#supervisors = [...before, ...added]
    try {
      await Promise.all(added.map((place) => place.open()))
    } catch (error) {
      if (!this.isClosed) this.#keep(before.length)
      await Promise.allSettled(added.map((place) => place.close()))
      throw error
    }
  }

  /** Takes the last places away: they get no more calls, and are not started again. They are the caller's to close. */
  remove(count: number): readonly Supervisor[] {
    const removed = this.#supervisors.slice(this.count - count)
    this.#keep(this.count - count)
    for (const place of removed) place.beginClose()
    return removed
  }

  #keep(count: number): void {
    this.#supervisors = this.#supervisors.slice(0, count)
    this.#tellStatus()
    this.#options.events.changed()
  }

  /** Why an instance can't be one of several. */
  refuse(instance: Instance, replicas = this.count): PluginError | undefined {
    const { name, replicas: kind } = instance.manifest
    return replicas > 1 && instance.keepsState && kind !== 'independent'
      ? replicasKeepState(name, replicas)
      : undefined
  }

  #supervisor(place: number, source: Source): Supervisor {
    const { events, restartPolicy, healthIntervalMs } = this.#options
    const which = (): number | undefined => this.told(place)
    return new Supervisor({
      ...{ source, restartPolicy, healthIntervalMs },
      place: which,
      refuse: (instance) => this.refuse(instance),
      events: {
        status: (status, previous) => {
          const told = which()
          if (told !== undefined) events.status(status, previous, told)
          this.#tellStatus()
        },
        crash: (error) => events.crash(error, which()),
        restart: (attempt, delayMs) => events.restart(attempt, delayMs, which()),
        // They are all replaced at once.
        replaced: (previous) => {
          if (place === 1) events.replaced(previous)
        },
        gone: (instance) => events.gone(instance),
        changed: () => events.changed(),
      },
    })
  }

  #tellStatus(): void {
    const previous = this.#status
    const status = overallStatus(this.#supervisors.map(({ reported }) => reported))
    if (status === previous) return
    this.#status = status
    this.#options.events.status(status, previous)
  }
}

/** What a place that failed its last health check seems to have to do besides: more than any that is well. */
const sickness = 1e9
