import {
  type ContractDescriptor,
  type HealthStatus,
  isPluginError,
  PluginError,
  PluginStatus,
} from '@appfactory/sdk'
import { describeThrown, isAnswer } from '@appfactory/sdk/wire'
import type { Config } from '../config/config.js'
import {
  callTimeout,
  exhausted,
  isHostError,
  noSession,
  noSessionId,
  notDrained,
  notIdempotent,
  pluginQuarantined,
  pluginStopping,
} from '../errors.js'
import type { Instance } from '../instance/instance.js'
import { PieceStream } from '../instance/pieces.js'
import type { Source } from '../instance/source.js'
import { type CallOptions, type RestartPolicy, type SlotLimits, wrongCallOption } from '../options.js'
import { pause, repeatEvery, timeLeft, waitUntil, within } from '../waiting.js'
import { RestartCounter } from './restart-counter.js'
import { type Session, Sessions } from './sessions.js'

export interface SlotEvents {
  status(status: PluginStatus, previous: PluginStatus): void
  /** Of the instance that serves, or of one that was replaced and has not left yet: `data.plugin` tells. */
  crash(error: PluginError): void
  restart(attempt: number, delayMs: number): void
  /** Another source took the place of the one of that name. */
  replaced(previous: string): void
}

export interface SlotOptions {
  source: Source
  restartPolicy: RestartPolicy
  limits: SlotLimits
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
 * A handshake that failed would fail again, unless the process was ended from outside, or the host could not start it. What a
 * plugin threw may be over next time, whatever its code.
 */
function isLasting(error: PluginError): boolean {
  const { codeName, data } = error
  if (isAnswer(error)) return false
  if (codeName !== 'PLUGIN_LOAD_FAILED') return lasting.has(codeName ?? '')
  return data !== undefined && Reflect.get(Object(data), 'transient') !== true
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
  /** How often the plugin was started again after a crash. */
  restarts = 0
  /** Whether a swap is under way. */
  swapping: Promise<unknown> | undefined
  readonly #options: SlotOptions
  readonly #closing = new AbortController()
  readonly #sessions = new Sessions()
  readonly #retiring = new Set<Promise<void>>()
  #source: Source
  #crashes: RestartCounter
  #instance: Instance | undefined
  #contract: ContractDescriptor | undefined
  #starting: Promise<Instance> | undefined
  #failure: PluginError | undefined
  #status: PluginStatus = PluginStatus.UNLOADED
  #healthTimer: NodeJS.Timeout | undefined
  #closed: Promise<void> | undefined
  #force = false
  #queued = 0
  #hold: (Hold & { released: Promise<void> }) | undefined
  /** Ends the wait for, and the start of, an instance of a source that was replaced. */
  #restarting = new AbortController()
  #comeback: (() => boolean) | undefined

  constructor(options: SlotOptions) {
    this.#options = options
    this.#source = options.source
    this.#crashes = new RestartCounter(options.restartPolicy)
  }

  /** The name of the plugin that serves. */
  get name(): string {
    return this.#source.name
  }

  get source(): Source {
    return this.#source
  }

  /** Aborted when the slot is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  get limits(): SlotLimits {
    return this.#options.limits
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

  /** Bytes that wait for the plugin to read them. */
  get unsentBytes(): number {
    return this.#instance?.unsentBytes ?? 0
  }

  /** What callers rely on, also while no instance is there. Undefined before the first one. */
  get contract(): ContractDescriptor | undefined {
    return this.#contract
  }

  get status(): PluginStatus {
    if (!this.#instance || this.#closed) return this.#status
    // The last health check knows better than a process that merely runs.
    if (this.#status === PluginStatus.ERROR) return this.#status
    return this.#instance.isBusy ? PluginStatus.BUSY : PluginStatus.READY
  }

  call(method: string, args: Config, options: CallOptions = {}): Promise<unknown> {
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
  #sessionOf(method: string, args: Config): Session | undefined {
    const session = this.#closed ? undefined : this.#sessions.get(args['session_id'])
    return session?.instance.sessionRole(method) ? session : undefined
  }

  /** The instance is chosen when the stream is first read, and stays. */
  stream(method: string, args: Config, options: CallOptions = {}): AsyncIterableIterator<unknown> {
    return new PieceStream({
      open: () => {
        const wrong = wrongCallOption(options)
        if (wrong) throw wrong
        const serving = this.#serving()
        return serving ? serving.stream(method, args, options) : this.#openLater(method, args, options)
      },
    })
  }

  async #openLater(method: string, args: Config, options: CallOptions): Promise<AsyncIterator<unknown>> {
    return (await this.#await(options)).instance.stream(method, args, options)
  }

  async #callLater(method: string, args: Config, options: CallOptions): Promise<unknown> {
    const { instance, ...rest } = await this.#await(options)
    return this.#callOn(instance, method, args, { ...options, ...rest })
  }

  #callOn(instance: Instance, method: string, args: Config, options: CallOptions): Promise<unknown> {
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
  async #callWithRetry(method: string, args: Config, options: CallOptions): Promise<unknown> {
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
    args: Config,
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
    args: Config,
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
    return this.#hold || this.#closed ? undefined : this.#instance
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
    const figures = {
      restarts: this.restarts,
      queued_calls: this.#queued,
      open_sessions: this.#sessions.size,
    }
    if (!instance) {
      const message = this.#failure?.message ?? 'starting'
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

  /**
   * Makes `instance` the one that serves, and `source` the one that successors come from. Until `settle()`, a crash of
   * the new instance brings the old one back, as long as `canComeBack` says that nothing is lost by it. Returns the old
   * one, which is to be retired.
   */
  replace(instance: Instance, source: Source, canComeBack: () => boolean): Instance | undefined {
    if (this.#closed) throw pluginStopping(this.name)
    const previous = { instance: this.#instance, source: this.#source }
    this.#watchCrash(instance)
    this.#serve(instance, source)
    this.#comeback = () => {
      if (!previous.instance?.isRunning || !canComeBack()) return false
      this.#serve(previous.instance, previous.source)
      return true
    }
    return previous.instance
  }

  /** The new instance stays, whatever comes. */
  settle(): void {
    this.#comeback = undefined
  }

  #serve(instance: Instance, source: Source): void {
    this.#restarting.abort()
    this.#restarting = new AbortController()
    this.#crashes = new RestartCounter(this.#options.restartPolicy)
    this.#starting = undefined
    this.#failure = undefined
    this.#instance = instance
    this.#contract = instance.contract
    const previous = this.#source.name
    this.#source = source
    this.#options.events.replaced(previous)
    this.#setStatus(PluginStatus.READY)
    this.#watchHealth(instance)
  }

  /** Stops an instance that was replaced, once its calls, streams and sessions have ended or their time is over. */
  retire(instance: Instance): Promise<void> {
    const isIdle = (): boolean =>
      instance.callsInFlight + instance.openStreams + this.#sessions.of(instance).length === 0
    const retired = waitUntil(
      () => this.#force || !instance.isRunning || isIdle(),
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
    if (force) this.hurry()
    this.#closed ??= this.#close()
    return this.#closed
  }

  /** Where the slot is closed, now or later, calls in flight are not waited for. */
  hurry(): void {
    this.#force = true
  }

  async #close(): Promise<void> {
    this.#closing.abort()
    clearInterval(this.#healthTimer)
    // What never came up has nothing to shut down: it stays at ERROR.
    const cameUp = this.#contract !== undefined || this.#failure === undefined
    if (cameUp) this.#setStatus(PluginStatus.SHUTTING_DOWN)
    this.#hold?.release()
    await this.swapping?.catch(() => {})
    const instance = this.#instance ?? (await this.#starting?.catch(() => undefined))
    try {
      if (instance) await this.#drain(instance)
      await instance?.stop()
    } finally {
      await Promise.all(this.#retiring)
      // An instance may have come while this one was closed.
      clearInterval(this.#healthTimer)
      this.#instance = undefined
      if (cameUp) this.#setStatus(PluginStatus.STOPPED)
    }
  }

  async #drain(instance: Instance): Promise<void> {
    const isIdle = (): boolean => instance.callsInFlight + instance.openStreams === 0
    await waitUntil(() => this.#force || !instance.isRunning || isIdle(), this.limits.drainTimeoutMs)
  }

  /** Starts an instance, and makes it the one that serves. */
  async #begin(): Promise<Instance> {
    const replaced = this.#restarting.signal
    try {
      const instance = await this.#source.start(AbortSignal.any([this.closing, replaced]))
      if (replaced.aborted) {
        await instance.stop().catch(() => {})
        return this.ready()
      }
      this.#instance = instance
      this.#contract = instance.contract
      this.#failure = undefined
      this.#setStatus(PluginStatus.READY)
      this.#watchCrash(instance)
      this.#watchHealth(instance)
      return instance
    } catch (error) {
      if (this.#closed) throw pluginStopping(this.name)
      if (replaced.aborted) return this.ready()
      this.#setStatus(PluginStatus.ERROR)
      this.#failure = isPluginError(error)
        ? error
        : new PluginError('PLUGIN_LOAD_FAILED', describeThrown(error).message)
      throw this.#failure
    }
  }

  /** Once for each instance: it may come back after a swap that failed. */
  #watchCrash(instance: Instance): void {
    void instance.ended.then((crash) => crash && this.#recover(instance, crash))
  }

  #watchHealth(instance: Instance): void {
    clearInterval(this.#healthTimer)
    let missed = 0
    this.#healthTimer = repeatEvery(this.limits.healthIntervalMs, async () => {
      if (instance.isPaused) return
      const failure = await this.#checkHealth(instance)
      // Its answer may be among what is left in its pipes by now.
      missed = failure === undefined || instance.isPaused ? 0 : missed + 1
      if (missed === this.#options.restartPolicy.maxMissedHealthChecks)
        instance.killBecause(
          `failed ${missed} health checks in a row and was stopped (the last one: ${failure})`,
        )
    })
  }

  /** Returns why the plugin did not answer; undefined where it did. */
  async #checkHealth(instance: Instance): Promise<string | undefined> {
    const before = this.#status
    let failure: string | undefined
    const answered = await instance.health().then(
      (health) => (health.status === PluginStatus.BUSY ? PluginStatus.READY : health.status),
      (error: unknown) => {
        failure = describeThrown(error).message
      },
    )
    // A plugin that was replaced or closed meanwhile has nothing to say any more.
    if (this.#instance === instance && this.#status === before && !this.#closed)
      this.#setStatus(answered ?? PluginStatus.ERROR)
    return failure
  }

  async #recover(instance: Instance, error: PluginError): Promise<void> {
    this.#sessions.drop(instance)
    if (!this.#closed) this.#options.events.crash(error)
    if (this.#instance !== instance) return
    clearInterval(this.#healthTimer)
    this.#instance = undefined
    if (this.#closed) return
    if (this.#comeback?.()) return
    this.#setStatus(PluginStatus.ERROR)
    this.#starting = this.#restart()
    this.#starting.catch(() => {})
  }

  /** Starts instances until one stays, with a wait before each. */
  async #restart(): Promise<Instance> {
    const replaced = this.#restarting.signal
    for (;;) {
      const delayMs = this.#crashes.crashed() ?? this.#quarantine()
      await this.#pause(delayMs, replaced)
      if (this.closing.aborted) throw pluginStopping(this.name)
      if (replaced.aborted) return this.ready()
      this.#failure = undefined
      this.restarts += 1
      this.#options.events.restart(this.restarts, delayMs)
      try {
        this.#setStatus(PluginStatus.INITIALIZING)
        return await this.#begin()
      } catch (error) {
        if (isPluginError(error) && isLasting(error)) throw error
        if (this.closing.aborted || replaced.aborted) throw error
        this.#failure = undefined
      }
    }
  }

  async #pause(ms: number, replaced: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([this.closing, replaced])
    // Nobody waits for a plugin in quarantine.
    await pause(ms, { signal, ref: this.#failure === undefined })
  }

  /** Calls fail at once from now on; returns the wait until one more try. */
  #quarantine(): number {
    this.#failure = pluginQuarantined(this.name, this.#options.restartPolicy)
    this.#setStatus(PluginStatus.ERROR)
    return this.#options.restartPolicy.retryQuarantinedMs
  }

  #setStatus(status: PluginStatus): void {
    const previous = this.#status
    if (status === previous) return
    this.#status = status
    this.#options.events.status(status, previous)
  }
}

/** The id in the answer to a method that opens a session. */
function sessionIdOf(plugin: string, method: string, answer: unknown): string {
  const id: unknown = Reflect.get(Object(answer), 'session_id')
  if (typeof id !== 'string') throw noSessionId(plugin, method)
  return id
}
