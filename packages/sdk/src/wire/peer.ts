import type { Duplex, Readable, Writable } from 'node:stream'
import { isPromise } from 'node:util/types'
import { createJSONRPCSuccessResponse } from 'json-rpc-2.0'
import { PluginError } from '../errors.js'
import { ourCall, paramsOf, theirCall } from './attachments.js'
import { ByteChannel } from './byte-channel.js'
import { IncomingCall } from './call.js'
import { FairReader, type Worth } from './fair-reader.js'
import { defaultMaxMessageBytes, LineSplitter } from './lines.js'
import { classify, type Message, parseLine, type Request, type RequestId, type Response } from './message.js'
import { MessageReader } from './message-reader.js'
import { MessageWriter } from './message-writer.js'
import { OutgoingCalls, type RequestOptions } from './outgoing.js'
import { cancelled, errorResponse, invalidRequest } from './replies.js'
import { salvage } from './salvage.js'
import { creditOf } from './streams.js'

export interface PeerOptions {
  input: Readable
  output: Writable
  /**
   * Answers a request, or takes a notification (`call.id` is undefined then). What it throws goes to the caller. Without it,
   * both are noise: nobody answers, so nothing waits for an end that asks and does not read.
   */
  handle?(call: IncomingCall): unknown
  /**
   * Given: what is not JSON-RPC is logged by this and never answered, as on the host's end of a plugin. Returns whether it was
   * kept.
   */
  onNoise?(text: string, reason: string): boolean
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
  /** Most bytes of requests that wait until they are worked on or sent on: more are RESOURCE_EXHAUSTED. Default: no limit. */
  maxHeldBytes?: number
  /** Does requests strictly one after another. Default: false. */
  sequential?: boolean
  /**
   * Stands in the id of each request of this end, hard to guess: what others print where the other end writes is taken for no
   * answer then. After `moveTo()`, and by default, ids are numbers.
   */
  idNonce?: string
}

const openingBrace = 0x7b

/** What one line is owed: a response, those of a batch, or nothing. */
type Answer = Response | Response[] | undefined

/**
 * One end of a connection: newline-delimited JSON-RPC 2.0 both ways, with streams, credit and cancellation.
 * Both hops use it: client to host, and host to plugin.
 */
