/** One period of a wave: `phase` runs from 0 to 1, the value from -1 to 1. */
type Waveform = (phase: number) => number

const waveforms = {
  sine: (phase) => Math.sin(2 * Math.PI * phase),
  square: (phase) => (phase < 0.5 ? 1 : -1),
  triangle: (phase) => 1 - 4 * Math.abs(phase - 0.5),
  sawtooth: (phase) => 2 * phase - 1,
} satisfies Record<string, Waveform>

export type ToneVoice = keyof typeof waveforms

export const toneVoices = Object.keys(waveforms) as readonly ToneVoice[]

export function isToneVoice(id: string): id is ToneVoice {
  return Object.hasOwn(waveforms, id)
}

export interface ToneSettings {
  voice: ToneVoice
  /** In Hz. */
  sampleRate: number
  /** 1 is normal; 2 is twice as fast. */
  speed: number
  /** 1 is normal. */
  volume: number
}

const toneMs = 80
const pauseMs = 60
/** Fades the ends of a tone, which would click without. */
const fadeMs = 5
const normalAmplitude = 0.25 * 32_767
/** Two octaves of a pentatonic scale, in semitones: any sequence of its tones sounds well. */
const scale = [0, 2, 4, 7, 9, 12, 14, 16, 19, 21]

/** Turns text to tones, the same text to the same tones. Stands for an engine that takes long to load. */
export class ToneEngine {
  /** Plays each character as a tone and white space as a pause. */
  render(text: string, settings: ToneSettings): Int16Array {
    const framesOf = (ms: number): number => Math.round((ms * settings.sampleRate) / (1000 * settings.speed))
    const parts = [...text.trim().replace(/\s+/g, ' ')].map((character) =>
      character === ' '
        ? new Int16Array(framesOf(pauseMs))
        : this.#tone(character, framesOf(toneMs), settings),
    )
    return joinSamples(parts)
  }

  #tone(character: string, frames: number, { voice, sampleRate, volume }: ToneSettings): Int16Array {
    const step = frequencyOf(character) / sampleRate
    const fadeFrames = (fadeMs * sampleRate) / 1000
    const wave = waveforms[voice]
    return Int16Array.from({ length: frames }, (_, frame) => {
      const fade = Math.min(1, frame / fadeFrames, (frames - frame) / fadeFrames)
      const sample = wave((frame * step) % 1) * normalAmplitude * volume * fade
      // A loud volume is cut off here; the array would wrap it round to the other sign.
      return Math.max(-32_768, Math.min(32_767, Math.round(sample)))
    })
  }
}

function frequencyOf(character: string): number {
  const middleC = 261.63
  const code = character.toLowerCase().codePointAt(0) ?? 0
  const semitones = scale[code % scale.length] ?? 0
  return middleC * 2 ** (semitones / 12)
}

function joinSamples(parts: readonly Int16Array[]): Int16Array {
  const joined = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.length
  }
  return joined
}
