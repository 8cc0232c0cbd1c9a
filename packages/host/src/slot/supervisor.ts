import { type ContractDescriptor, isPluginError, PluginError, PluginStatus } from '@appfactory/sdk'
import { describeThrown, isAnswer } from '@appfactory/sdk/internal'
import { pluginQuarantined, pluginStopping, reasonOf } from '../errors.js'
import type { Instance } from '../instance/instance.js'
import type { Source } from '../instance/source.js'
import type { RestartPolicy } from '../options.js'
import { pause, repeatEvery } from '../waiting.js'
import { RestartCounter } from './restart-counter.js'

export interface SupervisorEvents {
  status(status: PluginStatus, previous: PluginStatus): void
  /** Of the instance that serves, or of one that was replaced and has not left yet: `data.plugin` names it. */
  crash(error: PluginError): void
  restart(attempt: number, delayMs: number): void
  /** Another source took the place of the one of that name. */
  replaced(previous: string): void
  /** The process of an instance has ended unasked. Comes before `crash`. */
  gone(instance: Instance): void
  /** It is in another state: calls that wait may go on, or have to end. */
  changed(): void
}

export interface SupervisorOptions {
  source: Source
  restartPolicy: RestartPolicy
  /** Between two health checks. */
  healthIntervalMs: number
  /** Which of several places it is, from 1. Undefined: there is only one. */
  place(): number | undefined
  /** Why an instance that was started must not serve here. Undefined: it may. */
  refuse(instance: Instance): PluginError | undefined
  events: SupervisorEvents
}

/** What is to serve from now on, until `commit()` on trial. */
export interface NextInstance {
  instance: Instance
  /** Where its successors come from. */
  source: Source
  /** Whether nothing is lost where the instance before it serves again. */
  canUndo(): boolean
}

/** A replacement on trial: a crash of the new instance undoes it by itself, if it can be undone. */
export interface Replacement {
  /** What served before. It still runs. */
  previous: Instance | undefined
  /** Whether `undo()` would return true. */
  canUndo(): boolean
  /** Lets the previous instance serve again. Returns whether it does; done once, however often it is called. */
  undo(): boolean
  /** The new instance stays, whatever comes. Returns false where the replacement was undone before. */
  commit(): boolean
}

interface Starting {
  is: 'starting'
  next: Deferred<Instance>
  abandon: AbortController
}

interface Serving {
  is: 'serving'
  instance: Instance
  /** By its last health check. */
  health: PluginStatus
  checks: NodeJS.Timeout | undefined
  /** While it is on trial. */
  undo: Replacement['undo'] | undefined
}

type State =
  | { is: 'unopened' }
  | Starting
  | Serving
  /** For a restart; `next` is of who waits for it. */
  | { is: 'waiting'; next: Deferred<Instance>; abandon: AbortController }
  /** For good, or in quarantine: then `abandon` ends the wait for one more try. */
  | { is: 'failed'; error: PluginError; abandon?: AbortController }
  /** What served is let finish. */
  | { is: 'closing'; instance: Instance | undefined; cameUp: boolean }
  | { is: 'closed'; cameUp: boolean }

