import { PluginError } from '../errors.js'

/** Sends the pieces of one stream, at most as many ahead as the reader has given credit for. */
export class OutgoingStream {
  #sequence = 0
  #credit: number
  #waiting: { resolve: () => void; reject: (error: unknown) => void } | undefined
  /** Ends the wait for a reader that has yet to catch up. */
  #stopWaiting: (() => void) | undefined
  #failure: unknown
  #creditEnded: unknown
  readonly #write: (sequence: number, value: unknown) => Promise<void> | undefined

  /** @param credit Pieces that may be sent at once; Infinity for a reader that gives no credit. */
  constructor(credit: number, write: (sequence: number, value: unknown) => Promise<void> | undefined) {
    this.#credit = credit
    this.#write = write
  }

  /** Pieces sent so far. */
  get count(): number {
    return this.#sequence
  }

  /** Resolves when the next piece may be made. Throws when the stream was cancelled. */
  async send(value: unknown): Promise<void> {
    if (this.#failure) throw this.#failure
    if (this.#credit <= 0) {
      if (this.#creditEnded) throw this.#creditEnded
      await new Promise<void>((resolve, reject) => {
        this.#waiting = { resolve, reject }
      })
    }
    this.#credit -= 1
    const caughtUp = this.#write(this.#sequence++, value)
    if (caughtUp) await this.#untilFailure(caughtUp)
    if (this.#failure) throw this.#failure
  }

  /** A reader that never catches up must not keep a stream that was cancelled. */
  #untilFailure(caughtUp: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      this.#stopWaiting = resolve
      void caughtUp.then(resolve)
    })
  }

  addCredit(pieces: number): void {
    this.#credit += pieces
    if (this.#credit <= 0) return
    this.#waiting?.resolve()
    this.#waiting = undefined
  }

  /** Ends the stream: the send that waits, and each after it, throws `error`. */
  fail(error: unknown): void {
    this.#failure ??= error
    this.#stopWaiting?.()
    this.#waiting?.reject(error)
    this.#waiting = undefined
  }

  /** No more credit will come: what there is may be used up, then `error` is thrown. */
  endCredit(error: unknown): void {
    this.#creditEnded = error
    if (this.#waiting) this.fail(error)
  }
}

interface IncomingStreamHandlers {
  /** The reader has taken `pieces` and can take as many more. */
  grant(pieces: number): void
  /** A piece has gone to the reader. */
  taken?(): void
  /** The reader does not want any more. Resolves when the sender has stopped. */
  stop(): Promise<void>
}

/** The pieces of one stream as they arrive, for one reader. Holds at most a window of them. */
export class IncomingStream implements AsyncIterableIterator<unknown> {
  readonly #pieces: unknown[] = []
  readonly #window: number
  readonly #handlers: IncomingStreamHandlers
  #waiting: { resolve: (result: IteratorResult<unknown>) => void; reject: (error: unknown) => void }[] = []
  #taken = 0
  #expected = 0
  #state: 'open' | 'ended' | 'failed' = 'open'
  #left = false
  #error: unknown

  constructor(window: number, handlers: IncomingStreamHandlers) {
    this.#window = window
    this.#handlers = handlers
  }

  /** How many pieces may still come before the reader takes another one. Undefined: the reader has left. */
  get room(): number | undefined {
    return this.#left ? undefined : this.#window - this.#pieces.length
  }

  /** Takes a piece off the wire. Returns what is wrong with it, if anything. */
  push(sequence: unknown, value: unknown): string | undefined {
    // Pieces may be on their way to a reader that has left; the call still ends with its answer.
    if (this.#left) return undefined
    if (this.#state !== 'open') return 'the stream has ended'
    if (sequence !== this.#expected) return `piece ${this.#expected} was expected, not ${String(sequence)}`
    if (this.#pieces.length >= this.#window) return `more than ${this.#window} pieces without credit`
    this.#expected += 1
    const waiting = this.#waiting.shift()
    if (!waiting) {
      this.#pieces.push(value)
      return undefined
    }
    waiting.resolve({ value, done: false })
    this.#countTaken()
    return undefined
  }

  end(): undefined {
    if (this.#state !== 'open') return
    this.#state = 'ended'
    this.#settleWaiting()
  }

  fail(error: unknown): void {
    if (this.#state !== 'open') return
    this.#state = 'failed'
    this.#error = error
    const first = this.#waiting.shift()
    if (first) this.#state = 'ended'
    first?.reject(error)
    this.#settleWaiting()
  }

  next(): Promise<IteratorResult<unknown>> {
    if (this.#pieces.length > 0) {
      const value = this.#pieces.shift()
      this.#countTaken()
      return Promise.resolve({ value, done: false })
    }
    if (this.#state === 'failed') {
      this.#state = 'ended'
      return Promise.reject(this.#error)
    }
    if (this.#state === 'ended') return Promise.resolve({ value: undefined, done: true })
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
    })
  }

  /** The reader stops early (`break` in a `for await`). */
  async return(): Promise<IteratorResult<unknown>> {
    const wasOpen = this.#state === 'open'
    this.#left = true
    this.#state = 'ended'
    this.#pieces.length = 0
    this.#settleWaiting()
    if (wasOpen) await this.#handlers.stop()
    return { value: undefined, done: true }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #settleWaiting(): void {
    for (const { resolve } of this.#waiting.splice(0)) resolve({ value: undefined, done: true })
  }

  /** Credit is given back in halves of the window, so that it costs few messages and the sender seldom waits. */
  #countTaken(): void {
    this.#handlers.taken?.()
    this.#taken += 1
    if (this.#taken < this.#window / 2 || this.#state !== 'open') return
    this.#handlers.grant(this.#taken)
    this.#taken = 0
  }
}

/** Reads the credit of `$/stream` and `$/credit`: a whole number above zero. */
export function creditOf(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value
  throw new PluginError('INVALID_PARAMS', `credit: must be a whole number above 0, not ${String(value)}`)
}
