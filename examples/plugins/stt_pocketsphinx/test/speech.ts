import { decodeWav, encodeWav, toMono16 } from '@appfactory/sdk'
import FlitePlugin from '@appfactory-examples/tts-flite'
import { Resampler } from '../src/resampler.js'

const flite = new FlitePlugin()

/** Speech as 16-bit mono samples at 16 kHz, by the voice that recognisers understand best. */
export async function speak(text: string): Promise<Int16Array> {
  const { audio } = await flite.synthesize(text, 'rms')
  const wav = decodeWav(audio)
  if (!wav) throw new Error('not a WAV file')
  return toMono16(wav)
}

export function wavOf(samples: Int16Array, sampleRate = 16_000): Uint8Array {
  return encodeWav(samples, { sampleRate })
}

export function resampled(samples: Int16Array, sampleRate: number): Int16Array {
  const resampler = new Resampler(16_000, sampleRate)
  return Int16Array.from([...resampler.push(samples), ...resampler.end()])
}

/** The same samples on two channels. */
export function stereoWavOf(samples: Int16Array, sampleRate: number): Uint8Array {
  const both = Int16Array.from({ length: 2 * samples.length }, (_, index) => samples[index >> 1] ?? 0)
  return encodeWav(both, { sampleRate, channels: 2 })
}

export function bytesOf(samples: Int16Array): Uint8Array {
  return new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength)
}

export function* cut(bytes: Uint8Array, length: number): Generator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += length) yield bytes.subarray(start, start + length)
}
