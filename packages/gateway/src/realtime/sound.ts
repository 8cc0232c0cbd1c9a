import { setImmediate as letOthersRun } from 'node:timers/promises'
import type { Resampler } from '@appfactory/sdk/internal'
import { toPcm } from '../audio/samples.js'
import type { GivenFormat } from './events.table.js'

/** How samples come over a socket: one channel, without a header. */
export interface SoundFormat {
  type: GivenFormat['type']
  /** In Hz. */
  rate: number
}

export const defaultFormat: SoundFormat = { type: 'audio/pcm', rate: 24_000 }

const betaFormats = { pcm16: 'audio/pcm', g711_ulaw: 'audio/pcmu', g711_alaw: 'audio/pcma' } as const

/** A format as clients name it today, or as they did in the beta. */
export function formatOf(given: GivenFormat | keyof typeof betaFormats): SoundFormat {
  const { type, rate } = typeof given === 'string' ? { type: betaFormats[given], rate: undefined } : given
  return { type, rate: type === 'audio/pcm' ? (rate ?? defaultFormat.rate) : 8000 }
}

/** A format as it is told to clients. */
export function formatShown({
  type,
  rate,
}: SoundFormat): { type: 'audio/pcm'; rate: 24_000 } | { type: 'audio/pcmu' | 'audio/pcma' } {
  // The types of clients know one rate alone; others are taken all the same.
  return type === 'audio/pcm' ? { type, rate: rate as 24_000 } : { type }
}

/** How many bytes a sample has. */
export function bytesPerSample({ type }: SoundFormat): number {
  return type === 'audio/pcm' ? 2 : 1
}

/** Samples from -1 to 1 of whole samples. */
export function samplesOf(bytes: Uint8Array, { type }: SoundFormat): Float32Array {
  if (type !== 'audio/pcm') {
    const table = type === 'audio/pcmu' ? tables.ulaw : tables.alaw
    return Float32Array.from(bytes, (byte) => (table[byte] ?? 0) / 0x8000)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Float32Array.from({ length: bytes.length >> 1 }, (_, at) => view.getInt16(at * 2, true) / 0x8000)
}

/** How long whole samples are. */
export function secondsOf(bytes: Uint8Array, format: SoundFormat): number {
  return bytes.length / bytesPerSample(format) / format.rate
}

/** What is worked on at once, in bytes: a tenth of a second of a core would be noticed by others. */
const partBytes = 64 * 1024

/** Whole samples as 16-bit ones at the rate that a resampler makes, a part at a time: others have their turn between. */
export async function* resampled(
  bytes: Uint8Array,
  format: SoundFormat,
  resampler: Resampler,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  for (let start = 0; start < bytes.length; start += partBytes) {
    if (start > 0) await letOthersRun()
    yield toPcm(resampler.push(samplesOf(bytes.subarray(start, start + partBytes), format)))
  }
}

/** The bytes of samples. */
export function bytesOf(samples: Float32Array, { type }: SoundFormat): Uint8Array {
  if (type === 'audio/pcm') return toPcm(samples)
  const encode = type === 'audio/pcmu' ? toUlaw : toAlaw
  return Uint8Array.from(samples, (sample) => encode(Math.round(Math.max(-1, Math.min(1, sample)) * 0x7fff)))
}

const tables = {
  ulaw: Int16Array.from({ length: 256 }, fromUlaw),
  alaw: Int16Array.from({ length: 256 }, fromAlaw),
}

/** G.711: eight segments, each twice as coarse as the one below. */
function fromUlaw(_: unknown, byte: number): number {
  const bits = ~byte & 0xff
  const size = ((((bits & 0x0f) << 3) + 0x84) << ((bits & 0x70) >> 4)) - 0x84
  return bits & 0x80 ? -size : size
}

function toUlaw(sample: number): number {
  const size = Math.min(32_635, Math.abs(sample)) + 0x84
  const segment = 31 - Math.clz32(size) - 7
  const bits = (sample < 0 ? 0x80 : 0) | (segment << 4) | ((size >> (segment + 3)) & 0x0f)
  return ~bits & 0xff
}

function fromAlaw(_: unknown, byte: number): number {
  const bits = byte ^ 0x55
  const segment = (bits & 0x70) >> 4
  const low = ((bits & 0x0f) << 4) + 8
  const size = segment === 0 ? low : (low + 0x100) << (segment - 1)
  return bits & 0x80 ? size : -size
}

function toAlaw(sample: number): number {
  const size = Math.min(0x7fff, sample < 0 ? ~sample : sample)
  const segment = Math.max(0, 31 - Math.clz32(size) - 7)
  const low = segment === 0 ? size >> 4 : size >> (segment + 3)
  return ((sample < 0 ? 0 : 0x80) | (segment << 4) | (low & 0x0f)) ^ 0x55
}