export class Peer {
  /** What the other end owed: answers, pieces and credit; lines that were no JSON-RPC; and replies that nobody waited for (any more). */
  readonly counts = { received: 0, noise: 0, droppedReplies: 0 }
  readonly #options: PeerOptions
  readonly #writer: MessageWriter
  /** What is listened to, the present input last. */
  readonly #inputs: { stream: Readable; lines: LineSplitter; reader: FairReader }[] = []
  /** Where messages came from before the other end moved: what comes there now is noise. */
  #left: Readable | undefined
  /** How ids of this end's requests begin. */
  readonly #idMark: string
  /** Noise that was not kept. */
  #droppedNoise = 0
  /** What had come when it was last asked what it was good for. */
  #counted: { asked: number; unasked: number; dropped: number; worth: Worth } = {
    asked: 0,
    unasked: 0,
    dropped: 0,
    worth: 'asked',
  }
  readonly #outgoing: OutgoingCalls
  readonly #incoming = new Map<RequestId, IncomingCall>()
  /** Who waits until fewer calls than that are being worked on. */
  #idleWaiters: { calls: number; resolve(): void }[] = []
  #running = 0
  #maxBytes: number
  #inputEnded = false
  #heldBytes = 0
  #queue: Promise<unknown> = Promise.resolve()
  #lastAnswer: Promise<void> | undefined
  #closed: PluginError | undefined
  #channel: ByteChannel | undefined
  #byteNonce: string | undefined
  #reader: MessageReader | undefined

  constructor(options: PeerOptions) {
    this.#options = options
    this.#writer = new MessageWriter(options.output, options.maxSendBytes ?? Number.POSITIVE_INFINITY)
    this.#idMark = options.idNonce === undefined ? '' : `${options.idNonce}:`
    this.#outgoing = new OutgoingCalls(this.#writer, this.#idMark, (id) => this.#forget(ourCall, id))
    this.#maxBytes = options.maxMessageBytes ?? defaultMaxMessageBytes
    this.#listen(options.input)
    this.#watchOutput(options.output)
  }

  /** Calls a method of the other end. Rejects with a PluginError. */
  request(method: string, params: unknown, options: RequestOptions = {}): Promise<unknown> {
    return this.#outgoing.request(method, params, options)
  }

  /** Calls a method that answers in pieces. `params` must ask for as many pieces of credit as `options.window`. */
  stream(method: string, params: unknown, options: RequestOptions = {}): AsyncIterableIterator<unknown> {
    return this.#outgoing.stream(method, params, options)
  }

  notify(method: string, params: unknown): void {
    this.#writer.notify(method, params)
  }

  /** Both ends have agreed on the longest message, in bytes. */
  limitMessages(bytes: number): void {
    this.#maxBytes = bytes
    for (const { lines } of this.#inputs) lines.maxBytes = bytes
    this.#writer.maxBytes = bytes
  }

  /** Takes messages from `channel` as well: the other end may move there. */
  listenTo(channel: Duplex): void {
    this.#listen(channel)
  }

  /** The other end has moved to `channel`: messages go there, and what its first output still brings is noise. */
  moveTo(channel: Duplex): void {
    this.#left = this.#options.input
    this.#outgoing.numberIds()
    this.#writer.moveTo(channel)
    this.#watchOutput(channel)
    if (channel.readableEnded || channel.destroyed) this.#endInput(channel)
  }

  /** Resolves when all that has been read so far has been taken. What comes from now on is not put off for long. */
  async caughtUp(): Promise<void> {
    for (const { reader } of this.#inputs) reader.hurry()
    await Promise.all(this.#inputs.map(({ reader }) => reader.caughtUp()))
  }

  /** Takes raw bytes from `stream` from now on, for messages that refer to them. */
  receiveBytes(stream: Duplex, nonce: string): void {
    this.#byteNonce = nonce
    this.#channel = new ByteChannel(stream, nonce, () => this.notify('$/bytesOff', { nonce }))
    this.#reader = new MessageReader(this.#channel, nonce, {
      isAwaited: (message) => this.#isAwaited(message),
      roomFor: (message) =>
        (isPiece(message) ? this.#outgoing.roomForPieces(aboutId(message)) : undefined) ??
        Number.POSITIVE_INFINITY,
      wantsText: (message) => this.#outgoing.wantsInlineBytes(aboutId(message)),
      onWhole: (message) => this.#answer(this.#receive(message, '')),
      onBroken: (message, reason) => this.#receiveWithoutBytes(message, reason),
    })
  }

  /** Sends bytes raw from now on: the other end has agreed to it. */
  sendBytes(): void {
    this.#writer.channel = this.#channel
  }

  /** Resolves when no call from the other end is being worked on. */
  idle(): Promise<void> {
    return this.#fewerThan(1)
  }

  /** Cancels all calls from the other end but one. Resolves when the work on them has ended. */
  cancelOthers(kept: IncomingCall, reason: PluginError): Promise<void> {
    for (const call of this.#incoming.values()) if (call !== kept) call.cancel(reason)
    return this.#fewerThan(2)
  }

  #fewerThan(calls: number): Promise<void> {
    if (this.#running < calls) return Promise.resolve()
    return new Promise((resolve) => this.#idleWaiters.push({ calls, resolve }))
  }

  /** Calls from the other end that are being worked on. */
  get callsInFlight(): number {
    return this.#running
  }

  /** Bytes of what came from the other end, and has been neither sent on nor answered. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Bytes that wait for the other end to read them. */
  get unsentBytes(): number {
    return this.#writer.unsentBytes
  }

  /** For an IncomingCall: so many bytes more, or fewer, are kept for it. */
  countHeld(bytes: number): void {
    this.#heldBytes += bytes
  }

  /** Hands over what is still to be written. */
  flush(): void {
    this.#writer.flush()
  }

  /** Gives up the connection: calls to the other end fail with `error`, calls from it are cancelled. */
  close(error: PluginError): void {
    if (this.#closed) return
    this.#closed = error
    this.#outgoing.fail(error, true)
    for (const call of this.#incoming.values()) call.cancel(error)
    this.#writer.close()
  }

  #listen(stream: Readable): void {
    const isLeft = (): boolean => stream === this.#left
    const lines = new LineSplitter(
      {
        onLine: (line) => (isLeft() ? this.#receiveNoise(line) : this.#receiveLine(line)),
        onOversize: () => (isLeft() ? this.#noise('', 'a long line') : this.#receiveOversize()),
      },
      this.#maxBytes,
    )
    const reader = new FairReader(stream, {
      take: (part) => lines.push(part),
      end: () => {
        lines.end()
        this.#endInput(stream)
      },
      // Who may ask for something brings more than what was asked for.
      worth: () => (this.#options.onNoise ? this.#worth() : 'asked'),
    })
    this.#inputs.push({ stream, lines, reader })
    stream.on('error', () => this.#endInput(stream))
    stream.once('close', () => void reader.caughtUp().then(() => this.#endInput(stream)))
  }

  #watchOutput(output: Writable): void {
    output.on('error', () => {
      if (this.#left === undefined || output !== this.#options.output) this.#options.onGone?.()
    })
  }

  /** What most of that was good for which came since this was asked last. Part of a line says nothing. */
  #worth(): Worth {
    const { received, noise, droppedReplies } = this.counts
    const asked = received - this.#counted.asked
    const unasked = noise + droppedReplies - this.#counted.unasked
    const dropped = this.#droppedNoise + droppedReplies - this.#counted.dropped
    if (asked + unasked === 0) return this.#counted.worth
    const worth = asked >= unasked ? 'asked' : dropped > 0 ? 'dropped' : 'kept'
    this.#counted = {
      asked: received,
      unasked: noise + droppedReplies,
      dropped: this.#droppedNoise + droppedReplies,
      worth,
    }
    return worth
  }

  /** No answer and no credit can arrive any more; what needs neither goes on. */
  #endInput(input: Readable): void {
    const isPresent = this.#left === undefined ? input === this.#options.input : input !== this.#left
    if (this.#inputEnded || !isPresent) return
    this.#inputEnded = true
    const error = new PluginError('REQUEST_CANCELLED', 'The other end has closed the connection')
    for (const call of this.#incoming.values()) call.endInput(error)
    if (this.#options.onEnd) this.#options.onEnd()
    else this.#outgoing.fail(error)
  }

  #receiveNoise(line: string | Uint8Array): void {
    if (typeof line !== 'string') this.#noise('(bytes that are not UTF-8)', 'not JSON')
    else if (line.trim() !== '') this.#noise(line, 'not a message')
  }

  #receiveLine(line: string | Uint8Array): void {
    if (typeof line !== 'string') {
      this.#receiveUnparsable(line)
      return
    }
    if (line.trim() === '') return
    // To fail to parse it would take far longer.
    if (this.#options.onNoise && !opensObject(line)) {
      this.#receiveUnparsable(line)
      return
    }
    // What a plugin says is passed on as it is; a client would not know that its number became another one.
    const parsed = parseLine(line, { exact: this.#options.onNoise === undefined })
    if (parsed.kind === 'unparsable') this.#receiveUnparsable(line)
    else if (parsed.kind === 'batch') this.#receiveBatch(parsed.items, line.length)
    else this.#receiveWhole(parsed.message, line)
  }

  /** A message whose bytes are on their way waits for them; later ones of the same call or session wait behind it. */
  #receiveWhole(message: Message, line: string): void {
    if (!this.#reader?.holdBack(message, line)) this.#answer(this.#receive(message, line))
  }

  /** Whether anybody here waits for that message. */
  #isAwaited(message: Message): boolean {
    if (message.kind === 'invalid') return false
    if (message.kind === 'response') return this.#outgoing.has(message.response.id)
    if (isPiece(message)) return this.#outgoing.roomForPieces(aboutId(message)) !== undefined
    if (message.request.id !== undefined) return this.#options.handle !== undefined
    return this.#incoming.has(aboutId(message))
  }

  /** A message whose bytes did not arrive fails its call. */
  #receiveWithoutBytes(message: Message, reason: string): void {
    const id = aboutId(message)
    if (message.kind === 'response') this.#receiveInvalid({ id, reason, owed: false }, '')
    else if (message.kind === 'request' && message.request.id !== undefined)
      this.#answer(invalidRequest(message.request.id, reason))
    else if (isPiece(message)) this.#outgoing.breakStream(id, reason)
    else this.#incoming.get(id)?.cancel(new PluginError('INVALID_REQUEST', reason))
  }

  /** Nobody waits any more for what a call was still to bring. Returns whether the call itself had waited. */
  #forget(nameOf: (id: RequestId) => string, id: RequestId): boolean {
    return this.#reader?.isHolding === true && this.#reader.forget(nameOf(id))
  }

  #receiveUnparsable(line: string | Uint8Array): void {
    const isText = typeof line === 'string'
    if (!this.#options.onNoise) {
      const reason = isText ? 'the line is not JSON' : 'the line is not UTF-8'
      this.#answer(errorResponse(null, new PluginError('PARSE_ERROR', `Parse error: ${reason}`)))
      return
    }
    const salvaged = this.#mayHoldAnswer(line) ? salvage(Buffer.from(line), this.#idMark) : undefined
    this.#noise(salvaged?.noise ?? (isText ? line : '(bytes that are not UTF-8)'), 'not JSON')
    if (salvaged) this.#receiveWhole(salvaged.message, isText ? line : Buffer.from(line).toString('latin1'))
  }

  #mayHoldAnswer(line: string | Uint8Array): boolean {
    return typeof line !== 'string' || line.includes(this.#idMark)
  }

  #receiveOversize(): void {
    if (this.#options.onOversize) {
      this.#options.onOversize()
      return
    }
    const limit = this.#maxBytes
    const error = new PluginError('MESSAGE_TOO_LARGE', `A message is longer than ${limit} bytes`, { limit })
    this.#answer(errorResponse(null, error))
  }

  #receiveBatch(items: unknown[], bytes: number): void {
    const limit = this.#options.maxBatch ?? 100
    if (items.length === 0) this.#answer(invalidRequest(null, 'an empty batch'))
    else if (items.length > limit)
      this.#answer(invalidRequest(null, `a batch of ${items.length}; the limit is ${limit}`))
    else this.#answer(this.#receiveItems(items, bytes))
  }

  async #receiveItems(items: unknown[], bytes: number): Promise<Response[] | undefined> {
    const share = bytes / items.length
    const responses = await Promise.all(items.map((item) => this.#receive(classify(item), '', share)))
    const owed = responses.filter((response) => response !== undefined)
    return owed.length > 0 ? owed : undefined
  }

  /** Acts on one message. Resolves to the response that is owed for it, if any. */
  #receive(
    message: Message,
    line: string,
    bytes = line.length,
  ): Promise<Response | undefined> | Response | undefined {
    if (message.kind === 'request') return this.#receiveRequest(message.request, bytes)
    if (message.kind === 'response') this.#receiveResponse(message.response)
    else return this.#receiveInvalid(message, line)
    return undefined
  }

  #receiveInvalid(
    { id, reason, owed }: { id: RequestId; reason: string; owed: boolean },
    line: string,
  ): Response | undefined {
    if (this.#outgoing.has(id)) {
      this.counts.received += 1
      this.#outgoing.settle(
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
    if (this.#options.onNoise?.(text, reason) !== true) this.#droppedNoise += 1
  }

  #receiveRequest(request: Request, bytes: number): Promise<Response | undefined> | Response | undefined {
    if (request.id === undefined && this.#receiveControl(request, bytes)) return undefined
    if (!this.#options.handle) {
      this.#noise(request.method, 'nothing is asked for here')
      return undefined
    }
    const { id } = request
    if (id !== undefined && this.#incoming.has(id)) {
      return invalidRequest(id, `the id ${JSON.stringify(id)} is in flight already`)
    }
    const { maxHeldBytes = Number.POSITIVE_INFINITY } = this.#options
    if (this.#heldBytes > maxHeldBytes)
      return id === undefined ? undefined : errorResponse(id, heldTooMuch(maxHeldBytes))
    const call = new IncomingCall(request, this, bytes)
    if (id !== undefined) this.#incoming.set(id, call)
    this.#running += 1
    if (!this.#options.sequential) return this.#serve(call)
    const served = this.#queue.then(() => this.#serve(call))
    this.#queue = served
    return served
  }

  /** Works on a call. Resolves to the response that is owed for it, if any. */
  #serve(call: IncomingCall): Promise<Response | undefined> {
    const { id = null } = call
    return this.#handle(call).then(
      (result) => this.#finish(call, createJSONRPCSuccessResponse(id, result)),
      (error: unknown) => this.#finish(call, errorResponse(id, error)),
    )
  }

  #handle(call: IncomingCall): Promise<unknown> {
    try {
      // It may have been cancelled while it waited for its turn.
      if (call.cancelled) throw call.cancelled
      return Promise.resolve(this.#options.handle?.(call))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #finish(call: IncomingCall, response: Response): Response | undefined {
    call.finish()
    this.#running -= 1
    if (this.#idleWaiters.length > 0) queueMicrotask(() => this.#announceIdle())
    if (call.id === undefined || call.answered) return undefined
    this.#incoming.delete(call.id)
    this.#forget(theirCall, call.id)
    return response
  }

  /** For an IncomingCall: answers before the work on it has ended. */
  answerEarly(id: RequestId, error: PluginError): void {
    this.#incoming.delete(id)
    this.#forget(theirCall, id)
    this.#writer.write(errorResponse(id, error))
  }

  #announceIdle(): void {
    const idle = this.#idleWaiters.filter(({ calls }) => this.#running < calls)
    this.#idleWaiters = this.#idleWaiters.filter((waiter) => !idle.includes(waiter))
    for (const { resolve } of idle) resolve()
  }

  /** Writes what a line is owed; where requests are done one after another, after what earlier lines are owed. */
  #answer(answer: Answer | Promise<Answer>): void {
    if (answer === undefined) return
    if (this.#options.sequential) {
      this.#lastAnswer = Promise.all([answer, this.#lastAnswer]).then(([owed]) => {
        if (owed) this.#writer.write(owed)
      })
    } else if (isPromise(answer)) void answer.then(this.#writeOwed)
    else this.#writer.write(answer)
  }

  readonly #writeOwed = (owed: Answer): void => {
    if (owed) this.#writer.write(owed)
  }

  #receiveResponse(response: Response): void {
    this.#countReply(this.#outgoing.settle(response.id, response))
  }

  /** Notifications of the wire itself. Returns false for all others. */
  #receiveControl({ method, params }: Request, bytes: number): boolean {
    if (!method.startsWith('$/')) return false
    const { id, seq, value, n, done, nonce } = (Array.isArray(params) ? {} : (params ?? {})) as Record<
      string,
      unknown
    >
    const key = id as RequestId
    if (method === '$/cancelRequest') this.#cancel(key)
    else if (method === '$/stream') this.#countReply(this.#outgoing.receivePiece(key, seq, value))
    else if (method === '$/credit') this.#incoming.get(key)?.addCredit(safeCredit(n))
    else if (method === '$/input') this.#incoming.get(key)?.receiveInput(seq, value, done === true, bytes)
    else if (method === '$/bytesOff') this.#stopBytes(nonce)
    else if (method === '$/inputCredit')
      this.counts.received += this.#outgoing.addInputCredit(key, safeCredit(n)) ? 1 : 0
    return true
  }

  /** Only the other end knows the nonce, and not who prints where it writes. */
  #stopBytes(nonce: unknown): void {
    if (nonce === this.#byteNonce) this.#channel?.stopSending()
  }

  #cancel(id: RequestId): void {
    const call = this.#incoming.get(id)
    if (call) call.cancel(cancelled())
    // It waits for its bytes.
    else if (this.#forget(theirCall, id)) this.#answer(errorResponse(id, cancelled()))
  }

  #countReply(wasAwaited: boolean): void {
    if (wasAwaited) this.counts.received += 1
    else this.counts.droppedReplies += 1
  }

  /** For an IncomingCall: sends one piece. Resolves when the reader has caught up. */
  sendPiece(id: RequestId, seq: number, value: unknown): Promise<void> | undefined {
    return this.#writer.writeItem('$/stream', { id, seq, value })
  }
}

function heldTooMuch(limit: number): PluginError {
  const message = `Requests of more than ${limit} bytes wait already. Send this one again when some are answered`
  return new PluginError('RESOURCE_EXHAUSTED', message, { limit })
}

function opensObject(line: string): boolean {
  return line.charCodeAt(0) === openingBrace || line.trimStart().charCodeAt(0) === openingBrace
}

/** The call that a response, or a notification of the wire, is about. */
function aboutId(message: Message): RequestId {
  if (message.kind === 'response') return message.response.id
  return (paramsOf(message)['id'] as RequestId | undefined) ?? null
}

function isPiece(message: Message): boolean {
  return message.kind === 'request' && message.request.method === '$/stream'
}

/** A credit that is not one is worth nothing; a notification gets no error. */
function safeCredit(value: unknown): number {
  try {
    return creditOf(value)
  } catch {
    return 0
  }
}
