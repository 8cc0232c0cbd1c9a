import type { Writable } from 'node:stream'
import { type EncodedMessage, encode, type Payload, type PayloadNumbers } from '../bytes.js'
import { PluginError } from '../errors.js'
import { lastPayloadNumber, pieceBytes, writeHeader } from './byte-frames.js'

/** Pieces that are written before the event loop gets its turn. */
const piecesPerTurn = 4

/**
 * Most payloads of several pieces that take turns. The others wait, so that the receiver makes room for a few at a time
 * and can let go of each soon. Payloads of one piece need not wait.
 */
const largeInTurn = 2

/** The payloads of one message. */
interface Batch {
  /** Those that the system has not taken yet. */
  left: number
  /** Reports that it has taken all. */
  resolve(): void
}

interface Sending extends Payload {
  readonly batch: Batch
  offset: number
}

/** Sends the payloads of messages, in pieces that take turns. */
export class ByteSender {
  readonly #stream: Writable
  readonly #maxPayloadBytes: number
  /** Payloads whose pieces take turns, the next one first. */
  readonly #inTurn: Sending[] = []
  /** Payloads of several pieces that wait until they may take turns. */
  readonly #waiting: Sending[] = []
  #largeInTurn = 0
  #largeBytesInTurn = 0
  #unwrittenBytes = 0
  /** Messages whose payloads the system has not taken yet. */
  readonly #batches = new Set<Batch>()
  readonly #numbers: PayloadNumbers
  #lastNumber = 0
  #stopped = false
  #blocked = false
  #pumping = false

  constructor(stream: Writable, nonce: string, maxPayloadBytes: number) {
    this.#stream = stream
    this.#numbers = { nonce, next: (data) => this.#number(data) }
    this.#maxPayloadBytes = maxPayloadBytes
    stream.on('drain', () => {
      this.#blocked = false
      this.#pumpSoon()
    })
  }

  /** Encodes a message. Its large payloads are for `send()`. */
  encode(message: unknown): EncodedMessage {
    return encode(message, this.#canSend() ? this.#numbers : undefined)
  }

  /** Sends the payloads of a message. Resolves when the system has taken them; undefined where there are none. */
  send(payloads: readonly Payload[]): Promise<void> | undefined {
    if (payloads.length === 0 || this.#stopped) return undefined
    return new Promise((resolve) => {
      const batch = { left: payloads.length, resolve }
      this.#batches.add(batch)
      for (const { number, data } of payloads) this.#enqueue({ number, data, batch, offset: 0 })
      if (!this.#blocked) this.#pumpSoon()
    })
  }

  /** Bytes that wait here, and in the stream. */
  get unsentBytes(): number {
    return this.#unwrittenBytes + this.#stream.writableLength
  }

  /** Hands everything to the operating system, as long as it takes it. */
  flush(): void {
    while (this.#inTurn.length > 0 && !this.#blocked && !this.#stopped) this.#writePiece()
  }

  /** Sends nothing any more: messages carry base64 from now on. */
  stop(): void {
    this.#stopped = true
    this.#inTurn.length = 0
    this.#waiting.length = 0
    this.#unwrittenBytes = 0
    for (const batch of this.#batches) this.#release(batch)
  }

  #canSend(): boolean {
    // No message has as many payloads as are left below the highest number then.
    return !this.#stopped && this.#lastNumber < lastPayloadNumber / 2
  }

  #number({ length }: Uint8Array): number {
    if (length > this.#maxPayloadBytes) throw tooLarge(length, this.#maxPayloadBytes)
    this.#lastNumber += 1
    return this.#lastNumber
  }

  #enqueue(payload: Sending): void {
    const { length } = payload.data
    this.#unwrittenBytes += length
    if (length <= pieceBytes) this.#inTurn.push(payload)
    else {
      this.#waiting.push(payload)
      this.#admit()
    }
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
    return this.#largeInTurn < largeInTurn && this.#largeBytesInTurn + length <= this.#maxPayloadBytes
  }

  /** Writes a few pieces; then others get their turn before the next ones. */
  #pump(): void {
    this.#pumping = false
    for (let pieces = 0; pieces < piecesPerTurn && this.#inTurn.length > 0 && !this.#blocked; pieces++)
      this.#writePiece()
    if (this.#inTurn.length > 0 && !this.#blocked) this.#pumpSoon()
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
    const { number, data, offset, batch } = next
    const piece = data.subarray(offset, offset + pieceBytes)
    next.offset += piece.length
    this.#unwrittenBytes -= piece.length
    const isLast = next.offset === data.length
    this.#stream.cork()
    this.#stream.write(writeHeader({ number, total: data.length, offset, length: piece.length }))
    // Written is not gone: as long as the pipe is full, the stream refers to the caller's own memory.
    const hasRoom = isLast
      ? this.#stream.write(piece, () => this.#countTaken(batch))
      : this.#stream.write(piece)
    this.#stream.uncork()
    // A blocking pipe has taken all by now, whatever write() says; and only a write() without room brings a 'drain'.
    this.#blocked = !hasRoom && this.#stream.writableLength > 0
    if (isLast) this.#endTurns(next)
    else this.#inTurn.push(next)
  }

  /** The system has taken all of a payload. */
  #countTaken(batch: Batch): void {
    batch.left -= 1
    if (batch.left === 0) this.#release(batch)
  }

  #release(batch: Batch): void {
    this.#batches.delete(batch)
    batch.resolve()
  }

  #endTurns({ data }: Sending): void {
    if (data.length <= pieceBytes) return
    this.#largeInTurn -= 1
    this.#largeBytesInTurn -= data.length
    this.#admit()
  }
}

function tooLarge(length: number, limit: number): PluginError {
  return new PluginError('MESSAGE_TOO_LARGE', `The message carries ${length} bytes; the limit is ${limit}`, {
    bytes: length,
    limit,
  })
}
