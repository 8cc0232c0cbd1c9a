import {
  callTimeout,
  exhausted,
  isHostError,
  noSession,
  noSessionId,
  notDrained,
  notIdempotent,
  pluginStopping,
} from '../errors.js'
import type { Instance } from '../instance/instance.js'
import { PieceStream } from '../instance/pieces.js'
import { type RoutedCallOptions, type SlotLimits, type WireArgs, wrongCallOption } from '../options.js'
import { type CallTrace, callChannel, TracedCall, traceCall } from '../traces.js'
import { timeLeft, waitUntil, within } from '../waiting.js'
import { type Session, Sessions } from './sessions.js'
import type { Supervisor } from './supervisor.js'

/** While one is there, new calls wait, except those of sessions. */
export interface Hold {
  /** How many calls have had to wait. */
  calls: number
  release(): void
}

/** Decides which instance a call goes to, and when: calls wait while none serves, and follow their session. */
export class CallRouter {
  readonly #supervisor: Supervisor
  readonly #limits: SlotLimits
  readonly #sessions = new Sessions()
  #queued = 0
  #hold: (Hold & { released: Promise<void> }) | undefined

  constructor(supervisor: Supervisor, limits: SlotLimits) {
    this.#supervisor = supervisor
    this.#limits = limits
  }

  /** Calls that wait for an instance. */
  get queuedCalls(): number {
    return this.#queued
  }

  get openSessions(): number {
    return this.#sessions.size
  }

  /** Calls a method by its wire name. A call to a plugin that is ready takes no promise more than the instance's own. */
  call(method: string, args: WireArgs, options: RoutedCallOptions = {}): Promise<unknown> {
    const wrong = wrongCallOption(options)
    if (wrong) return Promise.reject(wrong)
    if (!callChannel.hasSubscribers) return this.#call(method, args, options)
    return traceCall(this.#traceOf(method, 'call'), () => this.#call(method, args, options))
  }

  #call(method: string, args: WireArgs, options: RoutedCallOptions): Promise<unknown> {
    if (options.retry) return this.#callWithRetry(method, args, options)
    const instance = this.#free()
    if (instance) return this.#callOn(instance, method, args, options)
    // Sessions go on while other calls wait for a swap, or for another instance than theirs.
    const session = this.#sessionOf(method, args)
    return session
      ? this.#callInSession(session, method, args, options)
      : this.#callLater(method, args, options)
  }

