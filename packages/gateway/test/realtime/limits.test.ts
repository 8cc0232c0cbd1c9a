import type { PluginHost } from '@appfactory/host'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { GatewayKey } from '../../src/index.js'
import { serve, startHost } from '../visitor.js'
import { Talker, tone } from './talker.js'

let host: PluginHost
beforeAll(async () => {
  host = await startHost(['tool_llm', 'tone_tts', 'echo_stt', 'file_stt'])
})
afterAll(() => host.close({ force: true }))

const byHand = { turn_detection: null }
const text = { type: 'realtime', output_modalities: ['text'], audio: { input: byHand } }

async function start(port: number, session: object = text, key = 'key'): Promise<Talker> {
  const headers = { authorization: `Bearer ${key}` }
  const client = await new Talker(port, '?model=tool_llm', { headers }).opened()
  client.send({ type: 'session.update', session })
  return client
}

async function startWith(key: Omit<GatewayKey, 'key'>, session?: object): Promise<Talker> {
  const { port } = await serve(host, { keys: [{ key: 'key', ...key }] })
  return start(port, session)
}

function say(client: Talker, content: string): void {
  const item = { type: 'message', role: 'user', content: [{ type: 'input_text', text: content }] }
  client.send({ type: 'conversation.item.create', item })
  client.send({ type: 'response.create' })
}

describe('a key', () => {
  it('has as many sessions at once as requests, and another one when one is over', async () => {
    const { port } = await serve(host, { keys: [{ key: 'key', concurrentRequests: 1 }] })
    for (let session = 0; session < 3; session++) {
      const client = await start(port)
      const refused = new Talker(port, '', { headers: { authorization: 'Bearer key' } })
      expect(await status(refused)).toBe(429)
      await client.close()
      await expect.poll(() => isOpened(port)).toBe(true)
    }
  })

  it('counts answers and turns as requests, and says how many are left', async () => {
    const client = await startWith({ requestsPerMinute: 3 })
    say(client, 'one')
    expect((await client.next('rate_limits.updated')).rate_limits).toMatchObject([
      { name: 'requests', limit: 3, remaining: 1, reset_seconds: expect.any(Number) },
    ])
    client.append(tone(100))
    client.send({ type: 'input_audio_buffer.commit' })
    await client.next('conversation.item.input_audio_transcription.completed')
    for (const type of ['response.create', 'input_audio_buffer.commit']) {
      client.append(tone(100))
      expect(await client.errorOf({ type })).toMatchObject({
        code: 'rate_limit_exceeded',
        type: 'rate_limit_error',
      })
    }
    client.send({ type: 'input_audio_buffer.clear' })
    await client.next('input_audio_buffer.cleared')
  })

  it('without a limit has nothing to tell of it', async () => {
    const client = await startWith({})
    say(client, 'one')
    expect((await client.next('rate_limits.updated')).rate_limits).toEqual([])
  })

  it('uses no plugins but its own: the others are not there', async () => {
    const client = await startWith({ contracts: ['llm'] })
    const input = { transcription: { model: 'echo_stt' } }
    expect(await client.errorOf({ type: 'session.update', session: { audio: { input } } })).toMatchObject({
      code: 'model_not_found',
    })
    client.append(tone(100))
    client.send({ type: 'input_audio_buffer.commit' })
    const { error } = await client.next('conversation.item.input_audio_transcription.failed')
    expect(error).toMatchObject({ code: 'model_not_found' })
    client.send({ type: 'session.update', session: { output_modalities: ['audio'] } })
    say(client, 'one')
    expect((await client.next('response.done')).response).toMatchObject({
      status: 'failed',
      status_details: { error: { code: 'model_not_found' } },
    })
    client.send({ type: 'session.update', session: text })
    say(client, 'two')
    expect((await client.next('response.output_text.done')).text).toBe('two')
  })

  it('hears and speaks no more than its seconds', async () => {
    const client = await startWith({ audioSeconds: 0.5 })
    client.append(tone(400))
    expect(await client.errorOf({ type: 'input_audio_buffer.append', audio: base64(400) })).toMatchObject({
      code: 'input_audio_buffer_full',
    })
    const content = [{ type: 'input_audio', audio: base64(600) }]
    const item = { type: 'message', role: 'user', content }
    expect(await client.errorOf({ type: 'conversation.item.create', item })).toMatchObject({
      code: 'audio_too_long',
      param: 'item.content[0].audio',
    })
    client.send({ type: 'session.update', session: { output_modalities: ['audio'] } })
    say(client, 'one two three four five six seven')
    expect((await client.next('response.done')).response).toMatchObject({
      status: 'failed',
      status_details: { error: { code: 'audio_too_long' } },
    })
  })
})

const base64 = (ms: number): string => tone(ms).toString('base64')

function status({ socket }: Talker): Promise<number | undefined> {
  return new Promise((resolve) => {
    socket.once('unexpected-response', (_request, response) => resolve(response.statusCode))
    socket.once('open', () => resolve(101))
  })
}

async function isOpened(port: number): Promise<boolean> {
  const client = new Talker(port, '', { headers: { authorization: 'Bearer key' } })
  const isOpen = (await status(client)) === 101
  if (isOpen) await client.close()
  return isOpen
}

