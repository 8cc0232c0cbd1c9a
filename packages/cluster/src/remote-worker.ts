import {
  Callers,
  MethodFacts,
  openPeer,
  PieceStream,
  type RoutedCallOptions,
  readWithin,
  type Unbegun,
  type WireArgs,
  type Worker,
} from '@appfactory/host/internal'
import type { ContractDescriptor, HealthStatus, Manifest, SessionRole } from '@appfactory/sdk'
import { isPluginError, type PluginError } from '@appfactory/sdk'
import { inputMarker, isAnswer, type Peer, type RequestOptions } from '@appfactory/sdk/internal'
import type { Dialled, NodeRun } from './cable.js'
import { callLate, clusterClosed, crashedOn, type Lost, notDescribed, workerLost } from './caller-errors.js'
import { type Described, healthOf, readDescription } from './described.js'
import { requestIdsIn } from './undelivered.js'

export interface RemoteWorkerOptions extends Dialled {
  plugin: string
  run: NodeRun
  /** How long the node may take to describe the plugin, in ms. */
  connectTimeoutMs: number
  /** It has less to do. */
  onFree(): void
}

/** What became of calls that failed, where it is known that nothing was begun. */
const unbegunErrors = new WeakMap<object, Exclude<Unbegun, undefined>>()

/** Why the worker of a call that failed surely did nothing for it. Undefined: it may have. */
export function unbegunOf(error: unknown): Unbegun {
  return typeof error === 'object' && error !== null ? unbegunErrors.get(error) : undefined
}

async function describe(
  peer: Peer,
  { plugin, run, connectTimeoutMs: timeoutMs }: RemoteWorkerOptions,
): Promise<Described> {
  const late = (): PluginError => notDescribed(plugin, run.node, timeoutMs)
  const params = { name: plugin, descriptor: true }
  return readDescription(await peer.request('plugin/describe', params, { timeoutMs, late }))
}

/** A plugin on a node, at the other end of a link. */
export class RemoteWorker implements Worker {
  readonly run: NodeRun
  /** Resolves when it takes no calls any more. Never rejects. */
  readonly ended: Promise<unknown>
  /** By the last beat of its node: calls there that are not of this caller. */
  otherCalls = 0
  /** Whether its node has refused a call, or its process has ended, since the last beat. */
  isDoubtful = false
  #calls = 0
  #streams = 0
  #isRunning = true
  #lastReceived = 0
  /** Why its calls fail, once the link is closed. */
  #lost: PluginError | undefined
  readonly #options: RemoteWorkerOptions
  readonly #peer: Peer
  #described: Described
  #facts: MethodFacts
  readonly #callers = new Callers()

  /**
   * Takes the other end of a link. Where it fails, the link is closed.
   *
   * @throws PluginError Why the node does not describe the plugin; with `data.lost` where the link broke meanwhile.
   */
  static async open(options: RemoteWorkerOptions): Promise<RemoteWorker> {
    const { link, byteNonce, plugin, run } = options
    let worker: RemoteWorker | undefined
    // First, so that the worker knows what became of its calls before they fail.
    const ended = link.closed.then((error) => {
      if (worker) worker.#lose(error)
    })
    try {
      const peer = await openPeer(link, {
        byteNonce,
        lost: workerLost(plugin, run.node, 'node', 'it has closed the link'),
      })
      worker = new RemoteWorker(options, peer, await describe(peer, options), ended)
      return worker
    } catch (error) {
      link.close()
      throw error
    }
  }

