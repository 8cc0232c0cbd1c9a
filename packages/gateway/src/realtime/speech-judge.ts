import { encodeWav } from '@appfactory/sdk'
import { hearingRate } from '../audio/jobs.js'
import type { Directory } from '../models.js'
import { frameMs, LoudnessGate } from './voice-activity.js'

/** Tells whether somebody speaks in a stretch of 16-bit samples at `hearingRate`. */
export interface SpeechJudge {
  readonly stretchMs: number
  speaks(stretch: Uint8Array): boolean | Promise<boolean>
}

/** A loaded plugin of the contract `vad` if there is one; else how loud it is. */
export function judgeOf(directory: Directory, threshold: number): SpeechJudge {
  return directory.hasSpeechDetector() ? new PluginJudge(directory, threshold) : new LoudnessJudge(threshold)
}

class LoudnessJudge implements SpeechJudge {
  readonly stretchMs = frameMs
  readonly #gate: LoudnessGate

  constructor(threshold: number) {
    this.#gate = new LoudnessGate(threshold)
  }

  speaks(stretch: Uint8Array): boolean {
    return this.#gate.speaks(samplesIn(stretch))
  }
}

/** How much of the past a plugin hears with each stretch, in bytes: it needs to get used to a room. */
const memoryBytes = hearingRate * 2

/** Asks a plugin, and goes by loudness once it fails. */
class PluginJudge implements SpeechJudge {
  readonly stretchMs = 100
  readonly #directory: Directory
  readonly #gate: LoudnessGate
  #heard = new Uint8Array()
  #hasFailed = false

  constructor(directory: Directory, threshold: number) {
    this.#directory = directory
    this.#gate = new LoudnessGate(threshold)
  }

  async speaks(stretch: Uint8Array): Promise<boolean> {
    const isLoud = this.#gate.speaks(samplesIn(stretch))
    if (this.#hasFailed) return isLoud
    const all = Buffer.concat([this.#heard, stretch])
    this.#heard = new Uint8Array(all.subarray(Math.max(0, all.length - memoryBytes)))
    const wav = encodeWav(samplesIn(this.#heard), { sampleRate: hearingRate })
    try {
      const lastMs = await this.#directory.lastSpeechMs(wav)
      return lastMs > this.#heard.length / (hearingRate / 500) - this.stretchMs
    } catch {
      this.#hasFailed = true
      return isLoud
    }
  }
}

function samplesIn(stretch: Uint8Array): Int16Array {
  return new Int16Array(stretch.buffer, stretch.byteOffset, stretch.length >> 1)
}
