import { randomBytes } from 'node:crypto'
import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type ContractDescriptor,
  type HealthStatus,
  isPluginError,
  type JsonSchema,
  type Manifest,
  type PluginError,
  PluginStatus,
  type SessionRole,
} from '@appfactory/sdk'
import {
  byteStreamWindow,
  type CallParams,
  describeThrown,
  type HandshakeParams,
  type HandshakeResult,
  inputMarker,
  isHeldBack,
  letFlow,
  Peer,
  pluginMethods,
  protocolVersions,
  type RequestOptions,
  streamWindow,
} from '@appfactory/sdk/wire'
import type { Config } from '../config/config.js'
import {
  callTimeout,
  exhausted,
  healthCheckTimeout,
  initializeCrashed,
  initializeRefused,
  initializeTimeout,
  linesDropped,
  pluginCrashed,
  pluginStopping,
  shutdownFailed,
  startFailed,
  startTimeout,
  stateTimeout,
} from '../errors.js'
import { LogBudget } from '../logs/log-budget.js'
import type { LogLevel } from '../logs/logs.js'
import type { CallOptions } from '../options.js'
import { type Room, readWithin } from '../process/backpressure.js'
import { ChildProcess, type Exit } from '../process/child-process.js'
import { type LaunchOptions, launchOf } from '../process/launch.js'
import { StderrLog } from '../process/stderr.js'
import { hostVersion } from '../version.js'
import { checkHandshake, checkHealth, verdictOf } from './handshake.js'
import { Heartbeat } from './heartbeat.js'
import { Latencies } from './latencies.js'
import { PieceStream } from './pieces.js'
import { startTurn } from './start-turns.js'

export interface InstanceOptions extends LaunchOptions {
  /** Makes the configuration; of the manifest's schema, unless the plugin's code has one of its own, which decides alone. */
  configure(schema: JsonSchema | undefined): Config | Promise<Config>
  log(level: LogLevel, message: string): void
  /** Whether there is room for more answers: without it, they are left in the plugin's pipes. Default: always. */
  room?: Room
  /** Ends a start that nobody waits for any more. */
  signal?: AbortSignal
}

/** Windows may hold a write on a pipe back as long as it is also read there: bytes are base64 in their messages then. */
const byteChannels = process.platform === 'win32' ? [] : ['fd3']

/** Where a runtime takes messages that nobody else in its process can reach. */
const messageChannels = process.platform === 'win32' ? [] : ['fd4']

/** How long the last output of a process that has ended may take to arrive. Another process may hold its pipes open for longer. */
const lastOutputMs = 20

/** What is logged of a line on stdout that is no message, in characters. */
const maxNoiseLength = 2000

/** How long it may take until what was read of that output has had its turns. */
const lastTurnsMs = 1000

/** How long a process may go on that has closed its output, before it is asked to leave, and before it is killed. */
const muteMs = 500

/** One running plugin: its process, and the connection to it. */
export class Instance {
  readonly manifest: Manifest
  /** Resolves when the process ends unasked, with the error that its calls got. Never rejects. */
  readonly crashed: Promise<PluginError>
  #status: PluginStatus = PluginStatus.INITIALIZING
  #handshake: HandshakeResult | undefined
  #calls = 0
  #streams = 0
  #answered = 0
  #failed = 0
  #ended = false
  #heartbeat: Heartbeat | undefined
  readonly #latencies = new Latencies()
  readonly #sessionRoles = new Map<string, SessionRole>()
  readonly #idempotent = new Set<string>()
  /** Pieces of a stream that may be on their way at once, where it is not the usual number. */
  readonly #windows = new Map<string, number>()
  readonly #started = performance.now()
  #stopped: Promise<void> | undefined
  #violation: string | undefined
  readonly #options: InstanceOptions
  /** In each reference to bytes, so that no data of a client can be taken for one. */
  readonly #byteNonce = randomBytes(8).toString('hex')
  readonly #child: ChildProcess
  readonly #peer: Peer
  readonly #stderr: StderrLog
  readonly #budget: LogBudget