  private constructor(
    options: RemoteWorkerOptions,
    peer: Peer,
    described: Described,
    ended: Promise<unknown>,
  ) {
    const { link, run } = options
    this.#options = options
    this.#peer = peer
    this.run = run
    this.#described = described
    this.ended = ended
    this.#facts = new MethodFacts(described.contract)
    link.watch?.(() => this.isBusy)
    for (const stream of [link.input, link.bytes]) if (stream) readWithin(this.#callers.room, stream)
  }

  /** What it was when it was described last. */
  get described(): Described {
    return this.#described
  }

  get node(): string {
    return this.run.node
  }

  get manifest(): Manifest {
    return this.described.manifest
  }

  get contract(): ContractDescriptor {
    return this.described.contract
  }

  get isRunning(): boolean {
    return this.#isRunning && this.#options.link.output.writable
  }

  /** Whether calls may have to wait for it although it has room: it can't be reached now, or is not well. */
  get isSick(): boolean {
    return this.isDoubtful || this.#options.link.isCut === true
  }

  get isBusy(): boolean {
    return this.#calls + this.#streams > 0
  }

  get callsInFlight(): number {
    return this.#calls
  }

  get openStreams(): number {
    return this.#streams
  }

  /** Bytes that wait to be sent to it. */
  get unsentBytes(): number {
    return this.#peer.unsentBytes
  }

  /** Whether anything has come from its node since the last question. */
  get hasMoved(): boolean {
    const { received } = this.#peer.counts
    const hasMoved = received !== this.#lastReceived
    this.#lastReceived = received
    return hasMoved
  }

  /**
   * Asks its node what it is now, after a swap.
   *
   * @throws PluginError Why it is not described: it stays as it was.
   */
  async describeAgain(): Promise<void> {
    this.#described = await describe(this.#peer, this.#options)
    this.#facts = new MethodFacts(this.#described.contract)
  }

  sessionRole(method: string): SessionRole | undefined {
    return this.#facts.sessionRole(method)
  }

  isIdempotent(method: string): boolean {
    return this.#facts.isIdempotent(method)
  }

  call(method: string, args: WireArgs, options: RoutedCallOptions): Promise<unknown> {
    this.#calls += 1
    return this.#peer
      .request('plugin/call', this.#params(method, args, options), this.#requestOptions(method, options))
      .then(this.#endCall, this.#failCall)
  }

  stream(method: string, args: WireArgs, options: RoutedCallOptions): AsyncIterableIterator<unknown> {
    // Let go once they are sent: a stream may be open for long.
    let given: WireArgs | undefined = args
    return new PieceStream({
      open: () => {
        const window = this.#facts.window(method, options.credit)
        const params = { ...this.#params(method, given ?? {}, options), stream: { credit: window } }
        given = undefined
        const pieces = this.#peer.stream('plugin/call', params, {
          ...this.#requestOptions(method, options),
          window,
        })
        this.#streams += 1
        return pieces
      },
      word: this.#wordError,
      onEnd: () => {
        this.#streams -= 1
        this.#options.onFree()
      },
    })
  }

  /** @throws PluginError What the node answers. */
  async health(timeoutMs: number): Promise<HealthStatus> {
    const { plugin, run } = this.#options
    const late = (): PluginError => callLate(plugin, run.node, 'health()', timeoutMs)
    return healthOf(await this.#peer.request('plugin/health', { name: plugin }, { timeoutMs, late }))
  }

  /** Gives it up: calls in flight fail. */
  close(lost: Lost, reason: string): void {
    const { plugin, run, link } = this.#options
    link.close(workerLost(plugin, run.node, lost, reason))
  }

  /** This end asks nothing of it any more: what is in flight is cancelled. */
  leave(): void {
    const { plugin, link } = this.#options
    this.#isRunning = false
    this.#lost ??= clusterClosed(plugin)
    this.#peer.close(this.#lost)
    link.close()
  }

  /** The link is closed: what is known of calls in flight is told to those who made them. */
  #lose(error: PluginError | undefined): void {
    const { plugin, run, link } = this.#options
    this.#isRunning = false
    const lost = Reflect.get(Object(error?.data), 'lost') === 'node' || !error ? 'node' : 'link'
    this.#lost ??= workerLost(plugin, run.node, lost, error?.message ?? 'the node has closed the link')
    this.#peer.flush()
    const unread = requestIdsIn(link.undelivered ?? [])
    if (unread.length > 0) this.#peer.failCalls(unread, this.#unreached())
  }

  /** The error of calls that the node has not read. */
  #unreached(): PluginError {
    const { plugin, run } = this.#options
    const error = workerLost(plugin, run.node, 'node', 'it was gone before it read the call')
    unbegunErrors.set(error, 'unreached')
    return error
  }

  readonly #endCall = (result: unknown): unknown => {
    this.#calls -= 1
    this.#options.onFree()
    return result
  }

  readonly #failCall = (error: unknown): never => {
    this.#calls -= 1
    this.#options.onFree()
    throw this.#wordError(error)
  }

  /** The error for the caller. What a plugin, or its host, has answered stays as it is. */
  readonly #wordError = (error: unknown): unknown => {
    if (!isPluginError(error)) return error
    if (!isAnswer(error))
      return this.#lost && error.codeName !== 'CALL_TIMEOUT' ? this.#wordLoss(error) : error
    if (error.codeName === 'PLUGIN_CRASHED') {
      this.isDoubtful = true
      return crashedOn(this.run.node, error)
    }
    // No plugin can say that: its host takes it out.
    if (Object(error.data).refused === true) {
      this.isDoubtful = true
      unbegunErrors.set(error, 'refused')
    }
    return error
  }

  #wordLoss(error: PluginError): PluginError {
    const isOwn = unbegunErrors.has(error) || error.codeName === 'REQUEST_CANCELLED'
    return isOwn ? error : (this.#lost ?? error)
  }

  #params(
    method: string,
    args: WireArgs,
    { input, timeoutMs, trace }: RoutedCallOptions,
  ): Record<string, unknown> {
    const { plugin } = this.#options
    const params: Record<string, unknown> = {
      ...{ plugin, method, args: input ? { ...args, [input.name]: inputMarker } : args },
    }
    if (timeoutMs !== undefined && timeoutMs !== Number.POSITIVE_INFINITY) params['timeout'] = timeoutMs
    if (trace) params['trace'] = trace
    return params
  }

  #requestOptions(method: string, options: RoutedCallOptions): RequestOptions {
    const { timeoutMs, signal, cancellation, input, room } = options
    const { plugin, run } = this.#options
    const late = (): PluginError => callLate(plugin, run.node, method, timeoutMs ?? 0)
    const observer = room && this.#callers.observe(room)
    return { timeoutMs, late, signal, cancellation, input: input?.items, observer }
  }
}
