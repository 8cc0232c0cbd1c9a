import { type ByteLimits, headerBytes, pieceBytes, readHeader } from './byte-frames.js'

/** A payload, from its first piece or the message that asks for it on, whichever comes first. */
interface Payload {
  readonly length: number
  /** Room for it, from its first piece on. */
  data: Uint8Array | undefined
  received: number
  failed?: string
  waiter?: { resolve(data: Uint8Array): void; reject(error: Error): void }
}

/** The piece that is being received. */
interface Piece {
  /** Undefined: it goes nowhere. */
  payload: Payload | undefined
  number: number
  at: number
  left: number
}

/** More payloads than this that nobody asks for, or that are asked for and do not come, are no mistake any more. */
const maxUnclaimed = 4096
const maxAwaited = 65_536

const nobody = { resolve(): void {}, reject(): void {} }

/** Puts payloads together from their pieces, for the messages that refer to them. */
export class ByteReceiver {
  /** Payloads that were given up: broken, too large, or never asked for. */
  dropped = 0
  readonly #limits: ByteLimits
  readonly #onBreak: () => void
  readonly #payloads = new Map<number, Payload>()
  /** Those of them that no message has asked for yet, the oldest first. */
  readonly #unclaimed = new Set<number>()
  readonly #header = Buffer.alloc(headerBytes)
  #headerFilled = 0
  #piece: Piece | undefined
  #heldBytes = 0
  /** Messages that wait for a payload. */
  #waiters = 0
  #broken: Error | undefined

  /** @param onBreak Called once, when nothing can be received any more. */
  constructor(limits: ByteLimits, onBreak: () => void) {
    this.#limits = limits
    this.#onBreak = onBreak
  }

  /** Whether a message waits for a payload. */
  get isAwaited(): boolean {
    return this.#waiters > 0
  }

  receive(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length && !this.#broken) {
      at = this.#piece ? this.#receivePiece(this.#piece, chunk, at) : this.#receiveHeader(chunk, at)
    }
  }

  /** A payload by its number. Rejects where it is broken, or not of that length. */
  take(number: number, length: number): Promise<Uint8Array> {
    const known = this.#payloads.get(number)
    if (known?.waiter) return Promise.reject(new Error('Two messages refer to the same bytes'))
    this.#unclaimed.delete(number)
    const payload = known ?? this.#expect(number, length)
    if (payload.length !== length)
      this.#fail(payload, `it has ${payload.length} bytes, the message says ${length}`)
    this.#limitAwaited()
    return new Promise((resolve, reject) => {
      payload.waiter = { resolve, reject }
      this.#waiters += 1
      this.#settle(number, payload)
    })
  }

  /** Nobody asks for a payload any more: what has come of it goes, and what is still to come goes nowhere. */
  discard(number: number, length: number): void {
    if (this.#broken) return
    const payload = this.#payloads.get(number) ?? this.#expect(number, length)
    this.#unclaimed.delete(number)
    if (payload.waiter && payload.waiter !== nobody) this.#waiters -= 1
    payload.waiter = nobody
    this.#fail(payload, 'nobody waits for it any more')
    if (payload.received === payload.length) this.#payloads.delete(number)
    this.#limitAwaited()
  }

  #limitAwaited(): void {
    if (this.#payloads.size - this.#unclaimed.size > maxAwaited)
      this.break(new Error('too many messages wait for their bytes'))
  }

  /** Receives nothing any more: what was on its way, or is asked for from now on, has failed. */
  break(error: Error): void {
    if (this.#broken) return
    this.#broken = error
    for (const [number, payload] of this.#payloads) {
      this.#fail(payload, error.message)
      this.#settle(number, payload)
    }
    this.#onBreak()
  }

  #receiveHeader(chunk: Buffer, at: number): number {
    const copied = chunk.copy(this.#header, this.#headerFilled, at)
    this.#headerFilled += copied
    if (this.#headerFilled < headerBytes) return at + copied
    this.#headerFilled = 0
    const { number, total, offset, length } = readHeader(this.#header)
    // With a length that can't be, nobody knows where the next piece begins.
    if (length === 0 || length > pieceBytes) this.break(new Error(`a piece of ${length} bytes can't be`))
    else {
      const payload = this.#placeFor(number, total, offset, length)
      this.#piece = { payload, number, at: offset, left: length }
    }
    return at + copied
  }

  #receivePiece(piece: Piece, chunk: Buffer, at: number): number {
    const part = chunk.subarray(at, at + piece.left)
    const { payload } = piece
    if (payload) {
      payload.data?.set(part, piece.at)
      payload.received += part.length
    }
    piece.at += part.length
    piece.left -= part.length
    if (piece.left > 0) return at + part.length
    this.#piece = undefined
    if (payload) this.#settle(piece.number, payload)
    return at + part.length
  }

  /** Where a piece goes; undefined where it goes nowhere. */
  #placeFor(number: number, total: number, offset: number, length: number): Payload | undefined {
    const payload = this.#payloads.get(number) ?? (offset === 0 ? this.#unasked(number, total) : undefined)
    if (!payload) this.dropped += 1
    else if (payload.length !== total || payload.received !== offset || offset + length > total)
      this.#fail(payload, 'its pieces do not fit together')
    else if (!payload.data) this.#makeRoom(payload)
    return payload
  }

  /** A payload whose pieces come before its message. */
  #unasked(number: number, total: number): Payload {
    const payload = this.#expect(number, total)
    this.#unclaimed.add(number)
    if (this.#unclaimed.size > maxUnclaimed)
      this.break(new Error('too many payloads that no message has asked for'))
    return payload
  }

  #expect(number: number, length: number): Payload {
    const payload: Payload = { length, data: undefined, received: 0 }
    if (this.#broken) payload.failed = this.#broken.message
    this.#payloads.set(number, payload)
    return payload
  }

  #makeRoom(payload: Payload): void {
    const { length, failed } = payload
    const { maxPayloadBytes, maxWaitingBytes } = this.#limits
    if (failed) return
    if (length <= maxPayloadBytes) this.#evictFor(length)
    if (length > maxPayloadBytes || this.#heldBytes + length > maxWaitingBytes) {
      this.#fail(payload, `it has ${length} bytes, which is over the limit`)
      return
    }
    payload.data = Buffer.allocUnsafeSlow(length)
    this.#heldBytes += length
  }

  /** What nobody has asked for the longest gives way. */
  #evictFor(length: number): void {
    for (const number of this.#unclaimed) {
      if (this.#heldBytes + length <= this.#limits.maxWaitingBytes) return
      const payload = this.#payloads.get(number)
      if (payload?.data) this.#fail(payload, 'no message had asked for it when others needed its room')
    }
  }

  /** What is wrong with a payload is kept until somebody asks for it; its bytes are not. */
  #fail(payload: Payload, reason: string): void {
    payload.failed ??= reason
    this.#letGo(payload)
  }

  #letGo(payload: Payload): void {
    this.#heldBytes -= payload.data?.length ?? 0
    payload.data = undefined
  }

  /** Hands a payload over once it is complete, or has failed, and somebody has asked for it. */
  #settle(number: number, payload: Payload): void {
    const { waiter, failed, data, length, received } = payload
    if (!waiter || (!failed && received < length)) return
    this.#payloads.delete(number)
    this.#letGo(payload)
    if (waiter !== nobody) this.#waiters -= 1
    if (!failed && data) {
      waiter.resolve(data)
      return
    }
    this.dropped += 1
    waiter.reject(new Error(`The bytes of the message did not arrive: ${failed}`))
  }
}
