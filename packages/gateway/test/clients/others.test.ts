import { encodeWav } from '@appfactory/sdk'
import { describe, expect, it } from 'vitest'
import { serveAll } from '../visitor.js'

// What applications send that can’t be run here, as their users and sources describe it.

const served = serveAll(['wave_tts', 'echo_stt', 'tool_llm'], { keys: ['sk-ours'], publicListings: true })

const bearer = { authorization: 'Bearer sk-ours' }
const json = { 'content-type': 'application/json' }
const recording = new Blob([encodeWav(new Int16Array(8000), { sampleRate: 16_000 })], { type: 'audio/x-wav' })

interface Request {
  path: string
  headers?: Readonly<Record<string, string>>
  /** JSON, or the fields of a form with a file behind them. */
  body?: object
  form?: readonly (readonly [name: string, value: string])[]
}

function ask({ path, headers = {}, body, form }: Request): Promise<Response> {
  // Behind the port, as their users write it: with or without /v1.
  const url = served.gateway.url.replace('/v1', path)
  if (body)
    return fetch(url, { method: 'POST', headers: { ...json, ...headers }, body: JSON.stringify(body) })
  if (!form) return fetch(url, { headers })
  const data = new FormData()
  for (const [name, value] of form) data.append(name, value)
  data.append('file', recording, 'audio.wav')
  return fetch(url, { method: 'POST', headers, body: data })
}

/** The data of the events of a stream. */
async function eventsOf(response: Response): Promise<string[]> {
  const text = await response.text()
  return text.split('\n\n').flatMap((event) => (event.startsWith('data: ') ? [event.slice(6)] : []))
}

const messages = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'hello there' },
]

describe('lists', () => {
  it.each<[string, Request]>([
    [
      'Open WebUI, with a connection that is being checked',
      { path: '/v1/models', headers: { ...json, ...bearer } },
    ],
    [
      'Open WebUI, with its user’s name',
      {
        path: '/v1/models',
        headers: { ...bearer, 'x-openwebui-user-name': 'Ada%20L', 'x-openwebui-user-role': 'admin' },
      },
    ],
    [
      'LibreChat, of a base URL with a slash',
      { path: '/v1//models', headers: { ...bearer, accept: 'application/json, text/plain, */*' } },
    ],
    [
      'Home Assistant, whether it is there',
      { path: '/v1/models', headers: { ...bearer, 'x-stainless-lang': 'python' } },
    ],
    [
      'Continue, of a base URL without /v1',
      { path: '/models', headers: { ...bearer, 'x-api-key': 'sk-ours' } },
    ],
    ['with x-api-key alone', { path: '/v1/models', headers: { 'x-api-key': 'sk-ours' } }],
  ])('models for %s', async (_client, request) => {
    const response = await ask(request)
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({
      object: 'list',
      data: expect.arrayContaining([
        { id: 'wave_tts', object: 'model', created: expect.any(Number), owned_by: expect.any(String) },
      ]),
    })
  })

  it('voices and models of speech for Open WebUI, which sends no key', async () => {
    expect(await (await ask({ path: '/v1/audio/voices' })).json()).toEqual({
      voices: [
        { id: 'low', name: 'Low' },
        { id: 'high', name: 'High' },
      ],
    })
    expect(await (await ask({ path: '/v1/audio/models' })).json()).toEqual({ models: [{ id: 'wave_tts' }] })
  })

  it('no models without a key: an error that Open WebUI and openai show', async () => {
    const response = await ask({ path: '/v1/models' })
    expect(response.status).toBe(401)
    expect(await response.json()).toMatchObject({
      error: {
        message: expect.any(String),
        type: 'invalid_request_error',
        param: null,
        code: 'invalid_api_key',
      },
    })
  })
})

describe('speech', () => {
  const input = 'Hello there.'
  it.each<[string, object, string]>([
    ['Open WebUI', { model: 'tts-1', input, voice: 'alloy' }, 'audio/mpeg'],
    [
      'Open WebUI with parameters of its user',
      { model: 'wave_tts', input, voice: 'high', response_format: 'wav', speed: 1.1, volume_multiplier: 2 },
      'audio/wav',
    ],
    ['LibreChat', { input, model: 'tts-1', voice: 'nova', backend: 'openai' }, 'audio/mpeg'],
    [
      'Home Assistant',
      {
        model: 'gpt-4o-mini-tts',
        input,
        voice: 'marin',
        instructions: 'Calmly',
        speed: 1,
        response_format: 'wav',
      },
      'audio/wav',
    ],
    [
      'LiveKit',
      { input, model: 'gpt-4o-mini-tts', voice: 'ash', instructions: '', response_format: 'pcm', speed: 1 },
      'audio/pcm',
    ],
    ['Pipecat', { input, model: 'gpt-4o-mini-tts', voice: 'alloy', response_format: 'pcm' }, 'audio/pcm'],
    [
      'Read Aloud',
      { model: 'tts-1', input, voice: 'shimmer', response_format: 'opus', stream: true, lang_code: 'a' },
      'audio/ogg',
    ],
    [
      'OpenReader',
      { model: 'tts-1', input, voice: 'low', response_format: 'mp3', speed: 1, instructions: null },
      'audio/mpeg',
    ],
  ])('for %s', async (_client, body, type) => {
    const response = await ask({ path: '/v1/audio/speech', headers: bearer, body })
    expect(response.headers.get('content-type')).toBe(type)
    const { byteLength } = await response.arrayBuffer()
    // 120 ms at 24 kHz: what LiveKit and Pipecat count on.
    if (type === 'audio/pcm') expect(byteLength).toBe(0.12 * 24_000 * 2)
    else expect(byteLength).toBeGreaterThan(100)
  })
})

