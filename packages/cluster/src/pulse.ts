/** What looks after itself from time to time, as long as it has a reason to. */
export interface Pulsing {
  /** Returns whether it is to be called again. */
  tick(): boolean
}

/** How often, in ms. */
export const tickMs = 50

/** One timer for all links of a connection. It rests while none of them waits for anything. */
export class Pulse {
  readonly #awake = new Set<Pulsing>()
  #timer: NodeJS.Timeout | undefined

  /** Calls it from now on; again does nothing. */
  wake(each: Pulsing): void {
    this.#awake.add(each)
    this.#timer ??= setInterval(() => this.tick(), tickMs).unref()
  }

  forget(each: Pulsing): void {
    this.#awake.delete(each)
  }

  /** What the timer does. */
  tick(): void {
    for (const each of this.#awake) if (!each.tick()) this.#awake.delete(each)
    if (this.#awake.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
