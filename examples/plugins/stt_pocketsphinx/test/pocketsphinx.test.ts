import { encodeWav, PluginStatus, type TranscriptUpdate } from '@appfactory/sdk'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import PocketSphinxPlugin from '../src/index.js'
import { bytesOf, cut, resampled, speak, stereoWavOf, wavOf } from './speech.js'

const pangram = 'the quick brown fox jumps over the lazy dog'
const question = 'can you tell me a story about a rabbit'
const plugin = new PocketSphinxPlugin()
let fox: Int16Array
let rabbit: Int16Array

beforeAll(async () => {
  await plugin.initialize({ max_sessions: 3 })
  fox = await speak(pangram)
  rabbit = await speak(question)
})

afterAll(async () => {
  await plugin.shutdown()
})

async function feedAll(sessionId: string, bytes: Uint8Array, length = 6401): Promise<string[]> {
  const partials: string[] = []
  for (const chunk of cut(bytes, length)) {
    const update = await plugin.feedAudio(sessionId, chunk)
    if (update?.partial) partials.push(update.partial)
  }
  return partials
}

describe('transcribe', () => {
  it('understands a sentence without an error', async () => {
    expect(await plugin.transcribe(wavOf(fox))).toMatchObject({ text: pangram, language: 'en-US' })
    expect((await plugin.transcribe(wavOf(rabbit), 'en')).text).toBe(question)
  })

  it.each([22_050, 44_100, 48_000])('resamples from %i Hz, stereo', async (rate) => {
    expect((await plugin.transcribe(stereoWavOf(resampled(fox, rate), rate))).text).toBe(pangram)
  })

  it('reads raw samples', async () => {
    const raw = bytesOf(resampled(fox, 24_000))
    const options = { format: 'pcm_s16le', sampleRate: 24_000 }
    expect((await plugin.transcribe(raw, 'en-US', options)).text).toBe(pangram)
  })

  it('tells when each word was said', async () => {
    const { words = [], usage } = await plugin.transcribe(wavOf(fox), 'en-US', { wordTimestamps: true })
    const audioMs = fox.length / 16
    expect(usage?.audioMs).toBeCloseTo(audioMs)
    expect(words.map(({ word }) => word).join(' ')).toBe(pangram)
    let previousEnd = 0
    for (const { startMs, endMs } of words) {
      expect(startMs).toBeGreaterThanOrEqual(previousEnd)
      expect(endMs).toBeGreaterThan(startMs)
      previousEnd = endMs
    }
    expect(previousEnd).toBeLessThanOrEqual(audioMs)
    expect(words.at(-1)?.startMs).toBeGreaterThan(audioMs / 2)
    expect(await plugin.transcribe(wavOf(fox))).not.toHaveProperty('words')
  })

  it('understands audio that is longer than the decoder’s memory', async () => {
    const long = await speak(`${pangram}. `.repeat(14).trim())
    expect(long.length / 16_000).toBeGreaterThan(40)
    const { text, words = [] } = await plugin.transcribe(wavOf(long), 'en-US', { wordTimestamps: true })
    expect(text).toBe(`${pangram} `.repeat(14).trim())
    expect(words.at(-1)?.endMs).toBeGreaterThan(long.length / 16 - 1000)
  }, 180_000)

  it('hears nothing in silence', async () => {
    expect((await plugin.transcribe(wavOf(new Int16Array(32_000)))).text).toBe('')
  })

  it('answers more calls at once than it has recognisers', async () => {
    const audio = wavOf(fox)
    const answers = await Promise.all(Array.from({ length: 5 }, () => plugin.transcribe(audio)))
    expect(answers.map(({ text }) => text)).toEqual(Array(5).fill(pangram))
    expect(plugin.healthCheck().details).toMatchObject({ recognisers_loaded: 3 })
  }, 30_000)

  it('does not block the event loop', async () => {
    await plugin.transcribe(wavOf(fox))
    let ticks = 0
    const timer = setInterval(() => {
      ticks += 1
    }, 5)
    await plugin.transcribe(wavOf(fox))
    clearInterval(timer)
    expect(ticks).toBeGreaterThanOrEqual(5)
  })

  it('stops when it is aborted, and hears nothing of that in the next call', async () => {
    const alone = new PocketSphinxPlugin()
    await alone.initialize({ max_sessions: 1 })
    const abort = new AbortController()
    const long = new Int16Array(16_000 * 120)
    long.set(rabbit)
    const aborted = alone.transcribe(wavOf(long), undefined, { signal: abort.signal })
    const waiting = alone.transcribe(wavOf(fox), undefined, { signal: abort.signal })
    setTimeout(() => abort.abort(), 1500)
    await Promise.all([
      expect(aborted).rejects.toThrowError(/abort/),
      expect(waiting).rejects.toThrowError(/abort/),
    ])
    expect((await alone.transcribe(wavOf(fox))).text).toBe(pangram)
    await alone.shutdown()
  }, 30_000)

  it.each([
    ['nothing', new Uint8Array()],
    ['a text', Buffer.from('this is no audio at all, but a line of text')],
    ['half a header', wavOf(new Int16Array(10)).subarray(0, 30)],
    ['a WAV file without samples', encodeWav(new Int16Array(), { sampleRate: 16_000 })],
  ])('refuses %s', async (_name, audio) => {
    await expect(plugin.transcribe(audio)).rejects.toMatchObject({ codeName: 'STT_AUDIO_INVALID' })
  })

  it('refuses formats and languages that it does not know, naming those that it does', async () => {
    await expect(plugin.transcribe(wavOf(fox), 'en-US', { format: 'mp3' })).rejects.toMatchObject({
      codeName: 'STT_AUDIO_INVALID',
      message: expect.stringContaining('wav or pcm_s16le'),
    })
    await expect(plugin.transcribe(wavOf(fox), 'de-DE')).rejects.toMatchObject({
      codeName: 'STT_LANGUAGE_NOT_SUPPORTED',
      message: expect.stringContaining('en-US'),
    })
    expect(() => plugin.startStream({ language: 'fr' })).toThrowError(/en-US/)
    expect(plugin.getLanguages()).toEqual([{ code: 'en-US', name: 'English (United States)' }])
  })

  it('warns of options that it ignores', async () => {
    const { warnings } = await plugin.transcribe(wavOf(new Int16Array(1600)), 'en-US', { prompt: 'fox' })
    expect(warnings).toEqual([expect.stringContaining('prompt')])
  })
})

