/** What waits in a queue, in bytes, before whoever fills it has to wait. */
const roomBytes = 1024 * 1024
/** What each item takes beside its bytes. */
const itemBytes = 256

/** Hands what is pushed to one reader, in order. Who pushes waits for `room()`. */
export class Queue<Item> implements AsyncIterable<Item> {
  #items: { item: Item; bytes: number }[] = []
  #bytes = 0
  #end: { error?: unknown } | undefined
  #wake: () => void = () => {}
  #makeRoom: (() => void) | undefined

  push(item: Item, bytes: number): void {
    if (this.#end) return
    this.#items.push({ item, bytes: bytes + itemBytes })
    this.#bytes += bytes + itemBytes
    this.#wake()
  }

  /** What was pushed before is still read, and then the error thrown, if there is one. */
  end(end: { error?: unknown } = {}): void {
    this.#end ??= end
    this.#wake()
    this.#makeRoom?.()
  }

  /** A promise to wait for before more is pushed; undefined: there is room now. */
  room(): Promise<void> | undefined {
    if (this.#bytes < roomBytes || this.#end) return undefined
    return new Promise((resolve) => {
      this.#makeRoom = resolve
    })
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
    try {
      for (;;) {
        const next = this.#items.shift()
        if (next) {
          this.#bytes -= next.bytes
          if (this.#bytes < roomBytes) this.#makeRoom?.()
          yield next.item
        } else if (this.#end) break
        else await this.#news()
      }
      if ('error' in this.#end) throw this.#end.error
    } finally {
      // Nobody reads any more: nobody is to wait either.
      this.end()
    }
  }

  #news(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}
