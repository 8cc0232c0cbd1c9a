import {
  type ContractDescriptor,
  type HealthStatus,
  isPluginError,
  type Manifest,
  type PluginError,
  type SessionRole,
} from '@appfactory/sdk'
import {
  type CallParams,
  describeThrown,
  type HandshakeResult,
  inputMarker,
  type Outcome,
  outcomeOf,
  pluginMethods,
  type RequestOptions,
} from '@appfactory/sdk/internal'
import type { Config } from '../config/config.js'
import {
  answeredBy,
  callTimeout,
  exhausted,
  healthCheckTimeout,
  initializeRefused,
  initializeTimeout,
  shutdownCrashed,
  shutdownFailed,
  stateTimeout,
} from '../errors.js'
import { OutcomeCounts } from '../metrics/outcomes.js'
import type { MethodFigures, PluginFigures } from '../metrics/plugin-figures.js'
import { rounded } from '../numbers.js'
import type { InstanceLimits, RoutedCallOptions, WireArgs } from '../options.js'
import type { OpenConnection, PluginConnection } from './connection.js'
import { checkHealth } from './handshake.js'
import { Heartbeat } from './heartbeat.js'
import { Latencies } from './latencies.js'
import { MethodFacts } from './method-facts.js'
import { PieceStream } from './pieces.js'

/** One running plugin, for those who work with it: a test may have one without a process. */
export type Instance = Pick<PluginInstance, keyof PluginInstance>

/** One running plugin: initialized, until it is stopped or crashes. */
export class PluginInstance {
  readonly manifest: Manifest
  readonly contract: ContractDescriptor
  /** Wire names of the methods that the plugin implements itself, and `state`. */
  readonly capabilities: readonly string[]
  /** What it was initialized with, defaults included. */
  readonly config: Config
  #calls = 0
  #streams = 0
  #stopped: Promise<void> | undefined
  readonly #connection: PluginConnection
  readonly #limits: InstanceLimits
  readonly #heartbeat: Heartbeat
  /** Calls and streams that have ended. */
  readonly #ended = new OutcomeCounts()
  /** Where they are counted beyond the end of this process. */
  readonly #figures: PluginFigures
  #memoryMb: number | undefined
  readonly #latencies = new Latencies()
  readonly #facts: MethodFacts

  /**
   * Initializes the plugin behind a connection. Where that fails, the connection is the caller's to end.
   *
   * @throws PluginError PLUGIN_INITIALIZE_FAILED, or what `initialize()` threw.
   */
  static async initialize(
    { connection, handshake }: OpenConnection,
    config: Config,
  ): Promise<PluginInstance> {
    const { manifest, limits } = connection.options
    const { initializeTimeoutMs } = limits
    const initialized = await connection.ask(pluginMethods.initialize, { config }, initializeTimeoutMs, () =>
      initializeTimeout(manifest.name, initializeTimeoutMs),
    )
    if (initialized === false) throw initializeRefused(manifest.name)
    connection.beginServing()
    return new PluginInstance(connection, handshake, config)
  }

  private constructor(
    connection: PluginConnection,
    { contract, capabilities }: HandshakeResult,
    config: Config,
  ) {
    this.#connection = connection
    this.manifest = connection.options.manifest
    this.#limits = connection.options.limits
    this.#figures = connection.options.figures
    this.contract = contract
    this.capabilities = capabilities
    this.config = config
    this.#facts = new MethodFacts(contract)
    this.#figures.know(contract.methods.map(({ wire }) => wire))
    this.#heartbeat = this.#startHeartbeat()
  }

  /** Resolves when the process has ended: with the error that its calls got, or undefined where it was stopped. Never rejects. */
  get ended(): Promise<PluginError | undefined> {
    return this.#connection.lost
  }

  /** The folder that it was started from. */
  get dir(): string {
    return this.#connection.options.dir
  }

  /** Bytes that wait for the plugin to read them. */
  get unsentBytes(): number {
    return this.#connection.unsentBytes
  }

  /** Whether it has anything to do. */
  get isBusy(): boolean {
    return this.#calls + this.#streams > 0
  }

  /** Calls in flight, without streams. */
  get callsInFlight(): number {
    return this.#calls
  }

  /** Streams that are open. */
  get openStreams(): number {
    return this.#streams
  }

  /** Whether its process is there, and nobody has asked it to leave. */
  get isRunning(): boolean {
    return this.#connection.isRunning
  }

  /** Whether its answers are left in its pipes for now, so that its silence says nothing. */
  get isPaused(): boolean {
    return this.#connection.isPaused
  }

  /** Calls and streams that were answered with a result. */
  get answered(): number {
    return this.#ended.answered
  }

