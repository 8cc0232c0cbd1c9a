import { tracingChannel } from 'node:diagnostics_channel'
import type { CallTrace, PluginHost } from '@appfactory/host'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { chat, serve, startHost, textIn } from '../visitor.js'
import { Talker, tone } from './talker.js'

let host: PluginHost
beforeAll(async () => {
  host = await startHost(['tool_llm', 'tone_tts', 'echo_stt'])
})
afterAll(() => host.close({ force: true }))

/** A client that answers with text, and whose turns it ends itself. */
async function start(session: object = {}): Promise<{ client: Talker; port: number }> {
  const { port } = await serve(host)
  const client = await new Talker(port, '?model=tool_llm').opened()
  const input = { turn_detection: null }
  client.send({
    type: 'session.update',
    session: { type: 'realtime', output_modalities: ['text'], audio: { input }, ...session },
  })
  await client.next('session.updated')
  return { client, port }
}

function say(client: Talker, text: string, id?: string): void {
  const item = {
    type: 'message',
    role: 'user',
    content: [{ type: 'input_text', text }],
    ...(id ? { id } : {}),
  }
  client.send({ type: 'conversation.item.create', item })
  client.send({ type: 'response.create' })
}

/** The messages that the model gets for the next answer. */
async function messagesOf(
  client: Talker,
): Promise<{ role: string; content: string; toolCalls?: object[] }[]> {
  say(client, '/messages')
  return JSON.parse((await client.next('response.output_text.done')).text)
}

describe('an answer of text', () => {
  it('has all its events, in their order', async () => {
    const { client } = await start({ instructions: 'Be brief.' })
    say(client, 'one two')
    const { response } = await client.next('response.done')
    await client.next('rate_limits.updated')
    expect(client.types.slice(2)).toEqual([
      'conversation.item.added',
      'conversation.item.done',
      'response.created',
      'response.output_item.added',
      'conversation.item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'conversation.item.done',
      'response.output_item.done',
      'response.done',
      'rate_limits.updated',
    ])
    expect(response).toMatchObject({
      status: 'completed',
      output: [
        {
          type: 'message',
          role: 'assistant',
          status: 'completed',
          content: [{ type: 'output_text', text: 'one two' }],
        },
      ],
      usage: { input_tokens: 3, output_tokens: 2, total_tokens: 5 },
    })
    expect((await messagesOf(client)).map(({ role, content }) => [role, content])).toEqual([
      ['system', 'Be brief.'],
      ['user', 'one two'],
      ['assistant', 'one two'],
      ['user', '/messages'],
    ])
  })

  it('has whole characters where the model cuts them', async () => {
    const { client } = await start()
    const answered = async (text: string): Promise<{ deltas: string[]; whole: string }> => {
      const before = client.events.length
      say(client, text)
      const { text: whole } = await client.next('response.output_text.done')
      await client.next('response.done')
      const deltas = client.events
        .slice(before)
        .flatMap((event) => (event.type === 'response.output_text.delta' ? [event.delta] : []))
      return { deltas, whole }
    }
    expect(await answered('/units x y😀z')).toEqual({ deltas: ['y', '😀', 'z'], whole: 'y😀z' })
    // Nothing completes it, and nothing is lost.
    expect(await answered('/units x y\ud83d')).toEqual({ deltas: ['y', '\ud83d'], whole: 'y\ud83d' })
  })

  it('calls tools, and takes what they give', async () => {
    const tools = ['weather', 'time'].map((name) => ({
      type: 'function',
      name,
      parameters: { type: 'object' },
    }))
    const { client } = await start({ tools })
    say(client, 'x')
    const { response } = await client.next('response.done')
    expect(response.output).toMatchObject([
      { type: 'function_call', name: 'weather', call_id: 'call_0', arguments: '{"city":"City 0"}' },
      { type: 'function_call', name: 'time', call_id: 'call_1', arguments: '{"city":"City 1"}' },
    ])
    expect(client.types).toContain('response.function_call_arguments.done')
    for (const call_id of ['call_0', 'call_1'])
      client.send({
        type: 'conversation.item.create',
        item: { type: 'function_call_output', call_id, output: 'fine' },
      })
    client.send({ type: 'response.create', response: { tool_choice: 'none' } })
    expect(await client.next('response.output_text.done')).toMatchObject({ text: 'call_0=fine; call_1=fine' })
  })

  it('may be for the client alone', async () => {
    const { client } = await start()
    const input = [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'aside' }] }]
    client.send({
      type: 'response.create',
      response: { conversation: 'none', input, metadata: { topic: 'x' } },
    })
    const { response } = await client.next('response.done')
    expect(response).toMatchObject({ status: 'completed', metadata: { topic: 'x' } })
    expect(response.conversation_id).toBeUndefined()
    expect(await messagesOf(client)).toHaveLength(1)
  })

  it('is cancelled in the plugin, by the client and when it goes', async () => {
    const { client, port } = await start()
    const before = await aborts(port)
    say(client, '/paced 1000 20')
    await client.next('response.output_text.delta')
    expect(await client.errorOf({ type: 'response.create' })).toMatchObject({
      code: 'conversation_already_has_active_response',
    })
    client.send({ type: 'response.cancel' })
    expect((await client.next('response.done')).response).toMatchObject({
      status: 'cancelled',
      status_details: { reason: 'client_cancelled' },
      output: [{ status: 'incomplete' }],
    })
    await expect.poll(() => aborts(port)).toBe(before + 1)
    expect(await client.errorOf({ type: 'response.cancel' })).toMatchObject({
      code: 'response_cancel_not_active',
    })
    say(client, '/paced 1000 20')
    await client.next('response.output_text.delta')
    client.socket.terminate()
    await expect.poll(() => aborts(port)).toBe(before + 2)
  })

  it('forgets the oldest where all is too much for the model, and never its instructions', async () => {
    const { client } = await start({ instructions: 'Be brief.' })
    for (const text of ['one', 'two']) {
      say(client, text)
      await client.next('response.done')
    }
    say(client, '/room 3')
    const { text } = await client.next('response.output_text.done')
    expect(JSON.parse(text).map(({ content }: { content: string }) => content)).toEqual([
      'Be brief.',
      'two',
      '/room 3',
    ])
  })

  it('that fails says why, and the next one is fine', async () => {
    const { client } = await start()
    say(client, '/fail LLM_RATE_LIMITED')
    expect((await client.next('error')).error).toMatchObject({ code: 'rate_limit_exceeded' })
    expect((await client.next('response.done')).response).toMatchObject({
      status: 'failed',
      status_details: { error: { code: 'rate_limit_exceeded' } },
    })
    say(client, 'next')
    expect(await client.next('response.output_text.done')).toMatchObject({ text: 'next' })
  })

  it('needs something that was said, or instructions', async () => {
    const { client } = await start()
    expect(await client.errorOf({ type: 'response.create' })).toMatchObject({
      code: 'conversation_empty',
      param: null,
    })
    await client.next('response.done')
    client.send({ type: 'response.create', response: { instructions: 'Greet them.' } })
    expect(await client.next('response.output_text.done')).toMatchObject({ text: 'Greet them.' })
  })

  it('that hits its limit is not whole', async () => {
    const { client } = await start()
    client.send({
      type: 'conversation.item.create',
      item: { role: 'user', content: [{ type: 'input_text', text: '/options' }] },
    })
    client.send({ type: 'response.create', response: { max_output_tokens: 7 } })
    expect(JSON.parse((await client.next('response.output_text.done')).text)).toMatchObject({ maxTokens: 7 })
    say(client, '/options')
    // The model’s own length, and not the 1,024 of the contract.
    expect(JSON.parse((await client.next('response.output_text.done')).text)).toMatchObject({
      maxTokens: 4096,
    })
  })
})

