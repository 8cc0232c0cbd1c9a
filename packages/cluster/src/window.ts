import { ahead } from './frames.js'

/** Bytes that all links of a connection may have sent ahead; each of them may have its least anyway. */
export class Budget {
  #left: number
  /** What wants to send and found no room. */
  readonly #waiting = new Set<() => void>()

  constructor(bytes: number) {
    this.#left = bytes
  }

  get left(): number {
    return this.#left
  }

  take(bytes: number): void {
    this.#left -= bytes
  }

  /** What waits tries again, each in turn. */
  giveBack(bytes: number): void {
    this.#left += bytes
    if (bytes <= 0 || this.#left <= 0) return
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const again of waiting) again()
  }

  /** Calls `again` once, when there is room. */
  wait(again: () => void): void {
    this.#waiting.add(again)
  }

  forget(again: () => void): void {
    this.#waiting.delete(again)
  }
}

/** What one end may send before the other one has taken it in: of one direction and kind of a link. */
export class SendWindow {
  /** Most bytes ahead of what was taken in. */
  readonly #bytes: number
  /** What a link may send, however much the others of its connection have sent. */
  readonly #least: number
  readonly #budget: Budget
  #sent = 0
  #taken = 0

  constructor(bytes: number, budget: Budget) {
    this.#bytes = bytes
    this.#least = Math.min(bytes, 64 * 1024)
    this.#budget = budget
  }

  /** Bytes that were sent and are not taken in. */
  get outstanding(): number {
    return ahead(this.#sent, this.#taken)
  }

  /** Bytes that may be sent now. */
  get room(): number {
    const { outstanding } = this
    return Math.min(this.#bytes - outstanding, Math.max(this.#budget.left, this.#least - outstanding))
  }

  /** Whether it is only the budget of the connection that leaves no room. */
  get isShort(): boolean {
    return this.outstanding < this.#bytes
  }

  send(bytes: number): void {
    this.#sent = (this.#sent + bytes) >>> 0
    this.#budget.take(bytes)
  }

  /** The other end has taken in `taken` bytes so far. Returns how many of them are new, or undefined where so many were never sent. */
  take(taken: number): number | undefined {
    const more = ahead(taken, this.#taken)
    // Of a frame that was overtaken.
    if (more <= 0) return 0
    if (more > this.outstanding) return undefined
    this.#taken = taken
    this.#budget.giveBack(more)
    return more
  }

  /** Nothing of it counts any more. */
  release(): void {
    const { outstanding } = this
    this.#taken = this.#sent
    this.#budget.giveBack(outstanding)
  }
}
