import type { HealthStatus, PluginStatus } from '@appfactory/sdk'
import {
  callTimeout,
  exhausted,
  isHostError,
  noSession,
  noSessionId,
  notDrained,
  notIdempotent,
  pluginStopping,
  swapUnderWay,
} from '../errors.js'
import type { Instance } from '../instance/instance.js'
import { PieceStream } from '../instance/pieces.js'
import type { Source } from '../instance/source.js'
import {
  type CallOptions,
  type RestartPolicy,
  type SlotLimits,
  type WireArgs,
  wrongCallOption,
} from '../options.js'
import { timeLeft, waitUntil, within } from '../waiting.js'
import { type Session, Sessions } from './sessions.js'
import { Supervisor, type SupervisorEvents } from './supervisor.js'

export type SlotEvents = Omit<SupervisorEvents, 'gone'>

export interface SlotOptions {
  source: Source
  restartPolicy: RestartPolicy
  limits: SlotLimits
  events: SlotEvents
}

/** While one is there, new calls wait. */
export interface Hold {
  /** How many calls have had to wait. */
  calls: number
  release(): void
}

/**
 * The stable place that callers hold. Instances come and go behind it: calls wait while one starts, fail when one
 * crashes, and go to its successor after that.
 */
export class Slot {
  readonly supervisor: Supervisor
  readonly limits: SlotLimits
  readonly #closing = new AbortController()
  readonly #sessions = new Sessions()
  readonly #retiring = new Set<Promise<void>>()
  /** The swap that is under way. */
  #swapping: Promise<unknown> | undefined
  #closed: Promise<void> | undefined
  #isForced = false
  #queued = 0
  #hold: (Hold & { released: Promise<void> }) | undefined

  constructor({ source, restartPolicy, limits, events }: SlotOptions) {
    this.limits = limits
    this.supervisor = new Supervisor({
      source,
      restartPolicy,
      healthIntervalMs: limits.healthIntervalMs,
      events: { ...events, gone: (instance) => this.#sessions.drop(instance) },
    })
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

  call(method: string, args: WireArgs, options: CallOptions = {}): Promise<unknown> {
    const wrong = wrongCallOption(options)
    if (wrong) return Promise.reject(wrong)
    const serving = this.#serving()
    if (options.retry) return this.#callWithRetry(method, args, options)
    if (serving) return this.#callOn(serving, method, args, options)
    // Sessions go on while other calls wait for a swap, or for another instance than theirs.
    const session = this.#sessionOf(method, args)
    return session
      ? this.#callInSession(session, method, args, options)
      : this.#callLater(method, args, options)
  }

  /** The session that a call belongs to, whichever instance serves. Undefined: none that is known, or the slot is closed. */
  #sessionOf(method: string, args: WireArgs): Session | undefined {
    const session = this.#closed ? undefined : this.#sessions.get(args['session_id'])
    return session?.instance.sessionRole(method) ? session : undefined
  }

  /** The instance is chosen when the stream is first read, and stays. */
  stream(method: string, args: WireArgs, options: CallOptions = {}): AsyncIterableIterator<unknown> {
    return new PieceStream({
      open: () => {
        const wrong = wrongCallOption(options)
        if (wrong) throw wrong
        const serving = this.#serving()
        return serving ? serving.stream(method, args, options) : this.#openLater(method, args, options)
      },
    })
  }

  async #openLater(method: string, args: WireArgs, options: CallOptions): Promise<AsyncIterator<unknown>> {
    return (await this.#await(options)).instance.stream(method, args, options)
  }

  async #callLater(method: string, args: WireArgs, options: CallOptions): Promise<unknown> {
    const { instance, ...rest } = await this.#await(options)
    return this.#callOn(instance, method, args, { ...options, ...rest })
  }

