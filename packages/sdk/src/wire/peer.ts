import type { Duplex, Readable, Writable } from 'node:stream'
import { isPromise } from 'node:util/types'
import { fromErrorObject, PluginError } from '../errors.js'
import { paramsOf } from './attachments.js'
import { ByteChannel } from './byte-channel.js'
import type { ByteLimits } from './byte-frames.js'
import type { IncomingCall } from './call.js'
import { IncomingCalls } from './incoming.js'
import { defaultMaxMessageBytes } from './lines.js'
import { classify, type Message, type Request, type RequestId, type Response } from './message.js'
import { MessageReader, type ReaderHandlers } from './message-reader.js'
import { MessageWriter } from './message-writer.js'
import { OutgoingCalls, type RequestOptions } from './outgoing.js'
import { ReceivedCounts } from './received-counts.js'
import { cancelled, errorResponse, invalidRequest } from './replies.js'
import { creditOf } from './streams.js'
import type { WireTap } from './tap.js'

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
  /** The other end says why it is about to close the connection. */
  onClosing?(error: PluginError): void
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
  /** Sees every message. Default: nobody does. */
  tap?: WireTap | undefined
}

/** The responses to one line, if any. */
type Answer = Response | Response[] | undefined

/**
 * One end of a connection: newline-delimited JSON-RPC 2.0 both ways, with streams, credit and cancellation.
 * Both hops use it: client to host, and host to plugin.
 *
 * It joins the reader of messages, their writer, the calls of this end and those of the other one.
 */
export class Peer {
  readonly #options: PeerOptions
  readonly #counts = new ReceivedCounts()
  readonly #reader: MessageReader
  readonly #writer: MessageWriter
  readonly #outgoing: OutgoingCalls
  readonly #incoming: IncomingCalls
  /** What is written to, the present output last. */
  #output: Writable
  #channel: ByteChannel | undefined
  #byteNonce: string | undefined
  #lastAnswer: Promise<void> | undefined
  #isClosed = false

