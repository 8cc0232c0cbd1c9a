import type { PluginHost } from '@appfactory/host'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type Gateway, serveGateway } from '../src/index.js'
import { type Answer, json, post, send, serve, startHost } from './visitor.js'

let host: PluginHost
let gateway: Gateway
beforeAll(async () => {
  host = await startHost(['tool_llm'])
  gateway = await serveGateway(host, { port: 0 })
})
afterAll(async () => {
  await gateway.close()
  await host.close({ force: true })
})

function ask(input: unknown, more: object = {}, port = gateway.port): Promise<Answer> {
  return post(port, '/v1/responses', { model: 'tool_llm', input, ...more })
}

interface Item {
  id: string
  type: string
  status: string
  call_id?: string
  arguments?: string
  content?: { text: string }[]
  summary?: { text: string }[]
}

function itemsIn(answer: Answer): Item[] {
  const { output } = json(answer) as { output?: Item[] }
  expect(output, answer.body).toBeDefined()
  return output ?? []
}

/** The text of all items. */
function textOfItems(answer: Answer): string {
  return itemsIn(answer)
    .flatMap(({ content = [] }) => content.map(({ text }) => text))
    .join('')
}

interface Event {
  type: string
  sequence_number: number
  [member: string]: unknown
}

/** The events of a stream, each under its own name and with its number. */
function eventsOf({ body }: Answer): Event[] {
  const events = body.split('\n\n').filter((text) => text.startsWith('event: '))
  return events.map((text, index) => {
    const [, name, data = ''] = /^event: (.+)\ndata: (.+)$/.exec(text) ?? []
    const event: Event = JSON.parse(data)
    expect([event.type, event.sequence_number]).toEqual([name, index])
    return event
  })
}

const tool = (name: string) => ({ type: 'function', name, parameters: { type: 'object' } })
const tools = [tool('one'), tool('two')]

