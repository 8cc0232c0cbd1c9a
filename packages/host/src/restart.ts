import { checkedNumbers, count, type NumberRule, time } from './numbers.js'

/** When a plugin that crashed is started again. Times in ms; Infinity is never, and of a number that there is no limit. */
export interface RestartPolicy {
  /** The longest wait before the first restart; it doubles with each crash. Default: 200. */
  firstDelayMs: number
  /** The longest wait of all. Default: 30,000. */
  maxDelayMs: number
  /** That many crashes within `windowMs` mean quarantine. Default: 5. */
  maxCrashes: number
  /** Default: 180,000 (3 minutes). */
  windowMs: number
  /** How long a quarantined plugin waits before one more try. Default: 300,000 (5 minutes). */
  retryQuarantinedMs: number
  /** How many health checks may fail in a row before the plugin is restarted. Default: 3. */
  maxMissedHealthChecks: number
}

export const defaultRestartPolicy: RestartPolicy = {
  firstDelayMs: 200,
  maxDelayMs: 30_000,
  maxCrashes: 5,
  windowMs: 180_000,
  retryQuarantinedMs: 300_000,
  maxMissedHealthChecks: 3,
}

const rules: Record<keyof RestartPolicy, NumberRule> = {
  firstDelayMs: time,
  maxDelayMs: time,
  maxCrashes: count,
  windowMs: time,
  retryQuarantinedMs: time,
  maxMissedHealthChecks: count,
}

/** @throws TypeError that names the option. */
export function restartPolicyOf(options: Partial<RestartPolicy>): RestartPolicy {
  return { ...defaultRestartPolicy, ...checkedNumbers(options, rules, 'restart.') }
}

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
