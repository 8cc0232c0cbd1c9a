import type { Percentiles } from './messages.js'

/** Each bucket is 1 % wider than the one before, so percentiles are accurate to 1 %. */
const growth = Math.log(1.01)

/** The shortest distinguishable time, in ms. */
const shortest = 0.001

/** Collects the durations of any number of calls in constant memory. */
export class Histogram {
  readonly #buckets = new Map<number, number>()
  #count = 0
  #max = 0

  add(ms: number): void {
    const bucket = Math.round(Math.log(Math.max(ms, shortest) / shortest) / growth)
    this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + 1)
    this.#count += 1
    this.#max = Math.max(this.#max, ms)
  }

  /** In ms; null before the first. */
  percentiles(): Percentiles | null {
    if (this.#count === 0) return null
    const sorted = [...this.#buckets].sort(([a], [b]) => a - b)
    const at = (share: number): number => Math.min(this.#max, this.#valueAt(sorted, share))
    return { p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99), max_ms: this.#max }
  }

  #valueAt(sorted: readonly (readonly [number, number])[], share: number): number {
    let left = Math.ceil(this.#count * share)
    for (const [bucket, count] of sorted) {
      left -= count
      if (left <= 0) return shortest * Math.exp(bucket * growth)
    }
    return this.#max
  }
}
