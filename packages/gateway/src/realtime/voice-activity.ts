import type { TurnDetection } from './settings.js'

/** How much is looked at at once, in ms. */
export const frameMs = 20
/** How long there has to be speech before it counts as such, in ms: what is shorter is a click. */
const shortestSpeechMs = 100
/** Within this time, in ms, gaps between sounds don't count. */
const bridgedMs = 60

/** Tells from the loudness of frames whether somebody speaks. It learns how loud the room is. */
export class LoudnessGate {
  /** Loudness of the room, as the root of the mean square of samples from -1 to 1. */
  #floor = 0.002
  readonly #least: number
  readonly #ratio: number

  /** @param threshold From 0, the least sound is speech, to 1. */
  constructor(threshold: number) {
    this.#least = 0.002 + 0.012 * threshold
    this.#ratio = 1.5 + 3 * threshold
  }

  /** Whether a frame of 16-bit samples is speech. */
  speaks(frame: Int16Array): boolean {
    let sum = 0
    for (const sample of frame) sum += sample * sample
    const loudness = Math.sqrt(sum / Math.max(1, frame.length)) / 0x8000
    // Down at once, since every word has gaps; up slowly, since speech is no noise.
    this.#floor = loudness < this.#floor ? (this.#floor + loudness) / 2 : Math.min(0.05, this.#floor * 1.004)
    this.#floor = Math.max(this.#floor, 0.0005)
    return loudness > Math.max(this.#least, this.#floor * this.#ratio)
  }
}

/** Where speech begins or ends, in ms of what was heard. */
export type Change = { kind: 'started' | 'stopped'; atMs: number }

/** Joins frames to turns of speech. */
export class TurnDetector {
  readonly #silenceMs: number
  #nowMs: number
  /** Start and last sound of the speech that there may be. */
  #sound: { startMs: number; endMs: number } | undefined
  #isSpeaking = false

  /** @param nowMs How much was heard before. */
  constructor({ silenceDurationMs }: Pick<TurnDetection, 'silenceDurationMs'>, nowMs: number) {
    this.#silenceMs = Math.max(frameMs, silenceDurationMs)
    this.#nowMs = nowMs
  }

  get isSpeaking(): boolean {
    return this.#isSpeaking
  }

  /** Takes what was found in the next frame, or in a stretch of several. */
  push(speaks: boolean, lengthMs = frameMs): Change | undefined {
    this.#nowMs += lengthMs
    if (speaks) {
      this.#sound = { startMs: this.#sound?.startMs ?? this.#nowMs - lengthMs, endMs: this.#nowMs }
      const isLong = this.#nowMs - this.#sound.startMs >= shortestSpeechMs
      if (this.#isSpeaking || !isLong) return undefined
      this.#isSpeaking = true
      return { kind: 'started', atMs: this.#sound.startMs }
    }
    if (!this.#sound) return undefined
    const silentMs = this.#nowMs - this.#sound.endMs
    if (silentMs < (this.#isSpeaking ? this.#silenceMs : bridgedMs)) return undefined
    const atMs = this.#sound.endMs
    this.#sound = undefined
    if (!this.#isSpeaking) return undefined
    this.#isSpeaking = false
    return { kind: 'stopped', atMs }
  }

  /** Takes what is said from here on for a new turn. */
  reset(): void {
    this.#sound = undefined
    this.#isSpeaking = false
  }
}
