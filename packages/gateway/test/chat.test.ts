import type { PluginHost } from '@appfactory/host'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chat, eventsIn, json, post, send, serve, startHost, textIn } from './visitor.js'

let host: PluginHost
beforeAll(async () => {
  host = await startHost(['tool_llm', 'wave_tts'])
})
afterAll(() => host.close({ force: true }))

describe('POST /v1/chat/completions', () => {
  it('answers with all members that clients look at', async () => {
    const { port } = await serve(host)
    const answer = await chat(port, 'two words')
    expect(answer).toMatchObject({
      status: 200,
      headers: {
        'content-type': 'application/json',
        'x-request-id': expect.stringMatching(/^req_[0-9a-f]{32}$/),
      },
    })
    expect(json(answer)).toEqual({
      id: expect.stringMatching(/^chatcmpl-[0-9a-f]{32}$/),
      object: 'chat.completion',
      created: expect.any(Number),
      model: 'tool_llm',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'two words', refusal: null },
          finish_reason: 'stop',
          logprobs: null,
        },
      ],
      usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
    })
  })

  it('passes options on under the names of the contract', async () => {
    const { port } = await serve(host)
    const answer = await chat(port, '/options', {
      model: 'tool_llm/org/small',
      max_tokens: 7,
      max_completion_tokens: 9,
      temperature: 0.5,
      top_p: 0.25,
      stop: 'x',
      seed: 3,
      user: 'me',
      logit_bias: { '50': 1 },
      response_format: {
        type: 'json_schema',
        json_schema: { name: 'r', strict: true, schema: { type: 'object' } },
      },
    })
    expect(JSON.parse(textIn(answer))).toEqual({
      model: 'org/small',
      maxTokens: 9,
      temperature: 0.5,
      topP: 0.25,
      stopSequences: ['x'],
      seed: 3,
      responseFormat: { type: 'json_schema', schema: { type: 'object' } },
      providerOptions: { openai: { user: 'me', logit_bias: { '50': 1 } } },
    })
    expect(answer.headers['x-appfactory-ignored']).toBe('logit_bias, user')
  })

  it('sends the context length of the model where the client names no limit', async () => {
    const { port } = await serve(host, { models: { alias: 'tool_llm/org/small' } })
    for (const [model, maxTokens] of [
      ['tool_llm', 4096],
      ['tool_llm/large:v1', 4096],
      ['alias', 512],
    ] as const)
      expect(JSON.parse(textIn(await chat(port, '/options', { model })))).toMatchObject({ maxTokens })
    const bounded = await serve(host, { maxTokens: 77 })
    expect(JSON.parse(textIn(await chat(bounded.port, '/options')))).toMatchObject({ maxTokens: 77 })
    const own = await chat(bounded.port, '/options', { max_tokens: 100 })
    expect(JSON.parse(textIn(own))).toMatchObject({ maxTokens: 100 })
  })

  it('takes null for absent, everywhere', async () => {
    const { port } = await serve(host)
    const names = ['stream', 'stream_options', 'max_tokens', 'max_completion_tokens', 'temperature', 'top_p']
    const more = ['stop', 'seed', 'n', 'tools', 'tool_choice', 'parallel_tool_calls', 'response_format']
    const rest = [
      'logprobs',
      'top_logprobs',
      'user',
      'metadata',
      'functions',
      'audio',
      'modalities',
      'logit_bias',
    ]
    const absent = Object.fromEntries([...names, ...more, ...rest].map((name) => [name, null]))
    const messages = [{ role: 'user', content: '/options', name: null, tool_calls: null, refusal: null }]
    const answer = await chat(port, '/options', { ...absent, messages })
    expect(JSON.parse(textIn(answer))).toEqual({ maxTokens: 4096, temperature: 0.7 })
  })

  it('passes a conversation on, with its calls of tools', async () => {
    const { port } = await serve(host)
    const call = (id: string, text: string) => ({
      id,
      type: 'function',
      function: { name: 'weather', arguments: text },
    })
    const messages = [
      { role: 'developer', content: 'Be short.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ],
        name: 'me',
      },
      {
        role: 'assistant',
        content: null,
        tool_calls: [call('1', '{"city":"Paris"}'), call('2', ''), call('3', '{'), call('4', '[1]')],
      },
      { role: 'tool', tool_call_id: '1', content: 'sunny' },
      {
        role: 'assistant',
        reasoning_content: 'Hm.',
        content: [
          { type: 'refusal', refusal: 'no' },
          { type: 'text', text: 'c' },
        ],
      },
      { role: 'user', content: '/messages' },
    ]
    expect(JSON.parse(textIn(await chat(port, '', { messages })))).toEqual([
      { role: 'system', content: 'Be short.' },
      { role: 'user', content: 'ab', name: 'me' },
      {
        role: 'assistant',
        content: null,
        toolCalls: [
          { id: '1', name: 'weather', arguments: { city: 'Paris' } },
          { id: '2', name: 'weather', arguments: {} },
          { id: '3', name: 'weather', arguments: { _raw: '{' } },
          { id: '4', name: 'weather', arguments: { _raw: '[1]' } },
        ],
      },
      { role: 'tool', content: 'sunny', toolCallId: '1' },
      { role: 'assistant', content: 'c', reasoning: 'Hm.' },
      { role: 'user', content: '/messages' },
    ])
  })

  it('answers several times at once', async () => {
    const { port } = await serve(host)
    const answer = await chat(port, '/options', { n: 3, seed: 5 })
    const { choices } = json(answer) as { choices: { index: number; message: { content: string } }[] }
    expect(choices.map(({ index, message }) => [index, JSON.parse(message.content).seed])).toEqual([
      [0, 5],
      [1, 6],
      [2, 7],
    ])
  })

  it('tells what a model thinks', async () => {
    const { port } = await serve(host)
    const streamed = await chat(port, '/think', { stream: true })
    expect(streamed.body).toContain('"delta":{"reasoning_content":"Hm."}')
    expect(await chat(port, '/think')).toMatchObject({
      body: expect.stringContaining('"reasoning_content":"Hm."'),
    })
  })
})

