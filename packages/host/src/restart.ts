/** When a plugin that crashed is started again. Times in ms. */
export interface RestartPolicy {
  /** The longest wait before the first restart; it doubles with each crash. Default: 200. */
  firstDelayMs: number
  /** The longest wait of all. Default: 30,000. */
  maxDelayMs: number
  /** That many crashes within `windowMs` mean quarantine. Default: 5. */
  maxCrashes: number
  /** Default: 180,000 (3 minutes). */
  windowMs: number
}

export const defaultRestartPolicy: RestartPolicy = {
  firstDelayMs: 200,
  maxDelayMs: 30_000,
  maxCrashes: 5,
  windowMs: 180_000,
}

/** Counts the crashes of one plugin. */
export class RestartCounter {
  readonly #policy: RestartPolicy
  #crashes: number[] = []

  constructor(policy: RestartPolicy) {
    this.#policy = policy
  }

  /** Notes a crash. Returns how long to wait before the restart, in ms, or undefined where there is to be none. */
  crashed(now: number = Date.now()): number | undefined {
    const { firstDelayMs, maxDelayMs, maxCrashes, windowMs } = this.#policy
    this.#crashes = [...this.#crashes.filter((time) => now - time < windowMs), now]
    if (this.#crashes.length >= maxCrashes) return undefined
    // Full jitter: plugins that crashed together do not come back together.
    return Math.random() * Math.min(maxDelayMs, firstDelayMs * 2 ** (this.#crashes.length - 1))
  }
}
