import { ahead, type FrameKind, frameKinds, nextNumber } from './frames.js'
import type { SendWindow } from './window.js'

interface Kept {
  seq: number
  frame: Buffer
  /** Bytes of its data. */
  length: number
}

/** Frames of one kind that may have to be sent again: those that the other end has not taken in whole. */
class KeptFrames {
  #frames: Kept[] = []
  /** Those before it are taken in. */
  #first = 0
  /** Bytes of the first one that are taken in. */
  #taken = 0

  get all(): readonly Kept[] {
    return this.#frames.slice(this.#first)
  }

  get isEmpty(): boolean {
    return this.#first === this.#frames.length
  }

  add(kept: Kept): void {
    this.#frames.push(kept)
  }

  drop(bytes: number): void {
    this.#taken += bytes
    for (let next = this.#frames[this.#first]; next && next.length <= this.#taken; ) {
      this.#taken -= next.length
      this.#first += 1
      next = this.#frames[this.#first]
    }
    if (this.#first * 2 < this.#frames.length) return
    this.#frames = this.#frames.slice(this.#first)
    this.#first = 0
  }
}

/** What one end of a link has sent, and may have to send again. */
export class Outbox {
  readonly lines: SendWindow
  readonly bytes: SendWindow
  readonly #kept: Readonly<Partial<Record<FrameKind, KeptFrames>>> = {
    [frameKinds.lines]: new KeptFrames(),
    [frameKinds.bytes]: new KeptFrames(),
    [frameKinds.end]: new KeptFrames(),
  }
  #last = 0

  constructor(lines: SendWindow, bytes: SendWindow) {
    this.lines = lines
    this.bytes = bytes
  }

  /** The number of the last frame. */
  get last(): number {
    return this.#last
  }

  /** Whether nothing has been sent that is not taken in. */
  get isEmpty(): boolean {
    return Object.values(this.#kept).every(({ isEmpty }) => isEmpty)
  }

  /** The number of the next frame. */
  number(): number {
    this.#last = nextNumber(this.#last)
    return this.#last
  }

  keep(kind: FrameKind, kept: Kept): void {
    this.#windowOf(kind)?.send(kept.length)
    this.#kept[kind]?.add(kept)
  }

  /** The other end has taken in so many bytes of one kind so far. Returns false where so many were never sent. */
  take(kind: FrameKind, taken: number): boolean {
    const more = this.#windowOf(kind)?.take(taken)
    if (more !== undefined && more > 0) this.#kept[kind]?.drop(more)
    return more !== undefined
  }

  /** What was sent after number `received`, in order. Undefined where the other end can't have received that. */
  after(received: number): readonly Kept[] | undefined {
    if (ahead(received, this.#last) > 0) return undefined
    const kept = Object.values(this.#kept).flatMap(({ all }) => all)
    return kept.filter(({ seq }) => ahead(seq, received) > 0).sort((one, other) => ahead(one.seq, other.seq))
  }

  /** Lines that were sent from number `seq` on. */
  linesFrom(seq: number): Buffer[] {
    const kept = this.#kept[frameKinds.lines]?.all ?? []
    return kept
      .filter((each) => ahead(each.seq, seq) >= 0)
      .map(({ frame, length }) => frame.subarray(-length))
  }

  /** Nothing of it counts any more. */
  release(): void {
    this.lines.release()
    this.bytes.release()
  }

  #windowOf(kind: FrameKind): SendWindow | undefined {
    if (kind === frameKinds.lines) return this.lines
    return kind === frameKinds.bytes ? this.bytes : undefined
  }
}
