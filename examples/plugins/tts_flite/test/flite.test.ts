import { type AudioChunk, decodeWav, PluginStatus, toMono16 } from '@appfactory/sdk'
import { beforeAll, describe, expect, it } from 'vitest'
import FlitePlugin from '../src/index.js'
import { cutIntoPieces } from '../src/text.js'

const pangram = 'the quick brown fox jumps over the lazy dog'
const plugin = new FlitePlugin()

beforeAll(async () => {
  await plugin.initialize({})
})

function samplesOf(audio: Uint8Array): Int16Array {
  const wav = decodeWav(audio)
  if (!wav) throw new Error('not a WAV file')
  return toMono16(wav)
}

/** Root mean square: silence is near 0, speech well over 500. */
function loudnessOf(audio: Uint8Array): number {
  const samples = samplesOf(audio)
  return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length)
}

async function streamed(text: string | AsyncIterable<string>, signal?: AbortSignal): Promise<AudioChunk[]> {
  const chunks: AudioChunk[] = []
  const options = { wordTimestamps: true, ...(signal ? { signal } : {}) }
  for await (const chunk of plugin.synthesizeStream(text, undefined, options)) {
    if (chunk instanceof Uint8Array) throw new Error('expected a chunk that describes itself')
    chunks.push(chunk)
  }
  return chunks
}

async function* inPieces(...pieces: string[]): AsyncGenerator<string> {
  yield* pieces
}

describe('synthesize', () => {
  it('speaks a sentence in two to four seconds', async () => {
    const speech = await plugin.synthesize(pangram)
    expect(speech).toMatchObject({ format: 'wav', sampleRate: 16_000, channels: 1, voiceId: 'slt' })
    expect(speech.durationMs).toBeGreaterThan(2000)
    expect(speech.durationMs).toBeLessThan(4000)
    expect(samplesOf(speech.audio).length).toBe(Math.round((speech.durationMs ?? 0) * 16))
    expect(loudnessOf(speech.audio)).toBeGreaterThan(500)
  })

  it('has five voices, and each sounds different', async () => {
    const voices = plugin.getVoices()
    expect(voices.map(({ id }) => id)).toEqual(['slt', 'rms', 'awb', 'kal16', 'kal'])
    const heard = new Set<string>()
    for (const { id, sampleRate } of voices) {
      const speech = await plugin.synthesize('hello', id)
      expect(speech).toMatchObject({ voiceId: id, sampleRate })
      expect(decodeWav(speech.audio)?.sampleRate).toBe(sampleRate)
      expect(loudnessOf(speech.audio), id).toBeGreaterThan(500)
      heard.add(Buffer.from(speech.audio).toString('base64'))
    }
    expect(heard.size).toBe(5)
  })

  it('speaks twice as fast at speed 2, by configuration too', async () => {
    const normal = (await plugin.synthesize(pangram)).durationMs ?? 0
    const fast = (await plugin.synthesize(pangram, 'slt', { speed: 2 })).durationMs ?? 0
    expect(fast / normal).toBeGreaterThan(0.45)
    expect(fast / normal).toBeLessThan(0.55)
    const configured = new FlitePlugin()
    await configured.initialize({ voice: 'rms', speed: 2 })
    const speech = await configured.synthesize(pangram)
    expect(speech.voiceId).toBe('rms')
    expect(speech.durationMs).toBeLessThan(normal * 0.7)
  })

  it('gives the same audio for the same text, also when calls overlap', async () => {
    const alone = await plugin.synthesize(pangram)
    const [first, other, second] = await Promise.all([
      plugin.synthesize(pangram),
      plugin.synthesize('something else', 'awb'),
      plugin.synthesize(pangram),
    ])
    expect(first.audio).toEqual(alone.audio)
    expect(second.audio).toEqual(alone.audio)
    expect(other.audio).not.toEqual(alone.audio)
  })

  it('lets others run between sentences', async () => {
    let ticks = 0
    const timer = setInterval(() => {
      ticks += 1
    }, 1)
    await plugin.synthesize('One two three. '.repeat(10))
    clearInterval(timer)
    expect(ticks).toBeGreaterThanOrEqual(5)
  })

  it('stops between sentences when it is aborted', async () => {
    const abort = new AbortController()
    const speech = plugin.synthesize('One two three. '.repeat(500), undefined, { signal: abort.signal })
    setTimeout(() => abort.abort(), 50)
    // Time that was computed: a busy machine takes longer.
    const started = process.cpuUsage()
    await expect(speech).rejects.toThrowError(/abort/)
    expect(process.cpuUsage(started).user / 1000).toBeLessThan(1000)
  })
})

