import type { RestartPolicy } from '../options.js'

/** Counts the crashes of one plugin. */
export class RestartCounter {
  readonly #policy: RestartPolicy
  #crashes: number[] = []
  #quarantinedAt = Number.NEGATIVE_INFINITY

  constructor(policy: RestartPolicy) {
    this.#policy = policy
  }

  /** Notes a crash. Returns how long to wait before the restart, in ms, or undefined where the plugin is quarantined. */
  crashed(now: number = performance.now()): number | undefined {
    const { firstDelayMs, maxDelayMs, maxCrashes, windowMs, retryQuarantinedMs } = this.#policy
    this.#crashes = [...this.#crashes.filter((time) => now - time < windowMs), now]
    // After a quarantine there is one try: it has to last for the whole window.
    const isOnTrial = now - this.#quarantinedAt < retryQuarantinedMs + windowMs
    if (isOnTrial || this.#crashes.length >= maxCrashes) {
      this.#quarantinedAt = now
      return undefined
    }
    // Full jitter: plugins that crashed together do not come back together.
    return (1 - Math.random()) * Math.min(maxDelayMs, firstDelayMs * 2 ** (this.#crashes.length - 1))
  }
}
