import { createHash } from 'node:crypto'
import { decodeWav, encodeWav, sniffAudio } from '@appfactory/sdk'
import { Resampler } from '@appfactory/sdk/internal'
import decodeAac from '@audio/decode-aac'
import { FLACDecoder } from '@wasm-audio-decoders/flac'
import CodecParser from 'codec-parser'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createOggEncoder } from 'wasm-media-encoders'
import type { Encoding, Making } from '../../src/audio/encode.js'
import { codedNumber } from '../../src/audio/flac.js'
import { hear, SpeechJob } from '../../src/audio/jobs.js'
import { OggWriter, packetsOf } from '../../src/audio/ogg.js'
import { AudioProblem } from '../../src/audio/problem.js'
import { joinBytes } from '../../src/audio/samples.js'
import { encodeFlac } from './flac.js'
import { heard, soundOfPcm, tone } from './sound.js'
import { webmOf } from './webm.js'

const piece = (samples: Int16Array, sampleRate: number) => ({
  audio: encodeWav(samples, { sampleRate }),
  format: 'wav',
  sampleRate,
  channels: 1,
})

const streamed = (encoding: Encoding): Making => ({
  encoding,
  sampleRate: undefined,
  isStreamed: true,
  mostSeconds: 10,
})
const whole = (encoding: Encoding): Making => ({ ...streamed(encoding), isStreamed: false })

async function encode(
  making: Encoding | Making,
  pieces: readonly ReturnType<typeof piece>[],
): Promise<Uint8Array> {
  const job = new SpeechJob(typeof making === 'string' ? streamed(making) : making)
  const parts: Uint8Array[] = []
  for (const each of pieces) parts.push(await job.push(each))
  parts.push(await job.end())
  job.free()
  return joinBytes(parts)
}

const controller = (): { abort(): void; signal: AbortSignal } => {
  const abort = new AbortController()
  return { abort: () => abort.abort(), signal: abort.signal }
}
const waiting = new AbortController().signal

async function listen(file: Uint8Array): Promise<ReturnType<typeof heard>> {
  return heard(soundOfPcm(await hear(file, waiting), 16_000))
}

describe('Resampler', () => {
  const float = (samples: Int16Array): Float32Array => Float32Array.from(samples, (sample) => sample / 0x8000)

  it.each([8000, 11_025, 22_050, 24_000, 44_100, 48_000, 192_000])('keeps a tone from %i Hz', (rate) => {
    const resampler = new Resampler(rate, 16_000)
    const output = [...resampler.push(float(tone(rate, 1))), ...resampler.end()]
    expect(Math.abs(output.length - 16_000)).toBeLessThanOrEqual(1)
    const expected = float(tone(16_000, 1))
    for (let index = 500; index < 15_500; index++)
      expect(Math.abs((output[index] ?? 0) - (expected[index] ?? 0))).toBeLessThan(0.003)
  })

  it('takes away what is too high for the lower rate', () => {
    const output = new Resampler(48_000, 16_000).push(float(tone(48_000, 1, 12_000))).subarray(1000)
    expect(Math.max(...output.map(Math.abs))).toBeLessThan(0.002)
  })

  it('gives the same however its input is cut', () => {
    const input = float(tone(44_100, 0.2))
    const whole = new Resampler(44_100, 24_000)
    const expected = [...whole.push(input), ...whole.end()]
    const cut = new Resampler(44_100, 24_000)
    const output: number[] = []
    for (let start = 0, length = 0; start < input.length; start += length) {
      length = (start % 701) + 1
      output.push(...cut.push(input.subarray(start, start + length)))
    }
    expect([...output, ...cut.end()]).toEqual(expected)
  })
})

