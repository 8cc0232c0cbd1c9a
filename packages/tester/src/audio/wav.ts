// Read as the SDK does; its other files need Node.
import {
  buildWav,
  hasPlainSamples,
  littleEndianSamples,
  plainFormatChunk,
  readWav,
  sampleAt,
  type WavFile,
} from '../../../sdk/src/wav.js'

/** Sound as samples from -1 to 1, of one channel. */
export interface Sound {
  samples: Float32Array
  sampleRate: number
}

export function duration({ samples, sampleRate }: Sound): number {
  return samples.length / sampleRate
}

/** Reads a WAV file of uncompressed samples; undefined for anything else. */
export function decodeWav(file: Uint8Array): Sound | undefined {
  const wav = readWav(file)
  const data = wav && hasPlainSamples(wav) ? littleEndianSamples(wav) : undefined
  return wav && data && mix(data, wav)
}

/** Whether it is a WAV file of 16-bit samples, which whatever reads WAV files can read. */
export function isPlainWav(file: Uint8Array): boolean {
  const { encoding, bitsPerSample, bigEndian } = readWav(file) ?? {}
  return encoding === 1 && bitsPerSample === 16 && !bigEndian
}

/** Makes a WAV file of 16-bit samples. */
export function encodeWav({ samples, sampleRate }: Sound): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(samples.length * 2)
  const view = new DataView(data.buffer)
  samples.forEach((sample, index) => {
    view.setInt16(index * 2, Math.max(-1, Math.min(1, sample)) * 0x7fff, true)
  })
  return wrapPcm(data, { sampleRate, channels: 1 })
}

interface PcmShape {
  /** In Hz. Default: 24000. */
  sampleRate?: number | undefined
  /** Default: 1. */
  channels?: number | undefined
}

/** Gives samples of 16 bits the header of a WAV file. */
export function wrapPcm(
  data: Uint8Array,
  { sampleRate = 24_000, channels = 1 }: PcmShape,
): Uint8Array<ArrayBuffer> {
  return buildWav(plainFormatChunk({ sampleRate, channels, bitsPerSample: 16, float: false }), data)
}

/** One sound after another, at the rate of the first one. */
export function joinSounds(sounds: readonly Sound[]): Sound {
  const sampleRate = sounds[0]?.sampleRate ?? 24_000
  const parts = sounds.map((sound) => resample(sound, sampleRate))
  const samples = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    samples.set(part, at)
    at += part.length
  }
  return { samples, sampleRate }
}

/** Between two samples goes what lies on the line between them. */
function resample({ samples, sampleRate }: Sound, wanted: number): Float32Array {
  if (sampleRate === wanted) return samples
  const step = sampleRate / wanted
  return Float32Array.from({ length: Math.floor(samples.length / step) }, (_, index) => {
    const before = Math.floor(index * step)
    const from = samples[before] ?? 0
    return from + ((samples[before + 1] ?? from) - from) * (index * step - before)
  })
}

/** The loudest sample of each of `count` equal parts, from 0 to 1. */
export function peaksOf({ samples }: Sound, count: number): Float32Array {
  const peaks = new Float32Array(count)
  const step = samples.length / count
  for (let part = 0; part < count; part += 1) {
    const end = Math.min(samples.length, Math.ceil((part + 1) * step))
    let peak = 0
    for (let at = Math.floor(part * step); at < end; at += 1)
      peak = Math.max(peak, Math.abs(samples[at] ?? 0))
    peaks[part] = peak
  }
  return peaks
}

function mix(data: Uint8Array, { channels, sampleRate, bitsPerSample, encoding }: WavFile): Sound {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const bytes = bitsPerSample / 8
  const samples = new Float32Array(Math.floor(data.length / bytes / channels))
  for (let frame = 0; frame < samples.length; frame += 1) {
    let sum = 0
    for (let channel = 0; channel < channels; channel += 1)
      sum += sampleAt(view, (frame * channels + channel) * bytes, bitsPerSample, encoding === 3)
    samples[frame] = sum / channels
  }
  return { samples, sampleRate }
}
