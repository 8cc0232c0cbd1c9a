import { randomBytes } from 'node:crypto'
import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { PluginError } from '@appfactory/sdk'
import {
  type HandshakeParams,
  type HandshakeResult,
  isHeldBack,
  letFlow,
  Peer,
  pluginMethods,
  protocolVersions,
  type RequestOptions,
} from '@appfactory/sdk/internal'
import { linesDropped, pluginStopping, startTimeout } from '../errors.js'
import type { LogLevel } from '../logs/levels.js'
import { LogBudget } from '../logs/log-budget.js'
import type { PluginFigures } from '../metrics/plugin-figures.js'
import { readWithin } from '../process/backpressure.js'
import { ChildProcess } from '../process/child-process.js'
import type { KeepAlive } from '../process/keep-alive.js'
import { type LaunchOptions, launchOf } from '../process/launch.js'
import { StderrLog } from '../process/stderr.js'
import type { Wire } from '../trace/wire.js'
import { hostVersion } from '../version.js'
import { Callers } from './callers.js'
import { exitError, howEnded, type Phase } from './exit.js'
import { checkHandshake, verdictOf } from './handshake.js'
import { startTurn } from './start-turns.js'

export interface ConnectionOptions extends LaunchOptions {
  log(level: LogLevel, message: string): void
  figures: PluginFigures
  /** Which of several places the process has, from 1. Undefined: the plugin has only one. */
  place?(): number | undefined
  /** An abort kills the process, until the plugin serves. */
  signal?: AbortSignal
  /** Whether it keeps this process from ending while it is idle. Default: it does. */
  keepAlive?: KeepAlive
  /** Asks for the schema in the plugin's code. Default: false. */
  wantsSchema?: boolean
  /** Sees every message. */
  wire?: Wire
}

/** A connection, and what the plugin answered to the handshake. */
export interface OpenConnection {
  connection: PluginConnection
  handshake: HandshakeResult
}

/** Windows may hold a write on a pipe back as long as it is also read there: bytes are base64 in their messages then. */
const byteChannels = process.platform === 'win32' ? [] : ['fd3']

/** Where a runtime takes messages that nobody else in its process can reach. */
const messageChannels = process.platform === 'win32' ? [] : ['fd4']

/** How long the last output of a process that has ended may take to arrive. Another process may hold its pipes open for longer. */
const drainAfterExitMs = 20

/** How long it may take until that output is read and has had its turns. */
const lastTurnsMs = 1000

/** How long a process may go on that has closed its output: until it is asked to leave, and from then until it is killed. */
const closedOutputGraceMs = 500

/** How long a process may take to leave after `shutdown()`. */
const stopTimeouts = { endMs: 2000, termMs: 2000 }

/** How often it is told that a process has not answered the handshake yet, in ms. */
const tellImportsMs = 10_000

/** What is logged of a line on stdout that is no message, in characters. */
const maxNoiseLength = 2000

/** A plugin's process, and the connection to it. */
export class PluginConnection {
  /**
   * Resolves when the process has ended and its last output is read: with the error that its requests got, or undefined where
   * it was asked to end. Never rejects.
   */
  readonly lost: Promise<PluginError | undefined>
  /** When the process was started, as `performance.now()` has it. */
  readonly openedAt = performance.now()
  /** The clients that its answers are for. */
  readonly callers = new Callers()
  #phase: Phase = 'handshake'
  #hasExited = false
  #isIdle = false
  #killReason: string | undefined
  #howEnded: string | undefined
  readonly #options: ConnectionOptions
  /** In each reference to bytes, so that no data of a client can be taken for one. */
  readonly #byteNonce = randomBytes(8).toString('hex')
  readonly #child: ChildProcess
  readonly #peer: Peer
  readonly #stderr: StderrLog
  readonly #budget: LogBudget