describe('encoding', () => {
  it.each(['mp3', 'opus', 'wav', 'flac'] as const)('%s sounds as it did', async (encoding) => {
    const pieces = [tone(16_000, 1), tone(16_000, 0.1234), tone(16_000, 1)].map((each) => piece(each, 16_000))
    const { hertz, peak, seconds } = await listen(await encode(encoding, pieces))
    expect(Math.abs(hertz - 440)).toBeLessThan(5)
    expect(Math.abs(peak - 10_000 / 0x8000)).toBeLessThan(0.05)
    expect(Math.abs(seconds - 2.1234)).toBeLessThan(encoding === 'mp3' ? 0.05 : 0.001)
  })

  it('pcm has 24,000 samples a second, whatever comes', async () => {
    const pieces = [
      piece(tone(16_000, 1), 16_000),
      piece(tone(8000, 1), 8000),
      piece(tone(24_000, 1), 24_000),
    ]
    const bytes = await encode('pcm', pieces)
    expect(Math.abs(bytes.length - 3 * 48_000)).toBeLessThan(8)
    expect(Math.abs(heard(soundOfPcm(bytes, 24_000)).hertz - 440)).toBeLessThan(2)
  })

  it('wav keeps each sample and the rate, with one header', async () => {
    const [first, second] = [tone(22_050, 0.1), tone(22_050, 0.2)]
    const file = await encode(whole('wav'), [piece(first, 22_050), piece(second, 22_050)])
    const wav = decodeWav(file)
    expect(wav).toMatchObject({ sampleRate: 22_050, channels: 1, bitsPerSample: 16 })
    expect(Buffer.from(wav?.data ?? []).equals(Buffer.concat([bytesOf(first), bytesOf(second)]))).toBe(true)
    expect(wav?.data.length).toBe(file.length - 44)
  })

  it.each([
    ['a tone', tone(22_050, 0.7)],
    ['silence', new Int16Array(5000)],
    ['noise at full scale', noise(9000)],
    ['the highest steps', Int16Array.from({ length: 4101 }, (_, at) => (at % 2 ? 32_767 : -32_768))],
    ['a step at the start', Int16Array.from({ length: 4097 }, (_, at) => (at < 3 ? 32_767 * (-1) ** at : 0))],
    ['one sample', Int16Array.of(-7)],
  ])('flac keeps each sample of %s, and tells how many there are', async (_, samples) => {
    const file = await encode(whole('flac'), [piece(samples, 22_050)])
    expect(sniffAudio(file)).toMatchObject({ format: 'flac', sampleRate: 22_050, channels: 1 })
    expect(sniffAudio(file)?.durationMs).toBeCloseTo((samples.length * 1000) / 22_050, 3)
    expect(file.subarray(26, 42)).toEqual(new Uint8Array(createHash('md5').update(bytesOf(samples)).digest()))
    const decoder = new FLACDecoder()
    await decoder.ready
    const { channelData, errors } = await decoder.decodeFile(file)
    decoder.free()
    expect(errors).toEqual([])
    // This decoder takes 1 for the highest sample.
    const scaled = (sample: number): number => Math.round(sample * 0x7fff)
    expect(Int16Array.from(channelData[0] ?? [], scaled)).toEqual(samples)
  })

  it.each([
    [127, '7f'],
    [128, 'c280'],
    [0xffff, 'efbfbf'],
    [0x1_0000, 'f0908080'],
    [0x7fff_ffff, 'fdbfbfbfbfbf'],
  ])('flac writes the number %i of a frame as %s', (index, expected) => {
    expect(Buffer.from(codedNumber(index)).toString('hex')).toBe(expected)
  })

  it('averages channels', async () => {
    const stereo = Int16Array.from({ length: 3200 }, (_, index) => (index % 2 ? 1000 : 3000))
    const audio = encodeWav(stereo, { sampleRate: 24_000, channels: 2 })
    const bytes = await encode('pcm', [{ audio, format: 'wav', sampleRate: 24_000, channels: 2 }])
    expect(new Int16Array(bytes.slice().buffer)).toEqual(new Int16Array(1600).fill(2000))
  })

  it('aac is what another reader takes for AAC, of the same length', async () => {
    const file = await encode('aac', [piece(tone(24_000, 1), 24_000), piece(tone(24_000, 0.5), 24_000)])
    const { channelData, sampleRate } = await decodeAac(file)
    const [samples = new Float32Array()] = channelData
    const { hertz, peak, seconds } = heard({ samples, sampleRate })
    expect(Math.abs(hertz - 440)).toBeLessThan(5)
    expect(Math.abs(peak - 10_000 / 0x8000)).toBeLessThan(0.05)
    expect(Math.abs(seconds - 1.5)).toBeLessThan(0.05)
  })

  it('aac that nobody waits for any more ends', async () => {
    const job = new SpeechJob(streamed('aac'))
    await job.push(piece(tone(24_000, 0.1), 24_000))
    job.free()
    expect((await encode('aac', [piece(tone(24_000, 0.1), 24_000)])).length).toBeGreaterThan(500)
  })

  it('opus is what another reader takes for Opus', async () => {
    const file = await encode('opus', [piece(tone(24_000, 1), 24_000), piece(tone(24_000, 0.5), 24_000)])
    const pages = new CodecParser('application/ogg', { enableLogging: false }).parseAll(file)
    const frames = pages.flatMap((page) => ('codecFrames' in page ? page.codecFrames : []))
    expect(frames[0]?.header).toMatchObject({ channels: 1, preSkip: 312, inputSampleRate: 24_000 })
    const ms = frames.reduce((sum, { duration }) => sum + duration, 0)
    expect(ms).toBe(1500)
    expect(pages.at(-1)).toMatchObject({ isLastPage: true, absoluteGranulePosition: 72_312n })
  })

  it('opus refuses more answers at once than its memory holds, and goes on after that', async () => {
    const sound = piece(tone(24_000, 0.1), 24_000)
    const jobs = Array.from({ length: 128 }, () => new SpeechJob(streamed('opus')))
    for (const job of jobs) await job.push(sound)
    await expect(new SpeechJob(streamed('opus')).push(sound)).rejects.toMatchObject({ kind: 'too_busy' })
    for (const job of jobs) job.free()
    expect((await encode('opus', [sound])).length).toBeGreaterThan(500)
  })
})

