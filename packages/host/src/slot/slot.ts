import { type ContractDescriptor, type HealthStatus, type PluginError, PluginStatus } from '@appfactory/sdk'
import { pluginStopping, reasonOf, swapUnderWay } from '../errors.js'
import type { Instance } from '../instance/instance.js'
import type { Source } from '../instance/source.js'
import type { RestartPolicy, RoutedCallOptions, SlotLimits, WireArgs } from '../options.js'
import { waitUntil, within } from '../waiting.js'
import { CallRouter } from './call-router.js'
import { overallStatus, Places, type PlacesEvents } from './places.js'
import type { Supervisor } from './supervisor.js'

export type SlotEvents = Omit<PlacesEvents, 'gone' | 'changed'>

export interface SlotOptions {
  source: Source
  /** How many processes there are to be. */
  replicas: number
  restartPolicy: RestartPolicy
  limits: SlotLimits
  events: SlotEvents
}

/**
 * What callers hold. Instances come and go behind it, in one place or in several: calls wait while none serves, fail when
 * theirs crashes, and go to another after that.
 */
export class Slot {
  readonly places: Places
  readonly router: CallRouter
  readonly #limits: SlotLimits
  readonly #closing = new AbortController()
  readonly #retiring = new Set<Promise<void>>()
  /** The swap, or the change of the number of places, that is under way. */
  #changing: Promise<unknown> | undefined
  #isSwapping = false
  /** Resolves when the first start has ended, however it ended. */
  #opened: Promise<unknown> = Promise.resolve()
  #closed: Promise<void> | undefined
  #isForced = false

  constructor({ source, replicas, restartPolicy, limits, events }: SlotOptions) {
    this.#limits = limits
    this.places = new Places({
      ...{ source, replicas, restartPolicy },
      healthIntervalMs: limits.healthIntervalMs,
      events: {
        ...events,
        gone: (instance) => this.router.forget(instance),
        changed: () => this.router.wake(),
      },
    })
    this.router = new CallRouter(this.places, limits)
  }

  /** The name of the plugin that serves. */
  get name(): string {
    return this.places.name
  }

  get source(): Source {
    return this.places.source
  }

  /** One of the instances that are there. */
  get instance(): Instance | undefined {
    return this.places.instances[0]
  }

  get contract(): ContractDescriptor | undefined {
    return this.places.contract
  }

  /** Why no instance is there, nor about to be. */
  get failure(): PluginError | undefined {
    return this.places.failure
  }

  get status(): PluginStatus {
    return this.places.status
  }

  /** Aborted when the slot is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  /** Bytes that wait for the plugin to read them. */
  get unsentBytes(): number {
    let sum = 0
    for (const { instance } of this.places.all) sum += instance?.unsentBytes ?? 0
    return sum
  }

  /**
   * Starts an instance in each place. What is wrong with the plugin shows in the first one; the others follow at once then.
   *
   * @throws PluginError Why one of them could not be started. The others may serve: close it.
   */
  async open(): Promise<Instance> {
    const opening = this.#open()
    this.#opened = opening.catch(() => {})
    return opening
  }

