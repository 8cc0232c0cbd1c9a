import type { PluginHost } from '@appfactory/host'
import { decodeWav, toMono16 } from '@appfactory/sdk'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, serveGateway } from '../src/index.js'
import { type Answer, chat, eventsIn, json, serve, startHost } from './visitor.js'

let host: PluginHost
let gateway: Gateway
beforeAll(async () => {
  host = await startHost(['tool_llm', 'wave_tts'])
  gateway = await serveGateway(host, { port: 0 })
})
afterAll(async () => {
  await gateway.close()
  await host.close({ force: true })
})

const spoken = (format: string, voice?: unknown) => ({
  modalities: ['text', 'audio'],
  audio: { format, ...(voice === undefined ? {} : { voice }) },
})

interface Message {
  content: string | null
  audio?: { id: string; data: string; expires_at: number; transcript: string }
}

function messageIn(answer: Answer): Message {
  expect(answer.status, answer.body).toBe(200)
  const { choices } = json(answer) as { choices: { message: Message }[] }
  return choices[0]?.message ?? { content: 'none' }
}

/** Ten milliseconds a character, as wave_tts speaks. */
const secondsOf = (text: string): number => text.length / 100

describe('an answer that is spoken', () => {
  it('has its sound in place of its text', async () => {
    const { content, audio } = messageIn(await chat(gateway.port, 'two words', spoken('wav', 'low')))
    expect(content).toBeNull()
    expect(audio).toEqual({
      id: expect.stringMatching(/^audio_[0-9a-f]{32}$/),
      data: expect.any(String),
      expires_at: expect.toSatisfy((at) => at > Date.now() / 1000 + 3500),
      transcript: 'two words',
    })
    const sound = decodeWav(Buffer.from(audio?.data ?? '', 'base64'))
    expect(sound).toMatchObject({ sampleRate: 16_000 })
    expect(sound && toMono16(sound).length).toBe(secondsOf('two words') * 16_000)
  })

  it.each<[string, RegExp]>([
    ['mp3', /^\xff[\xf0-\xff]/],
    ['flac', /^fLaC/],
    ['opus', /^OggS/],
    ['pcm16', /^\0{4}/],
  ])('comes as %s', async (format, head) => {
    const { audio } = messageIn(await chat(gateway.port, 'hello', spoken(format, { id: 'alloy' })))
    const bytes = Buffer.from(audio?.data ?? '', 'base64')
    expect(bytes.toString('latin1')).toMatch(head)
    if (format === 'pcm16') expect(bytes.length).toBe(secondsOf('hello') * 24_000 * 2)
  })

  it('is the text where there is nothing to say, and for each of several answers', async () => {
    expect(messageIn(await chat(gateway.port, '👍', spoken('wav')))).toMatchObject({ content: '👍' })
    const { choices } = json(await chat(gateway.port, 'hi', { n: 2, ...spoken('wav') })) as {
      choices: object[]
    }
    expect(choices).toMatchObject([{ message: { audio: {} } }, { message: { audio: {} } }])
    const tools = [{ type: 'function', function: { name: 'f' } }]
    expect(messageIn(await chat(gateway.port, 'hi', { tools, ...spoken('wav') }))).toMatchObject({
      content: null,
      tool_calls: [{}],
    })
  })

  it('streams as samples, behind the text of each sentence', async () => {
    const text = 'One is here. Two is there.'
    const answer = await chat(gateway.port, text, { stream: true, ...spoken('pcm16') })
    const events = eventsIn(answer)
    expect(events.pop()).toBe('[DONE]')
    const deltas = events.map((event) => JSON.parse(event).choices[0].delta)
    expect(deltas.shift()).toEqual({ role: 'assistant', content: null })
    expect(deltas.pop()).toEqual({})
    const audio = deltas.map((delta) => delta.audio)
    expect(new Set(audio.map(({ id }) => id)).size).toBe(1)
    expect(audio.pop()).toEqual({ id: expect.any(String), expires_at: expect.any(Number) })
    expect(audio.map(({ transcript = '' }) => transcript).join('')).toBe(text)
    const firstSound = audio.findIndex(({ data }) => data)
    expect(
      audio
        .slice(0, firstSound)
        .map(({ transcript }) => transcript)
        .join(''),
    ).toContain('One is here.')
    expect(audio.slice(firstSound).some(({ transcript }) => transcript)).toBe(true)
    const sound = audio.flatMap(({ data }) => (data ? [Buffer.from(data, 'base64')] : []))
    expect(Buffer.concat(sound).length / 48_000).toBeCloseTo(secondsOf(text), 1)
  })

  it('is referred to by its id, by whom it was for', async () => {
    const client = new OpenAI({ baseURL: gateway.url, apiKey: 'none' }).chat.completions
    const user = (content: string) => ({ role: 'user' as const, content })
    const { choices } = await client.create({
      model: 'tool_llm',
      messages: [user('hello')],
      modalities: ['text', 'audio'],
      audio: { voice: 'alloy', format: 'wav' },
    })
    const id = choices[0]?.message.audio?.id ?? ''
    const messages = [user('hello'), { role: 'assistant' as const, audio: { id } }, user('/messages')]
    const next = await client.create({ model: 'tool_llm', messages })
    expect(JSON.parse(next.choices[0]?.message.content ?? '')[1]).toEqual({
      role: 'assistant',
      content: 'hello',
    })
    const stateless = await serve(host, { stateless: true })
    for (const [port, known] of [
      [gateway.port, 'audio_gone'],
      [stateless.port, id],
    ] as const) {
      const gone = [user('hello'), { role: 'assistant', audio: { id: known } }, user('x')]
      const answer = await chat(port, '', { messages: gone })
      expect(answer.status).toBe(400)
      expect(json(answer)).toMatchObject({
        error: { param: 'messages[1].audio.id', code: 'audio_not_found' },
      })
    }
  })

  it.each<[object, string, string]>([
    [{ modalities: ['text', 'audio'] }, 'audio', 'missing_required_parameter'],
    [{ audio: { voice: 'low', format: 'wav' } }, 'audio', 'unsupported_parameter'],
    [{ modalities: ['smell'] }, 'modalities', 'unsupported_parameter'],
    [{ modalities: 'audio' }, 'modalities', 'invalid_value'],
    [spoken('ogg'), 'audio.format', 'invalid_value'],
    [{ modalities: ['audio'], audio: { voice: 'low' } }, 'audio.format', 'missing_required_parameter'],
    [spoken('wav', 7), 'audio.voice', 'invalid_value'],
    [spoken('wav', 'nobody'), 'audio.voice', 'voice_not_found'],
    [{ stream: true, ...spoken('mp3') }, 'audio.format', 'unsupported_parameter'],
  ])('is refused: %j', async (more, param, code) => {
    const answer = await chat(gateway.port, 'x', more)
    expect(answer.status).toBe(400)
    expect(json(answer)).toMatchObject({ error: { param, code } })
  })

  it('fails as the model does, with its status, and the next one is spoken', async () => {
    for (const stream of [false, true]) {
      const answer = await chat(gateway.port, '/fail LLM_RATE_LIMITED', { stream, ...spoken('pcm16') })
      expect(answer.status).toBe(429)
    }
    const { body } = await chat(gateway.port, '/fail LLM_COMPLETION_FAILED 2', {
      stream: true,
      ...spoken('pcm16'),
    })
    expect(body).toContain('llm_completion_failed')
    expect(messageIn(await chat(gateway.port, 'x', spoken('wav'))).audio?.transcript).toBe('x')
  })
})

it('nothing is spoken for a key that may use no plugin that speaks', async () => {
  const { port } = await serve(host, { keys: [{ key: 'k', contracts: ['llm'] }] })
  const { url } = { url: `http://127.0.0.1:${port}/v1/chat/completions` }
  const body = { model: 'tool_llm', messages: [{ role: 'user', content: 'x' }], ...spoken('wav') }
  const headers = { 'content-type': 'application/json', authorization: 'Bearer k' }
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
  expect(await answer.json()).toMatchObject({ error: { param: 'modalities', code: 'unsupported_parameter' } })
})
