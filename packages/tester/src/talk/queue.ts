/** Hands what is pushed to one reader, in order. */
export class Queue<Item> implements AsyncIterable<Item> {
  #items: Item[] = []
  #isEnded = false
  #wake: () => void = () => {}

  push(item: Item): void {
    if (this.#isEnded) return
    this.#items.push(item)
    this.#wake()
  }

  /** What was pushed before is still read. */
  end(): void {
    this.#isEnded = true
    this.#wake()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
    for (;;) {
      const items = this.#items
      this.#items = []
      yield* items
      if (this.#items.length > 0) continue
      if (this.#isEnded) return
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}
