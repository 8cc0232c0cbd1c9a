import { isUtf8 } from 'node:buffer'
import { setMaxListeners } from 'node:events'
import type { Duplex, Readable, Writable } from 'node:stream'
import {
  createJSONRPCErrorResponse,
  createJSONRPCNotification,
  createJSONRPCRequest,
  createJSONRPCSuccessResponse,
  JSONRPCClient,
  type JSONRPCErrorResponse,
  JSONRPCServer,
} from 'json-rpc-2.0'
import { fromErrorObject, isPluginError, PluginError, toErrorObject } from '../errors.js'
import { type Attachment, callOf, findAttachments } from './attachments.js'
import { ByteChannel, Bytes } from './bytes.js'
import { IncomingCall } from './call.js'
import { LineSplitter, LineWriter } from './lines.js'
import { classify, type Message, parseLine, type Request, type RequestId, type Response } from './message.js'
import { creditOf, IncomingStream, OutgoingStream } from './streams.js'

export interface PeerOptions {
  input: Readable
  output: Writable
  /** Answers a request, or takes a notification (`call.id` is undefined then). What it throws goes to the caller. */
  handle(call: IncomingCall): unknown
  /** Given: what is not JSON-RPC is logged by this and never answered, as on the host's end of a plugin. */
  onNoise?(text: string, reason: string): void
  /** A line passed the limit. Without it, MESSAGE_TOO_LARGE is answered. */
  onOversize?(): void
  /** The other end sends nothing any more. Without it, calls to the other end fail; with it, `close()` does that. */
  onEnd?(): void
  /** The other end can't be written to any more. */
  onGone?(): void
  /** Longest line to receive, in bytes. Default: 8 MiB. */
  maxMessageBytes?: number
  /** Longest line that the other end receives, in bytes. Default: no limit. */
  maxSendBytes?: number
  /** Most items in a batch. Default: 100. */
  maxBatch?: number
  /** Does requests strictly one after another. Default: false. */
  sequential?: boolean
}

export interface RequestOptions {
  /** An abort sends `$/cancelRequest`; the call then ends with what the other end answers. */
  signal?: AbortSignal | undefined
  /** In place of `signal`, for who has no use for one otherwise: takes what cancels the call. */
  whenCancelled?: ((cancel: () => void) => void) | undefined
  /** In ms. The call is cancelled and fails with CALL_TIMEOUT. For a stream: time between two pieces. Default: none. */
  timeoutMs?: number | undefined
  /** Sent as `$/input` while the call runs. */
  input?: AsyncIterable<unknown> | undefined
  /** Bytes of the answer that come beside it are put into it as base64, for those who want plain JSON. */
  inlineBytes?: boolean | undefined
}

interface OutgoingCall {
  method: string
  inlineBytes: boolean
  stopWatching?(): void
  pieces?: IncomingStream
  input?: OutgoingStream
  timer?: NodeJS.Timeout
}

/** What one line is owed: a response, those of a batch, or nothing. */
type Answer = Response | Response[] | undefined

/** Pieces that may be on their way before the reader has taken one. */
export const streamWindow = 64

/** The longest time that Node's timers can wait, in ms: 24.8 days. */
export const maxTimerMs = 2 ** 31 - 1

/**
 * One end of a connection: newline-delimited JSON-RPC 2.0 both ways, with streams, credit and cancellation.
 * Both hops use it: client to host, and host to plugin.
 */
export class Peer {
  /** Lines that were no JSON-RPC, and replies that nobody waited for (any more). */
  readonly counts = { noise: 0, droppedReplies: 0 }
  readonly #options: PeerOptions
  readonly #writer: LineWriter
  readonly #splitter: LineSplitter
  #maxSendBytes: number
  readonly #server = new JSONRPCServer<IncomingCall>({ errorListener: () => {} })
  readonly #client: JSONRPCClient
  readonly #outgoing = new Map<RequestId, OutgoingCall>()
  readonly #incoming = new Map<RequestId, IncomingCall>()
  readonly #idleWaiters: (() => void)[] = []
  #running = 0
  #inputEnded = false
  #lastId = 0
  #queue: Promise<unknown> = Promise.resolve()
  #lastAnswer: Promise<void> | undefined
  #closed: PluginError | undefined
  #channel: ByteChannel | undefined
  #sendsBytes = false
  #byteNonce = ''
  /** Messages of a call that wait for bytes, by call. */
  readonly #waitingForBytes = new Map<string, Promise<void>>()

