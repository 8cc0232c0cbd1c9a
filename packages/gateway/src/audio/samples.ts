import { encodeWav, toMono16, type WavAudio } from '@appfactory/sdk'

/** Rates that are read and made, in Hz: a file may claim any. */
const lowestRate = 1000
const highestRate = 384_000

/** Whether a file’s rate can be that of sound. */
export function isRate(sampleRate: number): boolean {
  return sampleRate >= lowestRate && sampleRate <= highestRate
}

/** Samples of one channel, from -1 to 1. */
export interface Sound {
  samples: Float32Array
  /** In Hz. */
  sampleRate: number
}

/** The average of all channels. */
export function toMono(channels: readonly Float32Array[]): Float32Array {
  const [first = new Float32Array()] = channels
  if (channels.length < 2) return first
  return first.map((_, index) => {
    let sum = 0
    for (const channel of channels) sum += channel[index] ?? 0
    return sum / channels.length
  })
}

/** What plain samples sound like. */
export function soundOf(audio: WavAudio): Sound {
  const plain = toMono16(audio)
  const samples = new Float32Array(plain.length)
  for (let index = 0; index < plain.length; index++) samples[index] = (plain[index] ?? 0) / 0x8000
  return { samples, sampleRate: audio.sampleRate }
}

/** 16 bits a sample, little-endian. */
export function toPcm(samples: Float32Array): Uint8Array<ArrayBuffer> {
  const pcm = new Int16Array(samples.length)
  for (let index = 0; index < samples.length; index++)
    pcm[index] = Math.max(-0x8000, Math.min(0x7fff, Math.round((samples[index] ?? 0) * 0x8000)))
  return new Uint8Array(pcm.buffer)
}

/** The header of a WAV file of 16-bit mono whose length nobody knows yet. */
export function openWavHeader(sampleRate: number): Uint8Array {
  const header = encodeWav(new Int16Array(), { sampleRate })
  return setWavLength(header, 0xffff_ffff, 0xffff_ffff)
}

/** Tells a WAV file of 16-bit samples that is whole how long it is. */
export function closeWav(file: Uint8Array): Uint8Array {
  return setWavLength(file, file.length - 8, file.length - 44)
}

function setWavLength(file: Uint8Array, riff: number, data: number): Uint8Array {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  view.setUint32(4, riff, true)
  view.setUint32(40, data, true)
  return file
}

/** Joins arrays of bytes. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.length
  }
  return joined
}
