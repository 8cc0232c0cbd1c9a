import { type Beat, beatBytes } from './beat.js'
import type { Bus } from './bus.js'

export interface BeatsOptions {
  bus: Bus
  subject: string
  /** What is told now. */
  beat(): Beat
  /** Whether there is work, so that it is told more often. */
  isBusy(): boolean
  /** One was told. */
  onBeat(): void
}

/** Time between two beats in ms, while there is work and otherwise. */
const everyMs = { busy: 250, idle: 1000 } as const
/** Changes of one moment are told together, in ms. */
const changeMs = 10

/** Tells callers how a node is: at once where something changes, and from time to time. */
export class Beats {
  readonly #options: BeatsOptions
  readonly #ticking: NodeJS.Timeout
  #toldAt = Number.NEGATIVE_INFINITY
  #change: NodeJS.Timeout | undefined
  #isOver = false

  constructor(options: BeatsOptions) {
    this.#options = options
    this.#ticking = setInterval(() => this.#tick(), everyMs.busy)
    this.tell()
  }

  /** Something has changed. */
  changed(): void {
    if (!this.#isOver) this.#change ??= setTimeout(() => this.tell(), changeMs)
  }

  tell(): void {
    const { bus, subject, beat, onBeat } = this.#options
    clearTimeout(this.#change)
    this.#change = undefined
    this.#toldAt = performance.now()
    bus.publish(subject, beatBytes(beat()))
    onBeat()
  }

  end(): void {
    this.#isOver = true
    clearInterval(this.#ticking)
    clearTimeout(this.#change)
  }

  #tick(): void {
    const { isBusy } = this.#options
    // A timer may be a little early.
    if (isBusy() || performance.now() - this.#toldAt >= everyMs.idle - everyMs.busy / 2) this.tell()
  }
}