describe('what is too much', () => {
  it('a client that reads nothing is disconnected, and others are not', async () => {
    const limits = { unreadStreamMs: 100, maxRealtimeSessions: 2, drainTimeoutMs: 1 }
    const { port } = await serve(host, { limits })
    const [other, client] = [await start(port), await start(port)]
    const content = [{ type: 'input_text', text: 'x'.repeat(500_000) }]
    client.send({ type: 'conversation.item.create', item: { id: 'long', role: 'user', content } })
    await client.next('conversation.item.done')
    client.socket.pause()
    for (let times = 0; times < 100; times++)
      client.send({ type: 'conversation.item.retrieve', item_id: 'long' })
    // There is room for a session again.
    await expect.poll(async () => (await new Talker(port).opened()).types).toEqual(['session.created'])
    say(other, 'still here')
    expect((await other.next('response.output_text.done')).text).toBe('still here')
  })

  it('frames without text are refused, however many', async () => {
    const client = await startWith({})
    for (let times = 0; times < 8; times++) client.send(Buffer.alloc(1024 * 1024))
    for (let times = 0; times < 8; times++)
      expect((await client.next('error')).error.code).toBe('invalid_json')
    say(client, 'one')
    expect((await client.next('response.output_text.done')).text).toBe('one')
  })

  it('of a conversation, the oldest items go', async () => {
    const client = await startWith({})
    for (let index = 0; index <= 500; index++) {
      const content = [{ type: 'input_text', text: 'x' }]
      client.send({ type: 'conversation.item.create', item: { id: `item ${index}`, role: 'user', content } })
    }
    expect(await client.errorOf({ type: 'conversation.item.retrieve', item_id: 'item 0' })).toMatchObject({
      code: 'item_not_found',
    })
    client.send({ type: 'conversation.item.retrieve', item_id: 'item 1' })
    expect((await client.next('conversation.item.retrieved')).item).toMatchObject({ id: 'item 1' })
  })

  it('a turn has a quarter of an hour', async () => {
    const format = { type: 'audio/pcm', rate: 16_000 }
    const transcription = { model: 'file_stt' }
    const client = await startWith({}, { ...text, audio: { input: { ...byHand, format, transcription } } })
    const minutes5 = Buffer.alloc(5 * 60 * 32_000)
    for (let times = 0; times < 3; times++) client.append(minutes5)
    expect(await client.errorOf({ type: 'input_audio_buffer.append', audio: 'AAAA' })).toMatchObject({
      code: 'input_audio_buffer_full',
    })
    client.send({ type: 'input_audio_buffer.commit' })
    const { transcript } = await client.next('conversation.item.input_audio_transcription.completed')
    expect(JSON.parse(transcript)).toMatchObject({ samples: 15 * 60 * 16_000 })
  })

  it.each([
    ['padding that never ends', `${'='.repeat(8_000_000)}x`],
    ['a letter too many', 'A'.repeat(8_000_001)],
    ['a data: URL', `data:audio/wav;base64,${'A'.repeat(1000)}`],
  ])('no base64, but %s', async (_what, audio) => {
    const client = await startWith({})
    expect(await client.errorOf({ type: 'input_audio_buffer.append', audio })).toMatchObject({
      code: 'invalid_value',
      param: 'audio',
    })
    say(client, 'one')
    expect((await client.next('response.output_text.done')).text).toBe('one')
  })
})

describe('events that come at the wrong time', () => {
  const said = { id: 'said', role: 'user', content: [{ type: 'input_text', text: 'x' }] }
  it.each<[string, Record<string, unknown>, string]>([
    ['cancel of nothing', { type: 'response.cancel' }, 'response_cancel_not_active'],
    [
      'cancel of another answer',
      { type: 'response.cancel', response_id: 'no' },
      'response_cancel_not_active',
    ],
    ['an item behind one that is not there', create(said, 'no'), 'item_not_found'],
    ['an item that is there', create({ ...said, id: 'there' }), 'invalid_value'],
    ['an answer to an item that is not there', answerTo('no'), 'item_not_found'],
    ['the end of what was not spoken', truncate('there'), 'invalid_value'],
    ['the end of what is not there', truncate('no'), 'item_not_found'],
  ])('%s: an error, and the session goes on', async (_what, event, code) => {
    const client = await startWith({})
    client.send(create({ ...said, id: 'there' }))
    expect(await client.errorOf({ event_id: 'mine', ...event })).toMatchObject({ code, event_id: 'mine' })
    say(client, 'one')
    expect((await client.next('response.output_text.done')).text).toBe('one')
  })

  it('the end of the gateway lets an answer end, and takes no more', async () => {
    const gateway = await serve(host, { limits: { drainTimeoutMs: 60_000 } })
    const client = await start(gateway.port)
    say(client, '/paced 20 10')
    await client.next('response.output_text.delta')
    const closed = gateway.close()
    expect(await client.errorOf({ type: 'response.create' })).toMatchObject({ code: 'gateway_closing' })
    expect((await client.next('response.done')).response.status).toBe('completed')
    expect(await client.closed).toMatchObject({ code: 1001 })
    await closed
  })
})

function create(item: object, after?: string): Record<string, unknown> {
  return { type: 'conversation.item.create', item, ...(after ? { previous_item_id: after } : {}) }
}

function answerTo(id: string): Record<string, unknown> {
  return { type: 'response.create', response: { input: [{ type: 'item_reference', id }] } }
}

function truncate(item_id: string): Record<string, unknown> {
  return { type: 'conversation.item.truncate', item_id, content_index: 0, audio_end_ms: 0 }
}
