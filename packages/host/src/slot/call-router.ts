import type { PluginError } from '@appfactory/sdk'
import { activeTrace } from '@appfactory/sdk/internal'
import {
  exhausted,
  isHostError,
  noSession,
  noSessionId,
  notDrained,
  notIdempotent,
  pluginStopping,
} from '../errors.js'
import { PieceStream } from '../instance/pieces.js'
import { type RoutedCallOptions, type SlotLimits, type WireArgs, wrongCallOption } from '../options.js'
import { type Attempt, hasListeners, TracedCall, type Whereabouts } from '../traces.js'
import { timeLeft, waitUntil, within } from '../waiting.js'
import { type Session, Sessions } from './sessions.js'
import type { Unbegun, Worker, Workers } from './worker.js'

/** While one is there, new calls wait, except those of sessions. */
export interface Hold {
  /** How many calls have had to wait. */
  calls: number
  release(): void
}

/** A call that waits for a worker. */
interface Waiter {
  begin(worker: Worker): void
  fail(error: PluginError): void
}

/** Decides which worker a call goes to, and when: calls wait while none has room, and follow their session. */
export class CallRouter {
  readonly #workers: Workers
  readonly #limits: SlotLimits
  readonly #sessions = new Sessions()
  /** In the order in which they came. */
  readonly #waiting = new Set<Waiter>()
  #hold: Hold | undefined
  readonly #sessionsOf = (worker: Worker): number => this.#sessions.countOf(worker)

  constructor(workers: Workers, limits: SlotLimits) {
    this.#workers = workers
    this.#limits = limits
  }

  /** Calls that wait for a worker. */
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

  /** Calls a method by its wire name. A call to a plugin that is ready takes no promise more than the worker's own. */
  call(method: string, args: WireArgs, options: RoutedCallOptions = {}): Promise<unknown> {
    const wrong = wrongCallOption(options)
    if (wrong) return Promise.reject(wrong)
    if (!hasListeners()) return this.#call(method, args, inTrace(options))
    const traced = this.#traced(method, 'call', options)
    return traced.run(() => this.#call(method, args, { ...options, traced }))
  }

  #call(method: string, args: WireArgs, options: RoutedCallOptions): Promise<unknown> {
    if (options.retry) return this.#callWithRetry(method, args, options)
    const worker = this.#free()
    if (worker) return this.#callIn(worker, method, args, options)
    // Sessions go on while other calls wait for a swap, or for another worker than theirs.
    const session = this.#sessionOf(method, args)
    return session
      ? this.#callInSession(session, method, args, options)
      : this.#callLater(method, args, options)
  }