const tool = (name: string) => ({ type: 'function', function: { name, parameters: { type: 'object' } } })
const tools = [tool('one'), tool('two')]

describe('tools', () => {
  it('are called, and null is the content then', async () => {
    const { port } = await serve(host)
    const answer = await chat(port, 'go', { tools })
    expect(json(answer)).toMatchObject({
      choices: [
        {
          finish_reason: 'tool_calls',
          message: {
            content: null,
            tool_calls: [
              { id: 'call_0', type: 'function', function: { name: 'one', arguments: '{"city":"City 0"}' } },
              { id: 'call_1', type: 'function', function: { name: 'two', arguments: '{"city":"City 1"}' } },
            ],
          },
        },
      ],
    })
  })

  it.each([
    [{ tool_choice: 'none' }, []],
    [{ tool_choice: { type: 'function', function: { name: 'two' } } }, ['two']],
    [
      { tool_choice: { type: 'allowed_tools', allowed_tools: { mode: 'required', tools: [tool('two')] } } },
      ['two'],
    ],
    [{ parallel_tool_calls: false }, ['one']],
  ])('with %j: %j are called, streamed or not', async (more, names) => {
    const { port } = await serve(host)
    const answer = json(await chat(port, 'go', { tools, ...more })) as {
      choices: { message: { tool_calls?: { function: { name: string } }[] } }[]
    }
    expect((answer.choices[0]?.message.tool_calls ?? []).map((call) => call.function.name)).toEqual(names)
    const { body } = await chat(port, 'go', { tools, ...more, stream: true })
    expect([...body.matchAll(/"name":"(\w+)"/g)].map(([, name]) => name)).toEqual(names)
  })

  it('of the old kind are functions', async () => {
    const { port } = await serve(host)
    const functions = [{ name: 'one' }]
    expect(json(await chat(port, 'go', { functions, function_call: { name: 'one' } }))).toMatchObject({
      choices: [
        {
          finish_reason: 'function_call',
          message: { function_call: { name: 'one', arguments: '{"city":"City 0"}' } },
        },
      ],
    })
    const { body } = await chat(port, 'go', { functions, stream: true })
    expect(body).toContain('"delta":{"function_call":{"name":"one","arguments":""}}')
    expect(body).toContain('"finish_reason":"function_call"')
  })
})

