import type { DesiredStore, StoredChange, StoreState } from '../../src/desired/store.js'

/** A bucket within this process. A test decides when it is away. */
export class MemoryStore implements DesiredStore {
  isAway = false
  id = 'first'
  #last = 0
  readonly #changes = new Map<string, StoredChange>()

  async state(): Promise<StoreState> {
    this.#check()
    return { id: this.id, last: this.#last }
  }

  async next(after: number): Promise<StoredChange | undefined> {
    this.#check()
    return [...this.#changes.values()]
      .filter(({ revision }) => revision > after)
      .sort((one, other) => one.revision - other.revision)[0]
  }

  async get(key: string): Promise<StoredChange | undefined> {
    this.#check()
    return this.#changes.get(key)
  }

  async put(key: string, data: Uint8Array, over: number): Promise<number | undefined> {
    this.#check()
    return this.#write({ key, data, isRemoved: false }, over)
  }

  async remove(key: string, over: number): Promise<boolean> {
    this.#check()
    return this.#write({ key, data: new Uint8Array(), isRemoved: true }, over) !== undefined
  }

  /** Writes over whatever is there. */
  set(key: string, value: unknown): void {
    const data = value instanceof Uint8Array ? value : Buffer.from(JSON.stringify(value))
    this.#write({ key, data, isRemoved: false }, this.#changes.get(key)?.revision ?? 0)
  }

  read(key: string): unknown {
    const found = this.#changes.get(key)
    return found && !found.isRemoved ? JSON.parse(Buffer.from(found.data).toString()) : undefined
  }

  /** It is made anew, and empty. */
  remake(): void {
    this.id = 'second'
    this.#last = 0
    this.#changes.clear()
  }

  #write(change: Omit<StoredChange, 'revision'>, over: number): number | undefined {
    if ((this.#changes.get(change.key)?.revision ?? 0) !== over) return undefined
    this.#last += 1
    this.#changes.set(change.key, { ...change, revision: this.#last })
    return this.#last
  }

  #check(): void {
    if (this.isAway) throw new Error('the store is away')
  }
}