  /** Calls a stream method by its wire name. The worker is chosen when the stream is first read, and stays. */
  stream(method: string, args: WireArgs, options: RoutedCallOptions = {}): AsyncIterableIterator<unknown> {
    let traced: TracedCall | undefined
    let attempt: Attempt | undefined
    let isOver = false
    let vacate: (() => void) | undefined
    const tried = this.#workers.unbegun ? new Set<Worker>() : undefined
    const begin = (worker: Worker): AsyncIterator<unknown> => {
      // One that was left while it waited does nothing.
      if (isOver) return worker.stream(method, args, options)
      vacate = this.#workers.occupy(worker)
      tried?.add(worker)
      attempt = traced?.ask(this.#whereabouts(worker))
      return worker.stream(method, args, attempt ? { ...options, trace: attempt.context } : inTrace(options))
    }
    const open = (): AsyncIterator<unknown> | Promise<AsyncIterator<unknown>> => {
      const worker = this.#free()
      return worker ? begin(worker) : this.#later(method, options, begin)
    }
    const again = (error: unknown): ReturnType<typeof open> | undefined => {
      const why = this.#mayMove(error, options)
      if (why === undefined) return undefined
      attempt?.end('failed', error)
      attempt = undefined
      vacate?.()
      vacate = undefined
      const other = this.#free(tried)
      if (other) return begin(other)
      return why === 'unreached' ? this.#later(method, options, begin) : undefined
    }
    return new PieceStream({
      open: () => {
        const wrong = wrongCallOption(options)
        if (wrong) throw wrong
        if (!hasListeners()) return open()
        traced = this.#traced(method, 'stream', options)
        return traced.begin(open)
      },
      ...(tried ? { again } : {}),
      onEnd: (outcome, error) => {
        isOver = true
        vacate?.()
        attempt?.end(outcome, error)
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
      const worker = this.#workers.free(this.#sessionsOf)
      if (!worker) break
      this.#waiting.delete(waiter)
      waiter.begin(worker)
    }
    if (this.#waiting.size === 0) return
    const error = this.#workers.whyNone
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
   * Resolves when a worker has no calls in flight, those of its sessions apart.
   *
   * @throws PluginError CALL_TIMEOUT after `drainTimeoutMs`; PLUGIN_NOT_READY where the slot is closed meanwhile.
   */
  async drainCalls(worker: Worker): Promise<void> {
    const { drainTimeoutMs } = this.#limits
    const inSessions = (): number => this.#sessions.of(worker).reduce((sum, { calls }) => sum + calls, 0)
    const isDrained = (): boolean => worker.callsInFlight <= inSessions()
    const isOver = await waitUntil(() => this.#workers.isClosed || isDrained(), drainTimeoutMs)
    if (this.#workers.isClosed) throw pluginStopping(this.#workers.name)
    if (!isOver) throw notDrained(this.#workers.name, drainTimeoutMs)
  }

  /** Whether a worker has neither calls nor streams nor sessions. */
  isIdle(worker: Worker): boolean {
    return !worker.isBusy && this.#sessions.of(worker).length === 0
  }

  /** A worker is gone, and its sessions with it. */
  forget(worker: Worker): void {
    this.#sessions.drop(worker)
  }

  #traced(method: string, kind: 'call' | 'stream', options: RoutedCallOptions): TracedCall {
    const { name, contract, unbegun } = this.#workers
    const called = { plugin: name, method, contract: contract?.name, kind }
    return TracedCall.of(called, options, unbegun !== undefined || (options.retry ?? 0) > 0)
  }

  #whereabouts(worker: Worker): Whereabouts {
    const { node, manifest } = worker
    const place = this.#workers.placeOf?.(worker)
    return {
      version: manifest.version,
      ...(node === undefined ? {} : { node }),
      ...(place === undefined ? {} : { place }),
    }
  }

  /** Has a worker do a call. Of one that is reported, it is told who that is. */
  #ask(worker: Worker, method: string, args: WireArgs, options: RoutedCallOptions): Promise<unknown> {
    const attempt = options.traced?.ask(this.#whereabouts(worker))
    if (!attempt) return worker.call(method, args, options)
    return attempt.watch(worker.call(method, args, { ...options, trace: attempt.context }))
  }

  /** The worker that takes a call at once. Whoever waits already comes first. */
  #free(tried?: ReadonlySet<Worker>): Worker | undefined {
    return this.#hold || this.#waiting.size > 0 ? undefined : this.#workers.free(this.#sessionsOf, tried)
  }

  /** The session that a call belongs to, whichever worker serves. Undefined: none that is known, or nothing takes calls any more. */
  #sessionOf(method: string, args: WireArgs): Session | undefined {
    const session = this.#workers.isClosed ? undefined : this.#sessions.get(args['session_id'])
    return session?.worker.sessionRole(method) ? session : undefined
  }

  #callLater(method: string, args: WireArgs, options: RoutedCallOptions): Promise<unknown> {
    return this.#later(method, options, (worker, left) =>
      this.#callIn(worker, method, args, left === undefined ? options : { ...options, timeoutMs: left }),
    )
  }

  /** Calls on a worker that has room for it. */
  #callIn(
    worker: Worker,
    method: string,
    args: WireArgs,
    options: RoutedCallOptions,
    tried?: Set<Worker>,
  ): Promise<unknown> {
    const vacate = this.#workers.occupy(worker)
    const answer = this.#callOn(worker, method, args, options)
    const answered = vacate ? answer.finally(vacate) : answer
    if (!this.#workers.unbegun) return answered
    const begun = performance.now()
    return answered.catch((error: unknown) => {
      const { timeoutMs } = options
      const left = timeoutMs === undefined ? options : { ...options, timeoutMs: timeLeft(timeoutMs, begun) }
      return this.#callElsewhere(error, (tried ?? new Set()).add(worker), method, args, left)
    })
  }

  /** A call that a worker surely did nothing for goes to another one. */
  #callElsewhere(
    error: unknown,
    tried: Set<Worker>,
    method: string,
    args: WireArgs,
    options: RoutedCallOptions,
  ): Promise<unknown> {
    const why = this.#mayMove(error, options)
    if (why === undefined || this.#sessionOf(method, args)) throw error
    const other = this.#free(tried)
    if (other) return this.#callIn(other, method, args, options, tried)
    if (why === 'refused') throw error
    return this.#callLater(method, args, options)
  }

  /** Why a call that failed may go to another worker. Undefined: it may not. What it has sent piece by piece is not there any more. */
  #mayMove(error: unknown, { input }: RoutedCallOptions): Unbegun {
    return this.#workers.isClosed || input ? undefined : this.#workers.unbegun?.(error)
  }

  #callOn(worker: Worker, method: string, args: WireArgs, options: RoutedCallOptions): Promise<unknown> {
    const role = worker.sessionRole(method)
    if (role === undefined) return this.#ask(worker, method, args, options)
    if (role === 'open') return this.#openSession(worker, method, args, options)
    const session = this.#sessions.get(args['session_id'])
    if (session) return this.#callInSession(session, method, args, options)
    // An unknown id is for the plugin to judge, unless it would match one of the plugin's own ids.
    const isTaken = this.#sessions.of(worker).some(({ id }) => id === args['session_id'])
    return isTaken
      ? Promise.reject(this.#refused(method, noSession(this.#workers.name, String(args['session_id']))))
      : this.#ask(worker, method, args, options)
  }

  /** Calls again, within the call's own time, where the plugin crashed under a call that may be made twice. */
  async #callWithRetry(method: string, args: WireArgs, options: RoutedCallOptions): Promise<unknown> {
    const begun = performance.now()
    const { retry = 0, timeoutMs, ...others } = options
    const worker = this.#workers.serving ?? (await this.#later(method, options, (served) => served))
    const isOfSession = worker.sessionRole(method) !== undefined
    if (isOfSession || !worker.isIdempotent(method)) throw notIdempotent(this.#workers.name, method)
    for (let left = retry; ; left--) {
      const rest = timeoutMs === undefined ? {} : { timeoutMs: timeLeft(timeoutMs, begun) }
      try {
        return await this.#call(method, args, { ...others, ...rest })
      } catch (error) {
        const isOver = left <= 0 || this.#workers.isClosed
        if (isOver || !isHostError(error, 'PLUGIN_CRASHED')) throw error
      }
    }
  }

  async #openSession(
    worker: Worker,
    method: string,
    args: WireArgs,
    options: RoutedCallOptions,
  ): Promise<unknown> {
    const { name } = this.#workers
    const { maxSessions } = this.#limits
    if (this.#sessions.size >= maxSessions)
      throw this.#refused(method, exhausted(name, 'maxSessions', maxSessions))
    const answer = this.#ask(worker, method, args, options)
    const id = await this.#sessions.open(
      worker,
      answer.then((result) => sessionIdOf(name, method, result)),
    )
    // No copy: the result is known to hold bytes, if it does.
    return Object.assign(Object(await answer), { session_id: id })
  }

