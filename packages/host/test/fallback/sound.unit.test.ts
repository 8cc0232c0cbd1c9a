import { setImmediate as nextTurn } from 'node:timers/promises'
import { encodeWav, sniffAudio } from '@appfactory/sdk'
import { Bytes } from '@appfactory/sdk/internal'
import { expect, test } from 'vitest'
import { hasSound, SoundFitter } from '../../src/fallback/sound.js'

/** A tone of 440 Hz as samples without a header. */
function tone(samples: number, rate: number): Buffer {
  const sound = Int16Array.from({ length: samples }, (_, index) =>
    Math.round(10_000 * Math.sin((2 * Math.PI * 440 * index) / rate)),
  )
  return Buffer.from(sound.buffer)
}

function piece(sound: Uint8Array, rate: number, format = 'pcm_s16le', channels = 1): object {
  return { audio_b64: new Bytes(sound), format, sample_rate: rate, channels, text: 'kept' }
}

function bytesOf(value: unknown): Uint8Array {
  if (!hasSound(value)) throw new Error('There is no sound')
  const { audio_b64: audio } = value
  return audio instanceof Bytes ? audio.data : Buffer.from(String(audio), 'base64')
}

/** Of a whole stream that is cut into pieces of so many bytes. */
async function streamed(sound: Uint8Array, from: number, to: number, size: number): Promise<Uint8Array> {
  const fitter = new SoundFitter(to)
  const parts: Uint8Array[] = []
  for (let start = 0; start < sound.length; start += size)
    parts.push(bytesOf(await fitter.fit(piece(sound.subarray(start, start + size), from))))
  const rest = fitter.end()
  return Buffer.concat([...parts, ...(rest ? [bytesOf(rest)] : [])])
}

test('pieces sound the same however they are cut, within a sample too', async () => {
  const sound = tone(4000, 16_000)
  const whole = await streamed(sound, 16_000, 24_000, sound.length)
  expect(whole.length).toBe(6000 * 2)
  expect(Buffer.compare(await streamed(sound, 16_000, 24_000, 333), whole)).toBe(0)
})

test('the tone is the same one', async () => {
  const made = await streamed(tone(1600, 16_000), 16_000, 24_000, 3200)
  const wanted = tone(2400, 24_000)
  const middle = [800, 1200, 1601].map((index) => 2 * index)
  for (const at of middle)
    expect(Math.abs(Buffer.from(made).readInt16LE(at) - wanted.readInt16LE(at))).toBeLessThan(200)
})

test('both channels stay what they are', async () => {
  const left = tone(1600, 16_000)
  const both = Buffer.alloc(left.length * 2)
  for (let at = 0; at < left.length; at += 2) both.writeInt16LE(left.readInt16LE(at), at * 2)
  const fitted = await new SoundFitter(8000).fitAll(piece(both, 16_000, 'pcm_s16le', 2))
  const made = Buffer.from(bytesOf(fitted))
  expect(made.length).toBe(800 * 4)
  for (let at = 0; at < made.length; at += 4) expect(made.readInt16LE(at + 2)).toBe(0)
  expect(fitted).toMatchObject({ channels: 2, sample_rate: 8000, text: 'kept' })
})

test('a file stays a file, with both channels', async () => {
  const file = encodeWav(new Int16Array(1600), { sampleRate: 16_000, channels: 2 })
  const fitted = bytesOf(await new SoundFitter(8000).fitAll(piece(file, 16_000, 'wav', 2)))
  expect(sniffAudio(fitted)).toMatchObject({ sampleRate: 8000, channels: 2, durationMs: 50 })
})

test.each([
  ['encoded sound', piece(new Uint8Array(100), 16_000, 'mp3')],
  ['a rate that is none', piece(new Uint8Array(100), 1)],
  ['a rate that is no number', piece(new Uint8Array(100), Number.NaN)],
  ['too many channels', piece(new Uint8Array(100), 16_000, 'pcm_s16le', 1000)],
  ['a file that is none', piece(new Uint8Array(100), 16_000, 'wav')],
  ['sound of the right rate', piece(new Uint8Array(100), 24_000)],
  ['text', { text: 'Hello' }],
])('%s is left as it is', async (_, value) => {
  const before = { ...value }
  expect(await new SoundFitter(24_000).fitAll(value)).toEqual(before)
})

test('long sound is worked on in turns', async () => {
  let turns = 0
  let isOver = false
  const counting = (async () => {
    for (; !isOver; turns++) await nextTurn()
  })()
  await new SoundFitter(24_000).fitAll(piece(new Uint8Array(2 * 200_000), 16_000))
  isOver = true
  await counting
  expect(turns).toBeGreaterThan(20)
})
