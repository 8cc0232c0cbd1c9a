import { concat, joinWav } from '../../../sdk/src/wav.js'
import { endingOf } from './format.js'
import { decodeWav, encodeWav, joinSounds, wrapPcm } from './wav.js'

/** Sound of a result, or of one piece of it, as the contract says. */
export interface SpeechPart {
  bytes: Uint8Array<ArrayBuffer>
  format: string | undefined
  /** In Hz. */
  sampleRate: number | undefined
  channels: number | undefined
}

/** Makes one file of all parts: WAV files are joined, samples get a header, and other files follow one another. */
export function fileOf(parts: readonly SpeechPart[]): Uint8Array<ArrayBuffer> | undefined {
  const [first] = parts
  if (!first) return undefined
  const whole = parts.length === 1 ? first.bytes : concat(parts.map(({ bytes }) => bytes))
  if (isRaw(first)) return wrapPcm(whole, { sampleRate: first.sampleRate, channels: first.channels })
  if (parts.length === 1) return whole
  const alike = joinWav(parts.map(({ bytes }) => bytes))
  if (alike) return alike
  const sounds = parts.flatMap(({ bytes }) => decodeWav(bytes) ?? [])
  return sounds.length === parts.length ? encodeWav(joinSounds(sounds)) : whole
}

function isRaw({ bytes, format = '' }: SpeechPart): boolean {
  return endingOf(bytes) === undefined && /^(pcm|s16|raw)/i.test(format)
}
