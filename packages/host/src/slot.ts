import { setTimeout as delay } from 'node:timers/promises'
import { type HealthStatus, PluginError, PluginStatus } from '@appfactory/sdk'
import { maxTimerMs } from '@appfactory/sdk/wire'
import type { Config } from './config.js'
import type { CallOptions, Instance } from './instance.js'
import { callTimeout, pluginQuarantined, pluginStopping } from './messages.js'
import { PieceStream } from './pieces.js'
import { RestartCounter, type RestartPolicy } from './restart.js'

export interface SlotEvents {
  status(status: PluginStatus, previous: PluginStatus): void
  crash(error: PluginError): void
  restart(attempt: number, delayMs: number): void
}

export interface SlotOptions {
  name: string
  /** Starts an instance, each time from the files as they are then. An abort ends the start. */
  start(signal: AbortSignal): Promise<Instance>
  restartPolicy: RestartPolicy
  healthIntervalMs: number
  /** How long unloading waits for calls in flight. */
  drainTimeoutMs: number
  events: SlotEvents
}

/** Failures that a restart can't mend. */
const lasting = new Set([
  'CONFIG_INVALID',
  'MANIFEST_INVALID',
  'MANIFEST_MISSING',
  'CONTRACT_MISMATCH',
  'DEPENDENCY_MISSING',
  'PROTOCOL_VERSION_UNSUPPORTED',
  'PLUGIN_NOT_FOUND',
])

/**
 * The stable place that callers hold. Instances come and go behind it: calls wait while one starts, fail when one
 * crashes, and go to its successor after that.
 */
export class Slot {
  readonly name: string
  /** How often the plugin was started again after a crash. */
  restarts = 0
  readonly #options: SlotOptions
  readonly #crashes: RestartCounter
  readonly #closing = new AbortController()
  #instance: Instance | undefined
  #starting: Promise<Instance> | undefined
  #failure: PluginError | undefined
  #status: PluginStatus = PluginStatus.UNLOADED
  #healthTimer: NodeJS.Timeout | undefined
  #closed: Promise<void> | undefined

  constructor(options: SlotOptions) {
    this.name = options.name
    this.#options = options
    this.#crashes = new RestartCounter(options.restartPolicy)
  }

  /** Starts the first instance. */
  open(): Promise<Instance> {
    this.#setStatus(PluginStatus.INITIALIZING)
    this.#starting = this.#begin()
    return this.#starting
  }

  get instance(): Instance | undefined {
    return this.#instance
  }

  get status(): PluginStatus {
    if (!this.#instance || this.#closed) return this.#status
    // The last health check knows better than a process that merely runs.
    return this.#status === PluginStatus.ERROR ? this.#status : this.#instance.status
  }

  call(method: string, args: Config, options: CallOptions = {}): Promise<unknown> {
    const serving = this.#serving()
    return serving ? serving.instance.call(method, args, options) : this.#callLater(method, args, options)
  }

  async #callLater(method: string, args: Config, options: CallOptions): Promise<unknown> {
    const { instance, timeoutMs } = await this.#await(options)
    return instance.call(method, args, timeoutMs === undefined ? options : { ...options, timeoutMs })
  }

  stream(method: string, args: Config, options: CallOptions = {}): AsyncIterableIterator<unknown> {
    const serving = this.#serving()
    if (serving) return serving.instance.stream(method, args, options)
    return new PieceStream({
      open: async () => (await this.#await(options)).instance.stream(method, args, options),
    })
  }

  #serving(): Serving | undefined {
    return this.#instance && !this.#closed ? { instance: this.#instance } : undefined
  }