  async #open(): Promise<Instance> {
    const instance = await this.places.first.open()
    const others = this.places.all.filter(({ isUnopened }) => isUnopened)
    await Promise.all(others.map((place) => place.open()))
    return instance
  }

  /** An instance that serves, or the first that is about to. */
  ready(): Promise<Instance> {
    return this.places.ready()
  }

  call(method: string, args: WireArgs, options?: RoutedCallOptions): Promise<unknown> {
    return this.router.call(method, args, options)
  }

  stream(method: string, args: WireArgs, options?: RoutedCallOptions): AsyncIterableIterator<unknown> {
    return this.router.stream(method, args, options)
  }

  /** How the plugin is doing, with what the host knows of it. Of several places, each by itself as well. */
  async health(): Promise<HealthStatus> {
    const { all, first, restarts } = this.places
    const health = await (all.length === 1 ? placeHealth(first) : this.#healthOfAll(all))
    const { queuedCalls, openSessions } = this.router
    const figures = { restarts, queued_calls: queuedCalls, open_sessions: openSessions }
    return { ...health, details: { ...health.details, ...figures } }
  }

  async #healthOfAll(places: readonly Supervisor[]): Promise<HealthStatus> {
    const each = await Promise.all(places.map(placeHealthOrError))
    const ready = each.filter(({ status }) => isReady(status)).length
    const latencies = each.flatMap(({ latencyMs }) => latencyMs ?? [])
    const memory = each.flatMap(({ memoryMb }) => memoryMb ?? [])
    return {
      status: overallStatus(each.map(({ status }) => status)),
      message: `${ready} of ${places.length} places are ready`,
      details: {
        ...{ replicas: places.length, replicas_ready: ready, ...sumsOf(each) },
        places: each.map(wirePlace),
      },
      ...(latencies.length === 0 ? {} : { latencyMs: Math.max(...latencies) }),
      ...(memory.length === 0 ? {} : { memoryMb: memory.reduce((sum, one) => sum + one, 0) }),
    }
  }

  /**
   * Does a swap, unless another is under way. Who closes the slot waits for its end.
   *
   * @throws PluginError HOTSWAP_FAILED where another is under way; nothing is begun.
   */
  async exclusively<Result>(replacement: string, swap: () => Promise<Result>): Promise<Result> {
    if (this.#isSwapping) throw swapUnderWay(this.name, replacement)
    this.#isSwapping = true
    return this.#inTurn(swap).finally(() => {
      this.#isSwapping = false
    })
  }

  /**
   * Starts further places, or lets the last ones leave: once their calls, streams and sessions have ended or `retireTimeoutMs` is
   * over, which nobody waits for here.
   *
   * @throws PluginError Why one could not be started. There are as many as before then.
   */
  async scale(replicas: number): Promise<void> {
    await this.#opened
    return this.#inTurn(async () => {
      if (this.#closed) throw pluginStopping(this.name)
      const more = replicas - this.places.count
      if (more > 0) await this.places.add(more)
      else for (const place of this.places.remove(-more)) this.#leave(place)
    })
  }

  /** A place that gets no calls any more ends in its own time. */
  #leave(place: Supervisor): void {
    const { instance } = place
    const retired = instance ? this.retire(instance).catch(noop) : Promise.resolve()
    this.#untilRetired(retired.then(() => place.close()))
  }

  /** One change after the other. */
  #inTurn<Result>(change: () => Promise<Result>): Promise<Result> {
    const changed = this.#changing ? this.#changing.then(change) : change()
    const settled = changed.then(noop, noop).then(() => {
      if (this.#changing === settled) this.#changing = undefined
    })
    this.#changing = settled
    return changed
  }

  /**
   * What `work` resolves to, unless the slot is closed meanwhile: nobody waits for the rest of it then.
   *
   * @throws PluginError PLUGIN_NOT_READY.
   */
  async unlessClosed<T>(work: Promise<T>): Promise<T> {
    try {
      return await within(work, { signal: this.closing })
    } catch (error) {
      throw this.#closed ? pluginStopping(this.name) : error
    }
  }

  /** Stops an instance that was replaced, once its calls, streams and sessions have ended or their time is over. */
  retire(instance: Instance): Promise<void> {
    const { drainTimeoutMs, retireTimeoutMs } = this.#limits
    const retired = waitUntil(
      () => this.#isForced || !instance.isRunning || this.router.isIdle(instance),
      () => (this.#closed ? drainTimeoutMs : retireTimeoutMs),
    ).then(() => {
      this.router.forget(instance)
      return instance.stop()
    })
    this.#untilRetired(retired)
    return retired
  }

  /** Who closes the slot waits for that. */
  #untilRetired(retired: Promise<void>): void {
    const settled = retired.catch(noop).finally(() => this.#retiring.delete(settled))
    this.#retiring.add(settled)
  }

  /**
   * Unloads the plugin. Calls in flight are let finish (within a deadline) unless `force`.
   *
   * @throws PluginError PLUGIN_SHUTDOWN_FAILED; the process has ended all the same.
   */
  close(force = false): Promise<void> {
    if (force) this.forceClose()
    this.#closed ??= this.#close()
    return this.#closed
  }

  /** Where the slot is closed, now or later, calls in flight are not waited for. */
  forceClose(): void {
    this.#isForced = true
  }

  async #close(): Promise<void> {
    this.#closing.abort()
    for (const place of this.places.all) place.beginClose()
    this.router.releaseCalls()
    await this.#changing
    const places = this.places.all
    await Promise.all(this.places.instances.map((instance) => this.#drain(instance)))
    await Promise.allSettled([...places.map(({ instance }) => instance?.stop()), ...this.#retiring])
    const closed = await Promise.allSettled(places.map((place) => place.close()))
    for (const end of closed) if (end.status === 'rejected') throw end.reason
  }

  async #drain(instance: Instance): Promise<void> {
    await waitUntil(
      () => this.#isForced || !instance.isRunning || !instance.isBusy,
      this.#limits.drainTimeoutMs,
    )
  }
}

function noop(): void {}

function isReady(status: PluginStatus): boolean {
  return status === PluginStatus.READY || status === PluginStatus.BUSY
}

async function placeHealth({ instance, status, failure }: Supervisor): Promise<HealthStatus> {
  return instance?.health() ?? { status, message: failure?.message ?? 'starting', details: {} }
}

/** One place that does not answer says nothing of the others. */
function placeHealthOrError(place: Supervisor): Promise<HealthStatus> {
  return placeHealth(place).catch((error: unknown) => ({
    status: PluginStatus.ERROR,
    message: reasonOf(error),
    details: {},
  }))
}

/** Figures of places that are sums for the plugin. */
const summed = [
  ...['calls_in_flight', 'open_streams', 'calls_answered', 'calls_failed', 'calls_cancelled'],
  ...['noise', 'dropped_replies'],
]

function sumsOf(each: readonly HealthStatus[]): Record<string, number> {
  const sum = (name: string): number =>
    each.reduce((total, { details }) => total + Number(details?.[name] ?? 0), 0)
  return Object.fromEntries(summed.map((name) => [name, sum(name)]))
}

/** One place among the details of a plugin's health. */
function wirePlace(
  { status, message, details, latencyMs, memoryMb }: HealthStatus,
  index: number,
): Record<string, unknown> {
  const figures = { latency_ms: latencyMs ?? null, memory_mb: memoryMb ?? null }
  return { place: index + 1, status, message: message ?? '', ...figures, ...details }
}
