import type { Duplex } from 'node:stream'
import { PluginError } from '../errors.js'

/** Largest part of a payload that is written at once, so that others need not wait behind it. */
const pieceBytes = 64 * 1024

/** Pieces that are written before the event loop gets its turn. */
const piecesPerTurn = 8

/**
 * Most payloads of several pieces that take turns. The others wait, so that the receiver makes room for a few at a time
 * and can let go of each soon. Payloads of one piece need not wait.
 */
const largeInTurn = 4

/** Smaller payloads go inside their message, as base64: a second write would cost more. */
export const inlineBytes = 2048

/** Before each piece: the payload's number, its length, the piece's offset and length. Unsigned, 32 bits, big-endian. */
const headerBytes = 16

/** What an `…_b64` field holds in place of base64 when its bytes travel beside the message. */
export interface BytesReference {
  /** `<nonce>:<number>`. The nonce is agreed in the handshake: no data of a client can be taken for a reference. */
  $bytes: string
  length: number
}

export function isBytesReference(value: object, nonce: string): value is BytesReference {
  const { $bytes: bytes, length } = value as Partial<BytesReference>
  return typeof bytes === 'string' && typeof length === 'number' && bytes.startsWith(`${nonce}:`)
}

/** Takes the payloads of the message that is being made; undefined where the connection has no byte channel. */
let collector: ByteChannel | undefined

/** Bytes in a message. `JSON.stringify` makes base64 of them or, on a connection with a byte channel, a reference. */
export class Bytes {
  constructor(readonly data: Uint8Array) {}

  toJSON(): string | BytesReference {
    const { data } = this
    if (collector && data.length >= inlineBytes) return collector.collect(data)
    return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')
  }
}

export interface ByteLimits {
  /** Largest payload, and most bytes of those that take turns. Default: 64 MiB. */
  maxPayloadBytes: number
  /** Most bytes of payloads that are incomplete, or that no message has asked for yet. Default: 128 MiB. */
  maxWaitingBytes: number
}

export const defaultByteLimits: ByteLimits = {
  maxPayloadBytes: 64 * 1024 * 1024,
  maxWaitingBytes: 128 * 1024 * 1024,
}

interface Incoming {
  /** Its length, as the message or its first piece says. */
  readonly length: number
  /** Room for it, from its first piece on. */
  data: Uint8Array | undefined
  received: number
  failed?: string
  waiter?: { resolve(data: Uint8Array): void; reject(error: Error): void }
}

interface Outgoing {
  readonly number: number
  readonly data: Uint8Array
  offset: number
}

/** The piece that is being received. */
interface Piece {
  /** Undefined: it goes nowhere. */
  incoming: Incoming | undefined
  at: number
  left: number
}

/** More payloads than this that nobody asks for are no mistake any more. */
const maxWaitingPayloads = 4096

/** Raw bytes beside the messages of a connection: payloads by number, in pieces that take turns. */
export class ByteChannel {
  /** Payloads that were given up: broken, too large, or never asked for. */
  dropped = 0
  readonly #stream: Duplex
  readonly #limits: ByteLimits
  readonly #incoming = new Map<number, Incoming>()
  /** Payloads whose pieces take turns, the next one first. */
  readonly #inTurn: Outgoing[] = []
  /** Payloads of several pieces that wait until they may take turns. */
  readonly #waiting: Outgoing[] = []
  #largeInTurn = 0
  #largeBytesInTurn = 0
  readonly #header = Buffer.alloc(headerBytes)
  #headerFilled = 0
  #piece: Piece | undefined
  #waitingBytes = 0
  /** Payloads that no message has asked for yet. */
  #unclaimed = 0
  #lastNumber = 0
  #collected: Uint8Array[] = []
  #broken: Error | undefined
  #blocked = false
  #pumping = false
  readonly #caughtUpWaiters: (() => void)[] = []

  readonly #onBreak: () => void
  readonly #nonce: string