  /** What its process takes, by the last health check, in MB (1,000,000 bytes). Undefined: none was answered yet. */
  get memoryMb(): number | undefined {
    return this.#memoryMb
  }

  /** Whether its state can go to a successor. */
  get keepsState(): boolean {
    return this.capabilities.includes('state')
  }

  /** What a method, by its wire name, does to a session. */
  sessionRole(method: string): SessionRole | undefined {
    return this.#facts.sessionRole(method)
  }

  /** Whether calling a method twice does no harm, by its contract. */
  isIdempotent(method: string): boolean {
    return this.#facts.isIdempotent(method)
  }

  /** Calls a method by its wire name, with arguments and result as they are on the wire. */
  call(method: string, args: WireArgs, options: RoutedCallOptions = {}): Promise<unknown> {
    const { maxCallsInFlight } = this.#limits
    if (this.#calls >= maxCallsInFlight)
      return Promise.reject(this.#refused(method, 'maxCallsInFlight', maxCallsInFlight))
    const figures = this.#figures.of(method)
    const begun = performance.now()
    this.#calls += 1
    this.#figures.callsInFlight += 1
    if (this.#calls === 1) this.#connection.setIdle(false)
    const params = this.#callParams(method, args, options)
    return this.#connection.request(pluginMethods.call, params, this.#requestOptions(method, options)).then(
      (result) => {
        this.#endCall(figures, begun, 'answered')
        return result
      },
      (error: unknown) => {
        this.#endCall(figures, begun, outcomeOf(error))
        this.#figures.onFailure(method, error, performance.now() - begun)
        throw answeredBy(error)
      },
    )
  }

  #endCall(figures: MethodFigures, begun: number, outcome: Outcome): void {
    this.#calls -= 1
    this.#figures.callsInFlight -= 1
    if (!this.isBusy) this.#connection.setIdle(true)
    this.#count(figures, begun, outcome)
  }

  #endStream(figures: MethodFigures, begun: number, outcome: Outcome): void {
    this.#streams -= 1
    this.#figures.openStreams -= 1
    if (!this.isBusy) this.#connection.setIdle(true)
    this.#count(figures, begun, outcome)
  }

