import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { PluginHost } from '@appfactory/host'
import { decodeWav, sniffAudio } from '@appfactory/sdk'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, serveGateway } from '../src/index.js'
import { tone } from './audio/sound.js'
import { type Answer, eventsIn, json, post, startHost } from './visitor.js'

let host: PluginHost
let gateway: Gateway
beforeAll(async () => {
  host = await startHost(['tone_tts', 'wave_tts', 'echo_stt'])
  gateway = await serveGateway(host, { port: 0, limits: { drainTimeoutMs: 1 } })
})
afterAll(async () => {
  await gateway.close()
  await host.close({ force: true })
})

const say = (input: unknown, more: object = {}): Promise<Answer> =>
  post(gateway.port, '/v1/audio/speech', { model: 'tone_tts', input, response_format: 'pcm', ...more })

/** The bytes of an answer, and in how many chunks they came. */
async function bytes(body: object): Promise<{ head: IncomingMessage; data: Buffer }> {
  const head = await open(body)
  const parts: Buffer[] = []
  for await (const part of head) parts.push(part)
  return { head, data: Buffer.concat(parts) }
}

async function open(body: object): Promise<IncomingMessage> {
  const sent = httpRequest({
    host: '127.0.0.1',
    port: gateway.port,
    path: '/v1/audio/speech',
    method: 'POST',
    headers: { 'content-type': 'application/json' },
  })
  sent.on('error', () => {})
  sent.end(JSON.stringify({ model: 'tone_tts', ...body }))
  const [response] = await once(sent, 'response')
  return response
}

async function count(): Promise<{ aborts: number; made: number }> {
  const { error } = json(await say('/count')) as { error?: { message?: string } }
  return JSON.parse(error?.message ?? '')
}