  /** A session stays with the worker that began it, and is over with the call that ends it, whatever comes of that. */
  async #callInSession(
    session: Session,
    method: string,
    args: WireArgs,
    options: RoutedCallOptions,
  ): Promise<unknown> {
    const { worker, id } = session
    session.calls += 1
    try {
      return await this.#ask(worker, method, { ...args, session_id: id }, options)
    } finally {
      session.calls -= 1
      if (worker.sessionRole(method) === 'close') this.#sessions.close(String(args['session_id']))
    }
  }

  /**
   * Does `begin` once a worker has room, within the call's own time: `left` of that, in ms. It is done at once then, so that
   * nothing else takes the room.
   */
  async #later<T>(
    method: string,
    options: RoutedCallOptions,
    begin: (worker: Worker, left: number | undefined) => T | Promise<T>,
  ): Promise<T> {
    const { name } = this.#workers
    const { timeoutMs } = options
    const { maxQueuedCalls } = this.#limits
    if (this.#waiting.size >= maxQueuedCalls)
      throw this.#refused(method, exhausted(name, 'maxQueuedCalls', maxQueuedCalls))
    const before = performance.now()
    const waiter: Waiter = { begin: () => {}, fail: () => {} }
    const begun = new Promise<{ work: T | Promise<T> }>((resolve, reject) => {
      waiter.fail = reject
      waiter.begin = (worker) => {
        try {
          const work = begin(worker, timeoutMs === undefined ? undefined : timeLeft(timeoutMs, before))
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
      late: () => this.#workers.late(timeoutMs ?? 0),
    })
      .catch((error: unknown) => {
        throw this.#refused(method, error)
      })
      .finally(() => this.#waiting.delete(waiter))
    return work
  }

  /** Counts a call for which no plugin is asked; returns its error. */
  #refused<E>(method: string, error: E): E {
    this.#workers.countRefused(method, error)
    return error
  }
}

/** A call goes along with the trace that its caller is in. */
function inTrace(options: RoutedCallOptions): RoutedCallOptions {
  const trace = options.trace ? undefined : activeTrace()
  return trace ? { ...options, trace } : options
}

/** The id in the answer to a method that opens a session. */
function sessionIdOf(plugin: string, method: string, answer: unknown): string {
  const id: unknown = Reflect.get(Object(answer), 'session_id')
  if (typeof id !== 'string') throw noSessionId(plugin, method)
  return id
}