  /** Calls a stream method by its wire name. The instance is chosen when the stream is first read, and stays. */
  stream(method: string, args: WireArgs, options: RoutedCallOptions = {}): AsyncIterableIterator<unknown> {
    let traced: TracedCall | undefined
    const open = (): AsyncIterator<unknown> | Promise<AsyncIterator<unknown>> => {
      const instance = this.#free()
      return instance ? instance.stream(method, args, options) : this.#openLater(method, args, options)
    }
    return new PieceStream({
      open: () => {
        const wrong = wrongCallOption(options)
        if (wrong) throw wrong
        if (!callChannel.hasSubscribers) return open()
        traced = new TracedCall(this.#traceOf(method, 'stream'))
        return traced.begin(open)
      },
      onEnd: (outcome, error) => traced?.end(outcome, error),
    })
  }

  /** New calls wait until the hold is released. */
  holdCalls(): Hold {
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

  /** Calls that were held go on, to what serves now. */
  releaseCalls(): void {
    this.#hold?.release()
  }

  /**
   * Resolves when an instance has no calls in flight, those of its sessions apart.
   *
   * @throws PluginError CALL_TIMEOUT after `drainTimeoutMs`; PLUGIN_NOT_READY where the slot is closed meanwhile.
   */
  async drainCalls(instance: Instance): Promise<void> {
    const { drainTimeoutMs } = this.#limits
    const inSessions = (): number => this.#sessions.of(instance).reduce((sum, { calls }) => sum + calls, 0)
    const isDrained = (): boolean => instance.callsInFlight <= inSessions()
    const isOver = await waitUntil(() => this.#supervisor.isClosed || isDrained(), drainTimeoutMs)
    if (this.#supervisor.isClosed) throw pluginStopping(this.#supervisor.name)
    if (!isOver) throw notDrained(this.#supervisor.name, drainTimeoutMs)
  }

  /** Whether an instance has neither calls nor streams nor sessions. */
  isIdle(instance: Instance): boolean {
    return !instance.isBusy && this.#sessions.of(instance).length === 0
  }

  /** An instance is gone, and its sessions with it. */
  forget(instance: Instance): void {
    this.#sessions.drop(instance)
  }

  #traceOf(method: string, kind: CallTrace['kind']): CallTrace {
    const { name, contract } = this.#supervisor
    return { plugin: name, method, contract: contract?.name, kind }
  }

  /** The instance that takes a call at once. */
  #free(): Instance | undefined {
    return this.#hold ? undefined : this.#supervisor.serving
  }

  /** The session that a call belongs to, whichever instance serves. Undefined: none that is known, or nothing takes calls any more. */
  #sessionOf(method: string, args: WireArgs): Session | undefined {
    const session = this.#supervisor.isClosed ? undefined : this.#sessions.get(args['session_id'])
    return session?.instance.sessionRole(method) ? session : undefined
  }

  async #openLater(
    method: string,
    args: WireArgs,
    options: RoutedCallOptions,
  ): Promise<AsyncIterator<unknown>> {
    return (await this.#wait(method, options)).instance.stream(method, args, options)
  }

  async #callLater(method: string, args: WireArgs, options: RoutedCallOptions): Promise<unknown> {
    const { instance, ...rest } = await this.#wait(method, options)
    return this.#callOn(instance, method, args, { ...options, ...rest })
  }

  #callOn(instance: Instance, method: string, args: WireArgs, options: RoutedCallOptions): Promise<unknown> {
    const role = instance.sessionRole(method)
    if (role === undefined) return instance.call(method, args, options)
    if (role === 'open') return this.#openSession(instance, method, args, options)
    const session = this.#sessions.get(args['session_id'])
    if (session) return this.#callInSession(session, method, args, options)
    // An unknown id is for the plugin to judge, unless it would match one of the plugin's own ids.
    const isTaken = this.#sessions.of(instance).some(({ id }) => id === args['session_id'])
    return isTaken
      ? Promise.reject(this.#refused(method, noSession(this.#supervisor.name, String(args['session_id']))))
      : instance.call(method, args, options)
  }

  /** Calls again, within the call's own time, where the plugin crashed under a call that may be made twice. */
  async #callWithRetry(method: string, args: WireArgs, options: RoutedCallOptions): Promise<unknown> {
    const begun = performance.now()
    const { retry = 0, timeoutMs, ...others } = options
    const { instance } = await this.#wait(method, options)
    const isOfSession = instance.sessionRole(method) !== undefined
    if (isOfSession || !instance.isIdempotent(method)) throw notIdempotent(this.#supervisor.name, method)
    for (let left = retry; ; left--) {
      const rest = timeoutMs === undefined ? {} : { timeoutMs: timeLeft(timeoutMs, begun) }
      try {
        return await this.#call(method, args, { ...others, ...rest })
      } catch (error) {
        const isOver = left <= 0 || this.#supervisor.isClosed
        if (isOver || !isHostError(error, 'PLUGIN_CRASHED')) throw error
      }
    }
  }

  async #openSession(
    instance: Instance,
    method: string,
    args: WireArgs,
    options: RoutedCallOptions,
  ): Promise<unknown> {
    const { name } = this.#supervisor
    const { maxSessions } = this.#limits
    if (this.#sessions.size >= maxSessions)
      throw this.#refused(method, exhausted(name, 'maxSessions', maxSessions))
    const answer = instance.call(method, args, options)
    const id = await this.#sessions.open(
      instance,
      answer.then((result) => sessionIdOf(name, method, result)),
    )
    // No copy: the result is known to hold bytes, if it does.
    return Object.assign(Object(await answer), { session_id: id })
  }

  /** A session stays with the instance that began it, and is over with the call that ends it, whatever comes of that. */
  async #callInSession(
    session: Session,
    method: string,
    args: WireArgs,
    options: RoutedCallOptions,
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

  /** Waits for an instance, within the call's own time. */
  async #wait(
    method: string,
    options: RoutedCallOptions,
  ): Promise<{ instance: Instance; timeoutMs?: number }> {
    const { name } = this.#supervisor
    const { timeoutMs } = options
    const { maxQueuedCalls } = this.#limits
    if (this.#queued >= maxQueuedCalls)
      throw this.#refused(method, exhausted(name, 'maxQueuedCalls', maxQueuedCalls))
    const before = performance.now()
    this.#queued += 1
    if (this.#hold) this.#hold.calls += 1
    try {
      const instance = await within(this.#next(), {
        ...options,
        late: () => callTimeout(name, 'a call', timeoutMs ?? 0),
      })
      return timeoutMs === undefined ? { instance } : { instance, timeoutMs: timeLeft(timeoutMs, before) }
    } catch (error) {
      throw this.#refused(method, error)
    } finally {
      this.#queued -= 1
    }
  }

  /** Counts a call for which no plugin is asked; returns its error. */
  #refused<E>(method: string, error: E): E {
    this.#supervisor.source.figures.refuse(method, error)
    return error
  }

  async #next(): Promise<Instance> {
    while (this.#hold) await this.#hold.released
    return this.#supervisor.ready()
  }
}

/** The id in the answer to a method that opens a session. */
function sessionIdOf(plugin: string, method: string, answer: unknown): string {
  const id: unknown = Reflect.get(Object(answer), 'session_id')
  if (typeof id !== 'string') throw noSessionId(plugin, method)
  return id
}
