import type { PluginHost } from '@appfactory/host'
import { encodeWav } from '@appfactory/sdk'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, type GatewayKey, serveGateway } from '../src/index.js'
import { type Answer, json, post, send, startHost, textIn } from './visitor.js'

const keys: GatewayKey[] = [
  { key: 'all' },
  { key: 'llm', contracts: ['llm'] },
  { key: 'small', models: ['tool_llm/org/small', 'spoken'] },
  { key: 'plugin', models: ['tool_llm'] },
  { key: 'alias', models: ['chat'] },
  { key: 'both', models: ['tool_llm', 'tone_tts'], contracts: ['tts'] },
  { key: 'none', models: ['nothing'] },
  { key: 'short', audioSeconds: 0.5 },
]

let host: PluginHost
let gateway: Gateway
const errors: unknown[][] = []
beforeAll(async () => {
  host = await startHost(['tool_llm', 'tone_tts', 'wave_tts', 'echo_stt'])
  const models = { chat: 'tool_llm/large:v1', spoken: 'tone_tts?voice=low' }
  const onError = (...all: unknown[]): unknown => errors.push(all)
  gateway = await serveGateway(host, { port: 0, keys, models, voices: { onyx: ['deep', 'low'] }, onError })
})
afterAll(async () => {
  await gateway.close()
  await host.close({ force: true })
})

const as = (key: string) => ({ authorization: `Bearer ${key}` })

async function names(key: string): Promise<string[]> {
  const { data } = json(await send(gateway.port, { path: '/v1/models', headers: as(key) }))
  return (data as { id: string }[]).map(({ id }) => id).sort()
}

function chat(key: string, model: string): Promise<Answer> {
  const messages = [{ role: 'user', content: 'hello' }]
  return post(gateway.port, '/v1/chat/completions', { model, messages }, as(key))
}

function speak(key: string, model: string, more: object = {}): Promise<Answer> {
  const body = { model, input: 'one two three', response_format: 'pcm', ...more }
  return post(gateway.port, '/v1/audio/speech', body, as(key))
}

async function voices(key: string, query = ''): Promise<Answer> {
  return send(gateway.port, { path: `/v1/audio/voices${query}`, headers: as(key) })
}

function hear(key: string, seconds: number, model = 'echo_stt'): Promise<Answer> {
  const wav = encodeWav(new Int16Array(16_000 * seconds).fill(1), { sampleRate: 16_000 })
  const part = (name: string) => `--x\r\nContent-Disposition: form-data; name="${name}"`
  const head = `${part('model')}\r\n\r\n${model}\r\n${part('file')}; filename="a"\r\n\r\n`
  const body = Buffer.concat([Buffer.from(head), wav, Buffer.from('\r\n--x--\r\n')])
  const headers = { ...as(key), 'content-type': 'multipart/form-data; boundary=x' }
  return send(gateway.port, { method: 'POST', path: '/v1/audio/transcriptions', headers, body })
}