async function aborts(port: number): Promise<number> {
  return Number(textIn(await chat(port, '/aborts')))
}

describe('an answer that is spoken', () => {
  it('comes as sound, with its text', async () => {
    const { client } = await start({ output_modalities: ['audio'] })
    say(client, 'one two three')
    await client.next('response.done')
    expect(client.types.slice(4)).toEqual(
      expect.arrayContaining([
        'response.output_audio_transcript.delta',
        'response.output_audio.delta',
        'response.output_audio.done',
        'response.output_audio_transcript.done',
      ]),
    )
    // A tenth of a second for each word, at 24 kHz.
    expect(soundOf(client)).toBeCloseTo(3 * 4800, -2)
    expect(client.events.find(({ type }) => type === 'response.output_audio_transcript.done')).toMatchObject({
      transcript: 'one two three',
    })
  })

  it('is G.711 for who wants it', async () => {
    const { client } = await start({
      output_modalities: ['audio'],
      audio: { output: { format: { type: 'audio/pcmu' } } },
    })
    say(client, 'one two')
    await client.next('response.done')
    expect(soundOf(client)).toBeCloseTo(2 * 800, -2)
  })

  it('is forgotten where it was not heard', async () => {
    const { client } = await start({ output_modalities: ['audio'] })
    say(client, 'one two three four')
    const { response } = await client.next('response.done')
    const id = response.output?.[0]?.id ?? ''
    client.send({ type: 'conversation.item.truncate', item_id: id, content_index: 0, audio_end_ms: 250 })
    await client.next('conversation.item.truncated')
    client.send({ type: 'conversation.item.retrieve', item_id: id })
    expect(await client.next('conversation.item.retrieved')).toMatchObject({
      item: { content: [{ transcript: 'one two' }] },
    })
    client.send({ type: 'conversation.item.delete', item_id: id })
    await client.next('conversation.item.deleted')
    expect(await client.errorOf({ type: 'conversation.item.retrieve', item_id: id })).toMatchObject({
      code: 'item_not_found',
    })
  })

  it('is forgotten where it was not heard, also while it is still written', async () => {
    const { client } = await start({ output_modalities: ['audio'] })
    say(client, `one two three four. ${'Five six. '.repeat(200)}`)
    const { item_id } = await client.next('response.output_audio.delta')
    client.send({ type: 'conversation.item.truncate', item_id, content_index: 0, audio_end_ms: 250 })
    await client.next('response.done')
    client.send({ type: 'conversation.item.retrieve', item_id })
    expect(await client.next('conversation.item.retrieved')).toMatchObject({
      item: { content: [{ transcript: 'one two' }] },
    })
  })

  it('follows by itself when somebody has spoken, and ends when they speak again', async () => {
    const { client, port } = await start({ audio: { input: { turn_detection: { type: 'server_vad' } } } })
    const before = await aborts(port)
    const spoken = [tone(600), tone(800, 0)]
    for (const part of spoken) client.append(part)
    await client.next('input_audio_buffer.committed')
    expect(await client.next('response.output_text.done')).toMatchObject({
      text: expect.stringMatching(/^one two \d+$/),
    })
    await client.next('response.done')
    say(client, '/paced 1000 20')
    await client.next('response.output_text.delta')
    client.append(tone(600))
    await client.next('input_audio_buffer.speech_started')
    expect((await client.next('response.done')).response).toMatchObject({
      status: 'cancelled',
      status_details: { reason: 'turn_detected' },
    })
    await expect.poll(() => aborts(port)).toBe(before + 1)
  })

  it('waits for the transcript of what was said', async () => {
    const { client } = await start()
    client.append(tone(300))
    client.send({ type: 'input_audio_buffer.commit' })
    client.send({ type: 'response.create' })
    expect((await client.next('response.output_text.done')).text).toMatch(/^one two \d+$/)
    const content = [{ type: 'input_audio', audio: tone(300).toString('base64') }]
    client.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content } })
    client.send({ type: 'response.create' })
    expect((await client.next('response.output_text.done')).text).toMatch(/^one two \d+$/)
  })
})

