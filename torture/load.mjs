import { settles } from './deadline.mjs'
import { Random } from './random.mjs'

/** Callers that call one after another until they are told to end, each with chances of its own. */
export class Load {
  calls = []
  failed = []
  foreign = 0
  begun = 0
  open = 0
  #ended = false
  #callers

  /** `work` makes of a caller's chances how long its next call works, in ms. */
  constructor(plugin, callers, random, work) {
    this.#callers = Array.from({ length: callers }, (_, index) =>
      this.#call(plugin, index, new Random(random.whole(0, 2 ** 31 - 1)), work),
    )
  }

  settle(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms))
  }

  /** Resolves to how many calls are lost: they have no answer when each of them should. */
  async end(limitMs) {
    this.#ended = true
    await settles(Promise.all(this.#callers), limitMs)
    return this.open
  }

  async #call(plugin, caller, random, work) {
    for (let index = 0; !this.#ended; index++) {
      const token = `${caller}-${index}`
      this.begun += 1
      this.open += 1
      const before = performance.now()
      try {
        const { text, metadata } = await plugin.complete(JSON.stringify({ token, work: work(random) }))
        if (text !== token) this.foreign += 1
        this.calls.push({ took: performance.now() - before, worked: metadata.ms, number: metadata.number })
      } catch (error) {
        this.failed.push(String(error))
      }
      this.open -= 1
    }
  }
}