describe('streams', () => {
  it('are chunks of one id: the role, the pieces, the end', async () => {
    const { port } = await serve(host)
    const answer = await chat(port, 'two words', { stream: true })
    expect(answer).toMatchObject({
      status: 200,
      headers: {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-cache, no-transform',
        'x-accel-buffering': 'no',
        'x-request-id': expect.any(String),
      },
    })
    const events = eventsIn(answer)
    expect(events.pop()).toBe('[DONE]')
    const chunks = events.map((event): Record<string, unknown> => JSON.parse(event))
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1)
    expect(chunks.map(({ choices }) => choices)).toEqual([
      [{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null, logprobs: null }],
      [{ index: 0, delta: { content: 'two ' }, finish_reason: null, logprobs: null }],
      [{ index: 0, delta: { content: 'words' }, finish_reason: null, logprobs: null }],
      [{ index: 0, delta: {}, finish_reason: 'stop', logprobs: null }],
    ])
    // Who has not asked for it gets no word of usage.
    expect(answer.body).not.toContain('usage')
  })

  it('end with the usage where it is asked for', async () => {
    const { port } = await serve(host)
    const include = { stream: true, stream_options: { include_usage: true } }
    const events = eventsIn(await chat(port, 'two words', include))
    expect(JSON.parse(events.at(-2) ?? '')).toMatchObject({
      choices: [],
      usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
    })
    expect(JSON.parse(events.at(0) ?? '')).toMatchObject({ usage: null })
    // A plugin that does not count: zeros, as null breaks clients.
    const unknown = eventsIn(await chat(port, '/pieces 1', include))
    expect(JSON.parse(unknown.at(-2) ?? '')).toMatchObject({ choices: [], usage: { total_tokens: 0 } })
  })

  it('say in their headers that the plugin has not counted so far', async () => {
    const include = { stream: true, stream_options: { include_usage: true } }
    const header = async (port: number, content: string, more: object) =>
      (await chat(port, content, more)).headers['x-appfactory-usage']
    const { port } = await serve(host)
    expect(await header(port, '/pieces 1', {})).toBe('unknown')
    expect(await header(port, '/pieces 1', { stream: true })).toBeUndefined()
    expect(await header(port, 'x', include)).toBe('unknown')
    // Now it has.
    expect(await header(port, 'x', include)).toBeUndefined()
    expect(await header(port, 'x', {})).toBeUndefined()
    expect(await header(port, '/pieces 1', {})).toBe('unknown')
    const quiet = await serve(host, { quietHeaders: true })
    expect(await header(quiet.port, '/pieces 1', {})).toBeUndefined()
  })

  it('of calls of tools have a name, then the arguments', async () => {
    const { port } = await serve(host)
    const events = eventsIn(await chat(port, 'go', { tools, stream: true })).slice(1, -2)
    expect(events.map((event) => JSON.parse(event).choices[0].delta.tool_calls[0])).toEqual([
      { index: 0, id: 'call_0', type: 'function', function: { name: 'one', arguments: '' } },
      { index: 0, function: { arguments: '{"city":"City 0"}' } },
      { index: 1, id: 'call_1', type: 'function', function: { name: 'two', arguments: '' } },
      { index: 1, function: { arguments: '{"city":"City 1"}' } },
    ])
  })

  it('without a piece have a beginning and an end', async () => {
    const { port } = await serve(host)
    expect(eventsIn(await chat(port, '/silent', { stream: true }))).toHaveLength(3)
  })

  it('take pieces of millions of characters, and many pieces', async () => {
    const { port } = await serve(host)
    const { body } = await chat(port, '/sizes 7000000', { stream: true })
    expect(body.length).toBeGreaterThan(7_000_000)
    expect(eventsIn(await chat(port, '/pieces 5000', { stream: true }))).toHaveLength(5003)
  })

  it('keep a line of any text in one event', async () => {
    const { port } = await serve(host)
    const text = 'a\r\nb\n\nc\u2028"\\'
    const events = eventsIn(await chat(port, text, { stream: true })).slice(1, -2)
    expect(events.map((event) => JSON.parse(event).choices[0].delta.content).join('')).toBe(text)
  })

  it('have whole characters where the plugin cuts them', async () => {
    const { port } = await serve(host)
    const deltas = eventsIn(await chat(port, '/units 😀x y😀z', { stream: true }))
      .slice(0, -1)
      .map((event) => JSON.parse(event).choices[0].delta)
    expect(deltas.flatMap(({ reasoning_content }) => reasoning_content ?? [])).toEqual(['😀', 'x'])
    expect(deltas.flatMap(({ content }) => content || [])).toEqual(['y', '😀', 'z'])
    // Nothing completes it, and nothing is lost.
    const half = eventsIn(await chat(port, '/units x y\ud83d', { stream: true })).slice(0, -1)
    const texts = half.map((event) => JSON.parse(event).choices[0].delta.content ?? '')
    expect(texts.join('')).toBe('y\ud83d')
  })

  it('send a comment when nothing else comes', async () => {
    const { port } = await serve(host, { limits: { keepAliveMs: 20 } })
    const { body } = await chat(port, '/paced 2 200', { stream: true })
    // One line end: some clients take a blank line for an event.
    expect(body).toMatch(/\n\n(:\n)+data: /)
  })

  it('send an empty chunk or nothing in its place, as the operator says', async () => {
    const limits = { keepAliveMs: 20 }
    const chunks = await serve(host, { limits, keepAlive: 'chunk' })
    const answer = await chat(chunks.port, '/paced 2 200', { stream: true })
    expect(answer.body).not.toMatch(/^:/m)
    const deltas = eventsIn(answer)
      .slice(0, -1)
      .map((event) => JSON.parse(event).choices[0])
    expect(deltas.filter(({ delta }) => delta.content).map(({ delta }) => delta.content)).toEqual([
      '0 ',
      '1 ',
    ])
    const empty = { index: 0, delta: {}, finish_reason: null, logprobs: null }
    expect(
      deltas.filter(({ delta, finish_reason }) => !('content' in delta) && !finish_reason),
    ).toContainEqual(empty)
    const none = await serve(host, { limits, keepAlive: 'off' })
    expect((await chat(none.port, '/paced 2 100', { stream: true })).body).not.toMatch(/^:/m)
  })
})

