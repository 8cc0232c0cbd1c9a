import { Bytes, markBytes } from '../bytes.js'
import { type Attachment, belongingOf, findAttachments, paramsOf } from './attachments.js'
import type { ByteChannel } from './byte-channel.js'
import { classify, type Message } from './message.js'

/** Most that messages which wait for their bytes may take, in bytes, roughly. */
const maxWaitingBytes = 32 * 1024 * 1024

/** Parsed JSON may take twenty times the room of its text: what comes when that much waits already is kept as text. */
const maxParsedBytes = 1024 * 1024

/** What a message that waits takes beside its text, and each payload that it waits for, in bytes. */
const messageCost = 1024
const payloadCost = 256

export interface HoldingHandlers {
  /** Whether anybody waits for that message. */
  isAwaited(message: Message): boolean
  /** Most pieces that may wait beside those that the reader of that stream has not taken. Infinity for all other messages. */
  roomFor(message: Message): number
  /** A message is whole, and its turn has come. `bytes`: what came beside it. */
  onWhole(message: Message, bytes: number): void
  /** A message will not be whole; its turn has come. */
  onBroken(message: Message, reason: string): void
}

/** A message that waits for its bytes, or behind others. */
interface Waiting {
  message: Message | string
  keys: readonly string[]
  call: string | undefined
  isRequest: boolean
  cost: number
  attachments: readonly Attachment[]
  /** Its attachments that have not arrived. */
  missing: Set<Attachment>
  bytes: Map<Attachment, Uint8Array>
  /** Why it will never be whole. */
  failure: string | undefined
}

/** Messages that must not overtake each other, the first one first. */
type Queue = Waiting[]

/** Holds messages back until the bytes beside them have arrived, and later ones of the same call or session behind them. */
export class HeldMessages {
  readonly #channel: ByteChannel
  readonly #nonce: string
  /** How a reference to bytes begins in a line. */
  readonly #mark: string
  readonly #handlers: HoldingHandlers
  /** The queue of each call and session that has messages waiting, and how many. */
  readonly #queues = new Map<string, { queue: Queue; count: number }>()
  #waitingBytes = 0

  constructor(channel: ByteChannel, nonce: string, handlers: HoldingHandlers) {
    this.#channel = channel
    this.#nonce = nonce
    this.#mark = `{"$bytes":"${nonce}:`
    this.#handlers = handlers
  }

  /** Takes a message that can't be acted on yet. Returns false for all others: they may be acted on at once. */
  holdBack(message: Message, line: string): boolean {
    const hasBytes = line.includes(this.#mark)
    if (!hasBytes && this.#queues.size === 0) return false
    const attachments = hasBytes ? findAttachments(message, this.#nonce) : []
    const { call, session } = belongingOf(message)
    const keys = [session, call].filter((key) => key !== undefined)
    const queue = keys.map((key) => this.#queues.get(key)?.queue).find((found) => found !== undefined)
    if (attachments.length === 0 && !queue) return false
    if (!queue && !this.#handlers.isAwaited(message)) {
      this.#discard(attachments)
      return false
    }
    if (queue && this.#isFull(queue, message, call)) {
      this.#discard(attachments)
      this.#handlers.onBroken(message, 'more pieces than there is credit for')
      return true
    }
    const isRequest = message.kind === 'request' && message.request.id !== undefined
    const cost = line.length + messageCost + attachments.length * payloadCost
    this.#add(queue ?? [], {
      message: this.#waitingBytes + cost <= maxParsedBytes ? message : textOf(message),
      keys,
      call,
      isRequest,
      cost,
      attachments,
      missing: new Set(attachments),
      bytes: new Map(),
      failure: undefined,
    })
    return true
  }

  /** Whether anything waits. */
  get isHolding(): boolean {
    return this.#queues.size > 0
  }

  /** A call has ended: what waits for it goes. Returns whether its request was among that. */
  forget(call: string): boolean {
    const queue = this.#queues.get(call)?.queue
    if (!queue) return false
    const gone = queue.filter((waiting) => waiting.call === call)
    const left = queue.filter((waiting) => waiting.call !== call)
    queue.splice(0, queue.length, ...left)
    for (const waiting of gone) {
      this.#letGo(waiting)
      this.#fail(waiting, 'nobody waits for it any more')
    }
    this.#advance(queue)
    return gone.some(({ isRequest }) => isRequest)
  }

  #add(queue: Queue, waiting: Waiting): void {
    queue.push(waiting)
    for (const key of waiting.keys) {
      const place = this.#queues.get(key)
      if (place) place.count += 1
      else this.#queues.set(key, { queue, count: 1 })
    }
    this.#waitingBytes += waiting.cost
    this.#await(queue, waiting)
    if (this.#waitingBytes > maxWaitingBytes)
      this.#channel.breakReceiving(new Error('too much waits for bytes that do not come'))
  }

  #isFull(queue: Queue, message: Message, call: string | undefined): boolean {
    const room = this.#handlers.roomFor(message)
    if (room === Number.POSITIVE_INFINITY) return false
    return queue.filter((waiting) => waiting.call === call).length >= room
  }

  #await(queue: Queue, waiting: Waiting): void {
    for (const attachment of waiting.attachments)
      this.#channel.take(attachment.reference).then(
        (data) => {
          waiting.bytes.set(attachment, data)
          waiting.missing.delete(attachment)
          if (waiting.missing.size === 0) this.#advance(queue)
        },
        (error: Error) => {
          waiting.missing.delete(attachment)
          this.#fail(waiting, error.message)
          this.#advance(queue)
        },
      )
  }

  #fail(waiting: Waiting, reason: string): void {
    waiting.failure ??= reason
    this.#discard([...waiting.missing])
    waiting.missing.clear()
  }

  /** Hands over what is whole, up to the first message that still waits. */
  #advance(queue: Queue): void {
    for (let first = queue[0]; first && first.missing.size === 0; first = queue[0]) {
      queue.shift()
      this.#letGo(first)
      this.#handOver(first)
    }
  }

  #letGo({ keys, cost }: Waiting): void {
    this.#waitingBytes -= cost
    for (const key of keys) {
      const place = this.#queues.get(key)
      if (place && --place.count === 0) this.#queues.delete(key)
    }
  }

  #handOver({ message, attachments, bytes, failure }: Waiting): void {
    const isText = typeof message === 'string'
    const whole = isText ? classify(JSON.parse(message)) : message
    if (failure !== undefined) {
      this.#handlers.onBroken(whole, failure)
      return
    }
    const places = isText ? findAttachments(whole, this.#nonce) : attachments
    for (const [index, { holder, key }] of places.entries()) {
      const attachment = attachments[index]
      holder[key] = new Bytes((attachment && bytes.get(attachment)) ?? new Uint8Array())
    }
    markBytes(whole.kind === 'response' ? whole.response.result : paramsOf(whole)['value'])
    this.#handlers.onWhole(whole, sum(bytes))
  }

  /** Bytes that nobody asks for any more make way for others. */
  #discard(attachments: readonly Attachment[]): void {
    for (const { reference } of attachments) this.#channel.discard(reference)
  }
}

function sum(bytes: ReadonlyMap<Attachment, Uint8Array>): number {
  let total = 0
  for (const { length } of bytes.values()) total += length
  return total
}

function textOf(message: Message): string {
  if (message.kind === 'request') return JSON.stringify(message.request)
  return JSON.stringify(message.kind === 'response' ? message.response : null)
}