  constructor(options: PeerOptions) {
    this.#options = options
    this.#writer = new LineWriter(options.output)
    this.#maxSendBytes = options.maxSendBytes ?? Number.POSITIVE_INFINITY
    this.#splitter = new LineSplitter(
      { onLine: (line) => this.#receiveLine(line), onOversize: () => this.#receiveOversize() },
      options.maxMessageBytes,
    )
    this.#client = new JSONRPCClient((payload) => this.#send(payload))
    this.#server.applyMiddleware(async (_next, request, call) => {
      // It may have been cancelled while it waited for its turn.
      if (call.cancelled) throw call.cancelled
      return createJSONRPCSuccessResponse(request.id ?? null, await options.handle(call))
    })
    this.#server.mapErrorToJSONRPCErrorResponse = errorResponse
    this.#listen()
  }

  /** Calls a method of the other end. Rejects with a PluginError. */
  request(method: string, params: unknown, options: RequestOptions = {}): Promise<unknown> {
    return this.#call(method, params, options).result
  }

  /** Calls a method that answers in pieces. `params` must ask for `streamWindow` pieces of credit. */
  stream(method: string, params: unknown, options: RequestOptions = {}): AsyncIterableIterator<unknown> {
    const cancelling = new AbortController()
    const signal = options.signal ? AbortSignal.any([options.signal, cancelling.signal]) : cancelling.signal
    let finished: Promise<unknown> = Promise.resolve()
    const pieces: IncomingStream = new IncomingStream(streamWindow, {
      grant: (n) => this.notify('$/credit', { id: call.id, n }),
      stop: async () => {
        cancelling.abort()
        await finished
      },
    })
    const call = this.#call(method, params, { ...options, signal }, pieces)
    finished = call.result.then(
      () => pieces.end(),
      (error: unknown) => pieces.fail(error),
    )
    return pieces
  }

  notify(method: string, params: unknown): void {
    this.#write(createJSONRPCNotification(method, params))
  }

  /** Both ends have agreed on the longest message, in bytes. */
  limitMessages(bytes: number): void {
    this.#splitter.maxBytes = bytes
    this.#maxSendBytes = bytes
  }

  /** Takes raw bytes from `stream` from now on, for messages that refer to them. */
  receiveBytes(stream: Duplex, nonce: string): void {
    this.#byteNonce = nonce
    this.#channel = new ByteChannel(stream, nonce, () => this.notify('$/bytesOff', {}))
  }

  /** Sends bytes raw from now on: the other end has agreed to it. */
  sendBytes(): void {
    this.#sendsBytes = true
  }

  /** Resolves when no call from the other end is being worked on. */
  idle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idleWaiters.push(resolve))
  }

  /** Calls from the other end that are being worked on. */
  get callsInFlight(): number {
    return this.#running
  }

  /** Hands over what is still to be written. */
  flush(): void {
    this.#writer.flush()
    this.#channel?.flush()
  }

  /** Gives up the connection: calls to the other end fail with `error`, calls from it are cancelled. */
  close(error: PluginError): void {
    if (this.#closed) return
    this.#closed = error
    this.#failOutgoing(error)
    for (const call of this.#incoming.values()) call.cancel(error)
    this.#writer.flush()
    this.#writer.close()
  }

  #listen(): void {
    const { input, output } = this.#options
    input.on('data', (chunk: Buffer) => this.#splitter.push(chunk))
    input.once('end', () => {
      this.#splitter.end()
      this.#endInput()
    })
    input.on('error', () => this.#endInput())
    input.once('close', () => this.#endInput())
    output.on('error', () => this.#options.onGone?.())
  }

  /** No answer and no credit can arrive any more; what needs neither goes on. */
  #endInput(): void {
    if (this.#inputEnded) return
    this.#inputEnded = true
    const error = new PluginError('REQUEST_CANCELLED', 'The other end has closed the connection')
    for (const call of this.#incoming.values()) call.endInput(error)
    if (this.#options.onEnd) this.#options.onEnd()
    else this.#failOutgoing(error)
  }

  #failOutgoing(error: PluginError): void {
    for (const id of [...this.#outgoing.keys()]) this.#settle(id, errorResponse(id, error))
  }

  // ── Receiving ────────────────────────────────────────────────────────────────────────────────────────────────────

  #receiveLine(line: string | Uint8Array): void {
    if (typeof line !== 'string') {
      this.#receiveUnparsable(line)
      return
    }
    if (line.trim() === '') return
    const parsed = parseLine(line)
    if (parsed.kind === 'unparsable') this.#receiveUnparsable(line)
    else if (parsed.kind === 'batch') this.#receiveBatch(parsed.items)
    else this.#receiveWhole(parsed.message, line)
  }

  /** A message whose bytes are on their way waits for them; later ones of the same call wait behind it. */
  #receiveWhole(message: Message, line: string): void {
    const hasBytes = this.#channel !== undefined && line.includes(`{"$bytes":"${this.#byteNonce}:`)
    const attachments = hasBytes ? findAttachments(message, this.#byteNonce) : []
    const call = attachments.length > 0 || this.#waitingForBytes.size > 0 ? callOf(message) : undefined
    const before = call === undefined ? undefined : this.#waitingForBytes.get(call)
    if (attachments.length === 0 && !before) {
      this.#answer(this.#receive(message, line))
      return
    }
    const done = this.#attach(message, attachments, before).then((whole) => {
      if (call !== undefined && this.#waitingForBytes.get(call) === done) this.#waitingForBytes.delete(call)
      if (whole) this.#answer(this.#receive(whole, line))
    })
    if (call !== undefined) this.#waitingForBytes.set(call, done)
  }

  /** Puts the bytes into the message. Where they do not arrive, the call fails; undefined then. */
  async #attach(
    message: Message,
    attachments: readonly Attachment[],
    before: Promise<void> | undefined,
  ): Promise<Message | undefined> {
    try {
      const bytes = await Promise.all(attachments.map(({ reference }) => this.#channel?.take(reference)))
      await before
      const inline = message.kind === 'response' ? message.response.id : aboutId(message)
      const asText = this.#outgoing.get(inline)?.inlineBytes === true
      attachments.forEach(({ holder, key }, index) => {
        const data = new Bytes(bytes[index] ?? new Uint8Array())
        holder[key] = asText ? data.toJSON() : data
      })
      return message
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      await before
      return this.#withoutBytes(message, reason)
    }
  }

  /** What becomes of a message whose bytes did not arrive. */
  #withoutBytes(message: Message, reason: string): Message | undefined {
    if (message.kind === 'response') return { kind: 'invalid', id: message.response.id, reason, owed: false }
    if (message.kind === 'invalid') return message
    const { id, method } = message.request
    if (id !== undefined) return { kind: 'invalid', id, reason, owed: true }
    if (method === '$/stream') this.#breakStream(aboutId(message), reason)
    else this.#incoming.get(aboutId(message))?.cancel(new PluginError('INVALID_REQUEST', reason))
    return undefined
  }

  #receiveUnparsable(line: string | Uint8Array): void {
    const isText = typeof line === 'string'
    if (!this.#options.onNoise) {
      const reason = isText ? 'the line is not JSON' : 'the line is not UTF-8'
      this.#answer(errorResponse(null, new PluginError('PARSE_ERROR', `Parse error: ${reason}`)))
      return
    }
    const salvaged = salvage(Buffer.from(line))
    this.#noise(salvaged?.noise ?? (isText ? line : '(bytes that are not UTF-8)'), 'not JSON')
    if (salvaged) this.#receiveWhole(salvaged.message, '')
  }

  #receiveOversize(): void {
    if (this.#options.onOversize) {
      this.#options.onOversize()
      return
    }
    const limit = this.#splitter.maxBytes
    const error = new PluginError('MESSAGE_TOO_LARGE', `A message is longer than ${limit} bytes`, { limit })
    this.#answer(errorResponse(null, error))
  }

  #receiveBatch(items: unknown[]): void {
    const limit = this.#options.maxBatch ?? 100
    if (this.#options.onNoise) this.#noise(JSON.stringify(items), 'a batch is not used here')
    else if (items.length === 0) this.#answer(invalidRequest(null, 'an empty batch'))
    else if (items.length > limit)
      this.#answer(invalidRequest(null, `a batch of ${items.length}; the limit is ${limit}`))
    else this.#answer(this.#receiveItems(items))
  }

  async #receiveItems(items: unknown[]): Promise<Response[] | undefined> {
    const responses = await Promise.all(items.map((item) => this.#receive(classify(item), '')))
    const owed = responses.filter((response) => response !== undefined)
    return owed.length > 0 ? owed : undefined
  }

  /** Acts on one message. Resolves to the response that is owed for it, if any. */
  #receive(message: Message, line: string): Promise<Response | undefined> | Response | undefined {
    if (message.kind === 'request') return this.#receiveRequest(message.request)
    if (message.kind === 'response') this.#receiveResponse(message.response)
    else return this.#receiveInvalid(message, line)
    return undefined
  }

  #receiveInvalid(
    { id, reason, owed }: { id: RequestId; reason: string; owed: boolean },
    line: string,
  ): Response | undefined {
    if (this.#outgoing.has(id)) {
      this.#settle(
        id,
        errorResponse(id, new PluginError('INTERNAL_ERROR', `The answer is malformed: ${reason}`)),
      )
      return undefined
    }
    if (this.#options.onNoise) this.#noise(line, reason)
    else if (owed) return invalidRequest(id, reason)
    else this.counts.droppedReplies += 1
    return undefined
  }

  #noise(text: string, reason: string): void {
    this.counts.noise += 1
    this.#options.onNoise?.(text, reason)
  }

  #receiveRequest(request: Request): Promise<Response | undefined> | Response | undefined {
    if (request.id === undefined && this.#receiveControl(request)) return undefined
    const { id } = request
    if (id !== undefined && this.#incoming.has(id)) {
      return invalidRequest(id, `the id ${JSON.stringify(id)} is in flight already`)
    }
    const call = new IncomingCall(request, this)
    if (id !== undefined) this.#incoming.set(id, call)
    this.#running += 1
    if (!this.#options.sequential) return this.#serve(call, request)
    const served = this.#queue.then(() => this.#serve(call, request))
    this.#queue = served
    return served
  }

  #serve(call: IncomingCall, request: Request): Promise<Response | undefined> {
    return (this.#server.receive(request as never, call) as Promise<Response | null>).then((response) => {
      call.finish()
      this.#running -= 1
      if (this.#running === 0 && this.#idleWaiters.length > 0) queueMicrotask(() => this.#announceIdle())
      if (call.id === undefined || call.answered) return undefined
      this.#incoming.delete(call.id)
      return response ?? undefined
    })
  }

  /** For an IncomingCall: answers before the work on it has ended. */
  answerEarly(id: RequestId, error: PluginError): void {
    this.#incoming.delete(id)
    this.#write(errorResponse(id, error))
  }

  #announceIdle(): void {
    if (this.#running > 0) return
    for (const resolve of this.#idleWaiters.splice(0)) resolve()
  }

  /** Writes what a line is owed; where requests are done one after another, after what earlier lines are owed. */
  #answer(answer: Answer | Promise<Answer>): void {
    if (answer === undefined) return
    if (this.#options.sequential) {
      this.#lastAnswer = Promise.all([answer, this.#lastAnswer]).then(([owed]) => {
        if (owed) this.#write(owed)
      })
    } else if (answer instanceof Promise) void answer.then(this.#writeOwed)
    else this.#write(answer)
  }

  readonly #writeOwed = (owed: Answer): void => {
    if (owed) this.#write(owed)
  }

  #receiveResponse(response: Response): void {
    if (!this.#settle(response.id, response)) this.counts.droppedReplies += 1
  }

  /** Notifications of the wire itself. Returns false for all others. */
  #receiveControl({ method, params }: Request): boolean {
    if (!method.startsWith('$/')) return false
    const { id, seq, value, n, done } = (Array.isArray(params) ? {} : (params ?? {})) as Record<
      string,
      unknown
    >
    const key = id as RequestId
    if (method === '$/cancelRequest')
      this.#incoming.get(key)?.cancel(new PluginError('REQUEST_CANCELLED', 'The request was cancelled'))
    else if (method === '$/stream') this.#receivePiece(key, seq, value)
    else if (method === '$/credit') this.#incoming.get(key)?.addCredit(safeCredit(n))
    else if (method === '$/input') this.#incoming.get(key)?.receiveInput(seq, value, done === true)
    else if (method === '$/bytesOff') this.#sendsBytes = false
    else if (method === '$/inputCredit') this.#outgoing.get(key)?.input?.addCredit(safeCredit(n))
    return true
  }

  #receivePiece(id: RequestId, sequence: unknown, value: unknown): void {
    const call = this.#outgoing.get(id)
    if (!call?.pieces) {
      this.counts.droppedReplies += 1
      return
    }
    call.timer?.refresh()
    const problem = call.pieces.push(sequence, value)
    if (problem) this.#breakStream(id, problem)
  }

  #breakStream(id: RequestId, problem: string): void {
    this.notify('$/cancelRequest', { id })
    this.#settle(id, errorResponse(id, new PluginError('INTERNAL_ERROR', `The stream is broken: ${problem}`)))
  }

  // ── Calling ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #call(
    method: string,
    params: unknown,
    options: RequestOptions,
    pieces?: IncomingStream,
  ): { id: number; result: Promise<unknown> } {
    const id = ++this.#lastId
    if (this.#closed) return { id, result: Promise.reject(this.#closed) }
    if (options.signal?.aborted) return { id, result: Promise.reject(cancelled()) }
    const call: OutgoingCall = {
      method,
      inlineBytes: options.inlineBytes === true,
      ...(pieces ? { pieces } : {}),
    }
    this.#outgoing.set(id, call)
    const response = this.#client.requestAdvanced(
      createJSONRPCRequest(id, method, params),
    ) as Promise<Response>
    this.#watch(id, call, options)
    const result = response.then((answer) => {
      call.stopWatching?.()
      if (answer.error) throw fromErrorObject(answer.error)
      return answer.result
    })
    return { id, result }
  }

  /** Starts what may end the call early, and what feeds it. */
  #watch(id: number, call: OutgoingCall, { signal, whenCancelled, timeoutMs, input }: RequestOptions): void {
    const timer =
      timeoutMs === undefined || timeoutMs === Number.POSITIVE_INFINITY
        ? undefined
        : setTimeout(() => this.#timeOut(id, call, timeoutMs), Math.min(timeoutMs, maxTimerMs))
    if (timer) call.timer = timer
    if (input) void this.#feed(id, call, input)
    whenCancelled?.(() => this.notify('$/cancelRequest', { id }))
    const cancel = signal && ((): void => this.notify('$/cancelRequest', { id }))
    if (cancel) {
      // Any number of calls may share a signal.
      setMaxListeners(0, signal)
      signal.addEventListener('abort', cancel, { once: true })
    }
    call.stopWatching = () => {
      clearTimeout(timer)
      call.input?.fail(cancelled())
      if (cancel) signal.removeEventListener('abort', cancel)
    }
  }

  #timeOut(id: number, { method }: OutgoingCall, timeoutMs: number): void {
    this.notify('$/cancelRequest', { id })
    const late = new PluginError(
      'CALL_TIMEOUT',
      `${method} took longer than ${timeoutMs} ms and was cancelled`,
      { timeoutMs },
    )
    this.#settle(id, errorResponse(id, late))
  }

  /** Sends the argument that arrives while the call runs; its failure cancels the call. */
  async #feed(id: number, call: OutgoingCall, input: AsyncIterable<unknown>): Promise<void> {
    const outgoing = new OutgoingStream(streamWindow, (seq, value) =>
      this.#sendItem('$/input', { id, seq, value }),
    )
    call.input = outgoing
    try {
      for await (const value of input) await outgoing.send(value)
      this.notify('$/input', { id, seq: outgoing.count, done: true })
    } catch (error) {
      if (!this.#outgoing.has(id)) return
      this.notify('$/cancelRequest', { id })
      this.#settle(id, errorResponse(id, error))
    }
  }

  /** Ends a call of ours with a response. Returns false where there is no such call. */
  #settle(id: RequestId, response: Response): boolean {
    const call = this.#outgoing.get(id)
    if (!call) return false
    this.#outgoing.delete(id)
    this.#client.receive(response as never)
    return true
  }

  // ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Sends a request: too large a one fails here instead of at the other end. */
  #send(payload: { id: RequestId }): void {
    try {
      this.#writeChecked(payload)
    } catch (error) {
      this.#settle(payload.id, errorResponse(payload.id, error))
    }
  }

  /** Sends one item of a stream. Resolves when the reader has caught up. */
  #sendItem(method: string, params: unknown): Promise<void> | undefined {
    this.#writeChecked(createJSONRPCNotification(method, params))
    return this.#writer.caughtUp() ?? this.#channel?.caughtUp()
  }

  /** Writes a message, its bytes beside it where the other end takes them. */
  #writeChecked(payload: unknown): void {
    if (!this.#sendsBytes || !this.#channel) {
      this.#writeLine(JSON.stringify(payload))
      return
    }
    this.#writeLine(this.#channel.stringify(payload))
    this.#channel.sendCollected()
  }

  #writeLine(line: string): void {
    const excess = this.#excess(line)
    if (excess) throw excess
    this.#writer.write(line)
  }

  /** Writes a message or, where it can't be written, an error in its place. */
  #write(payload: unknown): void {
    try {
      this.#writeChecked(payload)
    } catch (error) {
      const { id = null, error: told } = payload as Partial<Response>
      // Of an error, only its data can be what no JSON is.
      const instead = told ? new PluginError(told.code, told.message) : unwritable(error)
      this.#writer.write(JSON.stringify(errorResponse(id, instead)))
    }
  }

  #excess(line: string): PluginError | undefined {
    const limit = this.#maxSendBytes
    if (line.length * 3 <= limit) return undefined
    const bytes = Buffer.byteLength(line)
    if (bytes <= limit) return undefined
    return new PluginError('MESSAGE_TOO_LARGE', `The message has ${bytes} bytes; the limit is ${limit}`, {
      bytes,
      limit,
    })
  }

  /** For an IncomingCall: sends one piece. Resolves when the reader has caught up. */
  sendPiece(id: RequestId, seq: number, value: unknown): Promise<void> | undefined {
    return this.#sendItem('$/stream', { id, seq, value })
  }
}

