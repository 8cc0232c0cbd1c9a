const minuteMs = 60_000

/** How many requests there may be in a minute. What was used comes back evenly, one by one. */
export class Rate {
  readonly #perMinute: number
  readonly #now: () => number
  /** When one that was used is back, in ms. */
  readonly #backMs: number
  /** When all are back. */
  #fullAt = 0

  constructor(perMinute: number, now = (): number => performance.now()) {
    this.#perMinute = perMinute
    this.#now = now
    this.#backMs = minuteMs / perMinute
  }

  /** Uses one, if there is one. */
  take(): boolean {
    if (this.nextMs > 0) return false
    this.#fullAt = Math.max(this.#fullAt, this.#now()) + this.#backMs
    return true
  }

  /** How many may come at once now. */
  get left(): number {
    // A sum of times is never exact.
    return Math.floor(this.#perMinute - this.fullMs / this.#backMs + 1e-6)
  }

  /** When the next one may come, in ms; 0: now. */
  get nextMs(): number {
    return Math.max(0, this.fullMs - (this.#perMinute - 1) * this.#backMs)
  }

  /** When all may come at once again, in ms; 0: now. */
  get fullMs(): number {
    return Math.max(0, this.#fullAt - this.#now())
  }
}

/** A time as OpenAI's headers have it: 20ms, 1.5s, 6m0s. */
export function durationText(ms: number): string {
  const whole = Math.ceil(ms)
  if (whole < 1000) return `${whole}ms`
  const minutes = Math.floor(whole / minuteMs)
  const seconds = (whole - minutes * minuteMs) / 1000
  return minutes === 0 ? `${seconds}s` : `${minutes}m${seconds}s`
}