describe('errors of plugins', () => {
  it.each([
    ['INVALID_PARAMS', 400, 'invalid_value'],
    ['LLM_CONTEXT_TOO_LONG', 400, 'context_length_exceeded'],
    ['LLM_MODEL_NOT_AVAILABLE', 404, 'model_not_found'],
    ['LLM_RATE_LIMITED', 429, 'rate_limit_exceeded'],
    ['RESOURCE_EXHAUSTED', 429, 'rate_limit_exceeded'],
    ['LLM_COMPLETION_FAILED', 500, 'llm_completion_failed'],
    ['MODEL_NOT_FOUND', 500, 'model_not_found'],
  ])('%s: %i, before the first piece too', async (name, status, code) => {
    const { port } = await serve(host)
    for (const stream of [false, true]) {
      const answer = await chat(port, `/fail ${name}`, { stream })
      expect(answer.status).toBe(status)
      expect(json(answer)).toMatchObject({ error: { code, param: null } })
      expect(answer.headers['retry-after']).toBe(status === 429 ? '1' : undefined)
    }
  })

  it('that nobody foresaw stay in the log', async () => {
    const { port } = await serve(host)
    const answer = await chat(port, '/fail Error')
    expect(json(answer)).toEqual({
      error: {
        message: 'Plugin "tool_llm" failed (INTERNAL_ERROR). The log of the host tells more',
        type: 'server_error',
        param: null,
        code: 'internal_error',
      },
    })
  })

  it('after the first piece are the last event', async () => {
    const { port } = await serve(host)
    const answer = await chat(port, '/fail LLM_COMPLETION_FAILED 3', { stream: true })
    const events = eventsIn(answer)
    expect(answer.status).toBe(200)
    expect(events).toHaveLength(5)
    expect(JSON.parse(events.at(-1) ?? '')).toEqual({
      error: {
        message: 'It failed with LLM_COMPLETION_FAILED',
        type: 'server_error',
        param: null,
        code: 'llm_completion_failed',
      },
    })
  })

  it('name the member as the client does', async () => {
    const { port } = await serve(host)
    const content = [{ type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }]
    const answer = await chat(port, '', { messages: [{ role: 'user', content }] })
    expect(json(answer)).toMatchObject({ error: { param: 'messages[0].content[0]', code: 'invalid_value' } })
  })
})