/** Failures that a restart can't fix. */
const permanentFailures = new Set([
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
function isPermanent(error: PluginError): boolean {
  const { codeName, data } = error
  if (isAnswer(error)) return false
  if (codeName !== 'PLUGIN_LOAD_FAILED') return permanentFailures.has(codeName ?? '')
  return data !== undefined && Reflect.get(Object(data), 'transient') !== true
}

/** Keeps one instance of a plugin alive: starts it, watches it, and starts it again after a crash. */
export class Supervisor {
  /** How often the plugin was started again after a crash. */
  restarts = 0
  readonly #options: SupervisorOptions
  #source: Source
  #crashes: RestartCounter
  #state: State = { is: 'unopened' }
  /** The status that was reported last. */
  #status: PluginStatus = PluginStatus.UNLOADED
  #contract: ContractDescriptor | undefined
  /** Starts that are under way, those that were abandoned included: each leaves nothing running when it has ended. */
  readonly #starts = new Set<Promise<void>>()

  constructor(options: SupervisorOptions) {
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

  /** The instance that takes calls. */
  get serving(): Instance | undefined {
    return this.#state.is === 'serving' ? this.#state.instance : undefined
  }

  /** The instance that is there: it serves, or is let finish. */
  get instance(): Instance | undefined {
    return 'instance' in this.#state ? this.#state.instance : undefined
  }

  /** What callers rely on, also while no instance is there. Undefined before the first one. */
  get contract(): ContractDescriptor | undefined {
    return this.#contract
  }

  /** Why no instance is there, nor about to be. */
  get failure(): PluginError | undefined {
    return this.#state.is === 'failed' ? this.#state.error : undefined
  }

  /** Whether it is closed, or being closed. */
  get isClosed(): boolean {
    return this.#state.is === 'closing' || this.#state.is === 'closed'
  }

  /** Whether nothing was started yet. */
  get isUnopened(): boolean {
    return this.#state.is === 'unopened'
  }

  /** Whether an instance serves, or is about to. */
  get isUp(): boolean {
    const { is } = this.#state
    return is === 'serving' || is === 'starting' || is === 'waiting'
  }

  /** Whether an instance serves that has not failed its last health check. */
  get isWell(): boolean {
    return this.#state.is === 'serving' && this.#state.health !== PluginStatus.ERROR
  }

  /** The status that was reported last: never BUSY. */
  get reported(): PluginStatus {
    return this.#status
  }

  get status(): PluginStatus {
    // The last health check knows better than a process that merely runs.
    if (this.#state.is !== 'serving' || this.#state.health === PluginStatus.ERROR) return this.#status
    return this.#state.instance.isBusy ? PluginStatus.BUSY : PluginStatus.READY
  }

  /** Starts the first instance. */
  open(): Promise<Instance> {
    const next = deferred<Instance>()
    this.#start(next)
    return next.promise
  }

  /**
   * The instance that serves, or the one that is about to.
   *
   * @throws PluginError Why none does.
   */
  ready(): Promise<Instance> {
    switch (this.#state.is) {
      case 'serving':
        return Promise.resolve(this.#state.instance)
      case 'starting':
      case 'waiting':
        return this.#state.next.promise
      case 'failed':
        return Promise.reject(this.#state.error)
      default:
        return Promise.reject(pluginStopping(this.name))
    }
  }

  /** Lets another instance serve at once. A start, or the wait for one, ends. */
  replace({ instance, source, canUndo }: NextInstance): Replacement {
    if (this.isClosed) throw pluginStopping(this.name)
    const previous = { instance: this.instance, source: this.#source }
    let wasUndone = false
    const isOnTrial = (): boolean => this.#state.is === 'serving' && this.#state.undo === undo
    const isUndoable = (): boolean => isOnTrial() && previous.instance?.isRunning === true && canUndo()
    const undo = (): boolean => {
      if (!previous.instance || !isUndoable()) return wasUndone
      wasUndone = true
      this.#take(previous.instance, previous.source)
      return true
    }
    const commit = (): boolean => {
      if (this.#state.is === 'serving' && this.#state.undo === undo) this.#state.undo = undefined
      return !wasUndone
    }
    this.#watchExit(instance)
    this.#take(instance, source, undo)
    return { previous: previous.instance, canUndo: () => wasUndone || isUndoable(), undo, commit }
  }

  /** Nothing is started any more. What serves is let finish, and takes no new calls. */
  beginClose(): void {
    if (this.isClosed) return
    // What never came up has nothing to shut down: it stays at ERROR.
    const cameUp = this.#contract !== undefined || this.#state.is !== 'failed'
    this.#enter({ is: 'closing', instance: this.instance, cameUp })
  }

  /**
   * Stops what serves, and waits for starts that were abandoned. Nothing is left running.
   *
   * @throws PluginError PLUGIN_SHUTDOWN_FAILED; the process has ended all the same.
   */
  async close(): Promise<void> {
    this.beginClose()
    try {
      await this.instance?.stop()
    } finally {
      await Promise.all(this.#starts)
      if (this.#state.is === 'closing') this.#enter({ is: 'closed', cameUp: this.#state.cameUp })
    }
  }

  #start(next: Deferred<Instance>): void {
    const state: Starting = { is: 'starting', next, abandon: new AbortController() }
    this.#enter(state)
    // Who hears of the status may have closed the plugin.
    if (this.#state !== state) return
    const start = this.#run(state).finally(() => this.#starts.delete(start))
    this.#starts.add(start)
  }

  async #run(state: Starting): Promise<void> {
    try {
      const instance = await this.#source.start(state.abandon.signal, this.#options.place)
      const refused = this.#options.refuse(instance)
      if (this.#state === state && !refused) {
        this.#watchExit(instance)
        this.#serve(instance)
        return
      }
      await instance.stop().catch(() => {})
      if (refused) throw refused
    } catch (error) {
      if (this.#state === state) this.#startFailed(state, pluginErrorOf(error))
    }
  }

  #startFailed({ next }: Starting, error: PluginError): void {
    const wasRestart = this.#contract !== undefined
    if (wasRestart && !isPermanent(error)) this.#restartLater(next)
    else this.#enter({ is: 'failed', error })
  }

  /** Lets an instance of another source serve. */
  #take(instance: Instance, source: Source, undo?: Replacement['undo']): void {
    const previous = this.#source.name
    this.#crashes = new RestartCounter(this.#options.restartPolicy)
    this.#source = source
    this.#options.events.replaced(previous)
    this.#serve(instance, undo)
  }

  #serve(instance: Instance, undo?: Replacement['undo']): void {
    const state: Serving = { is: 'serving', instance, health: PluginStatus.READY, checks: undefined, undo }
    state.checks = this.#checkHealthOften(state)
    this.#contract = instance.contract
    this.#enter(state)
  }

  /** Once for each instance: a replacement that is undone does not begin it again. */
  #watchExit(instance: Instance): void {
    void instance.ended.then((crash) => {
      if (crash) this.#recover(instance, crash)
    })
  }

  #recover(instance: Instance, crash: PluginError): void {
    const { events } = this.#options
    events.gone(instance)
    if (!this.isClosed) events.crash(crash)
    const state = this.#state
    if (!('instance' in state) || state.instance !== instance) return
    if (state.is === 'closing') state.instance = undefined
    else if (!state.undo?.()) this.#restartLater(deferred())
  }

  /** Starts another instance after a wait that grows with each crash; `next` is of who waits for it. */
  #restartLater(next: Deferred<Instance>): void {
    const delayMs = this.#crashes.crashed()
    if (delayMs === undefined) {
      this.#quarantine()
      return
    }
    const abandon = new AbortController()
    this.#enter({ is: 'waiting', next, abandon })
    void this.#restartAfter(delayMs, { next, signal: abandon.signal, ref: true })
  }

  /** Calls fail at once from now on, until one more try. */
  #quarantine(): void {
    const { restartPolicy } = this.#options
    const error = pluginQuarantined(this.name, restartPolicy)
    const abandon = new AbortController()
    this.#enter({ is: 'failed', error, abandon })
    // Nobody waits for a plugin in quarantine.
    const wait = { next: deferred<Instance>(), signal: abandon.signal, ref: false }
    void this.#restartAfter(restartPolicy.retryQuarantinedMs, wait)
  }

  async #restartAfter(
    delayMs: number,
    { next, signal, ref }: { next: Deferred<Instance>; signal: AbortSignal; ref: boolean },
  ): Promise<void> {
    await pause(delayMs, { signal, ref })
    if (signal.aborted) return
    this.restarts += 1
    this.#options.events.restart(this.restarts, delayMs)
    // Who hears of it may have closed the plugin.
    if (!signal.aborted) this.#start(next)
  }

  #checkHealthOften(state: Serving): NodeJS.Timeout | undefined {
    const { instance } = state
    const { healthIntervalMs, restartPolicy } = this.#options
    let missed = 0
    return repeatEvery(healthIntervalMs, async () => {
      if (instance.isPaused) return
      const failure = await this.#checkHealth(state)
      // Its answer may be among what is left in its pipes by now.
      missed = failure === undefined || instance.isPaused ? 0 : missed + 1
      if (missed === restartPolicy.maxMissedHealthChecks && this.#state === state)
        instance.killBecause(
          `failed ${missed} health checks in a row and was stopped (the last one: ${failure})`,
        )
    })
  }

  /** Returns why the plugin did not answer; undefined where it did. */
  async #checkHealth(state: Serving): Promise<string | undefined> {
    const before = state.health
    let failure: string | undefined
    const answered = await state.instance.health().then(
      ({ status }) => (status === PluginStatus.BUSY ? PluginStatus.READY : status),
      (error: unknown) => {
        failure = reasonOf(error)
        return PluginStatus.ERROR
      },
    )
    // Another answer came first. What is said of a state that is over changes nothing.
    if (state.health === before) {
      state.health = answered
      this.#emitStatus()
    }
    return failure
  }

  /** What belonged to the state before ends, and who waited in it goes on. */
  #enter(state: State): void {
    const before = this.#state
    this.#state = state
    if (before.is === 'serving') clearInterval(before.checks)
    if ('abandon' in before) before.abandon?.abort()
    if ('next' in before) settle(before.next, state, this.name)
    this.#options.events.changed()
    this.#emitStatus()
  }

  #emitStatus(): void {
    const previous = this.#status
    const status = statusOf(this.#state, previous)
    if (status === previous) return
    this.#status = status
    this.#options.events.status(status, previous)
  }
}