describe('POST /v1/responses', () => {
  it('answers with every member of the resource', async () => {
    const answer = await ask('two words', {
      metadata: { a: 'b' },
      user: 'me',
      tools: [tool('one')],
      tool_choice: 'none',
    })
    expect(answer.headers['x-appfactory-ignored']).toBe('user')
    expect(answer.headers['x-appfactory-usage']).toBeUndefined()
    expect((await ask('/pieces 1')).headers['x-appfactory-usage']).toBe('unknown')
    expect(json(answer)).toEqual({
      id: expect.stringMatching(/^resp_[0-9a-f]{32}$/),
      object: 'response',
      created_at: expect.any(Number),
      completed_at: expect.any(Number),
      status: 'completed',
      error: null,
      incomplete_details: null,
      instructions: null,
      max_output_tokens: null,
      max_tool_calls: null,
      model: 'tool_llm',
      output: [
        {
          id: expect.stringMatching(/^msg_[0-9a-f]{32}$/),
          type: 'message',
          role: 'assistant',
          status: 'completed',
          content: [{ type: 'output_text', text: 'two words', annotations: [], logprobs: [] }],
        },
      ],
      parallel_tool_calls: true,
      previous_response_id: null,
      reasoning: { effort: null, summary: null },
      store: true,
      temperature: 0.7,
      text: { format: { type: 'text' }, verbosity: 'medium' },
      tool_choice: 'none',
      tools: [
        { type: 'function', name: 'one', description: null, parameters: { type: 'object' }, strict: null },
      ],
      top_logprobs: 0,
      top_p: 1,
      truncation: 'disabled',
      usage: {
        input_tokens: 3,
        input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
        output_tokens: 2,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: 5,
      },
      user: 'me',
      metadata: { a: 'b' },
      background: false,
      service_tier: 'default',
      frequency_penalty: 0,
      presence_penalty: 0,
      prompt_cache_key: null,
      safety_identifier: null,
    })
  })

  it('passes options on under the names of the contract', async () => {
    const answer = await ask('/options', {
      model: 'tool_llm/org/small',
      max_output_tokens: 9,
      temperature: 0.5,
      top_p: 0.25,
      reasoning: { effort: 'low' },
      metadata: { a: 'b' },
      text: { format: { type: 'json_schema', name: 'r', schema: { type: 'object' } }, verbosity: 'low' },
    })
    expect(JSON.parse(textOfItems(answer))).toEqual({
      model: 'org/small',
      maxTokens: 9,
      temperature: 0.5,
      topP: 0.25,
      responseFormat: { type: 'json_schema', schema: { type: 'object' } },
      providerOptions: { openai: { reasoning_effort: 'low', verbosity: 'low' } },
    })
    // Where the client names no limit, it is the model's.
    expect(JSON.parse(textOfItems(await ask('/options')))).toEqual({ maxTokens: 4096, temperature: 0.7 })
  })

  it('takes null for absent, everywhere', async () => {
    const names = [
      'instructions',
      'stream',
      'max_output_tokens',
      'temperature',
      'top_p',
      'tools',
      'tool_choice',
    ]
    const more = ['text', 'reasoning', 'metadata', 'store', 'previous_response_id', 'truncation', 'include']
    const rest = [
      'parallel_tool_calls',
      'background',
      'conversation',
      'prompt',
      'user',
      'top_logprobs',
      'service_tier',
    ]
    const absent = Object.fromEntries([...names, ...more, ...rest].map((name) => [name, null]))
    expect(JSON.parse(textOfItems(await ask('/options', absent)))).toEqual({
      maxTokens: 4096,
      temperature: 0.7,
    })
  })

  it('makes turns of items', async () => {
    const call = (call_id: string, text: string) => ({
      type: 'function_call',
      call_id,
      name: 'f',
      arguments: text,
    })
    const input = [
      { role: 'developer', content: 'Be short.' },
      {
        type: 'message',
        role: 'user',
        content: [
          { type: 'input_text', text: 'a' },
          { type: 'input_text', text: 'b' },
        ],
      },
      { type: 'reasoning', id: 'rs_1', summary: [], content: [{ type: 'reasoning_text', text: 'Hm.' }] },
      {
        type: 'message',
        role: 'assistant',
        id: 'msg_1',
        status: 'completed',
        content: [{ type: 'output_text', text: 'c' }],
      },
      call('1', '{"city":"Paris"}'),
      call('2', '{'),
      { type: 'function_call_output', call_id: '1', output: 'sunny' },
      { type: 'function_call_output', call_id: '2', output: [{ type: 'input_text', text: 'wet' }] },
      { type: 'reasoning', id: 'rs_2', summary: [], encrypted_content: 'x' },
      { role: 'user', content: '/messages' },
    ]
    expect(JSON.parse(textOfItems(await ask(input, { instructions: 'Be kind.' })))).toEqual([
      { role: 'system', content: 'Be kind.' },
      { role: 'system', content: 'Be short.' },
      { role: 'user', content: 'ab' },
      {
        role: 'assistant',
        content: 'c',
        reasoning: 'Hm.',
        toolCalls: [
          { id: '1', name: 'f', arguments: { city: 'Paris' } },
          { id: '2', name: 'f', arguments: { _raw: '{' } },
        ],
      },
      { role: 'tool', content: 'sunny', toolCallId: '1' },
      { role: 'tool', content: 'wet', toolCallId: '2' },
      { role: 'user', content: '/messages' },
    ])
  })

  it.each([
    [{}, ['one', 'two']],
    [{ parallel_tool_calls: false }, ['one']],
    [{ tool_choice: { type: 'function', name: 'two' } }, ['two']],
    [{ tool_choice: { type: 'allowed_tools', mode: 'required', tools: [tool('two')] } }, ['two']],
    [{ tool_choice: 'none' }, [undefined]],
  ])('with %j: %j are called, streamed or not', async (more, names) => {
    const answer = await ask('go', { tools, ...more })
    expect(json(answer)).toMatchObject({
      status: 'completed',
      output: names.map((name) => (name ? { name } : {})),
    })
    const last = eventsOf(await ask('go', { tools, ...more, stream: true })).at(-1)
    expect(last).toMatchObject({ response: { output: names.map((name) => (name ? { name } : {})) } })
  })

  it('drops the oldest items where they are too many for the model, if the client says so', async () => {
    const call = { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' }
    const result = { type: 'function_call_output', call_id: 'c', output: 'done' }
    const said = ['a', 'b', 'c'].map((content) => ({ role: 'user', content }))
    const room = (most: number) => ({ role: 'user', content: `/room ${most}` })
    const instructions = 'Be brief.'
    const kept = async (input: object[], more: object) =>
      JSON.parse(textOfItems(await ask(input, { truncation: 'auto', ...more })))
    const brief = { role: 'system', content: instructions }
    expect(await kept([...said, room(3)], { instructions })).toEqual([brief, said[2], room(3)])
    // A result does not stay without its call.
    expect(await kept([call, result, room(2)], {})).toEqual([room(2)])
    const streamed = eventsOf(await ask([...said, room(2)], { truncation: 'auto', stream: true }))
    const done = streamed.find(({ type }) => type === 'response.output_text.done')
    expect(JSON.parse(String(done?.['text']))).toEqual([said[2], room(2)])
    const exceeded = { error: { code: 'context_length_exceeded', type: 'invalid_request_error' } }
    for (const more of [{}, { truncation: 'disabled' }, { stream: true }]) {
      const answer = await ask([...said, room(2)], more)
      expect(answer.status).toBe(400)
      expect(json(answer)).toMatchObject(exceeded)
    }
    const never = await ask([...said, room(0)], { truncation: 'auto', instructions })
    expect(never.status).toBe(400)
    expect(json(never)).toMatchObject(exceeded)
  })

  it('tells what ended an answer too early', async () => {
    const [item] = itemsIn(await ask('/finish length'))
    expect(item).toMatchObject({ status: 'incomplete' })
    for (const [word, reason] of [
      ['length', 'max_output_tokens'],
      ['content_filter', 'content_filter'],
    ]) {
      const answer = json(await ask(`/finish ${word}`))
      expect(answer).toMatchObject({
        status: 'incomplete',
        completed_at: null,
        incomplete_details: { reason },
      })
      const events = eventsOf(await ask(`/finish ${word}`, { stream: true }))
      expect(events.at(-1)).toMatchObject({
        type: 'response.incomplete',
        response: { incomplete_details: { reason } },
      })
    }
  })

  it('has thoughts in full, or where summaries are asked for', async () => {
    const [full, text] = itemsIn(await ask('/think'))
    expect(full).toMatchObject({
      type: 'reasoning',
      summary: [],
      content: [{ type: 'reasoning_text', text: 'Hm.' }],
    })
    expect(text).toMatchObject({ type: 'message', content: [{ text: 'Yes.' }] })
    const [short] = itemsIn(await ask('/think', { reasoning: { summary: 'auto' } }))
    expect(short).toMatchObject({ summary: [{ type: 'summary_text', text: 'Hm.' }], content: [] })
  })

  it('is an empty text where the plugin says nothing', async () => {
    expect(itemsIn(await ask('/silent'))).toMatchObject([{ type: 'message', content: [{ text: '' }] }])
  })
})

describe('a stream', () => {
  const typesOf = (events: readonly Event[]): string[] =>
    events.map(({ type }) => type.replace('response.', ''))

  it('of text has every step, and ends with the whole', async () => {
    const answer = await ask('two words', { stream: true })
    expect(answer.headers['content-type']).toBe('text/event-stream; charset=utf-8')
    const events = eventsOf(answer)
    expect(typesOf(events)).toEqual([
      ...['created', 'in_progress', 'output_item.added', 'content_part.added'],
      ...['output_text.delta', 'output_text.delta'],
      ...['output_text.done', 'content_part.done', 'output_item.done', 'completed'],
    ])
    expect(answer.body).toMatch(/\n\ndata: \[DONE\]\n\n$/)
    const [created, , added, part, delta] = events
    const { response } = events.at(-1) as unknown as { response: { id: string; output: Item[] } }
    expect(created).toMatchObject({
      response: { id: response.id, status: 'in_progress', output: [], usage: null },
    })
    expect(added).toMatchObject({ output_index: 0, item: { status: 'in_progress', content: [] } })
    expect(part).toMatchObject({ part: { type: 'output_text', text: '' } })
    const place = { item_id: response.output[0]?.id, output_index: 0, content_index: 0 }
    expect(delta).toMatchObject({ ...place, delta: 'two ', logprobs: [] })
    expect(response).toMatchObject({
      status: 'completed',
      output: [{ status: 'completed', content: [{ text: 'two words' }] }],
      usage: { total_tokens: 5 },
    })
  })

  it('of calls and thoughts has items of their own', async () => {
    const calls = eventsOf(await ask('go', { tools, stream: true }))
    const steps = [
      'output_item.added',
      'function_call_arguments.delta',
      'function_call_arguments.done',
      'output_item.done',
    ]
    expect(typesOf(calls)).toEqual(['created', 'in_progress', ...steps, ...steps, 'completed'])
    expect(calls.filter(({ type }) => type.endsWith('arguments.done'))).toMatchObject([
      { output_index: 0, name: 'one', arguments: '{"city":"City 0"}' },
      { output_index: 1, name: 'two', arguments: '{"city":"City 1"}' },
    ])
    const text = [
      'output_item.added',
      'content_part.added',
      'output_text.delta',
      'output_text.done',
      'content_part.done',
      'output_item.done',
    ]
    const thoughts = (part: string, word: string): string[] => [
      ...[
        'created',
        'in_progress',
        'output_item.added',
        `${part}.added`,
        `${word}.delta`,
        `${word}.done`,
        `${part}.done`,
      ],
      ...['output_item.done', ...text, 'completed'],
    ]
    expect(typesOf(eventsOf(await ask('/think', { stream: true })))).toEqual(
      thoughts('content_part', 'reasoning_text'),
    )
    const short = await ask('/think', { stream: true, reasoning: { summary: 'auto' } })
    expect(typesOf(eventsOf(short))).toEqual(thoughts('reasoning_summary_part', 'reasoning_summary_text'))
  })

  it('has whole characters where the plugin cuts them', async () => {
    const deltas = async (input: string): Promise<unknown[]> =>
      eventsOf(await ask(input, { stream: true })).flatMap(({ delta }) => delta ?? [])
    expect(await deltas('/units 😀x y😀z')).toEqual(['😀', 'x', 'y', '😀', 'z'])
    expect(await deltas('/units x\ud83d y\ud83d')).toEqual(['x', '\ud83d', 'y', '\ud83d'])
  })

  it('that fails has its status before the first piece, and then an event', async () => {
    const early = await ask('/fail LLM_RATE_LIMITED', { stream: true })
    expect(early.status).toBe(429)
    const late = eventsOf(await ask('/fail LLM_COMPLETION_FAILED 2', { stream: true })).at(-1)
    expect(late).toMatchObject({
      type: 'response.failed',
      response: {
        status: 'failed',
        error: { code: 'server_error', message: 'It failed with LLM_COMPLETION_FAILED' },
        output: [{ status: 'in_progress', content: [{ text: '0 1 ' }] }],
      },
    })
  })
})

describe('answers that are kept', () => {
  it('are gone on from: by their id, or by those of their items', async () => {
    const first = await ask('hello', { instructions: 'Be kind.' })
    const { id } = json(first)
    const second = await ask('again', { previous_response_id: id, stream: true })
    const { response } = eventsOf(second).at(-1) as unknown as { response: { id: string } }
    const [item] = itemsIn(first)
    const turns = [
      { role: 'user', content: 'hello' },
      { role: 'assistant', content: 'hello' },
    ]
    const last = await ask('/messages', { previous_response_id: response.id })
    expect(JSON.parse(textOfItems(last))).toEqual([
      ...turns,
      { role: 'user', content: 'again' },
      { role: 'assistant', content: 'again' },
      { role: 'user', content: '/messages' },
    ])
    const input = [turns[0], { type: 'item_reference', id: item?.id }, { role: 'user', content: '/messages' }]
    expect(JSON.parse(textOfItems(await ask(input)))).toEqual([
      ...turns,
      { role: 'user', content: '/messages' },
    ])
  })

  it('have the calls of tools that their results belong to', async () => {
    const first = await ask('go', { tools })
    const input = itemsIn(first).map(({ call_id }) => ({
      type: 'function_call_output',
      call_id,
      output: 'done',
    }))
    const second = await ask(input, { previous_response_id: json(first)['id'], tools })
    expect(textOfItems(second)).toBe('call_0=done; call_1=done')
  })

  it('are shown and dropped', async () => {
    const answer = await ask('hello')
    const path = `/v1/responses/${json(answer)['id']}`
    expect(json(await send(gateway.port, { path }))).toEqual(json(answer))
    expect(await send(gateway.port, { path: `${path}?stream=true` })).toMatchObject({ status: 400 })
    const deleted = await send(gateway.port, { method: 'DELETE', path })
    expect(json(deleted)).toEqual({ id: json(answer)['id'], object: 'response', deleted: true })
    for (const method of ['GET', 'DELETE'])
      expect(await send(gateway.port, { method, path })).toMatchObject({ status: 404 })
  })

  it('tell the items that they were made of, page by page', async () => {
    const reference = { type: 'item_reference', id: itemsIn(await ask('elsewhere'))[0]?.id }
    const call = { type: 'function_call', id: null, call_id: 'c', name: 'f', arguments: '{}' }
    const result = { type: 'function_call_output', call_id: 'c', output: 'done' }
    const more = { instructions: 'Be kind.' }
    const first = await ask([{ role: 'user', content: 'one' }, reference, call, result], more)
    const second = await ask('two', { previous_response_id: json(first)['id'], stream: true })
    const { response } = eventsOf(second).at(-1) as unknown as { response: { id: string } }
    const path = `/v1/responses/${response.id}/input_items`
    const page = async (query: string): Promise<{ data: Item[]; last_id: string }> =>
      json(await send(gateway.port, { path: `${path}?${query}` })) as never
    const all = await page('order=asc')
    const text = (type: string, text: string) => [{ type, text }]
    expect(all).toMatchObject({
      object: 'list',
      data: [
        { type: 'message', role: 'user', status: 'completed', content: text('input_text', 'one') },
        { type: 'message', role: 'assistant', content: text('output_text', 'elsewhere') },
        { ...call, id: expect.stringMatching(/^fc_/), status: 'completed' },
        { ...result, id: expect.stringMatching(/^fco_/), status: 'completed' },
        itemsIn(first)[0],
        { id: expect.stringMatching(/^msg_/), role: 'user', content: text('input_text', 'two') },
      ],
      first_id: all.data[0]?.id,
      last_id: all.data[5]?.id,
      has_more: false,
    })
    expect(await page('')).toMatchObject({ data: all.data.toReversed(), has_more: false })
    const begin = await page('limit=4')
    expect(begin).toMatchObject({ data: all.data.slice(2).toReversed(), has_more: true })
    const rest = await page(`limit=4&after=${begin.last_id}`)
    expect(rest).toMatchObject({ data: all.data.slice(0, 2).toReversed(), has_more: false })
    expect(await page(`order=asc&after=${all.last_id}`)).toMatchObject({ data: [], last_id: null })
    for (const [param, value] of [
      ['limit', '0'],
      ['limit', '101'],
      ['order', 'up'],
      ['after', 'msg_x'],
    ])
      expect(await page(`${param}=${value}`)).toMatchObject({ error: { param, code: 'invalid_value' } })
    // What is listed can be referred to.
    const again = [
      { type: 'item_reference', id: all.data[5]?.id },
      { role: 'user', content: '/messages' },
    ]
    expect(JSON.parse(textOfItems(await ask(again)))[0]).toEqual({ role: 'user', content: 'two' })
    for (const missing of ['/v1/responses/resp_x/input_items', `${path}/x`, `/v1/responses/x/y`])
      expect(await send(gateway.port, { path: missing })).toMatchObject({ status: 404 })
  })

  it('can’t be cancelled: they are finished', async () => {
    const path = `/v1/responses/${json(await ask('hello'))['id']}`
    const cancelled = await send(gateway.port, { method: 'POST', path: `${path}/cancel` })
    expect(json(cancelled)).toMatchObject({ error: { type: 'invalid_request_error' } })
    expect(cancelled.status).toBe(400)
    expect(json(await send(gateway.port, { path }))).toMatchObject({ status: 'completed' })
    const missing = await send(gateway.port, { method: 'POST', path: '/v1/responses/resp_x/cancel' })
    expect(missing.status).toBe(404)
  })

  it('are not there with store: false, or where the gateway keeps none', async () => {
    const answer = await ask('hello', { store: false })
    expect(json(answer)).toMatchObject({ store: false })
    const next = await ask('x', { previous_response_id: json(answer)['id'] })
    const param = 'previous_response_id'
    expect(json(next)).toMatchObject({ error: { param, code: 'previous_response_not_found' } })
    const { port } = await serve(host, { stateless: true })
    const other = await ask('hello', {}, port)
    expect(json(other)).toMatchObject({ store: false })
    const refused = await ask('x', { previous_response_id: json(other)['id'] }, port)
    expect(json(refused)).toMatchObject({ error: { param, code: 'unsupported_parameter' } })
  })

  it('are not there for another key', async () => {
    const { port } = await serve(host, { keys: ['one', 'two'] })
    const ours = { authorization: 'Bearer one' }
    const theirs = { authorization: 'Bearer two' }
    const answer = await post(port, '/v1/responses', { model: 'tool_llm', input: 'secret' }, ours)
    const path = `/v1/responses/${json(answer)['id']}`
    expect(await send(port, { path, headers: theirs })).toMatchObject({ status: 404 })
    const body = { model: 'tool_llm', input: 'x', previous_response_id: json(answer)['id'] }
    expect(await post(port, '/v1/responses', body, theirs)).toMatchObject({ status: 400 })
    expect(await post(port, '/v1/responses', body, ours)).toMatchObject({ status: 200 })
  })

  it('take no more than they may', async () => {
    const { port } = await serve(host, { limits: { storedResponses: 2, storedResponseBytes: 20_000 } })
    const idOf = async (input: string): Promise<string> =>
      `/v1/responses/${json(await ask(input, {}, port))['id']}`
    const statuses = (paths: string[]): Promise<number[]> =>
      Promise.all(paths.map(async (path) => (await send(port, { path })).status))
    const few = [await idOf('1'), await idOf('2'), await idOf('3')]
    expect(await statuses(few)).toEqual([404, 200, 200])
    // Too large by itself: nothing else goes for it.
    const large = await idOf('x'.repeat(30_000))
    expect(await statuses([...few, large])).toEqual([404, 200, 200, 404])
    const half = await idOf('x'.repeat(9000))
    expect(await statuses([...few, half])).toEqual([404, 404, 404, 200])
  })
})

describe('a request that is wrong', () => {
  const user = { role: 'user', content: 'x' }
  it.each<[more: object, param: string, code?: string]>([
    [{ model: undefined }, 'model', 'missing_required_parameter'],
    [{ input: undefined }, 'input', 'missing_required_parameter'],
    [{ input: [] }, 'input', 'missing_required_parameter'],
    [{ input: 7 }, 'input'],
    [{ input: [7] }, 'input[0]'],
    [{ input: [{ content: 'x' }] }, 'input[0].role', 'missing_required_parameter'],
    [{ input: [user, { role: 'user' }] }, 'input[1].content', 'missing_required_parameter'],
    [{ input: [{ role: 'user', content: [{ type: 'smell' }] }] }, 'input[0].content[0].type'],
    [
      { input: [{ type: 'function_call', name: 'f', arguments: '' }] },
      'input[0].call_id',
      'missing_required_parameter',
    ],
    [
      { input: [{ type: 'function_call_output', call_id: 'x' }] },
      'input[0].output',
      'missing_required_parameter',
    ],
    [{ input: [{ type: 'item_reference', id: 'msg_x' }] }, 'input[0].id', 'item_not_found'],
    [{ input: [{ type: 'computer_call' }] }, 'input[0].type', 'unsupported_parameter'],
    [
      { input: [{ role: 'user', content: [{ type: 'input_image', image_url: 'http://127.0.0.1/x.png' }] }] },
      'input[0].content[0].image_url',
      'unsupported_parameter',
    ],
    [
      { input: [{ role: 'user', content: [{ type: 'input_file', file_id: 'x' }] }] },
      'input[0].content[0]',
      'unsupported_parameter',
    ],
    [{ previous_response_id: 'resp_x' }, 'previous_response_id', 'previous_response_not_found'],
    [{ tools: [{ type: 'web_search' }] }, 'tools[0].type', 'unsupported_parameter'],
    [{ tools: [{ type: 'function' }] }, 'tools[0].name'],
    [{ tools: [tool('f'), tool('f')] }, 'tools'],
    [{ tools: [tool('f')], tool_choice: { type: 'function', name: 'g' } }, 'tool_choice'],
    [{ tool_choice: 'required' }, 'tool_choice'],
    [{ text: { format: { type: 'json_schema', name: 'r' } } }, 'text.format.schema'],
    [{ text: { format: { type: 'json_schema', schema: { type: 'hiccup' } } } }, 'text.format.schema.type'],
    [{ temperature: 3 }, 'temperature'],
    [{ max_output_tokens: 0 }, 'max_output_tokens'],
    [{ background: true }, 'background', 'unsupported_parameter'],
    [{ conversation: 'conv_1' }, 'conversation', 'unsupported_parameter'],
    [{ prompt: { id: 'x' } }, 'prompt', 'unsupported_parameter'],
    [{ top_logprobs: 2 }, 'top_logprobs', 'unsupported_parameter'],
    [{ include: ['message.output_text.logprobs'] }, 'include', 'unsupported_parameter'],
  ])('%j: 400 at %s', async (more, param, code = 'invalid_value') => {
    const answer = await ask('x', more)
    expect(answer.status, answer.body).toBe(400)
    expect(json(answer)).toMatchObject({ error: { type: 'invalid_request_error', param, code } })
  })

  it('takes members that it does not know', async () => {
    const more = { some_day: 1, include: ['reasoning.encrypted_content'], background: false, top_logprobs: 0 }
    expect(textOfItems(await ask('x', { ...more, stream_options: { include_obfuscation: false } }))).toBe('x')
  })
})

it('ends in the plugin when the client goes, streamed or not', async () => {
  const { port } = await serve(host)
  const aborts = async (): Promise<number> => Number(textOfItems(await ask('/aborts', {}, port)))
  const before = await aborts()
  const leaving = new AbortController()
  onTestFinished(() => leaving.abort())
  const sent = [{ stream: true }, {}].map((more) =>
    fetch(`http://127.0.0.1:${port}/v1/responses`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'tool_llm', input: '/hang', ...more }),
      signal: leaving.signal,
    }).catch(() => undefined),
  )
  await expect
    .poll(async () => (await host.health('tool_llm')).details)
    .toMatchObject({ waiting: 2, open_streams: 1, calls_in_flight: 1 })
  leaving.abort()
  await Promise.all(sent)
  await expect.poll(aborts).toBe(before + 2)
})
