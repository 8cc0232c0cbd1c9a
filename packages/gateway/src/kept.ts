import { maxTimerMs } from '@appfactory/sdk/internal'

/** How much is kept. */
export interface KeptLimits {
  most: number
  mostBytes: number
  /** From when it was put here. */
  ms: number
}

interface Entry<Value> {
  value: Value
  bytes: number
  /** In ms of the clock of performance.now(). */
  until: number
}

/** Values by id, for a while: the newest, as long as they fit. */
export class Kept<Value> {
  readonly #limits: KeptLimits
  readonly #entries = new Map<string, Entry<Value>>()
  #bytes = 0
  #sweeping: NodeJS.Timeout | undefined

  constructor(limits: KeptLimits) {
    this.#limits = limits
  }

  /** The newest first. */
  get values(): Value[] {
    return [...this.#entries.values()].map(({ value }) => value).reverse()
  }

  get(id: string): Value | undefined {
    return this.#entries.get(id)?.value
  }

  /** Keeps a value, and drops the oldest where there are too many. One that is too large by itself is not kept. */
  add(id: string, value: Value, bytes: number): void {
    if (bytes > this.#limits.mostBytes) return
    this.#entries.set(id, { value, bytes, until: performance.now() + this.#limits.ms })
    this.#bytes += bytes
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#limits.most && this.#bytes <= this.#limits.mostBytes) break
      this.delete(oldest)
    }
    this.#sweepLater()
  }

  /** Whether it was there. */
  delete(id: string): boolean {
    this.#bytes -= this.#entries.get(id)?.bytes ?? 0
    return this.#entries.delete(id)
  }

  clear(): void {
    clearTimeout(this.#sweeping)
    this.#sweeping = undefined
    this.#entries.clear()
    this.#bytes = 0
  }

  /** What is old goes even where nobody asks any more. */
  #sweepLater(): void {
    const [oldest] = this.#entries.values()
    if (this.#sweeping || !oldest) return
    const ms = Math.max(0, Math.min(oldest.until - performance.now(), maxTimerMs))
    this.#sweeping = setTimeout(() => this.#sweep(), ms).unref()
  }

  #sweep(): void {
    this.#sweeping = undefined
    const now = performance.now()
    for (const [id, { until }] of this.#entries) if (until <= now) this.delete(id)
    this.#sweepLater()
  }
}
