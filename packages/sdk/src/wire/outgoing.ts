import { setMaxListeners } from 'node:events'
import { createJSONRPCRequest } from 'json-rpc-2.0'
import { describeThrown, type ErrorObject, fromErrorObject, isPluginError, PluginError } from '../errors.js'
import type { Cancellation } from './cancellation.js'
import type { RequestId, Response } from './message.js'
import type { MessageWriter } from './message-writer.js'
import { cancelled, cancelledBy } from './replies.js'
import { IncomingStream, OutgoingStream } from './streams.js'

/** Watches one call. */
export interface CallObserver {
  /** The other end owes an answer. */
  begun(): void
  /** Nothing of the call is awaited any more, though a reader may not have taken all of its pieces. */
  ended(): void
}

export interface RequestOptions {
  /** An abort sends `$/cancelRequest`; the call then ends with what the other end answers. */
  signal?: AbortSignal | undefined
  /** Like `signal`, without an AbortController. */
  cancellation?: Cancellation | undefined
  /** In ms. The call is cancelled and fails with CALL_TIMEOUT. For a stream: time between two pieces. Default: none. */
  timeoutMs?: number | undefined
  /** Makes the error of a call that took too long. Default: CALL_TIMEOUT with the name of the wire's method. */
  late?: (() => PluginError) | undefined
  /** Sent as `$/input` while the call runs. */
  input?: AsyncIterable<unknown> | undefined
  /** For a stream: pieces that the other end was told it may send before the reader has taken one. Default: `streamWindow`. */
  window?: number | undefined
  observer?: CallObserver | undefined
}

interface OutgoingCall {
  method: string
  resolve(result: unknown): void
  reject(error: unknown): void
  pieces: IncomingStream | undefined
  signal: AbortSignal | undefined
  observer: CallObserver | undefined
  stopListening?(): void
  input?: OutgoingStream
  timer?: NodeJS.Timeout | undefined
}

/** Pieces that may be on their way before the reader has taken one: of text, and of bytes, which are large. */
export const streamWindow = 64
export const byteStreamWindow = 8

/** The longest time that Node's timers can wait, in ms: 24.8 days. */
export const maxTimerMs = 2 ** 31 - 1

/** `setTimeout` for any time in ms: Infinity never comes, and what Node's timers can't wait for comes after 24.8 days. */
export function startTimer(ms: number, work: () => void): NodeJS.Timeout | undefined {
  return ms === Number.POSITIVE_INFINITY ? undefined : setTimeout(work, Math.min(ms, maxTimerMs))
}

/** Errors that came over a wire. What this end has found out itself, such as a timeout, is not among them. */
const answers = new WeakSet<PluginError>()

/** Whether the other end answered with this error, which says then what the other end thinks, whatever its code. */
export function isAnswer(error: unknown): boolean {
  return isPluginError(error) && answers.has(error)
}

/** Takes an error for one that the other end has answered with. Returns it. */
export function markAnswer(error: PluginError): PluginError {
  answers.add(error)
  return error
}

/** The calls that this end makes of the other. */
export class OutgoingCalls {
  readonly #writer: MessageWriter
  readonly #onEnd: (id: RequestId) => void
  readonly #calls = new Map<RequestId, OutgoingCall>()
  #idMark: string
  #lastNumber = 0
  #closed: PluginError | undefined

  /**
   * @param idMark How ids begin, so that nobody can guess one. Empty: they are numbers.
   * @param onEnd Called when a call has ended.
   */
  constructor(writer: MessageWriter, idMark: string, onEnd: (id: RequestId) => void) {
    this.#writer = writer
    this.#idMark = idMark
    this.#onEnd = onEnd
  }

  request(method: string, params: unknown, options: RequestOptions): Promise<unknown> {
    return this.#call(method, params, options).result
  }

  stream(method: string, params: unknown, options: RequestOptions): AsyncIterableIterator<unknown> {
    let finished: Promise<unknown> = Promise.resolve()
    const pieces: IncomingStream = new IncomingStream(options.window ?? streamWindow, {
      grant: (n) => this.#writer.notify('$/credit', { id: call.id, n }),
      stop: async () => {
        if (this.#calls.has(call.id) && !options.signal?.aborted) this.#cancel(call.id)
        await finished
      },
    })
    const call = this.#call(method, params, options, pieces)
    finished = call.result.then(
      () => pieces.end(),
      (error: unknown) => pieces.fail(error),
    )
    return pieces
  }

  /** Calls that have not been answered. */
  get size(): number {
    return this.#calls.size
  }

  /** Nobody but the other end can answer any more: ids are numbers from now on, which cost less. */
  numberIds(): void {
    this.#idMark = ''
  }

  has(id: RequestId): boolean {
    return this.#calls.has(id)
  }

  /** How many pieces of a stream may still come before its reader takes another one. Undefined where nobody reads it. */
  roomForPieces(id: RequestId): number | undefined {
    return this.#calls.get(id)?.pieces?.room
  }

  /** Ends a call with a response. Returns false where there is no such call. */
  settle(id: RequestId, response: Response): boolean {
    const call = this.#take(id)
    if (!call) return false
    if (response.error) call.reject(answerOf(response.error, call.signal))
    else call.resolve(response.result)
    return true
  }

  /** Ends a call with an error of this end. */
  #reject(id: RequestId, error: PluginError): void {
    this.#take(id)?.reject(error)
  }

