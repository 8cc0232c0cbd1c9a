import { isUint8Array } from 'node:util/types'
import { decodeWav, sniffAudio, toMono16 } from '../audio.js'

/** The expected properties of a WAV file. Omitted ones are not checked. */
export interface ExpectedWav {
  /** In Hz. */
  sampleRate?: number
  channels?: number
  bitsPerSample?: number
  /** In ms; 20 ms more or less are fine. */
  durationMs?: number
}

export interface ExpectedSilence {
  /** Loudest sample, of 32,767, that still is silence. Default: 100. */
  peak?: number
}

/** The result of a matcher. */
export interface MatcherVerdict {
  pass: boolean
  message(): string
}

const toleranceMs = 20

/** Matchers for audio: bytes, or a result or a piece with the bytes in `audio`. */
export const audioMatchers = {
  toBeWav(received: unknown, expected: ExpectedWav = {}): MatcherVerdict {
    const wav = decodeWav(bytesOf(received))
    if (!wav) return { pass: false, message: () => `expected a WAV file, but got ${describe(received)}` }
    const { sampleRate, channels, bitsPerSample, data } = wav
    const durationMs = (data.length * 8000) / (sampleRate * channels * bitsPerSample)
    const actual: Required<ExpectedWav> = { sampleRate, channels, bitsPerSample, durationMs }
    const wrong = (Object.keys(expected) as (keyof ExpectedWav)[]).filter((key) => {
      const apart = Math.abs((expected[key] ?? actual[key]) - actual[key])
      return apart > (key === 'durationMs' ? toleranceMs : 0)
    })
    const list = wrong.map((key) => `${key} ${expected[key]}, but it is ${actual[key]}`)
    return {
      pass: wrong.length === 0,
      message: () =>
        wrong.length > 0
          ? `expected a WAV file of ${list.join('; ')}`
          : `expected no WAV file ${JSON.stringify(expected)}, but got ${describe(received)}`,
    }
  },

  toBePlayable(received: unknown): MatcherVerdict {
    const bytes = bytesOf(received)
    const wav = decodeWav(bytes)
    const pass = wav ? wav.data.length > 0 : sniffAudio(bytes) !== undefined || isRaw(received, bytes)
    return {
      pass,
      message: () => `expected audio that can${pass ? '’t' : ''} be played, but got ${describe(received)}`,
    }
  },

  toBeSilent(received: unknown, { peak: limit = 100 }: ExpectedSilence = {}): MatcherVerdict {
    const wav = decodeWav(bytesOf(received))
    if (!wav) return { pass: false, message: () => `expected a WAV file, but got ${describe(received)}` }
    const peak = toMono16(wav).reduce((loudest, sample) => Math.max(loudest, Math.abs(sample)), 0)
    const pass = peak <= limit
    return {
      pass,
      message: () =>
        `expected ${pass ? 'more than silence' : 'silence'}, but the loudest sample is ${peak} (limit ${limit})`,
    }
  },
}

function bytesOf(received: unknown): Uint8Array {
  if (isUint8Array(received)) return received
  const audio: unknown =
    typeof received === 'object' && received !== null ? Reflect.get(received, 'audio') : undefined
  return isUint8Array(audio) ? audio : new Uint8Array()
}

/** Samples without a header, with the format needed to play them. */
function isRaw(received: unknown, bytes: Uint8Array): boolean {
  if (bytes.length === 0) return false
  const { format, sampleRate } = received as { format?: unknown; sampleRate?: unknown }
  return format === 'pcm_s16le' && typeof sampleRate === 'number'
}

function describe(received: unknown): string {
  const bytes = bytesOf(received)
  if (bytes.length === 0)
    return isUint8Array(received) ? 'no bytes' : `something without audio (${typeof received})`
  const { format, sampleRate } = sniffAudio(bytes) ?? {}
  return format
    ? `${bytes.length} bytes of ${format}, ${sampleRate} Hz`
    : `${bytes.length} bytes of no known format`
}
