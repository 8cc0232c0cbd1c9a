import { Bytes } from '@appfactory/sdk/internal'

/** How much of an argument that arrives piece by piece is kept for the next plugin, in bytes. */
const mostBytes = 8 * 1024 * 1024

/**
 * An argument that arrives piece by piece, for one plugin after the other: each gets it from its beginning, as long as that is
 * kept. It is read only as fast as a plugin asks for it.
 */
export class Tape {
  readonly #source: AsyncIterator<unknown>
  #kept: unknown[] = []
  #keptBytes = 0
  /** How many items were let go. */
  #gone = 0
  #isKept = true
  #reading: Promise<IteratorResult<unknown>> | undefined
  #end: IteratorResult<unknown> | undefined
  #failure: { error: unknown } | undefined

  constructor(items: AsyncIterable<unknown>) {
    this.#source = items[Symbol.asyncIterator]()
  }

  /** Whether another plugin can read it from its beginning. */
  get isWhole(): boolean {
    return this.#gone === 0 && this.#isKept
  }

  /** Whether the caller’s own end of it has failed. */
  get hasFailed(): boolean {
    return this.#failure !== undefined
  }

  /** Nobody will read it from its beginning any more. */
  letGo(): void {
    this.#isKept = false
  }

  /** The items from the first one on. */
  items(): AsyncIterable<unknown> {
    return { [Symbol.asyncIterator]: () => this.#reader() }
  }

  /** Nobody reads on. */
  async close(): Promise<void> {
    this.#kept = []
    if (!this.#end) await this.#source.return?.()
  }

  #reader(): AsyncIterator<unknown> {
    let at = 0
    let isLeft = false
    return {
      next: async () => {
        const result = isLeft ? { value: undefined, done: true as const } : await this.#itemAt(at)
        at += 1
        return result
      },
      // The next plugin may read on.
      return: async () => {
        isLeft = true
        return { value: undefined, done: true }
      },
    }
  }

  async #itemAt(index: number): Promise<IteratorResult<unknown>> {
    while (this.#gone + this.#kept.length <= index) {
      if (this.#failure) throw this.#failure.error
      if (this.#end) return this.#end
      // A plugin that was left may have asked for this item: it is not lost.
      this.#reading ??= this.#read()
      await this.#reading
    }
    const value = this.#kept[index - this.#gone]
    if (!this.#isKept) this.#forgetUntil(index)
    return { value, done: false }
  }

  async #read(): Promise<IteratorResult<unknown>> {
    try {
      const result = await this.#source.next()
      if (result.done) this.#end = result
      else this.#keep(result.value)
      return result
    } catch (error) {
      this.#failure = { error }
      throw error
    } finally {
      this.#reading = undefined
    }
  }

  #keep(item: unknown): void {
    this.#kept.push(item)
    this.#keptBytes += sizeOf(item)
    if (this.#keptBytes > mostBytes) this.#isKept = false
  }

  #forgetUntil(index: number): void {
    const count = index + 1 - this.#gone
    this.#kept.splice(0, count)
    this.#gone += count
  }
}

function sizeOf(item: unknown): number {
  if (typeof item === 'string') return item.length
  if (item instanceof Bytes) return item.data.length
  return JSON.stringify(item)?.length ?? 0
}