/** The request that a notification of the wire is about. */
function aboutId(message: Message): RequestId {
  const params = message.kind === 'request' ? message.request.params : undefined
  return (params as { id?: RequestId } | undefined)?.id ?? null
}

const messageStart = '{"jsonrpc":"2.0"'

/** How many places of a line are tried, so that time stays linear in its length. */
const maxSalvageTries = 4

/** Something printed without a line end before a message: the message is still whole behind it. */
function salvage(line: Buffer): { noise: string; message: Message } | undefined {
  let start = line.indexOf(messageStart, 1)
  for (let tries = 0; start !== -1 && tries < maxSalvageTries; tries++) {
    const rest = line.subarray(start)
    const parsed = isUtf8(rest) ? parseLine(rest.toString()) : undefined
    if (parsed?.kind === 'single') return { noise: line.toString('utf8', 0, start), message: parsed.message }
    start = line.indexOf(messageStart, start + 1)
  }
  return undefined
}

/** A credit that is not one is worth nothing; a notification gets no error. */
function safeCredit(value: unknown): number {
  try {
    return creditOf(value)
  } catch {
    return 0
  }
}

function unwritable(error: unknown): PluginError {
  if (isPluginError(error)) return error
  const { name, message } = error instanceof Error ? error : new Error(String(error))
  return new PluginError('INTERNAL_ERROR', `The result can’t be written as JSON: ${message}`, { error: name })
}

function cancelled(): PluginError {
  return new PluginError('REQUEST_CANCELLED', 'The request was cancelled')
}

function errorResponse(id: RequestId, error: unknown): JSONRPCErrorResponse {
  const { code, message, data } = toErrorObject(error)
  return createJSONRPCErrorResponse(id, code, message, data)
}

function invalidRequest(id: RequestId, reason: string): Response {
  return errorResponse(id, new PluginError('INVALID_REQUEST', `Invalid request: ${reason}`))
}
