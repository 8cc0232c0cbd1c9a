import { maxTimerMs, startTimer } from '@appfactory/sdk/internal'

export interface StandingOptions {
  leaveAfter: number
  returnAfter: number
  probeIntervalMs: number
  /** Whether the plugin works, as far as can be told without a caller. Never rejects. */
  probe(): Promise<boolean>
  /** It gets calls from now on, or it does not. */
  changed(): void
}

/** The pause between two probes does not become longer than so many of its first length. */
const longestPause = 64

type State =
  /** `isOnTrial`: it has come back, and no caller has had an answer yet. */
  { is: 'in'; failures: number; isOnTrial: boolean } | { is: 'away'; reason: string; successes: number }

/**
 * Whether a plugin gets the calls of a fallback. It leaves after several failures in a row, or at once where it is down. It comes
 * back after several good probes in a row, on trial: the next failure sends it away for twice as long.
 */
export class Standing {
  readonly #options: StandingOptions
  #state: State = { is: 'in', failures: 0, isOnTrial: false }
  #relapses = 0
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(options: StandingOptions) {
    this.#options = options
  }

  get isAway(): boolean {
    return this.#state.is === 'away'
  }

  /** Why it is away. */
  get reason(): string | undefined {
    return this.#state.is === 'away' ? this.#state.reason : undefined
  }

  /** A caller has had its answer. */
  answered(): void {
    const state = this.#state
    if (state.is === 'away') {
      this.#return()
      return
    }
    if (state.failures === 0 && !state.isOnTrial) return
    this.#relapses = 0
    this.#state = { is: 'in', failures: 0, isOnTrial: false }
  }

  /** A caller’s call has failed, through the fault of the plugin. */
  failed(reason: string): void {
    const state = this.#state
    if (state.is === 'away') return
    state.failures += 1
    if (state.isOnTrial || state.failures >= this.#options.leaveAfter) this.leave(reason)
  }

  /** It gets no calls until probes succeed. */
  leave(reason: string): void {
    if (this.#isClosed || this.#state.is === 'away') return
    if (this.#state.isOnTrial) this.#relapses += 1
    this.#state = { is: 'away', reason, successes: 0 }
    this.#probeLater()
    this.#options.changed()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  #return(): void {
    clearTimeout(this.#timer)
    this.#state = { is: 'in', failures: 0, isOnTrial: true }
    this.#options.changed()
  }

  #probeLater(): void {
    clearTimeout(this.#timer)
    if (this.#isClosed) return
    const pause = this.#options.probeIntervalMs * Math.min(longestPause, 2 ** this.#relapses)
    this.#timer = startTimer(Math.min(pause, maxTimerMs), () => void this.#probe())?.unref()
  }

  async #probe(): Promise<void> {
    const state = this.#state
    if (state.is !== 'away') return
    const isGood = await this.#options.probe()
    // A caller’s answer has brought it back meanwhile, or it has left again.
    if (this.#state !== state || this.#isClosed) return
    state.successes = isGood ? state.successes + 1 : 0
    if (state.successes >= this.#options.returnAfter) this.#return()
    else this.#probeLater()
  }
}