describe('text of every kind', () => {
  it('speaks what looks like a flag', async () => {
    const speech = await plugin.synthesize('-o x', 'slt', { wordTimestamps: true })
    expect(speech.words?.map(({ word }) => word)).toEqual(['o', 'x'])
    expect(loudnessOf((await plugin.synthesize('--help')).audio)).toBeGreaterThan(300)
  })

  it('takes lines, accents, quotes and emoji', async () => {
    const words = async (text: string): Promise<string[] | undefined> =>
      (await plugin.synthesize(text, 'slt', { wordTimestamps: true })).words?.map(({ word }) => word)
    expect(await words('hello\r\nworld')).toEqual(['hello', 'world'])
    expect(await words('naïve café')).toEqual(['naive', 'cafe'])
    expect(await words('hello 😀 world\u0000 again')).toEqual(['hello', 'world', 'again'])
    expect(await words('It’s “fine” – really…')).toEqual(["it's", 'fine', 'really'])
  })

  it('says so where there is nothing to say', async () => {
    const speech = await plugin.synthesize('😀')
    expect(loudnessOf(speech.audio)).toBeLessThan(100)
    expect(speech.warnings).toEqual([expect.stringContaining('nothing that Flite can say')])
    expect((await plugin.synthesize('hello')).warnings).toBeUndefined()
  })

  it('speaks a long text without a single full stop in linear time', async () => {
    // Time that was computed: a busy machine takes longer.
    const started = process.cpuUsage()
    const speech = await plugin.synthesize('hello world '.repeat(150))
    expect(speech.durationMs).toBeGreaterThan(45_000)
    expect(process.cpuUsage(started).user / 1000).toBeLessThan(6000)
  }, 120_000)

  it('cuts between words, and inside a word only where it is very long', () => {
    const sentence = `${'hello world '.repeat(40)}${'a'.repeat(150)} end`
    const pieces = cutIntoPieces(sentence)
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThanOrEqual(200)
    const words = pieces.flatMap((piece) => piece.split(' '))
    expect(words).toEqual([
      ...Array(40).fill(['hello', 'world']).flat(),
      'a'.repeat(60),
      'a'.repeat(60),
      'a'.repeat(30),
      'end',
    ])
  })

  it('survives a word of a thousand letters', async () => {
    expect((await plugin.synthesize('a'.repeat(1000))).durationMs).toBeGreaterThan(5000)
  })

  it.each([
    ['nothing', '', 'TTS_SYNTHESIS_FAILED'],
    ['white space', ' \n ', 'TTS_SYNTHESIS_FAILED'],
    ['too much', 'a'.repeat(100_001), 'TTS_TEXT_TOO_LONG'],
  ])('refuses %s', async (_name, text, codeName) => {
    await expect(plugin.synthesize(text)).rejects.toMatchObject({ codeName })
  })

  it('refuses an unknown voice, naming the known ones', async () => {
    const refusal = { codeName: 'TTS_VOICE_NOT_FOUND', message: expect.stringContaining('slt, rms, awb') }
    await expect(plugin.synthesize('hi', 'nobody')).rejects.toMatchObject(refusal)
    await expect(plugin.synthesizeStream('hi', 'nobody').next()).rejects.toMatchObject(refusal)
    await expect(plugin.getVoiceInfo('nobody')).rejects.toMatchObject(refusal)
    await expect(new FlitePlugin().initialize({ voice: 'nobody' })).rejects.toMatchObject(refusal)
  })

  it('refuses formats that it can’t make and warns of options that it ignores', async () => {
    await expect(plugin.synthesize('hi', 'slt', { format: 'mp3' })).rejects.toThrowError(/format.*mp3/)
    await expect(plugin.synthesize('<speak/>', 'slt', { textType: 'ssml' })).rejects.toThrowError(/ssml/)
    const { warnings } = await plugin.synthesize('hi', 'slt', { pitch: 2, language: 'de-DE' })
    expect(warnings).toEqual([expect.stringContaining('pitch'), expect.stringContaining('de-DE')])
  })
})