describe('streams', () => {
  it('understand more and more', async () => {
    const sessionId = plugin.startStream({ wordTimestamps: true })
    const partials = await feedAll(sessionId, wavOf(fox))
    expect(partials.length).toBeGreaterThan(4)
    expect(new Set(partials).size).toBe(partials.length)
    expect(partials[2]?.length).toBeLessThan(partials.at(-1)?.length ?? 0)
    const { text, words = [] } = await plugin.endStream(sessionId)
    expect(text).toBe(pangram)
    expect(words.length).toBe(9)
  })

  it('do not disturb each other', async () => {
    const first = plugin.startStream()
    const second = plugin.startStream({ sampleRate: 44_100 })
    await Promise.all([
      feedAll(first, bytesOf(fox), 3333),
      feedAll(second, bytesOf(resampled(rabbit, 44_100)), 9999),
    ])
    const results = await Promise.all([plugin.endStream(first), plugin.endStream(second)])
    expect(results.map(({ text }) => text)).toEqual([pangram, question])
  })

  it('keep the order of chunks that are not awaited', async () => {
    const sessionId = plugin.startStream()
    const feeding = [...cut(bytesOf(fox), 5001)].map((chunk) => plugin.feedAudio(sessionId, chunk))
    const ending = plugin.endStream(sessionId)
    await Promise.all(feeding)
    expect((await ending).text).toBe(pangram)
  })

  it('are refused beyond max_sessions, until one ends', async () => {
    const sessions = [plugin.startStream(), plugin.startStream(), plugin.startStream()]
    expect(() => plugin.startStream()).toThrowError(
      expect.objectContaining({
        codeName: 'RESOURCE_EXHAUSTED',
        message: expect.stringContaining('max_sessions'),
      }),
    )
    const [first = '', ...others] = sessions
    expect(await plugin.endStream(first)).toMatchObject({ text: '' })
    for (const id of [plugin.startStream(), ...others]) await plugin.endStream(id)
  })

  it('refuse what they can’t read without keeping a recogniser', async () => {
    for (let attempt = 0; attempt < 4; attempt++) {
      expect(() => plugin.startStream({ format: 'mp3' })).toThrowError(/mp3/)
    }
    const sessionId = plugin.startStream()
    const refusal = { codeName: 'STT_AUDIO_INVALID' }
    await expect(plugin.feedAudio(sessionId, Buffer.from('RIFF....nonsense'))).rejects.toMatchObject(refusal)
    await plugin.endStream(sessionId)
  })

  it('are unknown when they have ended, or never began', async () => {
    const sessionId = plugin.startStream()
    await plugin.endStream(sessionId)
    const refusal = { codeName: 'INVALID_PARAMS', message: expect.stringContaining('session_id') }
    await expect(plugin.endStream(sessionId)).rejects.toMatchObject(refusal)
    await expect(async () => plugin.feedAudio('nonsense', new Uint8Array(2))).rejects.toMatchObject(refusal)
  })

  it('are closed when nobody feeds them', async () => {
    const impatient = new PocketSphinxPlugin()
    await impatient.initialize({ max_sessions: 1, session_timeout_seconds: 0.2 })
    const sessionId = impatient.startStream()
    await expect.poll(() => impatient.healthCheck().details?.['sessions_open']).toBe(0)
    await expect(impatient.endStream(sessionId)).rejects.toThrowError(/idle for too long/)
    await expect.poll(() => impatient.startStream(), { timeout: 5000 }).toBeTypeOf('string')
    await impatient.shutdown()
  }, 15_000)

  it('can be written as one iteration', async () => {
    async function* speaking(): AsyncGenerator<Uint8Array> {
      yield* cut(wavOf(fox), 8000)
    }
    const updates: TranscriptUpdate[] = []
    for await (const update of plugin.transcribeStream(speaking())) updates.push(update)
    expect(updates.at(-1)).toEqual({ partial: null, final: pangram })
    expect(updates.length).toBeGreaterThan(4)
  })

  it('give their recogniser back when the iteration is left early', async () => {
    async function* speaking(): AsyncGenerator<Uint8Array> {
      yield* cut(wavOf(fox), 32_000)
    }
    for await (const update of plugin.transcribeStream(speaking())) {
      expect(update.final).toBeNull()
      break
    }
    expect(plugin.healthCheck().details).toMatchObject({ sessions_open: 0 })
  })
})

describe('lifecycle', () => {
  it('starts no thread before it is needed, and stops all at shutdown', async () => {
    const fresh = new PocketSphinxPlugin()
    await fresh.initialize({})
    expect(fresh.healthCheck()).toMatchObject({
      status: PluginStatus.READY,
      details: { recognisers_loaded: 0, max_sessions: 4 },
    })
    const sessionId = fresh.startStream()
    const feeding = fresh.feedAudio(sessionId, bytesOf(fox))
    expect(fresh.healthCheck().details).toMatchObject({ recognisers_loaded: 1, sessions_open: 1 })
    const stopped = expect(feeding).rejects.toMatchObject({ codeName: 'STT_TRANSCRIPTION_FAILED' })
    await fresh.shutdown()
    await stopped
    expect(fresh.healthCheck()).toMatchObject({
      status: PluginStatus.STOPPED,
      details: { recognisers_loaded: 0, sessions_open: 0 },
    })
    expect(() => fresh.startStream()).toThrowError(/stopped/)
  })
})
