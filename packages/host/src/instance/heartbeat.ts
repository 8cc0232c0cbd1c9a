import { repeatEvery } from '../waiting.js'

export interface HeartbeatOptions {
  /** Asks for a sign of life. */
  ping(): Promise<unknown>
  /** Answers, pieces and credit that have arrived so far: what only the plugin itself can have sent. */
  received(): number
  /** Whether what it says is not read for now. */
  isPaused(): boolean
  /** The longest silence that is taken for life, in ms; Infinity: any. */
  timeoutMs: number
  onSilence(): void
}

/** Silence is measured in beats, so that a host that was itself held up blames nobody for it. */
const beatsOfSilence = 5

/** Notices that a plugin's event loop does not turn, without waiting for a call to time out. */
export class Heartbeat {
  /** How long the last ping took there and back, in ms; long where the event loop is held up. Undefined: none yet. */
  delayMs: number | undefined
  readonly #options: HeartbeatOptions
  readonly #timer: NodeJS.Timeout | undefined
  #received = 0
  #missed = 0
  #waiting = false

  constructor(options: HeartbeatOptions) {
    this.#options = options
    this.#timer = repeatEvery(options.timeoutMs / beatsOfSilence, () => this.#beat())
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #beat(): void {
    const received = this.#options.received()
    const isSilent = this.#waiting && received === this.#received && !this.#options.isPaused()
    this.#missed = isSilent ? this.#missed + 1 : 0
    this.#received = received
    if (this.#missed >= beatsOfSilence) {
      this.stop()
      this.#options.onSilence()
    } else if (!this.#waiting) void this.#ping()
  }

  async #ping(): Promise<void> {
    const before = performance.now()
    this.#waiting = true
    try {
      await this.#options.ping()
    } catch {
      // An error is an answer too.
    } finally {
      this.#waiting = false
      this.delayMs = performance.now() - before
    }
  }
}
