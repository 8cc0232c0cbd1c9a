import { contractBindingOf, decodeWav, encodeWav, PluginStatus, toMono16 } from '@appfactory/sdk'
import FlitePlugin from '@appfactory-examples/tts-flite'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Segment, VADContract } from '../src/contract.js'
import FvadPlugin from '../src/index.js'
import { segmentsOf } from '../src/segments.js'

const context = { signal: new AbortController().signal }
const plugin = new FvadPlugin()
/** A second of silence, a sentence, a second, a sentence, a second: at 16 kHz. */
let recording: Int16Array
let sentenceMs: number

beforeAll(async () => {
  await plugin.initialize(FvadPlugin.configSchema.parse({}))
  const { audio } = await new FlitePlugin().synthesize('turn on the lights in the kitchen', 'rms')
  const wav = decodeWav(audio)
  if (!wav) throw new Error('not a WAV file')
  const sentence = toMono16(wav)
  sentenceMs = sentence.length / 16
  recording = new Int16Array(3 * 16_000 + 2 * sentence.length)
  recording.set(sentence, 16_000)
  recording.set(sentence, 32_000 + sentence.length)
})

function wav(samples: Int16Array, sampleRate = 16_000, channels = 1): Uint8Array {
  return encodeWav(samples, { sampleRate, channels })
}

/** Each sample `times` times over. */
function stretched(samples: Int16Array, times: number): Int16Array {
  return Int16Array.from(
    { length: samples.length * times },
    (_, index) => samples[Math.floor(index / times)] ?? 0,
  )
}

function expectBothSentences(segments: readonly Segment[]): void {
  expect(segments.length).toBe(2)
  const expected = [1000, 2000 + sentenceMs]
  for (const [index, { startMs, endMs }] of segments.entries()) {
    const begin = expected[index] ?? 0
    // The voice begins with a short silence of its own.
    expect(startMs).toBeGreaterThanOrEqual(begin)
    expect(startMs).toBeLessThan(begin + 400)
    expect(endMs).toBeGreaterThan(begin + sentenceMs - 500)
    expect(endMs).toBeLessThan(begin + sentenceMs + 300)
  }
}

describe('detect', () => {
  it('finds two sentences between silences', async () => {
    const { segments, speechMs, durationMs } = await plugin.detect({ audio: wav(recording) }, context)
    expectBothSentences(segments)
    expect(durationMs).toBeCloseTo(3000 + 2 * sentenceMs)
    expect(speechMs).toBe(segments.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0))
  })

  it('takes other sample rates and channels', async () => {
    const twice = await plugin.detect({ audio: wav(stretched(recording, 3), 48_000) }, context)
    expectBothSentences(twice.segments)
    // Each sample twice is also the same sound on two channels.
    const stereo = await plugin.detect({ audio: wav(stretched(recording, 2), 16_000, 2) }, context)
    expectBothSentences(stereo.segments)
    const half = await plugin.detect(
      {
        audio: wav(
          recording.filter((_, index) => index % 2 === 0),
          8000,
        ),
      },
      context,
    )
    expectBothSentences(half.segments)
  })

  it('finds nothing in silence, nor in nothing', async () => {
    for (const samples of [new Int16Array(32_000), new Int16Array(5), new Int16Array()]) {
      expect(await plugin.detect({ audio: wav(samples) }, context)).toMatchObject({
        segments: [],
        speechMs: 0,
      })
    }
  })

  it('hears calls at the same time independently', async () => {
    const audio = wav(recording)
    const answers = await Promise.all([1, 2, 3].map(() => plugin.detect({ audio }, context)))
    for (const { segments } of answers) expectBothSentences(segments)
  })

  it('refuses what is no WAV file', async () => {
    for (const audio of [new Uint8Array(), Buffer.from('no audio')]) {
      await expect(plugin.detect({ audio }, context)).rejects.toMatchObject({ codeName: 'INVALID_PARAMS' })
      await expect(plugin.detectStream({ audio }, context).next()).rejects.toThrowError(/not a WAV file/)
    }
  })
})

describe('detectStream', () => {
  it('yields what detect returns', async () => {
    const audio = wav(recording)
    const streamed: Segment[] = []
    for await (const segment of plugin.detectStream({ audio }, context)) streamed.push(segment)
    expect(streamed).toEqual((await plugin.detect({ audio }, context)).segments)
  })

  it('stops when it is aborted', async () => {
    const abort = new AbortController()
    const stream = plugin.detectStream({ audio: wav(recording) }, abort)
    expect((await stream.next()).done).toBe(false)
    abort.abort()
    await expect(stream.next()).rejects.toThrowError(/abort/)
  })
})

describe('configuration', () => {
  it('is checked and filled by its schema', () => {
    expect(FvadPlugin.configSchema.parse({ aggressiveness: 3 })).toEqual({
      aggressiveness: 3,
      frame_ms: 30,
      min_speech_ms: 90,
      min_silence_ms: 300,
    })
    for (const wrong of [{ aggressiveness: 4 }, { frame_ms: 25 }, { min_speech_ms: -1 }, { unknown: 1 }]) {
      expect(FvadPlugin.configSchema.safeParse(wrong).success, JSON.stringify(wrong)).toBe(false)
    }
  })

  it('joins sentences where a pause must be longer', async () => {
    const patient = new FvadPlugin()
    await patient.initialize(FvadPlugin.configSchema.parse({ min_silence_ms: 2000, frame_ms: 10 }))
    expect((await patient.detect({ audio: wav(recording) }, context)).segments.length).toBe(1)
    expect(patient.healthCheck()).toMatchObject({
      status: PluginStatus.READY,
      details: { engine_loaded: true },
    })
    await patient.shutdown()
    expect(patient.healthCheck()).toMatchObject({ status: PluginStatus.STOPPED })
  })
})

describe('segmentsOf', () => {
  const settings = { frameMs: 10, minSpeechMs: 20, minSilenceMs: 30 }
  const frames = (drawing: string): boolean[] => [...drawing].map((mark) => mark === '#')
  const find = (drawing: string): [number, number][] =>
    [...segmentsOf(frames(drawing), settings)].map(({ startMs, endMs }) => [startMs, endMs])

  it('bridges pauses, leaves out clicks, and closes what is open at the end', () => {
    expect(find('..###..###...')).toEqual([[20, 100]])
    expect(find('..#....##')).toEqual([[70, 90]])
    expect(find('##...##...')).toEqual([
      [0, 20],
      [50, 70],
    ])
    expect(find('')).toEqual([])
  })
})

describe('the contract', () => {
  it('is known to the SDK like one of its own', async () => {
    const binding = contractBindingOf(FvadPlugin)
    expect(binding?.name).toBe('vad')
    const { methods } = (await binding?.describe()) ?? { methods: [] }
    expect(methods.map(({ wire, kind }) => [wire, kind])).toEqual([
      ['detect', 'call'],
      ['detect_stream', 'stream'],
    ])
    expect(methods[0]?.args).toMatchObject({
      properties: { audio_b64: { type: 'string', contentEncoding: 'base64' } },
      required: ['audio_b64'],
    })
    expect(VADContract.definition.methods.detect.args.safeParse({ audio: 'text' }).success).toBe(false)
  })
})
