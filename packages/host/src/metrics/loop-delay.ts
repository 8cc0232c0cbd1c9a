import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'

/** How often the event loop is asked for its delay, in ms. Node includes this time in what it measures. */
const resolutionMs = 20

/** How late the host's event loop is. Nothing is measured before the first reading. */
export class LoopDelay {
  #histogram: IntervalHistogram | undefined

  /** The delays since the last reading, in seconds. Undefined: nothing was measured yet. */
  read(): { p50: number; p99: number; max: number } | undefined {
    const histogram = this.#measuring()
    if (histogram.count === 0) return undefined
    const delays = {
      p50: delayOf(histogram.percentile(50)),
      p99: delayOf(histogram.percentile(99)),
      max: delayOf(histogram.max),
    }
    histogram.reset()
    return delays
  }

  stop(): void {
    this.#histogram?.disable()
  }

  #measuring(): IntervalHistogram {
    if (this.#histogram) return this.#histogram
    this.#histogram = monitorEventLoopDelay({ resolution: resolutionMs })
    this.#histogram.enable()
    return this.#histogram
  }
}

function delayOf(intervalNs: number): number {
  return Math.max(0, intervalNs / 1e9 - resolutionMs / 1000)
}