  /** @param onBreak Called once, when the channel can't be used any more. */
  constructor(stream: Duplex, nonce: string, onBreak: () => void, limits: ByteLimits = defaultByteLimits) {
    this.#stream = stream
    this.#nonce = nonce
    this.#onBreak = onBreak
    this.#limits = limits
    stream.on('data', (chunk: Buffer) => this.#receive(chunk))
    stream.on('drain', () => {
      this.#blocked = false
      this.#pumpSoon()
    })
    stream.on('error', (error) => this.break(error))
    stream.on('close', () => this.break(new Error('the byte channel is closed')))
  }

  /** The JSON of a message. Its bytes are kept until `sendCollected()`. */
  stringify(message: unknown): string {
    if (this.#broken) return JSON.stringify(message)
    if (this.#collected.length > 0) this.#collected = []
    collector = this
    try {
      return JSON.stringify(message)
    } finally {
      collector = undefined
    }
  }

  /** For Bytes: keeps a payload of the message that is being made, and returns what stands for it there. */
  collect(data: Uint8Array): BytesReference {
    const { maxPayloadBytes } = this.#limits
    if (data.length > maxPayloadBytes) throw tooLarge(data.length, maxPayloadBytes)
    this.#collected.push(data)
    return { $bytes: `${this.#nonce}:${this.#lastNumber + this.#collected.length}`, length: data.length }
  }

  /** Sends the bytes of the message that was made last. */
  sendCollected(): void {
    if (this.#collected.length > 0) this.#enqueue(this.#collected.splice(0))
  }

  /** The payload of a reference. Rejects where it is broken, or not of the length that the message says. */
  take({ $bytes: reference, length }: BytesReference): Promise<Uint8Array> {
    const number = Number(reference.slice(this.#nonce.length + 1))
    const known = this.#incoming.get(number)
    if (known?.waiter) return Promise.reject(new Error('Two messages refer to the same bytes'))
    if (known) this.#unclaimed -= 1
    const incoming = known ?? this.#expect(number, length)
    if (incoming.length !== length)
      this.#fail(incoming, `it has ${incoming.length} bytes, the message says ${length}`)
    return new Promise((resolve, reject) => {
      incoming.waiter = { resolve, reject }
      this.#settle(number, incoming)
    })
  }

  /** Resolves when the reader has caught up; undefined when it has already. */
  caughtUp(): Promise<void> | undefined {
    if (this.#inTurn.length === 0 || this.#broken) return undefined
    return new Promise((resolve) => this.#caughtUpWaiters.push(resolve))
  }

  /** Hands everything to the operating system, as long as it takes it. */
  flush(): void {
    while (this.#inTurn.length > 0 && !this.#blocked && !this.#broken) this.#writePiece()
  }

  /** Gives the channel up: what was on its way has failed. Messages carry base64 from then on. */
  break(error: Error): void {
    if (this.#broken) return
    this.#broken = error
    this.#inTurn.length = 0
    this.#waiting.length = 0
    for (const resolve of this.#caughtUpWaiters.splice(0)) resolve()
    for (const [number, incoming] of this.#incoming) {
      this.#fail(incoming, error.message)
      this.#settle(number, incoming)
    }
    this.#onBreak()
  }

  #enqueue(payloads: readonly Uint8Array[]): void {
    for (const data of payloads) {
      const payload = { number: ++this.#lastNumber, data, offset: 0 }
      if (data.length <= pieceBytes) this.#inTurn.push(payload)
      else {
        this.#waiting.push(payload)
        this.#admit()
      }
    }
    if (payloads.length > 0 && !this.#blocked) this.#pumpSoon()
  }

  /** Lets payloads that wait take turns, as far as there is room. */
  #admit(): void {
    for (let next = this.#waiting[0]; next && this.#hasRoomFor(next.data); next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#inTurn.push(next)
      this.#largeInTurn += 1
      this.#largeBytesInTurn += next.data.length
    }
  }

  #hasRoomFor({ length }: Uint8Array): boolean {
    if (this.#largeInTurn === 0) return true
    return this.#largeInTurn < largeInTurn && this.#largeBytesInTurn + length <= this.#limits.maxPayloadBytes
  }

  /** Writes a few pieces; then others get their turn before the next ones. */
  #pump(): void {
    this.#pumping = false
    for (let pieces = 0; pieces < piecesPerTurn && this.#inTurn.length > 0 && !this.#blocked; pieces++)
      this.#writePiece()
    if (this.#inTurn.length === 0) for (const resolve of this.#caughtUpWaiters.splice(0)) resolve()
    else if (!this.#blocked) this.#pumpSoon()
  }

  #pumpSoon(): void {
    if (this.#pumping) return
    this.#pumping = true
    setImmediate(() => this.#pump())
  }

  /** Writes a piece of the payload whose turn it is. */
  #writePiece(): void {
    const next = this.#inTurn.shift()
    if (!next) return
    const piece = next.data.subarray(next.offset, next.offset + pieceBytes)
    this.#stream.cork()
    this.#stream.write(header(next.number, next.data.length, next.offset, piece.length))
    const hasRoom = this.#stream.write(piece)
    this.#stream.uncork()
    // A blocking pipe has taken all by now, whatever write() says; and only a write() without room brings a 'drain'.
    this.#blocked = !hasRoom && this.#stream.writableLength > 0
    next.offset += piece.length
    if (next.offset < next.data.length) this.#inTurn.push(next)
    else if (next.data.length > pieceBytes) this.#endTurns(next.data)
  }

  #endTurns({ length }: Uint8Array): void {
    this.#largeInTurn -= 1
    this.#largeBytesInTurn -= length
    this.#admit()
  }

  #receive(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length && !this.#broken) {
      at = this.#piece ? this.#receivePiece(this.#piece, chunk, at) : this.#receiveHeader(chunk, at)
    }
  }

  #receiveHeader(chunk: Buffer, at: number): number {
    const copied = chunk.copy(this.#header, this.#headerFilled, at)
    this.#headerFilled += copied
    if (this.#headerFilled < headerBytes) return at + copied
    this.#headerFilled = 0
    const [number, total, offset, length] = [0, 4, 8, 12].map((position) =>
      this.#header.readUInt32BE(position),
    ) as [number, number, number, number]
    // With a length that can't be, nobody knows where the next piece begins.
    if (length === 0 || length > pieceBytes) this.break(new Error(`a piece of ${length} bytes can't be`))
    else this.#piece = { incoming: this.#placeFor(number, total, offset, length), at: offset, left: length }
    return at + copied
  }

  #receivePiece(piece: Piece, chunk: Buffer, at: number): number {
    const part = chunk.subarray(at, at + piece.left)
    const { incoming } = piece
    if (incoming?.data) {
      incoming.data.set(part, piece.at)
      incoming.received += part.length
    }
    piece.at += part.length
    piece.left -= part.length
    if (piece.left > 0) return at + part.length
    const number = this.#header.readUInt32BE(0)
    this.#piece = undefined
    if (incoming) this.#settle(number, incoming)
    return at + part.length
  }

  /** Where a piece goes; undefined where it goes nowhere. */
  #placeFor(number: number, total: number, offset: number, length: number): Incoming | undefined {
    const incoming = this.#incoming.get(number) ?? (offset === 0 ? this.#unasked(number, total) : undefined)
    if (!incoming) this.dropped += 1
    else if (incoming.length !== total || incoming.received !== offset || offset + length > total)
      this.#fail(incoming, 'its pieces do not fit together')
    else if (!incoming.data) this.#makeRoom(incoming)
    return incoming
  }

  /** A payload whose pieces come before its message. */
  #unasked(number: number, total: number): Incoming {
    this.#unclaimed += 1
    if (this.#unclaimed > maxWaitingPayloads)
      this.break(new Error('too many payloads that no message has asked for'))
    return this.#expect(number, total)
  }

  #expect(number: number, length: number): Incoming {
    const incoming: Incoming = { length, data: undefined, received: 0 }
    if (this.#broken) incoming.failed = this.#broken.message
    this.#incoming.set(number, incoming)
    return incoming
  }

  #makeRoom(incoming: Incoming): void {
    const { length } = incoming
    if (incoming.failed) return
    const { maxPayloadBytes, maxWaitingBytes } = this.#limits
    if (length > maxPayloadBytes || this.#waitingBytes + length > maxWaitingBytes) {
      this.#fail(incoming, `it has ${length} bytes, which is over the limit`)
      return
    }
    incoming.data = Buffer.allocUnsafeSlow(length)
    this.#waitingBytes += length
  }

  /** What is wrong with a payload is kept until somebody asks for it; its bytes are not. */
  #fail(incoming: Incoming, reason: string): void {
    incoming.failed ??= reason
    this.#letGo(incoming)
  }

  #letGo(incoming: Incoming): void {
    this.#waitingBytes -= incoming.data?.length ?? 0
    incoming.data = undefined
  }

  /** Hands a payload over once it is complete, or has failed, and somebody has asked for it. */
  #settle(number: number, incoming: Incoming): void {
    const { waiter, failed, data, length, received } = incoming
    if (!waiter || (!failed && received < length)) return
    this.#incoming.delete(number)
    this.#letGo(incoming)
    if (!failed && data) {
      waiter.resolve(data)
      return
    }
    this.dropped += 1
    waiter.reject(new Error(`The bytes of the message did not arrive: ${failed}`))
  }
}

function tooLarge(length: number, limit: number): PluginError {
  return new PluginError('MESSAGE_TOO_LARGE', `The message carries ${length} bytes; the limit is ${limit}`, {
    bytes: length,
    limit,
  })
}

function header(number: number, total: number, offset: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(headerBytes)
  bytes.writeUInt32BE(number, 0)
  bytes.writeUInt32BE(total, 4)
  bytes.writeUInt32BE(offset, 8)
  bytes.writeUInt32BE(length, 12)
  return bytes
}
