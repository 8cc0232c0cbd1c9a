import { fileURLToPath } from 'node:url'
import decodeAac from '@audio/decode-aac'
import { FLACDecoder } from '@wasm-audio-decoders/flac'
import CodecParser from 'codec-parser'
import { MPEGDecoder } from 'mpg123-decoder'
import OpenAI, { toFile } from 'openai'
import { OpusDecoder } from 'opus-decoder'
import { describe, expect, it } from 'vitest'
import { webmOf } from '../audio/webm.js'
import { serveAll } from '../visitor.js'

const pluginsDir = fileURLToPath(new URL('../../../../examples/plugins', import.meta.url))
const said = 'I love you.'

const served = serveAll(['tts_flite', 'stt_pocketsphinx'], {}, { pluginsDir })

type Format = NonNullable<OpenAI.Audio.SpeechCreateParams['response_format']>

const openai = (): OpenAI => new OpenAI({ baseURL: served.gateway.url, apiKey: 'none', maxRetries: 0 })

async function speak(response_format: Format): Promise<Buffer> {
  const response = await openai().audio.speech.create({
    model: 'tts-1',
    voice: 'alloy',
    input: said,
    response_format,
  })
  return Buffer.from(await response.arrayBuffer())
}

/** How long sound is. */
const secondsOf = {
  mp3: async (file) => {
    const decoder = new MPEGDecoder()
    await decoder.ready
    return lengthOf(decoder.decode(file))
  },
  opus: async (file) => {
    const pages = new CodecParser('application/ogg', { enableLogging: false }).parseAll(file)
    const frames = pages.flatMap((page) => ('codecFrames' in page ? page.codecFrames : []))
    const decoder = new OpusDecoder({
      sampleRate: 48_000,
      channels: 1,
      preSkip: 312,
    })
    await decoder.ready
    return lengthOf(decoder.decodeFrames(frames.map(({ data }) => data)))
  },
  aac: async (file) => lengthOf(await decodeAac(file)),
  flac: async (file) => {
    const decoder = new FLACDecoder()
    await decoder.ready
    return lengthOf(await decoder.decodeFile(file))
  },
  wav: async (file) => {
    expect(file.readUInt32LE(40)).toBe(file.length - 44)
    return (file.length - 44) / file.readUInt32LE(28)
  },
} satisfies Partial<Record<Format, (file: Buffer) => Promise<number>>>

function lengthOf({ channelData, sampleRate }: { channelData: Float32Array[]; sampleRate: number }): number {
  return (channelData[0]?.length ?? 0) / sampleRate
}

describe('openai in Node, with real engines', () => {
  it.each(['mp3', 'opus', 'flac', 'wav', 'webm'] as const)('hears in %s what it has said', async (format) => {
    const sound = format === 'webm' ? await webmOf(await speak('opus'), true) : await speak(format)
    const file = await toFile(sound, 'speech.bin')
    const { text } = await openai().audio.transcriptions.create({ model: 'whisper-1', file })
    expect(text).toBe('i love you')
  })

  it('says it equally long in each format, as decoders of others have it', async () => {
    const seconds = (await speak('pcm')).length / 48_000
    for (const [format, decode] of Object.entries(secondsOf))
      expect(Math.abs((await decode(await speak(format as Format))) - seconds), format).toBeLessThan(0.05)
  })

  it('reads texts, words and a stream of events', async () => {
    const sound = await speak('wav')
    const common = { model: 'stt_pocketsphinx', language: 'en' }
    const create = openai().audio.transcriptions
    const verbose = await create.create({
      ...common,
      file: await toFile(sound, 'a.wav'),
      response_format: 'verbose_json',
      timestamp_granularities: ['word', 'segment'],
    })
    expect(verbose).toMatchObject({ text: 'i love you', language: 'en-US', segments: [{ id: 0, start: 0 }] })
    expect(verbose.words?.map(({ word }) => word)).toEqual(['i', 'love', 'you'])
    const srt = await create.create({ ...common, file: await toFile(sound), response_format: 'srt' })
    expect(srt).toMatch(/^1\n00:00:00,000 --> 00:00:01,\d{3}\ni love you\n\n$/)
    const stream = await create.create({ ...common, file: await toFile(sound), stream: true })
    let text = ''
    for await (const event of stream) if (event.type === 'transcript.text.delta') text += event.delta
    expect(text).toBe('i love you')
  })

  it('gets the first sound before the last is made', async () => {
    const input = Array.from({ length: 40 }, () => 'This is one of many sentences.').join(' ')
    const response = await openai().audio.speech.create({ model: 'tts_flite', voice: 'rms', input })
    const reader = response.body?.getReader()
    const first = await reader?.read()
    expect(first?.value?.length).toBeGreaterThan(0)
    await reader?.cancel()
    expect((await speak('pcm')).length).toBeGreaterThan(1000)
  })

  it('throws where the voice, the format or the file is wrong', async () => {
    const speech = openai().audio.speech.create({ model: 'tts_flite', voice: 'bob', input: said })
    await expect(speech).rejects.toMatchObject({ status: 400, code: 'voice_not_found', param: 'voice' })
    const file = await toFile(Buffer.from('no sound'), 'a.wav')
    const heard = openai().audio.transcriptions.create({ model: 'whisper-1', file })
    await expect(heard).rejects.toMatchObject({ status: 400, code: 'invalid_audio', param: 'file' })
  })
})