/** The bytes of sound that a client got. */
function soundOf({ events }: Talker): number {
  return events.reduce(
    (sum, event) =>
      sum + (event.type === 'response.output_audio.delta' ? Buffer.from(event.delta, 'base64').length : 0),
    0,
  )
}

it('a client of the beta hears the names that it knows', async () => {
  const { port } = await serve(host)
  const client = new Talker(port, '?model=tool_llm', {
    headers: { 'openai-beta': 'realtime=v1' },
    isBeta: true,
  })
  await client.opened()
  client.send({
    type: 'session.update',
    session: { modalities: ['text'], instructions: 'x', max_response_output_tokens: 5 },
  })
  await client.next('session.updated')
  say(client, 'hello')
  await client.next('response.done')
  expect(client.types).toEqual(
    expect.arrayContaining(['conversation.item.created', 'response.text.delta', 'response.text.done']),
  )
})

it('lets the calls for a client belong to the span of its request', async () => {
  const seen: unknown[] = []
  const { start: started } = tracingChannel<object, CallTrace>('appfactory.call')
  const listen = (call: unknown): void => {
    const { method, context } = call as CallTrace
    if (/^(transcribe|stream_chat|synthesize)/.test(method)) seen.push([method, context])
  }
  started.subscribe(listen)
  onTestFinished(() => void started.unsubscribe(listen))
  const { port } = await serve(host)
  const trace = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, tracestate: 'a=1' }
  const client = await new Talker(port, '?model=tool_llm', { headers: trace }).opened()
  client.append(tone(500))
  client.append(Buffer.alloc(48_000))
  await client.next('response.done')
  expect(seen).toEqual([
    ['transcribe_stream', trace],
    ['stream_chat', trace],
    ['synthesize_stream', trace],
  ])
})

it('many talk at once, each with their own conversation', async () => {
  const { port } = await serve(host)
  const said = Array.from({ length: 30 }, (_, index) => `word ${index}`)
  const heard = await Promise.all(
    said.map(async (text) => {
      const client = await new Talker(port, '?model=tool_llm').opened()
      client.send({ type: 'session.update', session: { type: 'realtime', output_modalities: ['text'] } })
      say(client, text)
      return (await client.next('response.output_text.done')).text
    }),
  )
  expect(heard).toEqual(said)
})
