import type { PluginError } from '@appfactory/sdk'
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
import type { Places } from './places.js'
import { type Session, Sessions } from './sessions.js'

/** While one is there, new calls wait, except those of sessions. */
export interface Hold {
  /** How many calls have had to wait. */
  calls: number
  release(): void
}

/** A call that waits for an instance. */
interface Waiter {
  begin(instance: Instance): void
  fail(error: PluginError): void
}

/** Decides which instance a call goes to, and when: calls wait while none has room, and follow their session. */
export class CallRouter {
  readonly #places: Places
  readonly #limits: SlotLimits
  readonly #sessions = new Sessions()
  /** In the order in which they came. */
  readonly #waiting = new Set<Waiter>()
  #hold: Hold | undefined
  readonly #sessionsOf = (instance: Instance): number => this.#sessions.countOf(instance)

  constructor(places: Places, limits: SlotLimits) {
    this.#places = places
    this.#limits = limits
  }

  /** Calls that wait for an instance. */
  get queuedCalls(): number {
    return this.#waiting.size
  }

  get openSessions(): number {
    return this.#sessions.size
  }

  /** Whether a session of that id is open here. */
  hasSession(id: unknown): boolean {
    return this.#sessions.get(id) !== undefined
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
    if (instance) return this.#callIn(instance, method, args, options)
    // Sessions go on while other calls wait for a swap, or for another instance than theirs.
    const session = this.#sessionOf(method, args)
    return session
      ? this.#callInSession(session, method, args, options)
      : this.#callLater(method, args, options)
  }