  /** The call of that id, which is over. */
  #take(id: RequestId): OutgoingCall | undefined {
    const call = this.#calls.get(id)
    if (!call) return undefined
    this.#calls.delete(id)
    this.#onEnd(id)
    call.observer?.ended()
    clearTimeout(call.timer)
    call.input?.fail(cancelled())
    call.stopListening?.()
    return call
  }

  /** Takes a piece of an answer. Returns false where there is no such call. */
  receivePiece(id: RequestId, sequence: unknown, value: unknown): boolean {
    const call = this.#calls.get(id)
    if (!call?.pieces) return false
    call.timer?.refresh()
    const problem = call.pieces.push(sequence, value)
    if (problem) this.breakStream(id, problem)
    return true
  }

  breakStream(id: RequestId, problem: string): void {
    this.#cancel(id)
    this.#reject(id, new PluginError('INTERNAL_ERROR', `The stream is broken: ${problem}`))
  }

  /** The callee has taken items of the argument that is sent while the call runs. Returns false where there is no such call. */
  addInputCredit(id: RequestId, items: number): boolean {
    const input = this.#calls.get(id)?.input
    input?.addCredit(items)
    return input !== undefined
  }

  /** Ends calls that are in flight, by their ids, with `error`. */
  failSome(ids: Iterable<RequestId>, error: PluginError): void {
    for (const id of ids) this.#reject(id, error)
  }

  /** Ends all calls with `error`. With `forGood`, later ones fail with it too. */
  fail(error: PluginError, forGood = false): void {
    if (forGood) this.#closed = error
    for (const id of [...this.#calls.keys()]) this.#reject(id, error)
  }

  #call(
    method: string,
    params: unknown,
    options: RequestOptions,
    pieces?: IncomingStream,
  ): { id: string | number; result: Promise<unknown> } {
    const number = ++this.#lastNumber
    const id = this.#idMark === '' ? number : this.#idMark + number
    if (this.#closed) return { id, result: Promise.reject(this.#closed) }
    const abandoned =
      options.cancellation?.cancelled ?? (options.signal?.aborted ? cancelledBy(options.signal) : undefined)
    if (abandoned) return { id, result: Promise.reject(abandoned) }
    const result = new Promise<unknown>((resolve, reject) => {
      const { signal, observer } = options
      const call: OutgoingCall = { method, resolve, reject, pieces, signal, observer }
      this.#calls.set(id, call)
      observer?.begun()
      this.#send(id, method, params)
      this.#watch(id, call, options)
    })
    options.cancellation?.handedOver?.()
    return { id, result }
  }

  /** Sends a request: too large a one fails here instead of at the other end. */
  #send(id: string | number, method: string, params: unknown): void {
    try {
      void this.#writer.writeChecked(createJSONRPCRequest(id, method, params))
    } catch (error) {
      this.#reject(id, unforeseen('The request can’t be written', error))
    }
  }

  /** Starts what may end the call early, and what feeds it. */
  #watch(id: string | number, call: OutgoingCall, options: RequestOptions): void {
    const { signal, cancellation, timeoutMs, input } = options
    if (!this.#calls.has(id)) return
    if (timeoutMs !== undefined)
      call.timer = startTimer(timeoutMs, () => this.#timeOut(id, call, timeoutMs, options.late))
    if (input) void this.#feed(id, call, input)
    if (!cancellation && !signal) return
    const cancel = (): void => this.#cancel(id)
    cancellation?.addListener(cancel)
    if (signal) allowListeners(signal)
    signal?.addEventListener('abort', cancel, { once: true })
    call.stopListening = () => {
      cancellation?.removeListener(cancel)
      signal?.removeEventListener('abort', cancel)
    }
  }

  #timeOut(
    id: string | number,
    { method }: OutgoingCall,
    timeoutMs: number,
    late: RequestOptions['late'],
  ): void {
    this.#cancel(id)
    const message = `${method} took longer than ${timeoutMs} ms and was cancelled`
    this.#reject(id, late?.() ?? new PluginError('CALL_TIMEOUT', message, { timeout_ms: timeoutMs }))
  }

  /** Sends the argument that arrives while the call runs; its failure cancels the call. */
  async #feed(id: string | number, call: OutgoingCall, input: AsyncIterable<unknown>): Promise<void> {
    const outgoing = new OutgoingStream(streamWindow, (seq, value) =>
      this.#writer.writeItem('$/input', { id, seq, value }),
    )
    call.input = outgoing
    try {
      for await (const value of input) await outgoing.send(value)
      this.#writer.notify('$/input', { id, seq: outgoing.count, done: true })
    } catch (error) {
      if (!this.#calls.has(id)) return
      this.#cancel(id)
      this.#reject(id, unforeseen('The input broke off', error))
    }
  }

  #cancel(id: RequestId): void {
    this.#writer.notify('$/cancelRequest', { id })
  }
}

/** What the other end answered; of a call that was cancelled, with the reason, which only this end knows. */
function answerOf(response: ErrorObject, signal: AbortSignal | undefined): PluginError {
  const answer = fromErrorObject(response)
  const isCancelled = signal?.aborted && answer.codeName === 'REQUEST_CANCELLED'
  const error = isCancelled ? cancelledBy(signal, answer) : answer
  answers.add(error)
  return error
}

/** Any number of calls may share a signal. One that is not Node's own (jsdom has such) does not count its listeners. */
export function allowListeners(signal: AbortSignal): void {
  try {
    setMaxListeners(0, signal)
  } catch {}
}

/** An error of the application's own code keeps its identity: as it is, or as the cause. */
function unforeseen(what: string, error: unknown): PluginError {
  if (isPluginError(error)) return error
  const { name, message } = describeThrown(error)
  return new PluginError('INTERNAL_ERROR', `${what}: ${message}`, { error: name }, { cause: error })
}
