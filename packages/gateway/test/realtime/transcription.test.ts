import type { PluginHost } from '@appfactory/host'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { send, serve, startHost } from '../visitor.js'
import { Talker, tone } from './talker.js'

let host: PluginHost
beforeAll(async () => {
  host = await startHost(['echo_stt', 'file_stt'])
})
afterAll(() => host.close({ force: true }))

const byHand = {
  type: 'session.update',
  session: { type: 'transcription', audio: { input: { turn_detection: null } } },
}

/** What `file_stt` tells of the next turn. */
async function loudestIn(client: Talker): Promise<unknown> {
  const { transcript } = await client.next('conversation.item.input_audio_transcription.completed')
  return JSON.parse(transcript).loudest
}

describe('a session that transcribes', () => {
  it('tells text while it comes, and all of it when the client commits', async () => {
    const { port } = await serve(host)
    const client = await new Talker(port, '?intent=transcription&model=echo_stt').opened()
    client.send(byHand)
    expect(await client.next('session.updated')).toMatchObject({
      session: {
        type: 'transcription',
        audio: { input: { turn_detection: null, transcription: { model: 'echo_stt' } } },
      },
    })
    client.append(tone(500))
    client.append(tone(500))
    client.send({ type: 'input_audio_buffer.commit' })
    const { item_id } = await client.next('input_audio_buffer.committed')
    const done = await client.next('conversation.item.input_audio_transcription.completed')
    expect(done).toMatchObject({ item_id, content_index: 0, usage: { type: 'duration', seconds: 1 } })
    expect(done.transcript).toMatch(/^one two \d+$/)
    const deltas = client.events.flatMap((each) =>
      each.type === 'conversation.item.input_audio_transcription.delta' ? [each.delta] : [],
    )
    expect(deltas.join('')).toBe(done.transcript)
    expect(client.types).toEqual(
      expect.arrayContaining(['conversation.item.added', 'conversation.item.done']),
    )
  })

  it('over a plugin that hears recordings alone: at the commit, as a WAV file', async () => {
    const { port } = await serve(host)
    const client = await new Talker(port, '?intent=transcription').opened()
    const input = {
      format: { type: 'audio/pcm', rate: 48_000 },
      transcription: { model: 'file_stt', language: 'de', prompt: 'p' },
      turn_detection: null,
    }
    client.send({ type: 'session.update', session: { type: 'transcription', audio: { input } } })
    client.append(tone(1000, 0.3, 48_000))
    client.send({ type: 'input_audio_buffer.commit' })
    const { transcript } = await client.next('conversation.item.input_audio_transcription.completed')
    expect(JSON.parse(transcript)).toEqual({
      samples: 16_000,
      sampleRate: 16_000,
      language: 'de',
      prompt: 'p',
      loudest: expect.any(Number),
      firstLoud: expect.any(Number),
    })
  })

  it.each([
    ['audio/pcmu', 'g711_ulaw', 0xff],
    ['audio/pcma', 'g711_alaw', 0xd5],
  ])('%s, as today and as in the beta', async (type, beta, silence) => {
    const { port } = await serve(host)
    for (const session of [
      { type: 'transcription', audio: { input: { format: { type }, turn_detection: null } } },
      { input_audio_format: beta, turn_detection: null },
    ]) {
      const client = await new Talker(port, '?intent=transcription&model=file_stt').opened()
      client.send({ type: 'audio' in session ? 'session.update' : 'transcription_session.update', session })
      client.append(Buffer.alloc(8000, silence))
      client.send({ type: 'input_audio_buffer.commit' })
      const { transcript } = await client.next('conversation.item.input_audio_transcription.completed')
      expect(JSON.parse(transcript)).toMatchObject({ samples: 16_000 })
      await client.close()
    }
  })

  it('ends a turn at a silence, and begins the next one', async () => {
    const { port } = await serve(host)
    const client = await new Talker(port, '?model=file_stt').opened()
    for (let turn = 0; turn < 2; turn++) {
      for (const part of [tone(1000, 0), tone(700), tone(1000, 0)]) client.append(part)
      const { item_id, audio_start_ms } = await client.next('input_audio_buffer.speech_started')
      const { audio_end_ms } = await client.next('input_audio_buffer.speech_stopped')
      expect(await client.next('input_audio_buffer.committed')).toMatchObject({ item_id })
      // 300 ms before the sound, and the 500 ms of silence behind it.
      expect(Math.abs(audio_start_ms - (turn * 2700 + 700))).toBeLessThanOrEqual(40)
      expect(Math.abs(audio_end_ms - (turn * 2700 + 2200))).toBeLessThanOrEqual(40)
      const { transcript } = await client.next('conversation.item.input_audio_transcription.completed')
      expect(JSON.parse(transcript).samples / 16).toBeCloseTo(audio_end_ms - audio_start_ms, -2)
    }
  })

  it('drops what is cleared, and refuses to commit nothing', async () => {
    const { port } = await serve(host)
    const client = await new Talker(port, '?intent=transcription&model=file_stt').opened()
    client.send(byHand)
    client.append(tone(300))
    client.send({ type: 'input_audio_buffer.clear', event_id: 'mine' })
    await client.next('input_audio_buffer.cleared')
    expect(await client.errorOf({ type: 'input_audio_buffer.commit', event_id: 'mine' })).toMatchObject({
      code: 'input_audio_buffer_commit_empty',
      event_id: 'mine',
    })
    client.append(tone(100))
    client.send({ type: 'input_audio_buffer.commit' })
    const { transcript } = await client.next('conversation.item.input_audio_transcription.completed')
    expect(JSON.parse(transcript).samples).toBe(1600)
  })

  it('begins the next turn with a whole sample where the one before ended with half of one', async () => {
    const { port } = await serve(host)
    const client = await new Talker(port, '?intent=transcription&model=file_stt').opened()
    client.send(byHand)
    client.append(Buffer.concat([tone(100), Buffer.alloc(1)]))
    client.send({ type: 'input_audio_buffer.commit' })
    expect(await loudestIn(client)).toBeLessThan(12_000)
    client.append(tone(100))
    client.send({ type: 'input_audio_buffer.commit' })
    expect(await loudestIn(client)).toBeLessThan(12_000)
  })

  it('keeps the order of its sound where the client takes turn detection off', async () => {
    const { port } = await serve(host)
    const client = await new Talker(port, '?intent=transcription&model=file_stt').opened()
    client.append(Buffer.alloc(9600))
    client.send(byHand)
    client.append(tone(200))
    client.send({ type: 'input_audio_buffer.commit' })
    const { transcript } = await client.next('conversation.item.input_audio_transcription.completed')
    const { samples, firstLoud } = JSON.parse(transcript)
    expect(samples).toBe(6400)
    // A resampler begins a little early.
    expect(firstLoud).toBeGreaterThan(3150)
  })

  it('tells why there is no transcript, and goes on', async () => {
    const { port } = await serve(host)
    const client = await new Talker(port, '?intent=transcription&model=echo_stt').opened()
    const input = { transcription: { prompt: '/fail' }, turn_detection: null }
    client.send({ type: 'session.update', session: { audio: { input } } })
    client.append(tone(100))
    client.send({ type: 'input_audio_buffer.commit' })
    const { error } = await client.next('conversation.item.input_audio_transcription.failed')
    expect(error).toMatchObject({ message: 'It failed', code: 'stt_transcription_failed' })
    client.send({
      type: 'session.update',
      session: { audio: { input: { transcription: { model: 'file_stt' } } } },
    })
    client.append(tone(100))
    client.send({ type: 'input_audio_buffer.commit' })
    await client.next('conversation.item.input_audio_transcription.completed')
  })
})