  /** Calls a stream method by its wire name. The instance is chosen when the stream is first read, and stays. */
  stream(method: string, args: WireArgs, options: RoutedCallOptions = {}): AsyncIterableIterator<unknown> {
    let traced: TracedCall | undefined
    let isOver = false
    let vacate: (() => void) | undefined
    const begin = (instance: Instance): AsyncIterator<unknown> => {
      // One that was left while it waited does nothing.
      if (!isOver) vacate = this.#places.occupy(instance)
      return instance.stream(method, args, options)
    }
    const open = (): AsyncIterator<unknown> | Promise<AsyncIterator<unknown>> => {
      const instance = this.#free()
      return instance ? begin(instance) : this.#later(method, options, begin)
    }
    return new PieceStream({
      open: () => {
        const wrong = wrongCallOption(options)
        if (wrong) throw wrong
        if (!callChannel.hasSubscribers) return open()
        traced = new TracedCall(this.#traceOf(method, 'stream'))
        return traced.begin(open)
      },
      onEnd: (outcome, error) => {
        isOver = true
        vacate?.()
        traced?.end(outcome, error)
      },
    })
  }

  /** New calls wait until the hold is released. */
  holdCalls(): Hold {
    const release = (): void => {
      this.#hold = undefined
      queueMicrotask(() => this.wake())
    }
    this.#hold = { calls: 0, release }
    return this.#hold
  }

  /** Calls that wait go to what has room for them, the first one first; where nothing will have any, they fail. */
  wake(): void {
    if (this.#hold) return
    for (const waiter of this.#waiting) {
      const instance = this.#places.free(this.#sessionsOf)
      if (!instance) break
      this.#waiting.delete(waiter)
      waiter.begin(instance)
    }
    if (this.#waiting.size === 0) return
    const error = this.#places.whyNone
    if (!error) return
    for (const waiter of this.#waiting) {
      this.#waiting.delete(waiter)
      waiter.fail(error)
    }
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
    const isOver = await waitUntil(() => this.#places.isClosed || isDrained(), drainTimeoutMs)
    if (this.#places.isClosed) throw pluginStopping(this.#places.name)
    if (!isOver) throw notDrained(this.#places.name, drainTimeoutMs)
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
    const { name, contract } = this.#places
    return { plugin: name, method, contract: contract?.name, kind }
  }

  /** The instance that takes a call at once. Whoever waits already comes first. */
  #free(): Instance | undefined {
    return this.#hold || this.#waiting.size > 0 ? undefined : this.#places.free(this.#sessionsOf)
  }

  /** The session that a call belongs to, whichever instance serves. Undefined: none that is known, or nothing takes calls any more. */
  #sessionOf(method: string, args: WireArgs): Session | undefined {
    const session = this.#places.isClosed ? undefined : this.#sessions.get(args['session_id'])
    return session?.instance.sessionRole(method) ? session : undefined
  }

  #callLater(method: string, args: WireArgs, options: RoutedCallOptions): Promise<unknown> {
    return this.#later(method, options, (instance, left) =>
      this.#callIn(instance, method, args, left === undefined ? options : { ...options, timeoutMs: left }),
    )
  }

  /** Calls on an instance that has room for it. */
  #callIn(instance: Instance, method: string, args: WireArgs, options: RoutedCallOptions): Promise<unknown> {
    const vacate = this.#places.occupy(instance)
    const answer = this.#callOn(instance, method, args, options)
    return vacate ? answer.finally(vacate) : answer
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
      ? Promise.reject(this.#refused(method, noSession(this.#places.name, String(args['session_id']))))
      : instance.call(method, args, options)
  }

  /** Calls again, within the call's own time, where the plugin crashed under a call that may be made twice. */
  async #callWithRetry(method: string, args: WireArgs, options: RoutedCallOptions): Promise<unknown> {
    const begun = performance.now()
    const { retry = 0, timeoutMs, ...others } = options
    const instance = this.#places.serving ?? (await this.#later(method, options, (served) => served))
    const isOfSession = instance.sessionRole(method) !== undefined
    if (isOfSession || !instance.isIdempotent(method)) throw notIdempotent(this.#places.name, method)
    for (let left = retry; ; left--) {
      const rest = timeoutMs === undefined ? {} : { timeoutMs: timeLeft(timeoutMs, begun) }
      try {
        return await this.#call(method, args, { ...others, ...rest })
      } catch (error) {
        const isOver = left <= 0 || this.#places.isClosed
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
    const { name } = this.#places
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

  /**
   * Does `begin` once an instance has room, within the call's own time: `left` of that, in ms. It is done at once then, so that
   * nothing else takes the room.
   */
  async #later<T>(
    method: string,
    options: RoutedCallOptions,
    begin: (instance: Instance, left: number | undefined) => T | Promise<T>,
  ): Promise<T> {
    const { name } = this.#places
    const { timeoutMs } = options
    const { maxQueuedCalls } = this.#limits
    if (this.#waiting.size >= maxQueuedCalls)
      throw this.#refused(method, exhausted(name, 'maxQueuedCalls', maxQueuedCalls))
    const before = performance.now()
    const waiter: Waiter = { begin: () => {}, fail: () => {} }
    const begun = new Promise<{ work: T | Promise<T> }>((resolve, reject) => {
      waiter.fail = reject
      waiter.begin = (instance) => {
        try {
          const work = begin(instance, timeoutMs === undefined ? undefined : timeLeft(timeoutMs, before))
          // Whoever cancels in this moment hears of that, and not of the call.
          if (work instanceof Promise) work.catch(() => {})
          resolve({ work })
        } catch (error) {
          reject(error)
        }
      }
    })
    this.#waiting.add(waiter)
    if (this.#hold) this.#hold.calls += 1
    this.wake()
    const { work } = await within(begun, {
      ...options,
      late: () => callTimeout(name, 'a call', timeoutMs ?? 0),
    })
      .catch((error: unknown) => {
        throw this.#refused(method, error)
      })
      .finally(() => this.#waiting.delete(waiter))
    return work
  }

  /** Counts a call for which no plugin is asked; returns its error. */
  #refused<E>(method: string, error: E): E {
    this.#places.source.figures.refuse(method, error)
    return error
  }
}

/** The id in the answer to a method that opens a session. */
function sessionIdOf(plugin: string, method: string, answer: unknown): string {
  const id: unknown = Reflect.get(Object(answer), 'session_id')
  if (typeof id !== 'string') throw noSessionId(plugin, method)
  return id
}
