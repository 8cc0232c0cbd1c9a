import type { Readable } from 'node:stream'

/** How long what one stream brings may be worked on before all others get their turn, where most of it is of no use; in ms. */
const turnMs = 0.25

/** Work that is too short to ask what it was good for, in ms. */
const shortMs = 0.1

/** What a part of it costs at least, in ms: it was read, too. */
const leastMs = 0.02

/** How long a stream whose parts are dropped rests after a turn, in ms, once it has had so many of them. */
const restMs = 5
const turnsBeforeRest = 40

/** How many bytes are taken before the time is looked at again: fewer where they cost more. */
const sliceBytes = { least: 64, most: 16_384 }

/** What a part of a stream was good for: `asked` for, `kept` all the same, as a line of a log is, or `dropped`. */
export type Worth = 'asked' | 'kept' | 'dropped'

interface FairReading {
  /** Takes a part of what the stream brings; a line may go on in the next one. */
  take(part: Buffer): void
  /** All has been taken. */
  end?(): void
  /** What most of that was good for which was taken since this was asked last. */
  worth(): Worth
}

/** Streams that are left unread for want of room for what they lead to. */
const heldBack = new WeakSet<Readable>()

/** Leaves what comes next in the pipe of `stream`. */
export function holdBack(stream: Readable): void {
  heldBack.add(stream)
  stream.pause()
}

export function letFlow(stream: Readable): void {
  heldBack.delete(stream)
  stream.resume()
}

export function isHeldBack(stream: Readable): boolean {
  return heldBack.has(stream)
}

/**
 * Reads a stream in turns with all others. What was asked for is taken as it comes. A stream that brings anything else, and
 * would be read on and on, gets short turns. Where that is dropped, it waits in its pipe between them; so does who writes to it.
 */
export class FairReader {
  readonly #stream: Readable
  readonly #reading: FairReading
  /** What has been read and waits for its turn. */
  #waiting: Buffer[] = []
  /** What most of that was good for which was taken last. */
  #worth: Worth = 'asked'
  #sliceBytes = sliceBytes.most
  /** Turns with parts that were dropped, since it last brought something that was asked for. */
  #turns = 0
  /** How long this turn has been so far, in ms. */
  #spentMs = 0
  #turn: NodeJS.Immediate | undefined
  #rest: NodeJS.Timeout | undefined
  /** What was put off goes on with the next turn. */
  #isPutOff = false
  #isHurried = false
  #hasEnded = false
  #waiters: (() => void)[] = []

  constructor(stream: Readable, reading: FairReading) {
    this.#stream = stream
    this.#reading = reading
    stream.on('data', (chunk: Buffer) => this.#receive(chunk))
    stream.once('end', () => this.#end())
    stream.once('error', () => this.#takeLeft())
  }

  /** Nothing more is to come, so what is there is not put off for long. */
  hurry(): void {
    this.#isHurried = true
    if (!this.#rest) return
    clearTimeout(this.#rest)
    this.#rest = undefined
    this.#nextTurn()
  }

  /** Resolves when all that has been read is taken. */
  caughtUp(): Promise<void> {
    if (!this.#isPutOff) return Promise.resolve()
    return new Promise((resolve) => this.#waiters.push(resolve))
  }

  #receive(chunk: Buffer): void {
    if (this.#isPutOff) {
      this.#keep(chunk)
      return
    }
    const taken = this.#take(chunk)
    if (taken < chunk.length) this.#keep(chunk.subarray(taken))
    if (taken < chunk.length || this.#spentMs >= turnMs) this.#putOff()
    else if (this.#spentMs > 0) this.#nextTurn()
  }

  /** Returns how many bytes there was time for. */
  #take(chunk: Buffer): number {
    let at = 0
    let now = performance.now()
    do {
      const end = Math.min(at + this.#sliceBytes, chunk.length)
      this.#reading.take(at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end))
      at = end
      const begun = now
      now = performance.now()
      this.#judge(now - begun, end === chunk.length)
    } while (at < chunk.length && this.#spentMs < turnMs)
    return at
  }

  /** What took `tookMs` counts where nobody asked for it. Little at a time, as most streams bring it, is not looked at. */
  #judge(tookMs: number, isLast: boolean): void {
    if (tookMs < shortMs && isLast && this.#worth !== 'dropped') return
    this.#worth = this.#reading.worth()
    if (this.#worth === 'asked') {
      this.#sliceBytes = sliceBytes.most
      this.#turns = 0
      return
    }
    this.#spentMs += Math.max(tookMs, leastMs)
    if (tookMs > turnMs / 4) this.#sliceBytes = Math.max(this.#sliceBytes / 2, sliceBytes.least)
    else if (tookMs < turnMs / 16) this.#sliceBytes = Math.min(this.#sliceBytes * 2, sliceBytes.most)
  }

  /** The memory of a chunk may be its stream's own, for the next one. */
  #keep(rest: Buffer): void {
    this.#waiting.push(Buffer.from(rest))
    this.#stream.pause()
  }

  #putOff(): void {
    this.#isPutOff = true
    this.#stream.pause()
    if (this.#worth === 'dropped') this.#turns += 1
    if (this.#worth === 'dropped' && this.#turns > turnsBeforeRest && !this.#isHurried) {
      this.#rest = setTimeout(() => {
        this.#rest = undefined
        this.#begin()
      }, restMs)
    } else this.#nextTurn()
  }

  #nextTurn(): void {
    this.#turn ??= setImmediate(() => this.#begin())
  }

  /** A turn begins. */
  #begin(): void {
    this.#turn = undefined
    this.#spentMs = 0
    if (!this.#isPutOff || this.#rest) return
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      const taken = this.#take(next)
      if (taken < next.length) this.#waiting.unshift(next.subarray(taken))
      if (this.#spentMs < turnMs || this.#waiting.length === 0) continue
      this.#putOff()
      return
    }
    this.#isPutOff = false
    for (const resolve of this.#waiters.splice(0)) resolve()
    if (this.#hasEnded) this.#reading.end?.()
    else if (!heldBack.has(this.#stream)) this.#stream.resume()
  }

  /** A stream that fails emits no more of what it has read. */
  #takeLeft(): void {
    for (let left: unknown = this.#stream.read(); left instanceof Buffer; left = this.#stream.read())
      this.#receive(left)
  }

  #end(): void {
    this.#hasEnded = true
    if (!this.#isPutOff) this.#reading.end?.()
  }
}
