import { rounded } from '../numbers.js'

/** How many of the last calls count. */
const capacity = 1024

/** Durations of recent calls. */
export class Latencies {
  readonly #recent = new Float64Array(capacity)
  #count = 0

  add(ms: number): void {
    this.#recent[this.#count % capacity] = ms
    this.#count += 1
  }

  /** Percentiles of the last 1,024 calls in ms; undefined before the first. */
  percentiles(): { p50_ms: number; p95_ms: number; p99_ms: number } | undefined {
    const sorted = this.#recent.slice(0, Math.min(this.#count, capacity)).sort()
    if (sorted.length === 0) return undefined
    const at = (share: number): number => rounded(sorted[Math.ceil(sorted.length * share) - 1] ?? 0)
    return { p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99) }
  }
}