describe('a client that goes', () => {
  it('while it speaks, or waits for the text: the plugin hears no more', async () => {
    const { port } = await serve(host)
    const open = async (): Promise<unknown> => (await host.health('echo_stt')).details?.['open_streams']
    for (const isCommitted of [false, true]) {
      const client = await new Talker(port, '?intent=transcription&model=echo_stt').opened()
      const input = { transcription: { prompt: '/hang' }, turn_detection: null }
      client.send({ type: 'session.update', session: { audio: { input } } })
      client.append(tone(100))
      if (isCommitted) client.send({ type: 'input_audio_buffer.commit' })
      await expect.poll(open).toBe(1)
      client.socket.terminate()
      await expect.poll(open).toBe(0)
    }
  })
})

describe('who may connect', () => {
  it('has a key: in a header, or as a protocol, which is not echoed', async () => {
    const { port } = await serve(host, { keys: ['secret'] })
    const query = '?intent=transcription'
    for (const options of [
      { headers: { authorization: 'Bearer secret' } },
      { protocols: ['realtime', 'openai-insecure-api-key.secret', 'openai-beta.realtime-v1'] },
    ]) {
      const client = await new Talker(port, query, options).opened()
      expect(client.socket.protocol).toBe('protocols' in options ? 'realtime' : '')
    }
    for (const protocols of [['realtime'], ['realtime', 'openai-insecure-api-key.no']])
      expect(await refusal(port, { protocols })).toBe(401)
  })

  it('addresses this machine, and is no page of another site', async () => {
    const { port } = await serve(host, { cors: ['https://app.example'] })
    expect(await refusal(port, { headers: { host: 'evil.example' } })).toBe(403)
    expect(await refusal(port, { origin: 'https://evil.example' })).toBe(403)
    await new Talker(port, '', { origin: 'https://app.example' }).opened()
  })

  it('asks for the right thing', async () => {
    const { port } = await serve(host)
    expect(await send(port, { path: '/v1/realtime' })).toMatchObject({ status: 426 })
    expect(await refusal(port, {}, '/../models')).toBe(400)
    expect(await refusal(port, {}, '/../nothing')).toBe(404)
    for (const model of ['nothing', 'echo_stt/none']) {
      const client = new Talker(port, `?intent=transcription&model=${model}`)
      expect((await client.next('error')).error).toMatchObject({ code: 'model_not_found' })
      expect(await client.closed).toMatchObject({ code: 1008 })
    }
  })

  it('is one of as many as there may be', async () => {
    const { port } = await serve(host, { limits: { maxRealtimeSessions: 2, drainTimeoutMs: 1 } })
    const [first] = await Promise.all([1, 2].map(() => new Talker(port).opened()))
    const third = new Talker(port)
    expect((await third.next('error')).error).toMatchObject({ code: 'rate_limit_exceeded' })
    expect(await third.closed).toMatchObject({ code: 1008 })
    await first?.close()
    await expect.poll(async () => (await new Talker(port).opened()).types).toEqual(['session.created'])
  })

  it('may offer HTTP/2, and gets a plain answer', async () => {
    const { port } = await serve(host)
    const headers = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABk' }
    expect(await send(port, { path: '/v1/models', headers })).toMatchObject({ status: 200 })
    const body = JSON.stringify({ model: 'nothing', messages: [{ role: 'user', content: 'x' }] })
    const more = { 'content-type': 'application/json', 'content-length': body.length }
    const sent = { method: 'POST', path: '/v1/chat/completions', headers: { ...headers, ...more }, body }
    expect(await send(port, sent)).toMatchObject({ status: 404 })
  })
})