/** The status to report in a state. `previous` stays where it has no other. */
function statusOf(state: State, previous: PluginStatus): PluginStatus {
  switch (state.is) {
    case 'unopened':
      return PluginStatus.UNLOADED
    case 'starting':
      return PluginStatus.INITIALIZING
    case 'serving':
      return state.health
    case 'waiting':
    case 'failed':
      return PluginStatus.ERROR
    case 'closing':
      return state.cameUp ? PluginStatus.SHUTTING_DOWN : previous
    case 'closed':
      return state.cameUp ? PluginStatus.STOPPED : previous
  }
}

/** Whoever waited for an instance gets it, or hears why there is none; else the wait goes on. */
function settle(next: Deferred<Instance>, state: State, plugin: string): void {
  if (state.is === 'serving') next.resolve(state.instance)
  else if (state.is === 'failed') next.reject(state.error)
  else if (state.is === 'closing') next.reject(pluginStopping(plugin))
}

interface Deferred<T> {
  promise: Promise<T>
  resolve(value: T): void
  reject(error: PluginError): void
}

/** A promise that may be rejected without anybody waiting for it. */
function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {}
  let reject: (error: PluginError) => void = () => {}
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  promise.catch(() => {})
  return { promise, resolve, reject }
}

function pluginErrorOf(error: unknown): PluginError {
  return isPluginError(error) ? error : new PluginError('PLUGIN_LOAD_FAILED', describeThrown(error).message)
}
