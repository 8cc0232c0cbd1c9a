/** Lines that may be logged in a burst, and per second after that. A longer line counts once for each KiB. */
interface Rate {
  burst: number
  perSecond: number
}

/** Of one plugin. */
const pluginRate: Rate = { burst: 20_000, perSecond: 1000 }

const charactersPerLine = 1024

/** How often the number of dropped lines is reported, in ms. */
const tellMs = 1000

/** How much may be logged of one thing. Further lines are dropped and counted. */
export class LogBudget {
  readonly #rate: Rate
  #left: number
  #filledAt = performance.now()
  #dropped = 0
  #droppedInAll = 0
  #telling: NodeJS.Timeout | undefined
  readonly #tell: (dropped: number) => void

  /** @param tell Called at most once a second, with the number of lines dropped since. */
  constructor(tell: (dropped: number) => void, rate = pluginRate) {
    this.#tell = tell
    this.#rate = rate
    this.#left = rate.burst
  }

  /** Number of dropped lines so far. */
  get dropped(): number {
    return this.#droppedInAll
  }

  get isUsedUp(): boolean {
    if (this.#left >= 1) return false
    this.#fill()
    return this.#left < 1
  }

  /** Whether a line of that length may be logged. It is counted either way. */
  take(length: number): boolean {
    if (this.isUsedUp) {
      this.drop(1)
      return false
    }
    this.#left -= 1 + Math.floor(length / charactersPerLine)
    return true
  }

  drop(lines: number): void {
    if (lines === 0) return
    this.#dropped += lines
    this.#droppedInAll += lines
    this.#telling ??= setTimeout(() => this.tell(), tellMs).unref()
  }

  /** Reports dropped lines now, for example at the end. */
  tell(): void {
    clearTimeout(this.#telling)
    this.#telling = undefined
    const dropped = this.#dropped
    this.#dropped = 0
    if (dropped > 0) this.#tell(dropped)
  }

  #fill(): void {
    const now = performance.now()
    const { burst, perSecond } = this.#rate
    this.#left = Math.min(burst, this.#left + ((now - this.#filledAt) / 1000) * perSecond)
    this.#filledAt = now
  }
}
