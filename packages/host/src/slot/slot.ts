import type { HealthStatus, PluginStatus } from '@appfactory/sdk'
import { pluginStopping, swapUnderWay } from '../errors.js'
import type { Instance } from '../instance/instance.js'
import type { Source } from '../instance/source.js'
import type { RestartPolicy, RoutedCallOptions, SlotLimits, WireArgs } from '../options.js'
import { waitUntil, within } from '../waiting.js'
import { CallRouter } from './call-router.js'
import { Supervisor, type SupervisorEvents } from './supervisor.js'

export type SlotEvents = Omit<SupervisorEvents, 'gone'>

export interface SlotOptions {
  source: Source
  restartPolicy: RestartPolicy
  limits: SlotLimits
  events: SlotEvents
}

/**
 * The stable place that callers hold. Instances come and go behind it: calls wait while one starts, fail when one
 * crashes, and go to its successor after that.
 */
export class Slot {
  readonly supervisor: Supervisor
  readonly router: CallRouter
  readonly #limits: SlotLimits
  readonly #closing = new AbortController()
  readonly #retiring = new Set<Promise<void>>()
  /** The swap that is under way. */
  #swapping: Promise<unknown> | undefined
  #closed: Promise<void> | undefined
  #isForced = false

  constructor({ source, restartPolicy, limits, events }: SlotOptions) {
    this.#limits = limits
    this.supervisor = new Supervisor({
      source,
      restartPolicy,
      healthIntervalMs: limits.healthIntervalMs,
      events: { ...events, gone: (instance) => this.router.forget(instance) },
    })
    this.router = new CallRouter(this.supervisor, limits)
  }

  /** The name of the plugin that serves. */
  get name(): string {
    return this.supervisor.name
  }

  get source(): Source {
    return this.supervisor.source
  }

  get instance(): Instance | undefined {
    return this.supervisor.instance
  }

  get status(): PluginStatus {
    return this.supervisor.status
  }

  /** Aborted when the slot is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  /** Bytes that wait for the plugin to read them. */
  get unsentBytes(): number {
    return this.instance?.unsentBytes ?? 0
  }

  /** Starts the first instance. */
  open(): Promise<Instance> {
    return this.supervisor.open()
  }

  /** The instance that serves, or the one that is starting. */
  ready(): Promise<Instance> {
    return this.supervisor.ready()
  }

  call(method: string, args: WireArgs, options?: RoutedCallOptions): Promise<unknown> {
    return this.router.call(method, args, options)
  }

  stream(method: string, args: WireArgs, options?: RoutedCallOptions): AsyncIterableIterator<unknown> {
    return this.router.stream(method, args, options)
  }

  /** How the plugin is doing, with what the host knows of it. */
  async health(): Promise<HealthStatus> {
    const { instance, failure, restarts } = this.supervisor
    const { queuedCalls, openSessions } = this.router
    const figures = { restarts, queued_calls: queuedCalls, open_sessions: openSessions }
    if (!instance) {
      const message = failure?.message ?? 'starting'
      return { status: this.status, message, details: figures }
    }
    const health = await instance.health()
    return { ...health, details: { ...health.details, ...figures } }
  }

  /**
   * Does a swap, unless another is under way. Who closes the slot waits for its end.
   *
   * @throws PluginError HOTSWAP_FAILED where another is under way; nothing is begun.
   */
  async exclusively<Result>(replacement: string, swap: () => Promise<Result>): Promise<Result> {
    if (this.#swapping) throw swapUnderWay(this.name, replacement)
    const swapping = swap().finally(() => {
      this.#swapping = undefined
    })
    this.#swapping = swapping
    return swapping
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
    const settled = retired.catch(() => {}).finally(() => this.#retiring.delete(settled))
    this.#retiring.add(settled)
    return retired
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
    this.supervisor.beginClose()
    this.router.releaseCalls()
    await this.#swapping?.catch(() => {})
    if (this.instance) await this.#drain(this.instance)
    await Promise.allSettled([this.instance?.stop(), ...this.#retiring])
    await this.supervisor.close()
  }

  async #drain(instance: Instance): Promise<void> {
    await waitUntil(
      () => this.#isForced || !instance.isRunning || !instance.isBusy,
      this.#limits.drainTimeoutMs,
    )
  }
}