describe('POST /v1/completions', () => {
  const ask = async (prompt: unknown, more: object = {}) =>
    post((await serve(host)).port, '/v1/completions', { model: 'tool_llm', prompt, ...more })

  it('goes on with a text', async () => {
    for (const prompt of ['Once', ['Once']])
      expect(json(await ask(prompt))).toEqual({
        id: expect.stringMatching(/^cmpl-/),
        object: 'text_completion',
        created: expect.any(Number),
        model: 'tool_llm',
        choices: [{ index: 0, text: 'Once!', finish_reason: 'length', logprobs: null }],
        usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
      })
    const options = json(await ask('/options')) as { choices: { text: string }[] }
    expect(JSON.parse(options.choices[0]?.text ?? '')).toMatchObject({ maxTokens: 4096 })
  })

  it('streams whole characters where the plugin cuts them', async () => {
    const events = eventsIn(await ask('/units y😀z', { stream: true })).slice(0, -1)
    expect(events.map((event) => JSON.parse(event).choices[0].text)).toEqual(['y', '😀', 'z', ''])
  })

  it('streams', async () => {
    const events = eventsIn(await ask('Once', { stream: true, stream_options: { include_usage: true } }))
    expect(events.pop()).toBe('[DONE]')
    expect(
      events.map((event) => JSON.parse(event)).map(({ choices, usage }) => [choices[0]?.text, usage]),
    ).toEqual([
      ['Once', undefined],
      ['!', undefined],
      ['', undefined],
      [undefined, { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }],
    ])
  })

  it.each<[prompt: unknown, param: string, more?: object]>([
    [[1, 2], 'prompt'],
    [['a', 'b'], 'prompt'],
    [undefined, 'prompt'],
    ['a', 'echo', { echo: true }],
    ['a', 'suffix', { suffix: 'x' }],
    ['a', 'best_of', { best_of: 2 }],
    ['a', 'logprobs', { logprobs: 1 }],
  ])('%j: 400, param %s', async (prompt, param, more = {}) => {
    const answer = await ask(prompt, more)
    expect(answer.status).toBe(400)
    expect(json(answer)).toMatchObject({ error: { param: expect.stringContaining(param) } })
  })
})

describe('lists', () => {
  it('have plugins, their models and aliases', async () => {
    const { port } = await serve(host, {
      models: { 'gpt-4o': 'tool_llm', gone: 'nothing', wave_tts: 'tool_llm' },
    })
    const { data } = json(await send(port, { path: '/v1/models' })) as { data: { id: string }[] }
    expect(data.map(({ id }) => id).sort()).toEqual(
      ['gpt-4o', 'tool_llm', 'tool_llm/large:v1', 'tool_llm/org/small', 'wave_tts'].sort(),
    )
    expect(data[0]).toEqual({
      id: 'tool_llm',
      object: 'model',
      created: expect.any(Number),
      owned_by: 'Test',
    })
  })

  it.each(['tool_llm', 'tool_llm/org/small', 'tool_llm%2Flarge%3Av1', 'gpt-4o'])(
    'have the model %s',
    async (path) => {
      const { port } = await serve(host, { models: { 'gpt-4o': 'tool_llm' } })
      const answer = await send(port, { path: `/v1/models/${path}` })
      expect(json(answer)).toMatchObject({ id: decodeURIComponent(path), object: 'model' })
    },
  )

  it('have the voices and what speaks', async () => {
    const { port } = await serve(host)
    const voices = [
      { id: 'low', name: 'Low' },
      { id: 'high', name: 'High' },
    ]
    expect(json(await send(port, { path: '/v1/audio/voices' }))).toEqual({ voices })
    expect(json(await send(port, { path: '/v1/voices?model=tts-1' }))).toEqual({ voices })
    expect(json(await send(port, { path: '/v1/audio/models' }))).toEqual({ models: [{ id: 'wave_tts' }] })
    expect(await send(port, { path: '/v1/voices?model=tool_llm' })).toMatchObject({ status: 400 })
    const strict = await serve(host, { strictModels: true })
    expect(await send(strict.port, { path: '/v1/voices?model=tts-1' })).toMatchObject({ status: 404 })
  })
})

describe('models', () => {
  it.each(['nothing', 'tool_llm ', '../tool_llm', 'x'.repeat(5000), 'TOOL_LLM', '/', '__proto__'])(
    '%j is none',
    async (model) => {
      const answer = await chat((await serve(host)).port, 'x', { model })
      expect(answer.status).toBe(404)
      expect(json(answer)).toMatchObject({ error: { param: 'model', code: 'model_not_found' } })
    },
  )

  it('of another contract are refused with the contract', async () => {
    const answer = await chat((await serve(host)).port, 'x', { model: 'wave_tts' })
    expect(json(answer)).toMatchObject({
      error: {
        message: 'The model "wave_tts" is of contract tts, and this needs one of llm',
        param: 'model',
        code: 'model_not_supported',
      },
    })
  })

  it('that are unknown may have a substitute', async () => {
    const { port } = await serve(host, { fallbackModel: 'tool_llm' })
    expect(json(await chat(port, 'x', { model: 'gpt-9' }))).toMatchObject({ model: 'gpt-9', choices: [{}] })
    const none = await serve(host, { fallbackModel: 'nothing' })
    expect(await chat(none.port, 'x', { model: 'gpt-9' })).toMatchObject({ status: 404 })
  })
})
