import type { Sample } from './prometheus.js'

/** Upper bounds of the buckets of durations, in seconds. */
export const durationBounds: readonly number[] = [
  ...[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
]

/** How long things took. Nothing is allocated to add one. */
export class Durations {
  /** How many took at most as long as each bound and longer than the one before; the last of all, longer than any. */
  readonly buckets: Float64Array = new Float64Array(durationBounds.length + 1)
  /** How long they took in all, in seconds. */
  seconds = 0

  add(ms: number): void {
    const seconds = ms / 1000
    let bucket = 0
    while (seconds > (durationBounds[bucket] ?? Number.POSITIVE_INFINITY)) bucket += 1
    this.buckets[bucket] = (this.buckets[bucket] ?? 0) + 1
    this.seconds += seconds
  }
}

/** The lines of a histogram. */
export function histogramSamples(labels: Sample['labels'], { buckets, seconds }: Durations): Sample[] {
  const samples: Sample[] = []
  let count = 0
  for (const bucket of buckets) {
    const bound = durationBounds[samples.length]
    count += bucket
    const le = bound === undefined ? '+Inf' : String(bound)
    samples.push({ suffix: '_bucket', labels: [...labels, ['le', le]], value: count })
  }
  return [...samples, { suffix: '_sum', labels, value: seconds }, { suffix: '_count', labels, value: count }]
}
