import { callTimeout } from '../errors.js'
import { type RoutedCallOptions, wrongCallOption } from '../options.js'
import { within } from '../waiting.js'
import { type Attempt, Attempts, type AttemptsOptions } from './attempts.js'
import { mute } from './errors.js'
import { isSayable, type SoundFitter } from './sound.js'
import { Tape } from './tape.js'

export interface FallbackStreamOptions extends AttemptsOptions {
  /** The stream waits for it. */
  checked: Promise<void> | undefined
  /** What changes the rate of that plugin’s sound to what was promised. Undefined: it has that rate. */
  fitterFor(plugin: string): SoundFitter | undefined
  /** Told of the first piece. */
  answered(plugin: string, piece: unknown): void
}

type Result = IteratorResult<unknown>
const over: Result = { value: undefined, done: true }

/**
 * The pieces of the first plugin that delivers one. Before that, the next plugin is tried where one fails. After it, that is done only
 * where the caller has asked for a restart: the first piece of the new plugin has `restarted: true`, and all before it are void.
 */
export class FallbackStream implements AsyncIterableIterator<unknown> {
  readonly #given: FallbackStreamOptions
  readonly #mayRestart: boolean
  /** The argument that arrives while the stream runs. */
  readonly #tape: Tape | undefined
  #attempts: Attempts | undefined
  #attempt: Attempt | undefined
  #pieces: AsyncIterator<unknown> | undefined
  #fitter: SoundFitter | undefined
  #isDelivered = false
  #isOver = false

  constructor(given: FallbackStreamOptions) {
    const { fallback, input } = given.options
    this.#given = given
    this.#mayRestart = fallback === 'restart'
    this.#tape = input && new Tape(input.items)
  }

  async next(): Promise<Result> {
    if (this.#isOver) return over
    try {
      const result = await (this.#isDelivered ? this.#goOn() : this.#begin())
      if (result.done) this.#end()
      return result
    } catch (error) {
      this.#end()
      throw error
    }
  }

  /** Its reader leaves it. */
  async return(): Promise<Result> {
    this.#end()
    await this.#pieces?.return?.()
    return over
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** The first piece, of the first plugin that has one. */
  async #begin(): Promise<Result> {
    if (this.#given.checked) await this.#given.checked
    this.#attempts ??= this.#firstAttempts()
    const attempts = this.#attempts
    if (!attempts.isUp) await attempts.untilUp()
    while (!this.#isOver) {
      const attempt = attempts.next()
      try {
        const result = await this.#try(attempt)
        if (this.#isOver) break
        if (result.done && this.#isMute(attempt) && attempts.hasMore) throw mute(attempt.member.plugin)
        return await this.#deliverFirst(attempt, result)
      } catch (error) {
        if (this.#isOver) break
        this.#leave()
        this.#failed(attempt, error)
      }
    }
    return over
  }

  #firstAttempts(): Attempts {
    const wrong = wrongCallOption(this.#given.options)
    if (wrong) throw wrong
    return new Attempts(this.#given)
  }

  #try({ member, slot, args, timeoutMs }: Attempt): Promise<Result> {
    const { method, options } = this.#given
    const pieces = slot.stream(method, args, this.#withInput(options))
    this.#pieces = pieces
    return within(pieces.next(), {
      timeoutMs,
      late: () => callTimeout(member.plugin, method, timeoutMs),
    })
  }

  #withInput(options: RoutedCallOptions): RoutedCallOptions {
    const { input } = options
    return input && this.#tape ? { ...options, input: { ...input, items: this.#tape.items() } } : options
  }

  async #deliverFirst(attempt: Attempt, result: Result): Promise<Result> {
    const { plugin } = attempt.member
    this.#attempt = attempt
    this.#isDelivered = true
    this.#fitter = this.#given.fitterFor(plugin)
    if (!result.done) this.#given.answered(plugin, result.value)
    if (!this.#mayRestart) this.#tape?.letGo()
    return this.#deliver(result)
  }

  async #goOn(): Promise<Result> {
    const [attempt, pieces] = [this.#attempt, this.#pieces]
    if (!attempt || !pieces) return over
    try {
      return await this.#deliver(await pieces.next())
    } catch (error) {
      if (this.#mayRestart && isMarkable(attempt, this.#given.method)) this.#failed(attempt, error)
      else throw this.#judged(attempt, error)
    }
    this.#attempts?.beginAnew()
    const first = await this.#begin()
    return first.done
      ? first
      : { value: Object.assign(Object(first.value), { restarted: true }), done: false }
  }

  /** A piece as its caller gets it. Behind the last one may come what is left of the sound. */
  async #deliver(result: Result): Promise<Result> {
    const fitter = this.#fitter
    if (!result.done) return fitter ? { value: await fitter.fit(result.value), done: false } : result
    this.#attempt?.member.standing.answered()
    this.#fitter = undefined
    const rest = fitter?.end()
    return rest === undefined ? over : { value: rest, done: false }
  }

  /** Another plugin can be tried. @throws What the caller gets, where none can. */
  #failed(attempt: Attempt, error: unknown): void {
    const attempts = this.#attempts
    if (!attempts || this.#tape?.hasFailed) throw error
    if (this.#tape && !this.#tape.isWhole) throw attempts.judged(attempt.member, error)
    attempts.failed(attempt, error)
  }

  #judged({ member }: Attempt, error: unknown): unknown {
    return this.#attempts?.judged(member, error) ?? error
  }

  /** What can be said was not said. Of text that arrives while it is spoken, nobody knows. */
  #isMute({ slot }: Attempt): boolean {
    return slot.contract?.name === 'tts' && !this.#tape && isSayable(this.#given.args['text'])
  }

  /** Nothing of what runs is delivered any more. */
  #leave(): void {
    const pieces = this.#pieces
    this.#pieces = undefined
    void pieces?.return?.().catch(() => {})
  }

  #end(): void {
    this.#isOver = true
    // The input may be waiting for its next item.
    void this.#tape?.close().catch(() => {})
  }
}

/** Whether the pieces of a method can say that all before them are void. */
function isMarkable({ slot }: Attempt, method: string): boolean {
  const piece = slot.contract?.methods.find(({ wire }) => wire === method)?.piece
  return piece?.['type'] === 'object' && piece['additionalProperties'] !== false
}