describe('a key for some models', () => {
  const llm = ['chat', 'tool_llm', 'tool_llm/large:v1', 'tool_llm/org/small']
  it.each([
    ['all', [...llm, 'echo_stt', 'spoken', 'tone_tts', 'wave_tts'].sort()],
    ['llm', llm],
    ['small', ['spoken', 'tool_llm/org/small']],
    ['plugin', llm],
    ['alias', ['chat']],
    ['both', ['spoken', 'tone_tts']],
    ['none', []],
  ])('%s: no others are listed', async (key, ids) => {
    expect(await names(key)).toEqual(ids)
    const paths = ['tool_llm', 'chat', 'wave_tts'].map((id) => `/v1/models/${id}`)
    const found = await Promise.all(paths.map((path) => send(gateway.port, { path, headers: as(key) })))
    expect(found.map(({ status }) => status)).toEqual(
      ['tool_llm', 'chat', 'wave_tts'].map((id) => (ids.includes(id) ? 200 : 404)),
    )
  })

  it.each([
    ['small', 'tool_llm/org/small', 200],
    ['small', 'tool_llm', 404],
    ['small', 'tool_llm/large:v1', 404],
    ['small', 'chat', 404],
    ['plugin', 'tool_llm/large:v1', 200],
    ['plugin', 'chat', 200],
    ['alias', 'chat', 200],
    ['alias', 'tool_llm/large:v1', 404],
    ['llm', 'tone_tts', 404],
    ['all', 'tone_tts', 400],
    ['both', 'tool_llm', 404],
    ['none', 'tool_llm', 404],
  ])('%s chats with %s: %i', async (key, model, status) => {
    const answer = await chat(key, model)
    expect(answer.status).toBe(status)
    if (status === 200) expect(textIn(answer)).toBe('hello')
    if (status === 404) {
      const unknown = await chat(key, 'nobody')
      expect(json(answer)).toEqual(JSON.parse(unknown.body.replace('nobody', model)))
    }
  })

  it('speaks, hears and lists voices with no others', async () => {
    expect((await speak('both', 'tone_tts')).status).toBe(200)
    expect((await speak('small', 'spoken')).status).toBe(200)
    for (const [key, model] of [
      ['both', 'wave_tts'],
      ['small', 'tone_tts'],
      ['llm', 'tts-1'],
    ] as const)
      expect((await speak(key, model)).status).toBe(404)
    expect((await hear('llm', 0.1)).status).toBe(404)
    expect((await hear('all', 0.1)).status).toBe(200)
    expect((await voices('both', '?model=wave_tts')).status).toBe(404)
    expect((await voices('both', '?model=tone_tts')).status).toBe(200)
    expect(json(await voices('small'))).toMatchObject({ voices: [{ id: 'low' }] })
    expect(json(await voices('llm'))).toEqual({ voices: [] })
  })
})

describe('a key for short sound', () => {
  it.each(['pcm', 'mp3', 'wav'])('hears no more, and speaks no more %s', async (format) => {
    expect(await speak('short', 'tone_tts', { response_format: format, input: 'one' })).toMatchObject({
      status: 200,
    })
    const long = 'a '.repeat(10)
    const spoken = await speak('short', 'tone_tts', { response_format: format, input: long }).catch(
      () => 'cut',
    )
    if (format === 'wav') expect(spoken).toMatchObject({ status: 413 })
    else expect(spoken).toBe('cut')
    expect((await hear('short', 0.4)).status).toBe(200)
    const heard = await hear('short', 0.6)
    expect(heard.status).toBe(413)
    expect(json(heard)).toMatchObject({ error: { param: 'file', code: 'audio_too_long' } })
  })
})

describe('a voice', () => {
  /** What the plugin was asked for. */
  async function asked(model: string, more: object): Promise<unknown> {
    const answer = await speak('all', model, { input: '/options x', ...more })
    const { error } = json(answer) as { error: { message: string } }
    return JSON.parse(error.message.slice(error.message.indexOf('{'))).voiceId
  }

  it.each([
    ['spoken', {}, 'low'],
    ['spoken', { voice: 'alloy' }, 'low'],
    ['spoken', { voice: 'low' }, 'low'],
    ['tone_tts', {}, undefined],
    ['tone_tts', { voice: 'alloy' }, undefined],
    ['tone_tts', { voice: 'onyx' }, 'low'],
    ['tone_tts', { voice: { id: 'onyx' } }, 'low'],
  ])('of %s with %j is %s', async (model, more, voice) => {
    expect(await asked(model, more)).toBe(voice)
  })
})

it('tells the operator the name of the key, and not the key', async () => {
  gateway.setKeys([{ key: 'secret', name: 'kitchen' }, ...keys])
  const messages = [{ role: 'user', content: '/fail Error' }]
  await post(gateway.port, '/v1/chat/completions', { model: 'tool_llm', messages }, as('secret'))
  expect(errors.at(-1)).toEqual([expect.any(Error), expect.stringMatching(/^req_/), 'kitchen'])
})