  /**
   * Starts a process and shakes hands. Whatever fails, nothing is left running.
   *
   * @throws PluginError PLUGIN_LOAD_FAILED, CONTRACT_MISMATCH, PROTOCOL_VERSION_UNSUPPORTED or DEPENDENCY_MISSING.
   */
  static async open(options: ConnectionOptions): Promise<OpenConnection> {
    const endTurn = await startTurn(options.signal)
    const connection = new PluginConnection(options)
    try {
      return { connection, handshake: await connection.#shakeHands() }
    } catch (error) {
      await connection.kill()
      throw error
    } finally {
      endTurn()
    }
  }

  private constructor(options: ConnectionOptions) {
    this.#options = options
    this.#child = new ChildProcess(launchOf(options))
    this.#budget = new LogBudget((dropped) => {
      options.figures.linesDropped += dropped
      options.log('WARNING', linesDropped(dropped))
    })
    this.#stderr = new StderrLog(this.#child.stderr, this.#budget, options.log)
    this.#peer = new Peer({
      input: this.#child.stdout,
      output: this.#child.stdin,
      idNonce: randomBytes(9).toString('base64url').replace(/[eE]/g, '_'),
      maxMessageBytes: options.limits.maxMessageBytes,
      maxSendBytes: options.limits.maxMessageBytes,
      tap: options.wire?.tap(options.manifest.name, () => this.#child.pid),
      onNoise: (text, reason) => this.#logNoise(text, reason),
      onOversize: () =>
        this.killBecause(`sent a line longer than ${options.limits.maxMessageBytes} bytes and was stopped`),
      onEnd: () => void this.#child.stop({ endMs: closedOutputGraceMs, termMs: closedOutputGraceMs }),
    })
    if (this.#child.messages) this.#peer.listenTo(this.#child.messages)
    this.#peer.receiveBytes(this.#child.bytes, this.#byteNonce)
    for (const stream of this.#answers) readWithin(() => this.#room(), stream)
    options.signal?.addEventListener('abort', this.#abort, { once: true })
    this.lost = this.#watchExit()
    options.keepAlive?.add(this)
    void this.lost.then(() => options.keepAlive?.delete(this))
  }

  /** What it was opened with. */
  get options(): Readonly<ConnectionOptions> {
    return this.#options
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** What has come over it so far. */
  get counts(): Readonly<Peer['counts']> {
    return this.#peer.counts
  }

  /** Bytes that wait for the plugin to read them. */
  get unsentBytes(): number {
    return this.#peer.unsentBytes
  }

  /** Whether the process is there, and nobody has asked it to leave. */
  get isRunning(): boolean {
    return !this.#hasExited && this.#phase !== 'stopping'
  }

  /** Whether the plugin's answers are left in its pipes for now, so that its silence says nothing. */
  get isPaused(): boolean {
    return this.#answers.some(isHeldBack)
  }

  /** How the process ended, in words that follow its name; undefined until its requests have failed. */
  get howEnded(): string | undefined {
    return this.#howEnded
  }

  /** Resolves when the process has ended; what it wrote last may be unread. */
  get exited(): Promise<unknown> {
    return this.#child.exited
  }

  request(method: string, params: unknown, options?: RequestOptions): Promise<unknown> {
    return this.#peer.request(method, params, options)
  }

  stream(method: string, params: unknown, options: RequestOptions): AsyncIterableIterator<unknown> {
    return this.#peer.stream(method, params, options)
  }

  /** A request that has a deadline of its own. */
  ask(method: string, params: unknown, timeoutMs: number, late: () => PluginError): Promise<unknown> {
    return this.#peer.request(method, params, { timeoutMs, late })
  }

  /** The plugin is initialized. From now on, an end of its process is a crash. */
  beginServing(): void {
    this.#phase = 'serving'
    this.#stderr.flush()
    this.setIdle(true)
    this.#options.signal?.removeEventListener('abort', this.#abort)
  }

  /** Whether it has neither calls nor streams. */
  setIdle(isIdle: boolean): void {
    this.#isIdle = isIdle
    this.updateRef()
  }

  /** What is idle need not keep this process from ending; the end of what stops is waited for. */
  updateRef(): void {
    const { keepAlive } = this.#options
    if (keepAlive) this.#child.setRef(keepAlive.isOn || !this.#isIdle || this.#phase === 'stopping')
  }

  /** From now on, the end of the process is what was asked for. */
  beginStop(): void {
    if (this.#phase === 'stopping') return
    this.#phase = 'stopping'
    this.updateRef()
    this.#options.signal?.removeEventListener('abort', this.#abort)
    this.#resumeReading()
  }

  /** Asks the process to leave, ever more firmly. Resolves when it has ended. */
  async stop(): Promise<void> {
    this.beginStop()
    await this.#child.stop(stopTimeouts)
  }

  /** Ends the process at once; resolves when it has ended. */
  async kill(): Promise<void> {
    this.beginStop()
    this.#child.kill()
    await this.#child.exited
  }

  /** Ends the process for what it does, or does not do: its requests fail as in a crash. */
  killBecause(reason: string): void {
    this.#killReason = reason
    this.#child.kill()
  }

  readonly #abort = (): void => this.#child.kill()

  async #shakeHands(): Promise<HandshakeResult> {
    const { manifest, limits, python } = this.#options
    const timeoutMs = python ? limits.pythonStartTimeoutMs : limits.startTimeoutMs
    const stopTelling = this.#tellImports()
    const answer = await this.ask(pluginMethods.handshake, this.#hello(), timeoutMs, () =>
      startTimeout(manifest.name, timeoutMs),
    )
      .catch((error: unknown) => {
        throw verdictOf(error)
      })
      .finally(stopTelling)
    checkHandshake(manifest, answer)
    this.#phase = 'initialize'
    this.#settleChannels(answer)
    return answer
  }

  /** Large packages take long to import, and look as if nothing happened. */
  #tellImports(): () => void {
    const { log, inspect } = this.#options
    let waitedMs = 0
    const timer = setInterval(() => {
      waitedMs += tellImportsMs
      if (!inspect) log('INFO', `still importing after ${waitedMs / 1000} s`)
    }, tellImportsMs)
    timer.unref()
    return () => clearInterval(timer)
  }

  #hello(): HandshakeParams {
    const { manifest, limits, wantsSchema = false } = this.#options
    return {
      protocol_versions: protocolVersions,
      host_version: hostVersion,
      manifest,
      max_message_bytes: limits.maxMessageBytes,
      wants_config_schema: wantsSchema,
      message_channels: messageChannels,
      byte_channels: byteChannels,
      byte_nonce: this.#byteNonce,
    }
  }

  /** Messages and bytes go where the plugin takes them. */
  #settleChannels(handshake: HandshakeResult): void {
    this.#settleMessages(handshake)
    if (handshake.byte_channels.includes('fd3')) this.#peer.sendBytes()
  }

  #settleMessages({ message_channels: taken }: HandshakeResult): void {
    const { messages } = this.#child
    if (!messages) return
    if (taken?.includes('fd4')) {
      this.#peer.moveTo(messages)
      this.#child.endStdin()
    } else messages.destroy()
  }

  /** Returns whether there was room in the log. */
  #logNoise(text: string, reason: string): boolean {
    this.#options.figures.noise += 1
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

  /** While a plugin starts or stops, reading is not paused: little is sent, and the host waits for it. */
  #room(): Promise<void> | undefined {
    return this.#phase === 'serving' && !this.#hasExited ? this.callers.room() : undefined
  }

  /** What is left in its pipes is taken out, room or not. */
  #resumeReading(): void {
    for (const stream of this.#answers) letFlow(stream)
  }

  /** The process has ended: what it wrote last is read first, then its requests fail. */
  async #watchExit(): Promise<PluginError | undefined> {
    const exit = await this.#child.exited
    this.#hasExited = true
    this.#resumeReading()
    await Promise.race([this.#readRest(), delay(lastTurnsMs, undefined, { ref: false })])
    const ended = {
      plugin: this.#options.manifest.name,
      exit,
      phase: this.#phase,
      killReason: this.#killReason,
      stderr: this.#stderr.tail,
      place: this.#options.place?.(),
    }
    this.#howEnded = howEnded(ended)
    const error = exitError(ended)
    this.#peer.close(error ?? pluginStopping(this.#options.manifest.name))
    this.#child.closePipes()
    return error
  }

  /** Reads until the output has ended or, where another process holds it open, until nothing more comes. */
  async #readRest(): Promise<void> {
    const outputEnded = this.#outputEnded()
    for (let read = -1; read !== this.#child.bytesRead; ) {
      read = this.#child.bytesRead
      await this.#caughtUp()
      await Promise.race([outputEnded, afterReading(drainAfterExitMs)])
    }
    await this.#caughtUp()
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
