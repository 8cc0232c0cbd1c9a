import { decodeWav as decodeReference, encodeWav as encodeReference } from '@appfactory/sdk'
import { expect, it } from 'vitest'
import { decodeWav, duration, encodeWav, joinSounds, peaksOf } from '../src/audio/wav.js'

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

it('joins sounds of one rate, and draws their peaks', () => {
  const one = { samples: new Float32Array([0, 0.5]), sampleRate: 10 }
  const two = { samples: new Float32Array([-1, 0]), sampleRate: 10 }
  const both = joinSounds([one, two])
  expect(both && [...both.samples]).toEqual([0, 0.5, -1, 0])
  expect(both && [...peaksOf(both, 2)]).toEqual([0.5, 1])
  expect(joinSounds([one, { ...two, sampleRate: 20 }])).toBeUndefined()
})