  /**
   * Starts a process, shakes hands and initializes the plugin. Whatever fails, nothing is left running.
   *
   * @throws PluginError PLUGIN_LOAD_FAILED, CONTRACT_MISMATCH, PROTOCOL_VERSION_UNSUPPORTED, DEPENDENCY_MISSING,
   *   CONFIG_INVALID or PLUGIN_INITIALIZE_FAILED.
   */
  static async start(options: InstanceOptions): Promise<Instance> {
    const endTurn = await startTurn(options.signal)
    const instance = new Instance(options)
    try {
      await instance.#unlessAborted(() => instance.#begin(endTurn))
      return instance
    } catch (error) {
      instance.#status = PluginStatus.ERROR
      await instance.#kill()
      throw error
    }
  }

  /** The contract that a plugin implements: its process is started for the question only. */
  static async contractOf(options: InstanceOptions): Promise<ContractDescriptor> {
    const endTurn = await startTurn(options.signal)
    const instance = new Instance(options)
    try {
      return (await instance.#unlessAborted(() => instance.#shakeHands())).contract
    } finally {
      endTurn()
      await instance.#kill()
    }
  }

  /** The JSON Schema of the schema in a plugin's code: its process is started for the question only. */
  static async codeSchemaOf(options: InstanceOptions): Promise<JsonSchema | undefined> {
    const endTurn = await startTurn(options.signal)
    const instance = new Instance(options)
    try {
      return (await instance.#shakeHands({ wantsSchema: true })).config_schema ?? undefined
    } finally {
      endTurn()
      await instance.#kill()
    }
  }

  private constructor(options: InstanceOptions) {
    this.#options = options
    this.manifest = options.manifest
    this.#child = new ChildProcess(launchOf(options))
    this.#budget = new LogBudget((dropped) => options.log('WARNING', linesDropped(dropped)))
    this.#stderr = new StderrLog(this.#child.stderr, this.#budget, options.log)
    this.#peer = new Peer({
      input: this.#child.stdout,
      output: this.#child.stdin,
      idNonce: randomBytes(9).toString('base64url').replace(/[eE]/g, '_'),
      maxMessageBytes: options.limits.maxMessageBytes,
      maxSendBytes: options.limits.maxMessageBytes,
      onNoise: (text, reason) => this.#logNoise(text, reason),
      onOversize: () =>
        this.#violate(`sent a line longer than ${options.limits.maxMessageBytes} bytes and was stopped`),
      onEnd: () => void this.#child.stop({ endMs: muteMs, termMs: muteMs }),
    })
    if (this.#child.messages) this.#peer.listenTo(this.#child.messages)
    this.#peer.receiveBytes(this.#child.bytes, this.#byteNonce)
    for (const stream of this.#answers) readWithin(() => this.#room(), stream)
    this.crashed = this.#watchExit()
  }

  /** The folder that it was started from. */
  get dir(): string {
    return this.#options.dir
  }

  get contract(): ContractDescriptor {
    if (!this.#handshake) throw new Error('The handshake comes first')
    return this.#handshake.contract
  }

  /** Bytes that wait for the plugin to read them. */
  get unsentBytes(): number {
    return this.#peer.unsentBytes
  }

  /** Wire names of the methods that the plugin implements itself, and `state`. */
  get capabilities(): readonly string[] {
    return this.#handshake?.capabilities ?? []
  }

  get status(): PluginStatus {
    return this.#status === PluginStatus.READY && this.#calls + this.#streams > 0
      ? PluginStatus.BUSY
      : this.#status
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
    return !this.#ended && this.#stopped === undefined
  }

  /** Whether its answers are left in its pipes for now, so that its silence says nothing. */
  get isHeld(): boolean {
    return this.#answers.some(isHeldBack)
  }

  /** Calls that were answered with a result. */
  get answered(): number {
    return this.#answered
  }

  /** Whether its state can go to a successor. */
  get keepsState(): boolean {
    return this.capabilities.includes('state')
  }

  /** What a method, by its wire name, does to a session. */
  sessionRole(method: string): SessionRole | undefined {
    return this.#sessionRoles.get(method)
  }

  /** Whether calling a method twice does no harm, by its contract. */
  isIdempotent(method: string): boolean {
    return this.#idempotent.has(method)
  }

  /** Calls a method by its wire name, with arguments and result as they are on the wire. */
  call(method: string, args: Config, options: CallOptions = {}): Promise<unknown> {
    const { maxCallsInFlight } = this.#options.limits
    if (this.#calls >= maxCallsInFlight)
      return Promise.reject(exhausted(this.manifest.name, 'maxCallsInFlight', maxCallsInFlight))
    const before = performance.now()
    this.#calls += 1
    const params = this.#callParams(method, args, options)
    return this.#peer.request(pluginMethods.call, params, this.#requestOptions(method, options)).then(
      (result) => {
        this.#answered += 1
        this.#endCall(before)
        return result
      },
      (error: unknown) => {
        this.#failed += 1
        this.#endCall(before)
        throw error
      },
    )
  }

  #endCall(begun: number): void {
    this.#calls -= 1
    this.#latencies.add(performance.now() - begun)
  }

  /** Calls a stream method by its wire name. `break` in the loop cancels it in the plugin. */
  stream(method: string, args: Config, options: CallOptions = {}): AsyncIterableIterator<unknown> {
    // Let go once they are sent: a stream may be open for long.
    let given: Config | undefined = args
    return new PieceStream({
      open: () => {
        const { maxStreams } = this.#options.limits
        if (this.#streams >= maxStreams) throw exhausted(this.manifest.name, 'maxStreams', maxStreams)
        const window = this.#window(method, options)
        const params: CallParams = {
          ...this.#callParams(method, given ?? {}, options),
          stream: { credit: window },
        }
        given = undefined
        const request = { ...this.#requestOptions(method, options), window }
        const pieces = this.#peer.stream(pluginMethods.call, params, request)
        // Counted last: one that could not be begun never ends.
        this.#streams += 1
        return pieces
      },
      onEnd: () => {
        this.#streams -= 1
      },
    })
  }

  /**
   * Asks the plugin how it is.
   *
   * @throws PluginError HEALTH_CHECK_TIMEOUT, or what `healthCheck()` threw.
   */
  async health(): Promise<HealthStatus> {
    const { healthTimeoutMs } = this.#options.limits
    const before = performance.now()
    const answer = await this.#ask(pluginMethods.health, {}, healthTimeoutMs, () =>
      healthCheckTimeout(this.manifest.name, healthTimeoutMs),
    )
    checkHealth(this.manifest.name, answer)
    const latencyMs = answer.latency_ms ?? performance.now() - before
    return {
      status: answer.status,
      message: answer.message,
      details: { ...answer.details, ...this.#figures() },
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
    const { stateTimeoutMs, maxStateBytes } = this.#options.limits
    return this.#ask(pluginMethods.captureState, { max_bytes: maxStateBytes }, stateTimeoutMs, () =>
      stateTimeout(this.manifest.name, 'captureState()', stateTimeoutMs),
    )
  }

  /** Hands over what the predecessor's `captureState()` resolved to. */
  async restoreState(state: unknown): Promise<void> {
    const { stateTimeoutMs } = this.#options.limits
    await this.#ask(pluginMethods.restoreState, state, stateTimeoutMs, () =>
      stateTimeout(this.manifest.name, 'restoreState()', stateTimeoutMs),
    )
  }

  /** Ends the process of a plugin that does not answer any more; its calls fail as in a crash. */
  giveUp(why: string): void {
    this.#violate(why)
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

  /** Returns whether there was room in the log. */
  #logNoise(text: string, reason: string): boolean {
    const said = text.slice(0, maxNoiseLength)
    const isKept = this.#budget.take(said.length)
    if (isKept) this.#options.log('WARNING', `stdout (${reason}): ${said}`)
    return isKept
  }

  /** What carries the plugin's answers. */
  get #answers(): readonly Readable[] {
    const { stdout, bytes, messages } = this.#child
    return messages ? [stdout, bytes, messages] : [stdout, bytes]
  }

  /** What a plugin says while it starts or stops is little, and waited for. */
  #room(): Promise<void> | undefined {
    return this.#status === PluginStatus.READY && !this.#ended ? this.#options.room?.() : undefined
  }

  /** What is left in its pipes is taken out, room or not. */
  #readOn(): void {
    for (const stream of this.#answers) letFlow(stream)
  }

  /** What the host itself knows of the plugin. */
  #figures(): Record<string, unknown> {
    const { noise, droppedReplies } = this.#peer.counts
    return {
      pid: this.#child.pid,
      uptime_seconds: (performance.now() - this.#started) / 1000,
      calls_in_flight: this.#calls,
      open_streams: this.#streams,
      calls_answered: this.#answered,
      calls_failed: this.#failed,
      ...this.#latencies.percentiles(),
      ...(this.#heartbeat?.delayMs === undefined ? {} : { event_loop_delay_ms: this.#heartbeat.delayMs }),
      noise,
      dropped_replies: droppedReplies,
    }
  }

  /** An abort ends the process, and with it what is asked of it. */
  async #unlessAborted<T>(work: () => Promise<T>): Promise<T> {
    const { signal } = this.#options
    const abort = (): void => this.#child.kill()
    signal?.addEventListener('abort', abort, { once: true })
    try {
      return await work()
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }

  /** @param endTurn The process has started: how long initialize() takes is no matter to others. */
  async #begin(endTurn: () => void): Promise<void> {
    const { manifest, limits, configure } = this.#options
    const { checks_config: checksItself } = await this.#shakeHands().finally(endTurn)
    const config = await configure(checksItself ? undefined : manifest.config_schema)
    const initialized = await this.#ask(
      pluginMethods.initialize,
      { config },
      limits.initializeTimeoutMs,
      () => initializeTimeout(manifest.name, limits.initializeTimeoutMs),
    )
    if (initialized === false) throw initializeRefused(manifest.name)
    this.#status = PluginStatus.READY
    this.#heartbeat = new Heartbeat({
      ping: () => this.#peer.request(pluginMethods.ping, {}),
      received: () => this.#peer.counts.received,
      isHeld: () => this.isHeld,
      timeoutMs: limits.unresponsiveTimeoutMs,
      onSilence: () =>
        this.#violate(`did not turn its event loop for ${limits.unresponsiveTimeoutMs} ms and was stopped`),
    })
  }

  async #shakeHands({ wantsSchema = false } = {}): Promise<HandshakeResult> {
    const { manifest, limits } = this.#options
    const hello: HandshakeParams = {
      protocol_versions: protocolVersions,
      host_version: hostVersion,
      manifest,
      max_message_bytes: limits.maxMessageBytes,
      wants_config_schema: wantsSchema,
      message_channels: messageChannels,
      byte_channels: byteChannels,
      byte_nonce: this.#byteNonce,
    }
    const answer = await this.#ask(pluginMethods.handshake, hello, limits.startTimeoutMs, () =>
      startTimeout(manifest.name, limits.startTimeoutMs),
    ).catch((error: unknown) => {
      throw verdictOf(error)
    })
    checkHandshake(manifest, answer)
    this.#handshake = answer
    this.#settleChannel(answer)
    for (const { wire, session, idempotent, piece } of answer.contract.methods) {
      if (piece && JSON.stringify(piece).includes('"contentEncoding":"base64"'))
        this.#windows.set(wire, byteStreamWindow)
      if (session) this.#sessionRoles.set(wire, session)
      if (idempotent) this.#idempotent.add(wire)
    }
    if (answer.byte_channels.includes('fd3')) this.#peer.sendBytes()
    return answer
  }

  /** Messages go where the plugin takes them. */
  #settleChannel({ message_channels: taken }: HandshakeResult): void {
    const { messages } = this.#child
    if (!messages) return
    if (taken?.includes('fd4')) {
      this.#peer.moveTo(messages)
      this.#child.endStdin()
    } else messages.destroy()
  }

  #ask(method: string, params: unknown, timeoutMs: number, late: () => PluginError): Promise<unknown> {
    return this.#peer.request(method, params, { timeoutMs, late })
  }

  /** Pieces that may be on their way before the reader has taken one. */
  #window(method: string, { credit }: CallOptions): number {
    const most = this.#windows.get(method) ?? streamWindow
    return credit === undefined ? most : Math.min(most, credit)
  }

  #callParams(method: string, args: Config, { input }: CallOptions): CallParams {
    return { method, args: input ? { ...args, [input.name]: inputMarker } : args }
  }

  #requestOptions(
    method: string,
    { timeoutMs = this.#options.limits.callTimeoutMs, signal, cancellation, input }: CallOptions,
  ): RequestOptions {
    const late = (): PluginError => callTimeout(this.manifest.name, method, timeoutMs)
    return { timeoutMs, late, signal, cancellation, input: input?.items }
  }

  async #shutDown(): Promise<void> {
    const { name } = this.manifest
    const { shutdownTimeoutMs } = this.#options.limits
    this.#status = PluginStatus.SHUTTING_DOWN
    this.#readOn()
    this.#heartbeat?.stop()
    try {
      const late = (): PluginError => shutdownFailed(name, `it did not finish in ${shutdownTimeoutMs} ms`)
      await this.#ask(pluginMethods.shutdown, {}, shutdownTimeoutMs, late)
    } catch (error) {
      const isTold = isPluginError(error) && error.codeName === 'PLUGIN_SHUTDOWN_FAILED'
      throw isTold ? error : shutdownFailed(name, describeThrown(error).message)
    } finally {
      await this.#child.stop({ endMs: 2000, termMs: 2000 })
      this.#status = PluginStatus.STOPPED
    }
  }

  async #kill(): Promise<void> {
    this.#stopped ??= Promise.resolve()
    this.#child.kill()
    await this.#child.exited
  }

  #violate(what: string): void {
    this.#violation = what
    this.#child.kill()
  }

  /** The process has ended: what it wrote last is read first, then its calls fail. */
  async #watchExit(): Promise<PluginError> {
    const exit = await this.#child.exited
    this.#ended = true
    this.#readOn()
    this.#heartbeat?.stop()
    await Promise.race([this.#outputEnded(), afterReading(lastOutputMs)])
    await Promise.race([this.#caughtUp(), delay(lastTurnsMs)])
    const how = this.#violation ?? describeExit(exit)
    const { name } = this.manifest
    const wasStarting = this.#status === PluginStatus.INITIALIZING
    if (this.#stopped && !wasStarting) {
      this.#peer.close(pluginStopping(name))
      return new Promise(() => {})
    }
    const { tail } = this.#stderr
    // By a signal, or for want of a process: from outside, unless the host has ended it for what it did.
    const isFromOutside = exit.code === undefined && this.#violation === undefined
    const notReady = this.#handshake
      ? initializeCrashed(name, how, tail)
      : startFailed(name, how, tail, isFromOutside)
    const error = wasStarting ? notReady : pluginCrashed(name, how, tail)
    const unasked = this.#stopped === undefined && !wasStarting
    if (unasked) this.#status = PluginStatus.ERROR
    this.#peer.close(error)
    return unasked ? error : new Promise(() => {})
  }

  /** What was read and put off has been taken. */
  async #caughtUp(): Promise<void> {
    await Promise.all([this.#peer.caughtUp(), this.#stderr.caughtUp()])
    this.#budget.tell()
  }

  async #outputEnded(): Promise<void> {
    await Promise.all([...this.#answers, this.#child.stderr].map(ended))
  }
}

/** Resolves when all that a stream had has been read. */
async function ended(stream: Readable): Promise<void> {
  if (stream.readableEnded || stream.destroyed) return
  await new Promise((resolve) => stream.once('end', resolve).once('close', resolve))
}

/** Resolves after that time, and once what was there to be read by then has been: a busy host is late with both. */
async function afterReading(ms: number): Promise<void> {
  await delay(ms)
  for (let turns = 0; turns < 2; turns++) await new Promise((resolve) => setImmediate(resolve))
}

function describeExit({ code, signal, reason }: Exit): string {
  if (signal !== undefined) return `was ended by ${signal}`
  if (reason !== undefined) return `could not be started: ${reason}`
  return code === undefined ? 'could not be started' : `exited with code ${code}`
}