  #callOn(instance: Instance, method: string, args: WireArgs, options: CallOptions): Promise<unknown> {
    const role = instance.sessionRole(method)
    if (role === undefined) return instance.call(method, args, options)
    if (role === 'open') return this.#openSession(instance, method, args, options)
    const session = this.#sessions.get(args['session_id'])
    if (session) return this.#callInSession(session, method, args, options)
    // Whose session that is is for the plugin to say, unless it would take it for another one.
    const isTaken = this.#sessions.of(instance).some(({ id }) => id === args['session_id'])
    return isTaken
      ? Promise.reject(noSession(this.name, String(args['session_id'])))
      : instance.call(method, args, options)
  }

  /** Tries again, within the call's own time, where the plugin crashed under a call that may be made twice. */
  async #callWithRetry(method: string, args: WireArgs, options: CallOptions): Promise<unknown> {
    const begun = performance.now()
    const { retry = 0, timeoutMs, ...others } = options
    const { instance } = await this.#await(options)
    const isOfSession = instance.sessionRole(method) !== undefined
    if (isOfSession || !instance.isIdempotent(method)) throw notIdempotent(this.name, method)
    for (let left = retry; ; left--) {
      const rest = timeoutMs === undefined ? {} : { timeoutMs: timeLeft(timeoutMs, begun) }
      try {
        return await this.call(method, args, { ...others, ...rest })
      } catch (error) {
        if (left <= 0 || !isHostError(error, 'PLUGIN_CRASHED') || this.#closed) throw error
      }
    }
  }

  async #openSession(
    instance: Instance,
    method: string,
    args: WireArgs,
    options: CallOptions,
  ): Promise<unknown> {
    const { maxSessions } = this.limits
    if (this.#sessions.size >= maxSessions) throw exhausted(this.name, 'maxSessions', maxSessions)
    const answer = instance.call(method, args, options)
    const id = await this.#sessions.open(
      instance,
      answer.then((result) => sessionIdOf(this.name, method, result)),
    )
    return { ...Object(await answer), session_id: id }
  }

  /** A session stays with the instance that began it. */
  async #callInSession(
    session: Session,
    method: string,
    args: WireArgs,
    options: CallOptions,
  ): Promise<unknown> {
    const { instance, id } = session
    session.calls += 1
    try {
      return await instance.call(method, { ...args, session_id: id }, options)
    } finally {
      session.calls -= 1
      if (instance.sessionRole(method) === 'close') this.#sessions.close(String(args['session_id']))
    }
  }

  #serving(): Instance | undefined {
    return this.#hold ? undefined : this.supervisor.serving
  }

  /** Waits for an instance, within the call's own time. */
  async #await(options: CallOptions): Promise<{ instance: Instance; timeoutMs?: number }> {
    const { timeoutMs } = options
    const { maxQueuedCalls } = this.limits
    if (this.#queued >= maxQueuedCalls) throw exhausted(this.name, 'maxQueuedCalls', maxQueuedCalls)
    const before = performance.now()
    this.#queued += 1
    if (this.#hold) this.#hold.calls += 1
    try {
      const instance = await within(this.#next(), {
        ...options,
        late: () => callTimeout(this.name, 'a call', timeoutMs ?? 0),
      })
      return timeoutMs === undefined ? { instance } : { instance, timeoutMs: timeLeft(timeoutMs, before) }
    } finally {
      this.#queued -= 1
    }
  }

  async #next(): Promise<Instance> {
    while (this.#hold) await this.#hold.released
    return this.ready()
  }

  /** How the plugin is doing, with what the host knows of it. */
  async health(): Promise<HealthStatus> {
    const { instance, failure, restarts } = this.supervisor
    const figures = {
      restarts,
      queued_calls: this.#queued,
      open_sessions: this.#sessions.size,
    }
    if (!instance) {
      const message = failure?.message ?? 'starting'
      return { status: this.status, message, details: figures }
    }
    const health = await instance.health()
    return { ...health, details: { ...health.details, ...figures } }
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

  /** New calls wait until the hold is released. */
  hold(): Hold {
    let open = (): void => {}
    const released = new Promise<void>((resolve) => {
      open = resolve
    })
    const release = (): void => {
      this.#hold = undefined
      open()
    }
    this.#hold = { calls: 0, released, release }
    return this.#hold
  }

  /**
   * Resolves when an instance has no calls in flight, those of its sessions apart.
   *
   * @throws PluginError CALL_TIMEOUT after `drainTimeoutMs`; PLUGIN_NOT_READY where the slot is closed meanwhile.
   */
  async drainCalls(instance: Instance): Promise<void> {
    const { drainTimeoutMs } = this.limits
    const inSessions = (): number => this.#sessions.of(instance).reduce((sum, { calls }) => sum + calls, 0)
    const isDrained = (): boolean => instance.callsInFlight <= inSessions()
    const isOver = await waitUntil(() => this.#closed !== undefined || isDrained(), drainTimeoutMs)
    if (this.#closed) throw pluginStopping(this.name)
    if (!isOver) throw notDrained(this.name, drainTimeoutMs)
  }

  /** Stops an instance that was replaced, once its calls, streams and sessions have ended or their time is over. */
  retire(instance: Instance): Promise<void> {
    const isIdle = (): boolean =>
      instance.callsInFlight + instance.openStreams + this.#sessions.of(instance).length === 0
    const retired = waitUntil(
      () => this.#isForced || !instance.isRunning || isIdle(),
      () => (this.#closed ? this.limits.drainTimeoutMs : this.limits.retireTimeoutMs),
    ).then(() => {
      this.#sessions.drop(instance)
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
    this.#hold?.release()
    await this.#swapping?.catch(() => {})
    if (this.instance) await this.#drain(this.instance)
    await Promise.allSettled([this.instance?.stop(), ...this.#retiring])
    await this.supervisor.close()
  }

  async #drain(instance: Instance): Promise<void> {
    const isIdle = (): boolean => instance.callsInFlight + instance.openStreams === 0
    await waitUntil(() => this.#isForced || !instance.isRunning || isIdle(), this.limits.drainTimeoutMs)
  }
}

/** The id in the answer to a method that opens a session. */
function sessionIdOf(plugin: string, method: string, answer: unknown): string {
  const id: unknown = Reflect.get(Object(answer), 'session_id')
  if (typeof id !== 'string') throw noSessionId(plugin, method)
  return id
}