/** The status of a handshake that is refused. */
function refusal(port: number, options: ConstructorParameters<typeof Talker>[2], path = ''): Promise<number> {
  return new Promise((resolve, reject) => {
    const { socket } = new Talker(port, path, options)
    socket.once('unexpected-response', (_request, { statusCode }) => resolve(statusCode ?? 0))
    socket.once('open', () => reject(new Error('It was not refused')))
  })
}

describe('bad input', () => {
  it.each([
    ['a binary frame', Buffer.from([1, 2, 3]), 'invalid_json', null],
    ['no JSON', '{', 'invalid_json', null],
    ['an array', '[]', 'invalid_json', null],
    ['no type', '{}', 'invalid_value', 'type'],
    ['an unknown event', '{"type":"session.destroy"}', 'invalid_value', 'type'],
    ['a name that every object has', '{"type":"toString"}', 'invalid_value', 'type'],
    ['no base64', '{"type":"input_audio_buffer.append","audio":"a b"}', 'invalid_value', 'audio'],
    ['a number for sound', '{"type":"input_audio_buffer.append","audio":7}', 'invalid_value', 'audio'],
    ['no sound', '{"type":"input_audio_buffer.append"}', 'missing_required_parameter', 'audio'],
    ['no session', '{"type":"session.update"}', 'missing_required_parameter', 'session'],
    [
      'another format',
      '{"type":"session.update","session":{"audio":{"input":{"format":{"type":"audio/mp3"}}}}}',
      'invalid_value',
      'session.audio.input.format.type',
    ],
    [
      'another model',
      '{"type":"session.update","session":{"audio":{"input":{"transcription":{"model":"no"}}}}}',
      'model_not_found',
      'model',
    ],
    ['an answer of who only listens', '{"type":"response.create"}', 'invalid_value', 'session.type'],
    ['an unknown item', '{"type":"conversation.item.delete","item_id":"no"}', 'item_not_found', 'item_id'],
  ])('%s: an error, and the session goes on', async (_what, text, code, param) => {
    const { port } = await serve(host)
    const client = await new Talker(port, '?intent=transcription').opened()
    expect(await client.errorOf(text)).toMatchObject({ code, param, type: 'invalid_request_error' })
    client.send({ type: 'input_audio_buffer.clear' })
    await client.next('input_audio_buffer.cleared')
  })

  it('a frame that is too long closes the socket with 1009', async () => {
    const { port } = await serve(host)
    const client = await new Talker(port).opened()
    client.send('x'.repeat(16 * 1024 * 1024 + 1))
    expect(await client.closed).toMatchObject({ code: 1009 })
    await new Talker(port).opened()
  })
})

it('a gateway that ends tells its sessions', async () => {
  const gateway = await serve(host)
  const client = await new Talker(gateway.port).opened()
  await gateway.close()
  expect((await client.next('error')).error).toMatchObject({ code: 'gateway_closing' })
  expect(await client.closed).toMatchObject({ code: 1001 })
})
