import type { Worth } from './fair-reader.js'

/** Counts what the other end sends, by its use. */
export class ReceivedCounts {
  /** Answers, pieces and credit that a call waited for. */
  received = 0
  /** Lines and requests that nobody wants. */
  noise = 0
  /** Replies to unknown or finished calls. */
  droppedReplies = 0
  /** Noise that was not logged either. */
  #droppedNoise = 0
  /** Lines of nothing, which count as no noise. */
  #blank = 0
  /** The counts when `worth()` was last called, and what it returned. */
  #judged: { asked: number; unasked: number; dropped: number; worth: Worth } = {
    asked: 0,
    unasked: 0,
    dropped: 0,
    worth: 'asked',
  }

  countReply(wasAwaited: boolean): void {
    if (wasAwaited) this.received += 1
    else this.droppedReplies += 1
  }

  countNoise(wasKept: boolean): void {
    this.noise += 1
    if (!wasKept) this.#droppedNoise += 1
  }

  countBlank(): void {
    this.#blank += 1
  }

  /** What most of that was good for which came since the last call of this. Part of a line says nothing. */
  worth(): Worth {
    const asked = this.received - this.#judged.asked
    const unasked = this.#unasked - this.#judged.unasked
    const dropped = this.#dropped - this.#judged.dropped
    if (asked + unasked === 0) return this.#judged.worth
    const worth = asked >= unasked ? 'asked' : dropped > 0 ? 'dropped' : 'kept'
    this.#judged = { asked: this.received, unasked: this.#unasked, dropped: this.#dropped, worth }
    return worth
  }

  get #unasked(): number {
    return this.noise + this.droppedReplies + this.#blank
  }

  get #dropped(): number {
    return this.#droppedNoise + this.droppedReplies + this.#blank
  }
}
