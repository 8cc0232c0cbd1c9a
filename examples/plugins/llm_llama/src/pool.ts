/** A fixed set of things that one caller at a time may use; others wait, first come, first served. */
export class Pool<Item> {
  readonly #free: Item[]
  readonly #waiting: ((item: Item) => void)[] = []

  constructor(items: readonly Item[]) {
    this.#free = [...items]
  }

  async take(signal: AbortSignal): Promise<Item> {
    signal.throwIfAborted()
    const item = this.#free.pop()
    if (item !== undefined) return item
    return new Promise((resolve, reject) => {
      const receive = (received: Item): void => {
        signal.removeEventListener('abort', giveUp)
        resolve(received)
      }
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(receive), 1)
        reject(signal.reason)
      }
      signal.addEventListener('abort', giveUp, { once: true })
      this.#waiting.push(receive)
    })
  }

  giveBack(item: Item): void {
    const next = this.#waiting.shift()
    if (next) next(item)
    else this.#free.push(item)
  }
}
