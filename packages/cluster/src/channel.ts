import { Duplex } from 'node:stream'
import { ahead } from './frames.js'

/** What a channel needs of its link. */
export interface ChannelEnds {
  /** Most bytes that may be sent now, in one frame. */
  room(): number
  /** Sends a frame of `length` bytes, which `fill` writes into it. */
  send(length: number, fill: (frame: Buffer, offset: number) => void): void
  /** Nothing more will be written, and all has been sent. */
  finish(): void
  /** More has been taken in. */
  onTaken(): void
}

/** Most bytes that are kept of what was never sent. */
const maxDroppedBytes = 1024 * 1024

type Done = (error?: Error | null) => void

/**
 * One kind of data of a link, both ways: lines, or raw bytes. What is written waits until there is room for it at the other end,
 * and what arrives counts as taken in once its reader has it, as with a pipe.
 */
export class Channel extends Duplex {
  readonly #ends: ChannelEnds
  #parts: Buffer[] = []
  /** Of the first part, what has been sent. */
  #offset = 0
  #unsent = 0
  #written: Done | undefined
  #ended: Done | undefined
  #arrived = 0
  #isGone = false
  readonly #dropped: Buffer[] = []
  #droppedBytes = 0

  constructor(ends: ChannelEnds) {
    super({ allowHalfOpen: true })
    this.#ends = ends
    // Whoever uses it learns from the link why it broke.
    this.on('error', () => {})
  }

  /** Bytes that its reader has taken in so far, from 0 again after 2³². */
  get taken(): number {
    return (this.#arrived - this.readableLength) >>> 0
  }

  /** Bytes that have arrived and are not taken in. */
  get waiting(): number {
    return ahead(this.#arrived, this.taken)
  }

  /** Data of the other end. It is the receiver's: nothing else writes to its memory. */
  receive(data: Buffer): void {
    this.#arrived = (this.#arrived + data.length) >>> 0
    this.push(data)
    this.#ends.onTaken()
  }

  /** Nothing more will arrive. */
  receiveEnd(): void {
    if (!this.readableEnded && !this.destroyed) this.push(null)
  }

  /** Nothing is sent any more: what is written goes nowhere. What has arrived can still be read. */
  goSilent(): void {
    const [first, ...rest] = this.#parts
    if (first) this.#drop([first.subarray(this.#offset), ...rest])
    this.#isGone = true
    this.#parts = []
    this.#unsent = 0
    this.receiveEnd()
    this.#settle()
  }

  /** What was written and never sent, once the channel is silent: not all of it where that is much. */
  get dropped(): readonly Buffer[] {
    return this.#dropped
  }

  /** Sends as much as there is room for. */
  pump(): void {
    while (this.#unsent > 0) {
      const length = Math.min(this.#unsent, this.#ends.room())
      if (length <= 0) return
      this.#ends.send(length, (frame, offset) => this.#fill(frame, offset, length))
    }
    this.#settle()
  }

  override read(size?: number): Buffer | null {
    const chunk: Buffer | null = super.read(size)
    if (chunk !== null) this.#ends.onTaken()
    return chunk
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, written: Done): void {
    this.#write([chunk], written)
  }

  override _writev(chunks: { chunk: Buffer }[], written: Done): void {
    this.#write(
      chunks.map(({ chunk }) => chunk),
      written,
    )
  }

  override _final(ended: Done): void {
    this.#ended = ended
    this.#settle()
  }

  #write(parts: Buffer[], written: Done): void {
    this.#written = written
    if (this.#isGone) this.#drop(parts)
    else {
      this.#parts = parts.filter(({ length }) => length > 0)
      this.#offset = 0
      this.#unsent = this.#parts.reduce((sum, { length }) => sum + length, 0)
    }
    this.pump()
  }

  #drop(parts: readonly Buffer[]): void {
    for (const part of parts) {
      this.#droppedBytes += part.length
      if (this.#droppedBytes <= maxDroppedBytes) this.#dropped.push(part)
    }
  }

  /** Moves `length` bytes of what was written into a frame. */
  #fill(frame: Buffer, offset: number, length: number): void {
    let at = offset
    for (let left = length; left > 0; ) {
      const part = this.#parts[0]
      if (!part) return
      const copied = part.copy(frame, at, this.#offset, this.#offset + left)
      at += copied
      left -= copied
      this.#offset += copied
      if (this.#offset < part.length) continue
      this.#parts.shift()
      this.#offset = 0
    }
    this.#unsent -= length
  }

  /** Tells the writer that all it has written is sent. */
  #settle(): void {
    if (this.#unsent > 0) return
    const written = this.#written
    this.#written = undefined
    written?.()
    if (!this.#ended || this.#written) return
    const ended = this.#ended
    this.#ended = undefined
    if (!this.#isGone) this.#ends.finish()
    ended()
  }
}
