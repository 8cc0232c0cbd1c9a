import { fileURLToPath } from 'node:url'
import { PluginHost } from '@appfactory/host'
import OpenAI, { toFile } from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, serveGateway } from '../../src/index.js'

const pluginsDir = fileURLToPath(new URL('../../../../examples/plugins', import.meta.url))
const said = 'I love you.'

let host: PluginHost
let gateway: Gateway
beforeAll(async () => {
  host = new PluginHost({ pluginsDir, projectDir: false })
  await Promise.all(['tts_flite', 'stt_pocketsphinx'].map((name) => host.load(name)))
  gateway = await serveGateway(host, { port: 0 })
})
afterAll(async () => {
  await gateway.close()
  await host.close({ force: true })
})

const openai = (): OpenAI => new OpenAI({ baseURL: gateway.url, apiKey: 'none', maxRetries: 0 })

async function speak(response_format: 'mp3' | 'opus' | 'wav' | 'pcm'): Promise<Buffer> {
  const response = await openai().audio.speech.create({
    model: 'tts-1',
    voice: 'alloy',
    input: said,
    response_format,
  })
  return Buffer.from(await response.arrayBuffer())
}

describe('openai in Node, with real engines', () => {
  it.each(['mp3', 'opus', 'wav'] as const)('hears in %s what it has said', async (format) => {
    const file = await toFile(await speak(format), 'speech.bin')
    const { text } = await openai().audio.transcriptions.create({ model: 'whisper-1', file })
    expect(text).toBe('i love you')
  })

  it('says it equally long in each format', async () => {
    const [pcm, wav] = [await speak('pcm'), await speak('wav')]
    expect(Math.abs(pcm.length / 48_000 - (wav.length - 44) / 32_000)).toBeLessThan(0.001)
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
    expect(first?.value?.length).toBeGreaterThan(1000)
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