  #count(figures: MethodFigures, begun: number, outcome: Outcome): void {
    const ms = performance.now() - begun
    this.#ended.add(outcome)
    this.#latencies.add(ms)
    figures.end(outcome, ms)
  }

  /** The error of a call that is one too many. */
  #refused(method: string, limit: 'maxCallsInFlight' | 'maxStreams', value: number): PluginError {
    const error = exhausted(this.manifest.name, limit, value)
    this.#figures.refuse(method, error)
    return error
  }

  /** Calls a stream method by its wire name. `break` in the loop cancels it in the plugin. */
  stream(method: string, args: WireArgs, options: RoutedCallOptions = {}): AsyncIterableIterator<unknown> {
    // Let go once they are sent: a stream may be open for long.
    let given: WireArgs | undefined = args
    const figures = this.#figures.of(method)
    let begun = 0
    return new PieceStream({
      open: () => {
        const { maxStreams } = this.#limits
        if (this.#streams >= maxStreams) throw this.#refused(method, 'maxStreams', maxStreams)
        const window = this.#facts.window(method, options.credit)
        const params: CallParams = {
          ...this.#callParams(method, given ?? {}, options),
          stream: { credit: window },
        }
        given = undefined
        begun = performance.now()
        const request = { ...this.#requestOptions(method, options), window }
        const pieces = this.#connection.stream(pluginMethods.call, params, request)
        // Counted last: one that could not be begun never ends.
        this.#streams += 1
        this.#figures.openStreams += 1
        this.#connection.setIdle(false)
        return pieces
      },
      word: answeredBy,
      onEnd: (outcome, error) => {
        this.#endStream(figures, begun, outcome)
        if (error !== undefined) this.#figures.onFailure(method, error, performance.now() - begun)
      },
    })
  }

  /**
   * Asks the plugin how it is.
   *
   * @throws PluginError HEALTH_CHECK_TIMEOUT, or what `healthCheck()` threw.
   */
  async health(): Promise<HealthStatus> {
    const { healthTimeoutMs } = this.#limits
    const before = performance.now()
    const answer = await this.#connection.ask(pluginMethods.health, {}, healthTimeoutMs, () =>
      healthCheckTimeout(this.manifest.name, healthTimeoutMs),
    )
    checkHealth(this.manifest.name, answer)
    if (answer.memory_mb !== null) this.#memoryMb = answer.memory_mb
    const latencyMs = rounded(answer.latency_ms ?? performance.now() - before)
    return {
      status: answer.status,
      message: answer.message,
      details: { ...answer.details, ...this.#details() },
      latencyMs,
      ...(answer.memory_mb === null ? {} : { memoryMb: answer.memory_mb }),
    }
  }

  /**
   * What a successor needs to go on.
   *
   * @throws PluginError HOTSWAP_FAILED, RESOURCE_EXHAUSTED, or what `captureState()` threw.
   */
  async captureState(): Promise<unknown> {
    const { stateTimeoutMs, maxStateBytes } = this.#limits
    return this.#connection.ask(
      pluginMethods.captureState,
      { max_bytes: maxStateBytes },
      stateTimeoutMs,
      () => stateTimeout(this.manifest.name, 'captureState()', stateTimeoutMs),
    )
  }

  /** Hands over what the predecessor's `captureState()` resolved to. */
  async restoreState(state: unknown): Promise<void> {
    const { stateTimeoutMs } = this.#limits
    await this.#connection.ask(pluginMethods.restoreState, state, stateTimeoutMs, () =>
      stateTimeout(this.manifest.name, 'restoreState()', stateTimeoutMs),
    )
  }

  /** Ends the process for what it does, or does not do: its calls fail as in a crash. */
  killBecause(reason: string): void {
    this.#connection.killBecause(reason)
  }

  /**
   * Lets the plugin shut down, then ends its process. Done once, however often it is called.
   *
   * @throws PluginError PLUGIN_SHUTDOWN_FAILED; the process has ended all the same.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#shutDown()
    return this.#stopped
  }

  #startHeartbeat(): Heartbeat {
    const connection = this.#connection
    const { unresponsiveTimeoutMs } = this.#limits
    const heartbeat = new Heartbeat({
      ping: () => connection.request(pluginMethods.ping, {}),
      received: () => connection.counts.received,
      isPaused: () => connection.isPaused,
      timeoutMs: unresponsiveTimeoutMs,
      onSilence: () =>
        connection.killBecause(`did not turn its event loop for ${unresponsiveTimeoutMs} ms and was stopped`),
    })
    void connection.exited.then(() => heartbeat.stop())
    return heartbeat
  }

  /** What the host itself knows of the plugin. */
  #details(): Record<string, unknown> {
    const { noise, droppedReplies } = this.#connection.counts
    const { python } = this.#connection.options
    return {
      ...(python ? { python: python.file, python_version: python.version } : {}),
      pid: this.#connection.pid,
      uptime_seconds: rounded((performance.now() - this.#connection.openedAt) / 1000),
      calls_in_flight: this.#calls,
      open_streams: this.#streams,
      calls_answered: this.#ended.answered,
      calls_failed: this.#ended.failed,
      calls_cancelled: this.#ended.cancelled,
      ...this.#latencies.percentiles(),
      ...(this.#heartbeat.delayMs === undefined
        ? {}
        : { event_loop_delay_ms: rounded(this.#heartbeat.delayMs) }),
      noise,
      dropped_replies: droppedReplies,
    }
  }

  #callParams(method: string, args: WireArgs, { input, trace }: RoutedCallOptions): CallParams {
    const params = { method, args: input ? { ...args, [input.name]: inputMarker } : args }
    return trace ? { ...params, trace } : params
  }

  #requestOptions(
    method: string,
    { timeoutMs = this.#limits.callTimeoutMs, signal, cancellation, input, room }: RoutedCallOptions,
  ): RequestOptions {
    const late = (): PluginError => callTimeout(this.manifest.name, method, timeoutMs)
    // Somebody who stands at a breakpoint takes longer than any caller waits.
    if (this.#connection.options.inspect) timeoutMs = Number.POSITIVE_INFINITY
    const observer = room && this.#connection.callers.observe(room)
    return { timeoutMs, late, signal, cancellation, input: input?.items, observer }
  }

  async #shutDown(): Promise<void> {
    const { name } = this.manifest
    const { shutdownTimeoutMs } = this.#limits
    this.#connection.beginStop()
    this.#heartbeat.stop()
    try {
      const late = (): PluginError => shutdownFailed(name, `it did not finish in ${shutdownTimeoutMs} ms`)
      await this.#connection.ask(pluginMethods.shutdown, {}, shutdownTimeoutMs, late)
    } catch (error) {
      const isTold = isPluginError(error) && error.codeName === 'PLUGIN_SHUTDOWN_FAILED'
      if (isTold) throw error
      const { howEnded } = this.#connection
      throw howEnded === undefined
        ? shutdownFailed(name, describeThrown(error).message)
        : shutdownCrashed(name, howEnded)
    } finally {
      await this.#connection.stop()
    }
  }
}
