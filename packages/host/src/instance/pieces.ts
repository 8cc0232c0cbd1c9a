import { type Outcome, outcomeOf } from '@appfactory/sdk/internal'
import { atCaller } from '../at-caller.js'

export interface PieceStreamOptions<Piece> {
  /** Begins the stream; called when it is first read. */
  open(): AsyncIterator<unknown> | Promise<AsyncIterator<unknown>>
  /** Makes of each piece what the reader gets. Default: the piece itself. */
  map?(piece: unknown): Piece
  /** What is to be read in place of a stream that failed before its first piece. Undefined, and by default: nothing is. */
  again?(error: unknown): AsyncIterator<unknown> | Promise<AsyncIterator<unknown>> | undefined
  /** Called once, when the stream has ended, failed or been left, if it was begun. */
  onEnd?(outcome: Outcome, error?: unknown): void
  /** Makes of the error that it fails with what the reader gets. Default: the error itself. */
  word?(error: unknown): unknown
  /** Whether its reader is the application: the stack of an error then begins there. Default: false. */
  isOutermost?: boolean
}

/**
 * A stream on its way from the wire to its reader. It begins when it is first read. Async generators would say the same in
 * fewer words, but each of them costs three turns of the microtask queue for every piece.
 */
export class PieceStream<Piece = unknown> implements AsyncIterableIterator<Piece> {
  readonly #options: Omit<PieceStreamOptions<Piece>, 'open'>
  /** Let go once it is called, with what it needs for it. */
  #open: PieceStreamOptions<Piece>['open'] | undefined
  #source: AsyncIterator<unknown> | undefined
  #opening: Promise<AsyncIterator<unknown>> | undefined
  #ended = false

  constructor({ open, ...options }: PieceStreamOptions<Piece>) {
    this.#options = options
    this.#open = open
  }

  next(): Promise<IteratorResult<Piece>> {
    if (this.#ended) return Promise.resolve({ value: undefined, done: true })
    return (this.#source ? this.#source.next() : this.#begin()).then(this.#give, this.#fail)
  }

  /** The reader stops early, as `break` does. */
  async return(): Promise<IteratorResult<Piece>> {
    const wasOpen = !this.#ended
    this.#end('cancelled')
    if (wasOpen) await (await this.#opening)?.return?.()
    return { value: undefined, done: true }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async #begin(): Promise<IteratorResult<unknown>> {
    const open = this.#open
    this.#open = undefined
    if (open) this.#opening = Promise.resolve(open())
    this.#source = await this.#opening
    if (!this.#source) throw new Error('The stream could not be opened')
    const first = this.#source.next()
    return open && this.#options.again ? first.catch((error: unknown) => this.#beginAgain(error)) : first
  }

  #beginAgain(error: unknown): Promise<IteratorResult<unknown>> {
    const opening = this.#ended ? undefined : this.#options.again?.(error)
    if (!opening) throw error
    this.#opening = Promise.resolve(opening)
    return this.#opening.then((source) => {
      this.#source = source
      return source.next().catch((failed: unknown) => this.#beginAgain(failed))
    })
  }

  readonly #give = (result: IteratorResult<unknown>): IteratorResult<Piece> => {
    if (result.done) {
      this.#end('answered')
      return { value: undefined, done: true }
    }
    const { map } = this.#options
    return { value: map ? map(result.value) : (result.value as Piece), done: false }
  }

  readonly #fail = (thrown: unknown): never => {
    const { word } = this.#options
    const error = word ? word(thrown) : thrown
    this.#end(outcomeOf(error), error)
    throw this.#options.isOutermost ? atCaller(error, this.#fail) : error
  }

  #end(outcome: Outcome, error?: unknown): void {
    if (this.#ended) return
    this.#ended = true
    if (this.#opening) this.#options.onEnd?.(outcome, error)
  }
}