describe('word times', () => {
  it('follow each other and lie inside the audio', async () => {
    const { words = [], durationMs = 0 } = await plugin.synthesize(
      "Hello world, it's 42 dollars on the apple. A second sentence!",
      'slt',
      { wordTimestamps: true },
    )
    expect(words.map(({ word }) => word).join(' ')).toBe(
      "hello world it's forty two dollars on the apple a second sentence",
    )
    let previousEnd = 0
    for (const { word, startMs, endMs } of words) {
      expect(startMs, word).toBeGreaterThanOrEqual(previousEnd)
      expect(endMs - startMs, word).toBeGreaterThanOrEqual(40)
      previousEnd = endMs
    }
    expect(previousEnd).toBeLessThan(durationMs)
  })

  it('mark the pause between two phrases as silence', async () => {
    const { audio, words = [] } = await plugin.synthesize('hello, world', 'slt', { wordTimestamps: true })
    const [hello, world] = words
    const samples = samplesOf(audio)
    const energy = (fromMs: number, toMs: number): number => {
      const part = samples.subarray(fromMs * 16, toMs * 16)
      return part.reduce((sum, sample) => sum + Math.abs(sample), 0) / part.length
    }
    if (!hello || !world) throw new Error('words are missing')
    const pause = energy(hello.endMs + 20, world.startMs - 20)
    expect(energy(hello.startMs, hello.endMs)).toBeGreaterThan(10 * pause)
    expect(energy(world.startMs, world.endMs)).toBeGreaterThan(10 * pause)
  })

  it('are absent where nobody asked', async () => {
    expect(await plugin.synthesize('hello')).not.toHaveProperty('words')
  })
})

describe('synthesizeStream', () => {
  it('yields a chunk for each sentence, with its words', async () => {
    const chunks = await streamed('Hello there. How are you? Fine')
    expect(chunks.map(({ text }) => text)).toEqual(['Hello there.', 'How are you?', 'Fine'])
    expect(chunks.map(({ words }) => words?.length)).toEqual([2, 3, 1])
    for (const { audio, durationMs, sampleRate } of chunks) {
      expect(samplesOf(audio).length).toBe(Math.round(((durationMs ?? 0) * sampleRate) / 1000))
    }
  })

  it('speaks a sentence as soon as it is complete', async () => {
    let written = 0
    async function* writing(): AsyncGenerator<string> {
      for (const piece of ['Hello ', 'there. How ', 'are you? ', 'Fine.']) {
        written += 1
        yield piece
      }
    }
    const stream = plugin.synthesizeStream(writing())
    expect((await stream.next()).value).toMatchObject({ text: 'Hello there.' })
    expect(written).toBe(2)
    await stream.return()
  })

  it('yields nothing for an empty stream, and stops when it is aborted', async () => {
    expect(await streamed(inPieces())).toEqual([])
    const abort = new AbortController()
    abort.abort()
    await expect(streamed(inPieces('Hello. '), abort.signal)).rejects.toThrowError(/abort/)
  })
})

describe('lifecycle', () => {
  it('loads the engine on first use and drops it at shutdown', async () => {
    const fresh = new FlitePlugin()
    await fresh.initialize({})
    expect(fresh.healthCheck()).toMatchObject({
      status: PluginStatus.READY,
      details: { engine_loaded: false },
    })
    await fresh.synthesize('hi')
    expect(fresh.healthCheck().details).toMatchObject({ engine_loaded: true })
    await fresh.shutdown()
    expect(fresh.healthCheck()).toMatchObject({
      status: PluginStatus.STOPPED,
      details: { engine_loaded: false },
    })
  })
})