describe('POST /v1/audio/speech', () => {
  it.each([
    ['mp3', 'audio/mpeg'],
    ['opus', 'audio/ogg'],
    ['aac', 'audio/aac'],
    ['pcm', 'audio/pcm'],
  ])('%s is sent as %s, without a length', async (response_format, type) => {
    const { head, data } = await bytes({ input: 'one two three', response_format })
    expect(head.headers).toMatchObject({ 'content-type': type, 'transfer-encoding': 'chunked' })
    expect(head.headers['content-length']).toBeUndefined()
    expect(data.length).toBeGreaterThan(1000)
  })

  it.each(['mp3', 'opus', 'aac', 'pcm', 'wav', 'flac'])(
    '%s comes while the plugin speaks',
    async (response_format) => {
      const head = await open({ input: '/held 4', response_format, stream_format: 'audio' })
      const parts = head[Symbol.asyncIterator]()
      for (let part = 0; part < 3; part++) {
        expect((await parts.next()).value.length).toBeGreaterThan(0)
        await say('/go')
      }
      head.destroy()
    },
  )

  it('pcm has 24,000 samples a second, of whatever pieces', async () => {
    expect((await bytes({ input: '/rates 16000 8000 24000', response_format: 'pcm' })).data).toHaveLength(
      14_400,
    )
    expect((await bytes({ input: '/raw', response_format: 'pcm' })).data).toHaveLength(4800)
    const { data } = await bytes({ input: '/mixed', response_format: 'pcm' })
    expect(data).toHaveLength(14_400)
    // The first piece goes as it is, and as the codecs would have it.
    const first = (await bytes({ input: 'x', response_format: 'pcm', sample_rate: 16_000 })).data
    expect(first).toHaveLength(3200)
    const samples = Int16Array.from({ length: 100 }, (_, at) => data.readInt16LE(2 * at))
    expect(samples).toEqual(tone(24_000, 100 / 24_000))
  })

  it('wav comes whole, with its length and one header', async () => {
    const { head, data } = await bytes({ input: 'one two', response_format: 'wav' })
    expect(head.headers).toMatchObject({ 'content-type': 'audio/wav', 'content-length': String(data.length) })
    expect(data).toHaveLength(44 + 2 * 3200)
    expect([data.readUInt32LE(4), data.readUInt32LE(40)]).toEqual([data.length - 8, data.length - 44])
    expect(decodeWav(data)).toMatchObject({ sampleRate: 16_000, channels: 1, bitsPerSample: 16 })
  })

  it('flac comes whole, with its length', async () => {
    const { head, data } = await bytes({ input: 'one two', response_format: 'flac' })
    expect(head.headers).toMatchObject({
      'content-type': 'audio/flac',
      'content-length': String(data.length),
    })
    expect(sniffAudio(data)).toEqual({ format: 'flac', sampleRate: 16_000, channels: 1, durationMs: 200 })
  })

  it('flac comes piece by piece where that is asked for', async () => {
    const { head, data } = await bytes({ input: 'one', response_format: 'flac', stream_format: 'audio' })
    expect(head.headers['transfer-encoding']).toBe('chunked')
    expect(sniffAudio(data)).toEqual({ format: 'flac', sampleRate: 16_000, channels: 1 })
  })

  it.each(['wav', 'flac', 'pcm'])('%s has the rate that was asked for', async (response_format) => {
    const { head, data } = await bytes({ input: 'one two', response_format, sample_rate: 8000 })
    expect(head.headers['x-appfactory-ignored']).toBeUndefined()
    if (response_format === 'pcm') expect(data).toHaveLength(3200)
    else expect(sniffAudio(data)).toMatchObject({ sampleRate: 8000, durationMs: 200 })
  })

  it('wav comes piece by piece where that is asked for', async () => {
    const { head, data } = await bytes({ input: 'one', response_format: 'wav', stream_format: 'audio' })
    expect(head.headers['transfer-encoding']).toBe('chunked')
    expect(data.readUInt32LE(40)).toBe(0xffff_ffff)
  })

  it('sends events with the same bytes', async () => {
    const events = eventsIn(await say('one two', { stream_format: 'sse' })).map((event) => JSON.parse(event))
    expect(events.at(-1)).toEqual({
      type: 'speech.audio.done',
      usage: { input_tokens: 0, output_tokens: 0, total_tokens: 0 },
    })
    const parts = events.slice(0, -1).map(({ type, audio }) => {
      expect(type).toBe('speech.audio.delta')
      return Buffer.from(audio, 'base64')
    })
    const { data } = await bytes({ input: 'one two', response_format: 'pcm' })
    expect(Buffer.concat(parts).equals(data)).toBe(true)
  })

  it('passes voice and speed on, and says what is only a hint', async () => {
    const told = async (more: object): Promise<unknown> => {
      const answer = await say('/options', more)
      return JSON.parse(String((json(answer) as { error?: { message?: string } }).error?.message))
    }
    expect(await told({ voice: 'low', speed: 2 })).toEqual({ voiceId: 'low', speed: 2 })
    expect(await told({ voice: { id: 'low' } })).toEqual({ voiceId: 'low' })
    expect(await told({ voice: 'alloy', instructions: 'Whisper' })).toEqual({ instructions: 'Whisper' })
    expect(await told({ language: 'en-GB' })).toEqual({ language: 'en-GB' })
    expect(await told({ lang_code: 'b', stream: false })).toEqual({ language: 'b' })
    const ignored = async (more: object): Promise<unknown> =>
      (await say('x', more)).headers['x-appfactory-ignored']
    expect(await ignored({ instructions: 'Whisper' })).toBeUndefined()
    expect(await ignored({ model: 'wave_tts', instructions: 'Whisper' })).toBe('instructions')
    expect(await ignored({ response_format: 'opus', sample_rate: 8000, speed: 2 })).toBe('speed, sample_rate')
    expect(await ignored({ speed: 1 })).toBeUndefined()
  })

  it('takes OpenAI’s names of models for the active plugin', async () => {
    expect(await say('x', { model: 'gpt-4o-mini-tts', voice: 'nova' })).toMatchObject({ status: 200 })
  })

  it.each([
    ['/fail 0 TTS_TEXT_TOO_LONG', 400, 'string_above_max_length'],
    ['/fail 0 RESOURCE_EXHAUSTED', 429, 'rate_limit_exceeded'],
    ['/fail 0 TTS_SYNTHESIS_FAILED', 500, 'tts_synthesis_failed'],
    ['/nothing', 500, 'no_audio'],
    ['/empty', 500, 'no_audio'],
  ])('%s has the status %i', async (input, status, code) => {
    for (const more of [{}, { response_format: 'wav' }, { stream_format: 'sse' }]) {
      const answer = await say(input, more)
      expect([answer.status, json(answer)]).toMatchObject([status, { error: { code } }])
    }
  })

  it('cuts the connection where the plugin fails later, so that nobody takes it for the whole', async () => {
    // Before the headers have gone out, or after that.
    await expect(bytes({ input: '/fail 2 TTS_SYNTHESIS_FAILED', response_format: 'pcm' })).rejects.toThrow(
      /aborted|socket hang up/,
    )
    const events = eventsIn(await say('/fail 2 TTS_SYNTHESIS_FAILED', { stream_format: 'sse' }))
    expect(JSON.parse(events.at(-1) ?? '')).toMatchObject({ error: { code: 'tts_synthesis_failed' } })
    const whole = await say('/fail 2 TTS_SYNTHESIS_FAILED', { response_format: 'wav' })
    expect(whole.status).toBe(500)
  })

  it('waits for a client that reads slowly, and cancels the plugin when it goes', async () => {
    const before = await count()
    const response = await open({ input: '/endless', response_format: 'pcm' })
    response.pause()
    let made = -1
    await expect
      .poll(
        async () => {
          const last = made
          made = (await count()).made
          return made > 0 && made === last
        },
        { interval: 100 },
      )
      .toBe(true)
    // Two seconds each: what the plugin may be ahead, and what sockets hold.
    expect(made).toBeLessThan(200)
    response.destroy()
    await expect.poll(async () => (await count()).aborts).toBe(before.aborts + 1)
  })

  it.each([
    [{ input: undefined }, 'input', 'missing_required_parameter'],
    [{ input: '' }, 'input', 'invalid_value'],
    [{ input: 7 }, 'input', 'invalid_value'],
    [{ input: '😀 …' }, 'input', 'invalid_value'],
    [{ voice: 'bob' }, 'voice', 'voice_not_found'],
    [{ voice: 7 }, 'voice', 'invalid_value'],
    [{ voice: {} }, 'voice.id', 'missing_required_parameter'],
    [{ response_format: 'ogg' }, 'response_format', 'invalid_value'],
    [{ response_format: 'pcm', sample_rate: 0 }, 'sample_rate', 'invalid_value'],
    [{ stream: 'yes' }, 'stream', 'invalid_value'],
    [{ speed: 9 }, 'speed', 'invalid_value'],
    [{ speed: 'NaN' }, 'speed', 'invalid_value'],
    [{ stream_format: 'x' }, 'stream_format', 'invalid_value'],
    [{ model: 'echo_stt' }, 'model', 'model_not_supported'],
  ])('%j: 400 at %s', async (more, param, code) => {
    const answer = await say('x', more)
    expect([answer.status, json(answer)]).toMatchObject([400, { error: { param, code } }])
  })

  it('refuses a text that is too long', async () => {
    const answer = await say('a'.repeat(65_537))
    expect([answer.status, json(answer)]).toMatchObject([400, { error: { param: 'input' } }])
  })

  it('knows no models below a plugin', async () => {
    expect(await say('x', { model: 'tone_tts/large' })).toMatchObject({ status: 404 })
  })

  it('takes null for absent', async () => {
    const answer = await say('x', { voice: null, speed: null, stream_format: null, instructions: null })
    expect(answer.status).toBe(200)
  })

  it('tells what a plugin’s own sound lacks, and goes on', async () => {
    expect((await say('/garbage')).status).toBe(500)
    expect((await say('one')).status).toBe(200)
  })
})
