/** Callers that call one after another until they are told to end. */
export class Load {
  calls = []
  failed = []
  foreign = 0
  begun = 0
  open = 0
  #ended = false
  #callers

  constructor(plugin, callers, work) {
    this.#callers = Array.from({ length: callers }, (_, index) => this.#call(plugin, index, work))
  }

  settle(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms))
  }

  async end() {
    this.#ended = true
    await Promise.all(this.#callers)
  }

  async #call(plugin, caller, work) {
    for (let index = 0; !this.#ended; index++) {
      const token = `${caller}-${index}`
      this.begun += 1
      this.open += 1
      const before = performance.now()
      try {
        const { text, metadata } = await plugin.complete(JSON.stringify({ token, work: work() }))
        if (text !== token) this.foreign += 1
        this.calls.push({ took: performance.now() - before, worked: metadata.ms, number: metadata.number })
      } catch (error) {
        this.failed.push(String(error))
      }
      this.open -= 1
    }
  }
}
