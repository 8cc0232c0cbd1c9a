import { encodeWav } from '../audio.js'

export interface SampleAudioOptions {
  /** Default: 1000. */
  durationMs?: number
  /** In Hz. Default: 16,000. */
  sampleRate?: number
}

/**
 * A WAV file, 16 bit and mono: the faint hiss of a quiet room. The same every time.
 *
 * @example await plugin.transcribe(sampleAudio({ durationMs: 500 }))
 */
export function sampleAudio({ durationMs = 1000, sampleRate = 16_000 }: SampleAudioOptions = {}): Uint8Array {
  const samples = new Int16Array(Math.round((durationMs * sampleRate) / 1000))
  let noise = 1
  for (let index = 0; index < samples.length; index++) {
    // A generator of Park and Miller: the same noise everywhere.
    noise = (noise * 48_271) % 2_147_483_647
    samples[index] = Math.round((noise / 2_147_483_647 - 0.5) * 40)
  }
  return encodeWav(samples, { sampleRate })
}