describe('transcription', () => {
  it('for Open WebUI: segments are an array, also when it asks again without the language', async () => {
    const form = [
      ['model', 'whisper-1'],
      ['response_format', 'verbose_json'],
      ['timestamp_granularities[]', 'segment'],
    ] as const
    for (const language of [[['language', 'en'] as const], []]) {
      const response = await ask({
        path: '/v1/audio/transcriptions',
        headers: bearer,
        form: [...form, ...language],
      })
      expect(response.status).toBe(200)
      expect(await response.json()).toMatchObject({
        text: expect.any(String),
        segments: [{ start: 0, end: 0.5 }],
      })
    }
  })

  it.each<[string, Request['form'], string]>([
    [
      'LiveKit',
      [
        ['model', 'gpt-4o-mini-transcribe'],
        ['language', 'en'],
        ['prompt', ''],
        ['response_format', 'json'],
      ],
      'application/json',
    ],
    ['LibreChat', [['model', 'whisper-1']], 'application/json'],
    [
      'Home Assistant',
      [
        ['model', 'gpt-4o-mini-transcribe'],
        ['language', 'en'],
        ['prompt', 'Lamp.'],
        ['response_format', 'json'],
      ],
      'application/json',
    ],
    [
      'a script that wants text',
      [
        ['model', 'whisper-1'],
        ['response_format', 'text'],
        ['temperature', '0.0'],
      ],
      'text/plain; charset=utf-8',
    ],
  ])('for %s', async (_client, form = [], type) => {
    const response = await ask({ path: '/v1/audio/transcriptions', headers: bearer, form })
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe(type)
    expect(await response.text()).toContain('16000')
  })
})

describe('chat', () => {
  const usage = { include_usage: true }
  it.each<[string, Request['headers'], object, boolean]>([
    ['Open WebUI', bearer, { stream: true, model: 'tool_llm', messages, stream_options: usage }, true],
    [
      'Open WebUI, for a title',
      bearer,
      { model: 'tool_llm', messages, stream: false, max_completion_tokens: 1000 },
      false,
    ],
    [
      'Continue',
      { ...bearer, 'x-api-key': 'sk-ours', 'api-key': 'sk-ours' },
      {
        model: 'tool_llm',
        messages,
        max_tokens: 4096,
        stream: true,
        stream_options: usage,
        parallel_tool_calls: false,
        tools: [],
      },
      true,
    ],
    [
      'LibreChat',
      bearer,
      {
        model: 'tool_llm',
        user: '65f0',
        stream: true,
        stream_options: usage,
        messages: [{ role: 'user', content: [{ type: 'text', text: 'hello there' }] }],
        temperature: 1,
        top_p: 1,
        presence_penalty: 0,
        frequency_penalty: 0,
      },
      true,
    ],
    [
      'Home Assistant',
      bearer,
      {
        model: 'tool_llm',
        messages: [{ role: 'developer', content: 'Be brief.' }, messages[1]],
        max_tokens: 150,
        top_p: 1,
        temperature: 0.5,
        user: '01J',
        stream: false,
        tools: null,
      },
      false,
    ],
    [
      'LiveKit',
      bearer,
      {
        model: 'tool_llm',
        messages,
        stream: true,
        stream_options: usage,
        tool_choice: 'auto',
        parallel_tool_calls: true,
      },
      true,
    ],
    [
      'opencode, which names no limit',
      bearer,
      {
        model: 'tool_llm',
        messages,
        stream: true,
        stream_options: usage,
        reasoning_effort: null,
        store: false,
      },
      true,
    ],
  ])('for %s', async (_client, headers = {}, body, isStream) => {
    const response = await ask({ path: '/v1/chat/completions', headers, body })
    expect(response.status).toBe(200)
    if (!isStream)
      return expect(await response.json()).toMatchObject({
        choices: [{ message: { role: 'assistant', content: 'hello there' }, finish_reason: 'stop' }],
      })
    const events = await eventsOf(response)
    expect(events.at(-1)).toBe('[DONE]')
    const chunks = events.slice(0, -1).map((event) => JSON.parse(event))
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe('hello there')
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: expect.any(Number) } })
  })
})