  constructor(options: PeerOptions) {
    const { input, output, idNonce, maxMessageBytes = defaultMaxMessageBytes } = options
    const { maxSendBytes = Number.POSITIVE_INFINITY, maxHeldBytes = Number.POSITIVE_INFINITY } = options
    const idMark = idNonce === undefined ? '' : `${idNonce}:`
    this.#options = options
    this.#output = output
    this.#writer = new MessageWriter(output, maxSendBytes, options.tap)
    this.#outgoing = new OutgoingCalls(this.#writer, idMark, (id) => this.#reader.forgetOurs(id))
    this.#incoming = new IncomingCalls(this.#writer, {
      handle: (call) => options.handle?.(call),
      onEnd: (id) => this.#reader.forgetTheirs(id),
      maxHeldBytes,
      sequential: options.sequential === true,
    })
    this.#reader = new MessageReader(
      { input, idMark, maxBytes: maxMessageBytes, strict: options.onNoise === undefined },
      this.#readerHandlers(),
    )
    this.#watchOutput(output)
  }

  /** What the other end sent: replies that were awaited, noise, and replies to unknown or finished calls. */
  get counts(): Readonly<Pick<ReceivedCounts, 'received' | 'noise' | 'droppedReplies'>> {
    return this.#counts
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
    this.#reader.maxBytes = bytes
    this.#writer.maxBytes = bytes
  }

  /** Takes messages from `channel` as well: the other end may move there. */
  listenTo(channel: Duplex): void {
    this.#reader.listenTo(channel)
  }

  /** The other end has moved to `channel`: messages go there, and what its first output still brings is noise. */
  moveTo(channel: Duplex): void {
    this.#outgoing.numberIds()
    this.#writer.moveTo(channel)
    this.#output = channel
    this.#watchOutput(channel)
    this.#reader.moveTo(channel)
  }

  /** Resolves when all that has been read so far has been taken. What comes from now on is not put off for long. */
  caughtUp(): Promise<void> {
    return this.#reader.caughtUp()
  }

  /** Takes raw bytes from `stream` from now on, for messages that refer to them. */
  receiveBytes(stream: Duplex, nonce: string, limits?: ByteLimits): void {
    this.#byteNonce = nonce
    this.#channel = new ByteChannel(stream, nonce, () => this.notify('$/bytesOff', { nonce }), limits)
    this.#reader.takeBytes(this.#channel, nonce)
  }

  /** Sends bytes raw from now on: the other end has agreed to it. */
  sendBytes(): void {
    this.#writer.channel = this.#channel
  }

  /** Resolves when no call from the other end is being worked on. */
  idle(): Promise<void> {
    return this.#incoming.idle()
  }

  /** Cancels all calls from the other end but one. Resolves when the work on them has ended. */
  cancelOthers(kept: IncomingCall, reason: PluginError): Promise<void> {
    return this.#incoming.cancelOthers(kept, reason)
  }

  /** Calls to the other end that have not been answered. */
  get callsAwaited(): number {
    return this.#outgoing.size
  }

  /** Calls from the other end that are being worked on. */
  get callsInFlight(): number {
    return this.#incoming.running
  }

  /** Bytes of what came from the other end, and has been neither sent on nor answered. */
  get heldBytes(): number {
    return this.#incoming.heldBytes
  }

  /** Bytes of the requests from the other end that are being worked on, sent on or not. */
  get bytesInFlight(): number {
    return this.#incoming.bytesInFlight
  }

  /** Bytes that wait for the other end to read them. */
  get unsentBytes(): number {
    return this.#writer.unsentBytes
  }

  /** Hands over what is still to be written. */
  flush(): void {
    this.#writer.flush()
  }

  /** Fails calls of this end, by their ids: the other end has certainly not read them. Others go on. */
  failCalls(ids: Iterable<RequestId>, error: PluginError): void {
    this.#outgoing.failSome(ids, error)
  }

  /** Gives up the connection: calls to the other end fail with `error`, calls from it are cancelled. */
  close(error: PluginError): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#outgoing.fail(error, true)
    this.#incoming.cancelAll(error)
    this.#writer.close()
  }

  #readerHandlers(): ReaderHandlers {
    return {
      onMessage: (message, line, bytes) => this.#answer(this.#receive(message, line, bytes)),
      onBatch: (items, length) => this.#receiveBatch(items, length),
      onBroken: (message, reason) => this.#receiveWithoutBytes(message, reason),
      onUnparsable: (reason) =>
        this.#answer(errorResponse(null, new PluginError('PARSE_ERROR', `Parse error: ${reason}`))),
      onNoise: (text, reason) => this.#noise(text, reason),
      onBlank: () => this.#counts.countBlank(),
      onOversize: (limit) => this.#receiveOversize(limit),
      onEnd: () => this.#endInput(),
      isAwaited: (message) => this.#isAwaited(message),
      roomFor: (message) =>
        (isPiece(message) ? this.#outgoing.roomForPieces(targetId(message)) : undefined) ??
        Number.POSITIVE_INFINITY,
      // Whoever may ask for something brings more than what was asked for.
      worth: () => (this.#options.onNoise ? this.#counts.worth() : 'asked'),
    }
  }

  #watchOutput(output: Writable): void {
    output.on('error', () => {
      if (output === this.#output) this.#options.onGone?.()
    })
  }

  /** Input ended: calls that still need a reply, credit or input fail; others may finish. */
  #endInput(): void {
    const error = new PluginError('REQUEST_CANCELLED', 'The other end has closed the connection')
    this.#incoming.endInput(error)
    if (this.#options.onEnd) this.#options.onEnd()
    else this.#outgoing.fail(error)
  }

  #receiveOversize(limit: number): void {
    if (this.#options.onOversize) {
      this.#options.onOversize()
      return
    }
    const error = new PluginError('MESSAGE_TOO_LARGE', `A message is longer than ${limit} bytes`, { limit })
    this.#answer(errorResponse(null, error))
  }

  #noise(text: string, reason: string): void {
    this.#counts.countNoise(this.#options.onNoise?.(text, reason) === true)
  }

  /** Writes what a line is owed; where requests are done one after another, after what earlier lines are owed. */
  #answer(answer: Answer | Promise<Answer>): void {
    if (answer === undefined) return
    if (this.#options.sequential) {
      this.#lastAnswer = Promise.all([answer, this.#lastAnswer]).then(([owed]) => this.#writeOwed(owed))
    } else if (isPromise(answer)) void answer.then(this.#writeOwed)
    else this.#writer.write(answer)
  }

  readonly #writeOwed = (owed: Answer): void => {
    if (owed) this.#writer.write(owed)
  }

  #receiveBatch(items: unknown[], length: number): void {
    const limit = this.#options.maxBatch ?? 100
    if (items.length === 0) this.#answer(invalidRequest(null, 'an empty batch'))
    else if (items.length > limit)
      this.#answer(invalidRequest(null, `a batch of ${items.length}; the limit is ${limit}`))
    else this.#answer(this.#receiveItems(items, length))
  }

  async #receiveItems(items: unknown[], length: number): Promise<Response[] | undefined> {
    const share = length / items.length
    const responses = await Promise.all(items.map((item) => this.#receive(classify(item), '', share)))
    const owed = responses.filter((response) => response !== undefined)
    return owed.length > 0 ? owed : undefined
  }

  /** Acts on one message. Resolves to the response that is owed for it, if any. */
  #receive(
    message: Message,
    line: string,
    bytes: number,
  ): Promise<Response | undefined> | Response | undefined {
    this.#show(message, line)
    if (message.kind === 'request') return this.#receiveRequest(message.request, bytes)
    if (message.kind === 'invalid') return this.#receiveInvalid(message, line)
    const { response } = message
    this.#counts.countReply(this.#outgoing.settle(response.id, response))
    return undefined
  }

  #show(message: Message, line: string): void {
    const { tap } = this.#options
    if (tap?.isOn) tap.received(shownOf(message, line))
  }

  #receiveRequest(request: Request, bytes: number): Promise<Response | undefined> | Response | undefined {
    if (request.id === undefined && this.#receiveControl(request, bytes)) return undefined
    if (this.#options.handle) return this.#incoming.receive(request, bytes)
    this.#noise(request.method, 'nothing is asked for here')
    return undefined
  }

  /** Notifications of the wire itself. Returns false for all others. */
  #receiveControl({ method, params }: Request, bytes: number): boolean {
    if (!method.startsWith('$/')) return false
    const { id, seq, value, n, done, nonce, code, message, data } = (
      Array.isArray(params) ? {} : (params ?? {})
    ) as Record<string, unknown>
    const key = id as RequestId
    if (method === '$/cancelRequest') this.#cancel(key)
    else if (method === '$/stream') this.#counts.countReply(this.#outgoing.receivePiece(key, seq, value))
    else if (method === '$/credit') this.#incoming.addCredit(key, safeCredit(n))
    else if (method === '$/input') this.#incoming.receiveInput(key, seq, value, done === true, bytes)
    else if (method === '$/bytesOff') this.#stopBytes(nonce)
    else if (method === '$/inputCredit') this.#receiveInputCredit(key, n)
    else if (method === '$/close')
      this.#options.onClosing?.(fromErrorObject({ code: Number(code), message: String(message), data }))
    return true
  }

  #cancel(id: RequestId): void {
    if (this.#incoming.cancel(id, cancelled())) return
    // It may still wait for its bytes.
    if (this.#reader.forgetTheirs(id)) this.#answer(errorResponse(id, cancelled()))
  }

  /** Only the other end knows the nonce, and not who prints where it writes. */
  #stopBytes(nonce: unknown): void {
    if (nonce === this.#byteNonce) this.#channel?.stopSending()
  }

  /** Credit for a call that is over is on its way to nobody, and no fault. */
  #receiveInputCredit(id: RequestId, items: unknown): void {
    if (this.#outgoing.addInputCredit(id, safeCredit(items))) this.#counts.countReply(true)
  }

  #receiveInvalid(
    { id, reason, owed }: { id: RequestId; reason: string; owed: boolean },
    line: string,
  ): Response | undefined {
    if (this.#outgoing.has(id)) {
      const error = new PluginError('INTERNAL_ERROR', `The answer is malformed: ${reason}`)
      this.#counts.countReply(this.#outgoing.settle(id, errorResponse(id, error)))
    } else if (this.#options.onNoise) this.#noise(line, reason)
    else if (owed) return invalidRequest(id, reason)
    else this.#counts.countReply(false)
    return undefined
  }

  /** A message whose bytes did not arrive fails its call. */
  #receiveWithoutBytes(message: Message, reason: string): void {
    this.#show(message, '')
    const id = targetId(message)
    if (message.kind === 'response') this.#receiveInvalid({ id, reason, owed: false }, '')
    else if (message.kind === 'request' && message.request.id !== undefined)
      this.#answer(invalidRequest(message.request.id, reason))
    else if (isPiece(message)) this.#outgoing.breakStream(id, reason)
    else this.#incoming.cancel(id, new PluginError('INVALID_REQUEST', reason))
  }

  /** Whether anybody here waits for that message. */
  #isAwaited(message: Message): boolean {
    if (message.kind === 'invalid') return false
    if (message.kind === 'response') return this.#outgoing.has(message.response.id)
    if (isPiece(message)) return this.#outgoing.roomForPieces(targetId(message)) !== undefined
    if (message.request.id !== undefined) return this.#options.handle !== undefined
    return this.#incoming.has(targetId(message))
  }
}

/** The id of the call that a response, or a notification of the wire, is about. */
function targetId(message: Message): RequestId {
  if (message.kind === 'response') return message.response.id
  return (paramsOf(message)['id'] as RequestId | undefined) ?? null
}

/** What somebody who looks at the connection sees of a message. */
function shownOf(message: Message, line: string): unknown {
  if (message.kind === 'request') return message.request
  return message.kind === 'response' ? message.response : line
}

function isPiece(message: Message): boolean {
  return message.kind === 'request' && message.request.method === '$/stream'
}

/** Treats an invalid credit as 0: notifications can't be answered with an error. */
function safeCredit(value: unknown): number {
  try {
    return creditOf(value)
  } catch {
    return 0
  }
}
