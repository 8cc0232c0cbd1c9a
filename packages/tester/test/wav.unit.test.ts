import { decodeWav as decodeReference, encodeWav as encodeReference } from '@appfactory/sdk'
import { expect, it } from 'vitest'
import { fileOf } from '../src/audio/speech.js'
import { decodeWav, duration, encodeWav, isPlainWav, joinSounds, peaksOf, wrapPcm } from '../src/audio/wav.js'

const tone = Int16Array.from({ length: 800 }, (_, index) => Math.sin(index / 5) * 20_000)

it('reads what the SDK writes, and writes what the SDK reads', () => {
  const sound = decodeWav(encodeReference(tone, { sampleRate: 8000 }))
  expect(sound).toMatchObject({ sampleRate: 8000 })
  expect(sound && duration(sound)).toBe(0.1)
  expect(sound?.samples[10]).toBeCloseTo((tone[10] ?? 0) / 32_768, 3)
  const again = sound && decodeReference(encodeWav(sound))
  expect(again).toMatchObject({ sampleRate: 8000, channels: 1, bitsPerSample: 16 })
  expect(again?.data).toHaveLength(1600)
})

it.each([
  ['nothing', new Uint8Array()],
  ['no WAV file', new Uint8Array(100)],
  ['a header alone', encodeReference(tone, { sampleRate: 8000 }).slice(0, 30)],
])('%s is no sound', (_what, bytes) => {
  expect(decodeWav(bytes)).toBeUndefined()
})

/** A WAV file of one channel with samples of any kind. */
function wavOf(format: number, bits: number, data: Uint8Array): Uint8Array {
  const file = wrapPcm(data, { sampleRate: 8000 })
  const view = new DataView(file.buffer)
  view.setUint16(20, format, true)
  view.setUint16(34, bits, true)
  return file
}

it.each([
  ['8 bits', 1, 8, Uint8Array.of(0x80, 0xc0, 0x00)],
  ['24 bits', 1, 24, Uint8Array.of(0, 0, 0, 0, 0, 0x40, 0, 0, 0x80)],
  ['32 bits', 1, 32, new Uint8Array(Int32Array.of(0, 0x40000000, -0x80000000).buffer)],
  ['floats', 3, 32, new Uint8Array(Float32Array.of(0, 0.5, -1).buffer)],
])('reads samples of %s', (_what, format, bits, data) => {
  const file = wavOf(format, bits, data)
  expect([...(decodeWav(file)?.samples ?? [])]).toEqual([0, 0.5, -1])
  expect(isPlainWav(file)).toBe(false)
  expect(isPlainWav(encodeReference(tone, { sampleRate: 8000 }))).toBe(true)
})

it('joins sounds of one rate, and draws their peaks', () => {
  const one = { samples: new Float32Array([0, 0.5]), sampleRate: 10 }
  const two = { samples: new Float32Array([-1, 0]), sampleRate: 10 }
  const both = joinSounds([one, two])
  expect([...both.samples]).toEqual([0, 0.5, -1, 0])
  expect([...peaksOf(both, 2)]).toEqual([0.5, 1])
  const faster = joinSounds([one, { samples: new Float32Array([0, 0.5, 1, 1]), sampleRate: 20 }])
  expect([...faster.samples]).toEqual([0, 0.5, 0, 1])
})

it('reads a file whose header was never completed, and one of 64-bit floats, as the SDK does', () => {
  const file = encodeReference(tone, { sampleRate: 8000 })
  const view = new DataView(file.buffer)
  view.setUint32(4, 36, true)
  view.setUint32(40, 0, true)
  const sound = decodeWav(file)
  expect(sound && duration(sound)).toBe(0.1)
  const floats = wavOf(3, 64, new Uint8Array(Float64Array.of(0, 0.5, -1).buffer))
  expect([...(decodeWav(floats)?.samples ?? [])]).toEqual([0, 0.5, -1])
})

it('joins files of mu-law without a change of their bytes', () => {
  const bytes = wavOf(7, 8, new Uint8Array(400).fill(9)) as Uint8Array<ArrayBuffer>
  const part = { bytes, format: 'wav', sampleRate: 8000, channels: 1 }
  const joined = fileOf([part, part])
  expect(joined && [joined.length, decodeWav(joined)]).toEqual([844, undefined])
})