describe('reading', () => {
  it('hears FLAC', async () => {
    const blocks = [tone(16_000, 0.256), tone(16_000, 0.256)]
    const { hertz, seconds } = await listen(encodeFlac(blocks))
    expect(Math.abs(hertz - 440)).toBeLessThan(20)
    expect(seconds).toBe(0.512)
  })

  it('hears 24 bits, floating point, stereo and a header without lengths', async () => {
    const open = encodeWav(tone(16_000, 1), { sampleRate: 16_000 })
    new DataView(open.buffer).setUint32(4, 0xffff_ffff, true)
    new DataView(open.buffer).setUint32(40, 0xffff_ffff, true)
    expect(await listen(open)).toMatchObject({ seconds: 1 })
  })

  it.each([
    ['nothing', Buffer.alloc(0), 'invalid_audio'],
    ['text', Buffer.from('hello, this is text'), 'invalid_audio'],
    ['no samples', encodeWav(new Int16Array(), { sampleRate: 16_000 }), 'invalid_audio'],
    ['a rate that no sound has', encodeWav(new Int16Array(9), { sampleRate: 2 ** 31 }), 'invalid_audio'],
    ['the start of an MP3 file', Buffer.from([0xff, 0xfb, 0x90, 0xc4, 0, 0, 0]), 'invalid_audio'],
    [
      'the head of Opus alone',
      new OggWriter(1).page([Buffer.from('OpusHead\x01\x01'.padEnd(19, '\0'))], 0),
      'invalid_audio',
    ],
    [
      'a broken head of Opus',
      new OggWriter(1).page([Buffer.from('OpusHead\x01\x00'.padEnd(30, '\0'))], 0),
      'invalid_audio',
    ],
    ['m4a', Buffer.from('\0\0\0\x20ftypM4A \0\0\0\0', 'latin1'), 'unsupported_format'],
    ['AAC', Buffer.from([0xff, 0xf1, 0x50, 0x80, 1, 2, 3]), 'unsupported_format'],
    ['WebM without Opus', Buffer.from([0x1a, 0x45, 0xdf, 0xa3, 1, 2, 3]), 'unsupported_format'],
  ])('refuses %s', async (_, file, kind) => {
    vi.stubEnv('PATH', '')
    onTestFinished(() => void vi.unstubAllEnvs())
    await expect(hear(file, waiting)).rejects.toMatchObject({ kind })
  })

  it('refuses hours of silence in a small file, before it has read all of them', async () => {
    const blocks = Array.from({ length: 9000 }, () => ({ silence: 65_535 }))
    const bomb = encodeFlac(blocks)
    expect(bomb.length).toBeLessThan(200_000)
    await expect(hear(bomb, waiting, { seconds: 600, programMs: 1000 })).rejects.toMatchObject({
      kind: 'audio_too_long',
    })
  })

  it.each([1, 3])('takes files that are damaged by seed %i for sound, or refuses them', async (seed) => {
    vi.spyOn(console, 'error').mockImplementation(() => {})
    onTestFinished(() => void vi.restoreAllMocks())
    const random = randomOf(seed)
    const sound = piece(tone(24_000, 0.2), 24_000)
    const opus = await encode('opus', [sound])
    const files = [
      await encode('mp3', [sound]),
      opus,
      await webmOf(opus, true),
      encodeFlac([tone(16_000, 0.1)]),
      encodeWav(tone(16_000, 0.1), { sampleRate: 16_000 }),
    ]
    for (let round = 0; round < 80; round++) {
      const file = files[round % files.length]?.slice() ?? new Uint8Array()
      for (let change = 0; change < 1 + random() * 8; change++)
        file[Math.floor(random() * file.length * random())] = Math.floor(random() * 256)
      const cut = file.subarray(0, random() < 0.3 ? Math.floor(random() * file.length) : file.length)
      const heard: unknown = await hear(cut, waiting).catch((error: unknown) => error)
      if (!(heard instanceof Uint8Array)) expect(heard).toBeInstanceOf(AudioProblem)
    }
    expect((await listen(files[0] ?? new Uint8Array())).seconds).toBeGreaterThan(0.2)
  })

  it('stops where nobody waits any more', async () => {
    const { abort, signal } = controller()
    const heard = hear(encodeWav(tone(16_000, 60), { sampleRate: 16_000 }), signal)
    abort()
    expect(await heard).toHaveLength(0)
  })

  it('hears FLAC in Ogg', async () => {
    const flac = encodeFlac([tone(16_000, 0.256), tone(16_000, 0.256)])
    const writer = new OggWriter(7)
    const head = Buffer.concat([Buffer.from('\x7fFLAC\x01\0\0\0', 'latin1'), flac.subarray(0, 42)])
    const [middle, end] = [42 + (flac.length - 42) / 2, flac.length]
    const pages = [head, flac.subarray(42, middle), flac.subarray(middle, end)].map((packet) =>
      writer.page([packet], 0),
    )
    expect(await listen(Buffer.concat(pages))).toMatchObject({ seconds: 0.512 })
  })

  it('hears Vorbis', async () => {
    const encoder = await createOggEncoder()
    encoder.configure({ sampleRate: 44_100, channels: 1, vbrQuality: 3 })
    const samples = Float32Array.from(tone(44_100, 1), (sample) => sample / 0x8000)
    const file = Buffer.concat([encoder.encode([samples]).slice(), encoder.finalize().slice()])
    const { hertz, peak, seconds } = await listen(file)
    expect(Math.abs(hertz - 440)).toBeLessThan(5)
    expect(Math.abs(peak - 10_000 / 0x8000)).toBeLessThan(0.05)
    expect(Math.abs(seconds - 1)).toBeLessThan(0.02)
  })

  it('hears Opus in WebM, also where lengths were left open', async () => {
    const ogg = await encode('opus', [piece(tone(24_000, 1), 24_000)])
    for (const isOpen of [false, true]) {
      const file = await webmOf(ogg, isOpen)
      // Behind the id of the segment, one byte of ones means that its length is open.
      expect(Buffer.from(file).includes(Buffer.from('18538067ff', 'hex'))).toBe(isOpen)
      const { hertz, seconds } = await listen(file)
      expect(Math.abs(hertz - 440)).toBeLessThan(5)
      expect(Math.abs(seconds - 1)).toBeLessThan(0.021)
      // Recordings may be cut anywhere.
      expect((await listen(file.subarray(0, file.length / 2))).seconds).toBeGreaterThan(0.3)
    }
  })
})

describe('Ogg', () => {
  it('reads back packets of any length, over garbage and a cut', () => {
    const packets = [0, 1, 254, 255, 256, 510, 5000].map((length) => Buffer.alloc(length, length % 251))
    const writer = new OggWriter(7)
    const pages = packets.map((packet, index) => writer.page([packet], index))
    const file = Buffer.concat([Buffer.from('garbage'), ...pages, Buffer.from('OggS cut')])
    expect([...packetsOf(file)].map(({ data }) => data.length)).toEqual(packets.map(({ length }) => length))
    expect([...packetsOf(file.subarray(0, -3000))]).toHaveLength(6)
  })
})

function noise(length: number): Int16Array {
  const random = randomOf(length)
  return Int16Array.from({ length }, () => Math.floor(random() * 65_536) - 32_768)
}

/** Numbers from 0 to 1 that are the same for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32
    return state / 2 ** 32
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Int16Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}
