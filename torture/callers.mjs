import { answerLimitMs, settles } from './deadline.mjs'
import { Random } from './random.mjs'

/** Callers that call again and again until they are to rest. */
export class Callers {
  isRunning = false
  #chances
  #call
  #openCalls
  #ended = []

  /** `call` is one caller's work while `isRunning`, with its number and its chances; `openCalls` counts what has no answer yet. */
  constructor({ count, random, call, openCalls }) {
    // Each caller has chances of its own, so that what it does depends on no other.
    this.#chances = Array.from({ length: count }, () => new Random(random.whole(0, 2 ** 31 - 1)))
    this.#call = call
    this.#openCalls = openCalls
  }

  start() {
    this.isRunning = true
    this.#ended = this.#chances.map((random, caller) => this.#call(caller, random))
  }

  /** Lets every call end: none may be left unanswered. */
  async rest() {
    this.isRunning = false
    if (!(await settles(Promise.all(this.#ended))))
      throw new Error(`${this.#openCalls()} calls were not answered in ${answerLimitMs} ms`)
  }
}