  /** Waits for an instance, within the call's own time. */
  async #await({ signal, timeoutMs }: CallOptions): Promise<Serving> {
    const before = performance.now()
    const instance = await within(this.name, this.ready(), signal, timeoutMs)
    return timeoutMs === undefined
      ? { instance }
      : { instance, timeoutMs: Math.max(1, timeoutMs - (performance.now() - before)) }
  }

  /** The instance that serves, or the one that is starting. */
  async ready(): Promise<Instance> {
    if (this.#closed) throw pluginStopping(this.name)
    if (this.#instance) return this.#instance
    if (this.#failure) throw this.#failure
    if (!this.#starting) throw pluginStopping(this.name)
    return this.#starting
  }

  /** How the plugin is doing, with what the host knows of it. */
  async health(): Promise<HealthStatus> {
    const instance = this.#instance
    if (!instance)
      return {
        status: this.status,
        message: this.#failure?.message ?? 'starting',
        details: { restarts: this.restarts },
      }
    const health = await instance.health()
    return { ...health, details: { ...health.details, restarts: this.restarts } }
  }

  /**
   * Unloads the plugin. Calls in flight are let finish (within a deadline) unless `force`.
   *
   * @throws PluginError PLUGIN_SHUTDOWN_FAILED; the process has ended all the same.
   */
  close(force = false): Promise<void> {
    this.#closed ??= this.#close(force)
    return this.#closed
  }

  async #close(force: boolean): Promise<void> {
    this.#closing.abort()
    clearInterval(this.#healthTimer)
    this.#setStatus(PluginStatus.SHUTTING_DOWN)
    const instance = this.#instance ?? (await this.#starting?.catch(() => undefined))
    try {
      if (instance && !force) await this.#drain(instance)
      await instance?.stop()
    } finally {
      this.#instance = undefined
      this.#setStatus(PluginStatus.STOPPED)
    }
  }

  async #drain(instance: Instance): Promise<void> {
    const deadline = Date.now() + this.#options.drainTimeoutMs
    while (instance.callsInFlight > 0 && Date.now() < deadline) await delay(5)
  }

  /** Starts an instance, and makes it the one that serves. */
  async #begin(): Promise<Instance> {
    try {
      const instance = await this.#options.start(this.#closing.signal)
      this.#instance = instance
      this.#failure = undefined
      this.#setStatus(PluginStatus.READY)
      this.#watch(instance)
      return instance
    } catch (error) {
      if (this.#closed) throw pluginStopping(this.name)
      this.#setStatus(PluginStatus.ERROR)
      this.#failure =
        error instanceof PluginError ? error : new PluginError('PLUGIN_LOAD_FAILED', String(error))
      throw this.#failure
    }
  }

  #watch(instance: Instance): void {
    void instance.crashed.then((error) => this.#recover(error))
    clearInterval(this.#healthTimer)
    this.#healthTimer = setInterval(() => void this.#checkHealth(instance), this.#options.healthIntervalMs)
    this.#healthTimer.unref()
  }

  async #checkHealth(instance: Instance): Promise<void> {
    const before = this.#status
    const status = await instance.health().then(
      (health) => (health.status === PluginStatus.BUSY ? PluginStatus.READY : health.status),
      () => PluginStatus.ERROR,
    )
    // A plugin that was replaced or closed meanwhile has nothing to say any more.
    if (this.#instance === instance && this.#status === before && !this.#closed) this.#setStatus(status)
  }

  async #recover(error: PluginError): Promise<void> {
    clearInterval(this.#healthTimer)
    this.#instance = undefined
    if (this.#closed) return
    this.#setStatus(PluginStatus.ERROR)
    this.#options.events.crash(error)
    this.#starting = this.#restart()
    this.#starting.catch(() => {})
  }

  /** Starts instances until one stays, with a wait before each. */
  async #restart(): Promise<Instance> {
    for (;;) {
      const delayMs = this.#crashes.crashed()
      if (delayMs === undefined) return this.#quarantine()
      await delay(delayMs, undefined, { signal: this.#closing.signal }).catch(() => {})
      if (this.#closing.signal.aborted) throw pluginStopping(this.name)
      this.restarts += 1
      this.#options.events.restart(this.restarts, delayMs)
      try {
        this.#setStatus(PluginStatus.INITIALIZING)
        return await this.#begin()
      } catch (error) {
        if (error instanceof PluginError && lasting.has(error.codeName ?? '')) throw error
        this.#failure = undefined
      }
    }
  }

  #quarantine(): never {
    const { maxCrashes, windowMs } = this.#options.restartPolicy
    this.#failure = pluginQuarantined(this.name, maxCrashes, windowMs / 60_000)
    this.#setStatus(PluginStatus.ERROR)
    throw this.#failure
  }

  #setStatus(status: PluginStatus): void {
    const previous = this.#status
    if (status === previous) return
    this.#status = status
    this.#options.events.status(status, previous)
  }
}

interface Serving {
  instance: Instance
  /** What is left of the call's time, where some of it was waited. */
  timeoutMs?: number
}

/** `promise`, unless the caller aborts or its time is over. */
function within<T>(
  plugin: string,
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  timeoutMs: number | undefined,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new PluginError('REQUEST_CANCELLED', 'The request was cancelled'))
    const late = (): void => reject(callTimeout(plugin, 'a call', timeoutMs ?? 0))
    const timer = timeoutMs === undefined ? undefined : setTimeout(late, Math.min(timeoutMs, maxTimerMs))
    if (signal?.aborted) abort()
    signal?.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    })
  })
}
