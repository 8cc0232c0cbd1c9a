import OpenAI from 'openai'
import { zodResponseFormat } from 'openai/helpers/zod'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { serveAll } from '../visitor.js'

const served = serveAll(
  ['tool_llm'],
  { keys: ['key'], models: { 'gpt-4o-mini': 'tool_llm' } },
  { restart: { firstDelayMs: 1 } },
)

function client(options: ConstructorParameters<typeof OpenAI>[0] = {}): OpenAI {
  return new OpenAI({ baseURL: served.gateway.url, apiKey: 'key', maxRetries: 0, ...options })
}

const say = (content: string) => ({ model: 'gpt-4o-mini', messages: [{ role: 'user' as const, content }] })

describe('openai in Node', () => {
  it('lists models, and finds one with a slash and a colon', async () => {
    const { data } = await client().models.list()
    expect(data.map(({ id }) => id)).toContain('tool_llm/large:v1')
    expect(await client().models.retrieve('tool_llm/large:v1')).toMatchObject({ object: 'model' })
    expect(await client().models.retrieve('tool_llm/org/small')).toMatchObject({ id: 'tool_llm/org/small' })
  })

  it('chats, with the id of the request', async () => {
    const { data, request_id } = await client().chat.completions.create(say('hello')).withResponse()
    expect(data.choices[0]?.message.content).toBe('hello')
    expect(request_id).toMatch(/^req_/)
  })

  it('reads a stream with its usage', async () => {
    const stream = await client().chat.completions.create({
      ...say('two words'),
      stream: true,
      stream_options: { include_usage: true },
    })
    let text = ''
    let total = 0
    for await (const { choices, usage } of stream) {
      text += choices[0]?.delta.content ?? ''
      total += usage?.total_tokens ?? 0
    }
    expect([text, total]).toEqual(['two words', 5])
  })

  it('puts a stream together', async () => {
    const stream = client().chat.completions.stream({ ...say('go'), tools: [tool('one'), tool('two')] })
    const { choices } = await stream.finalChatCompletion()
    expect(choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { tool_calls: [{ function: { name: 'one' } }, { function: { name: 'two' } }] },
    })
  })

  it('runs two tools at once, and gives their results back', async () => {
    const called: string[] = []
    const run = (name: string) => ({
      type: 'function' as const,
      function: {
        name,
        description: name,
        parameters: { type: 'object' },
        parse: JSON.parse,
        function: ({ city }: { city: string }) => {
          called.push(`${name}(${city})`)
          return `${name} done`
        },
      },
    })
    for (const stream of [false, true] as const) {
      const tools = [run('one'), run('two')]
      const runner = stream
        ? client().chat.completions.runTools({ ...say('go'), stream, tools })
        : client().chat.completions.runTools({ ...say('go'), tools })
      expect(await runner.finalContent()).toBe('call_0=one done; call_1=two done')
    }
    expect(called).toEqual(['one(City 0)', 'two(City 1)', 'one(City 0)', 'two(City 1)'])
  })

  it('parses an answer of a schema', async () => {
    const schema = { type: 'object', properties: { maxTokens: { type: 'integer' } } }
    const { choices } = await client().chat.completions.parse({
      ...say('/options'),
      response_format: { type: 'json_schema', json_schema: { name: 'r', strict: true, schema } },
    })
    expect(JSON.parse(choices[0]?.message.content ?? '')).toMatchObject({ responseFormat: { schema } })
  })

  it('parses an answer of a Zod schema', async () => {
    const schema = z.object({ maxTokens: z.number() })
    const { choices } = await client().chat.completions.parse({
      ...say('/options'),
      response_format: zodResponseFormat(schema, 'r'),
    })
    expect(choices[0]?.message.parsed).toEqual({ maxTokens: 4096 })
  })

  it('aborts in the middle of a stream, and before it', async () => {
    const before = await aborts()
    const stream = await client().chat.completions.create({ ...say('/paced 1000 10'), stream: true })
    for await (const { choices } of stream) if (choices[0]?.delta.content) break
    await expect.poll(aborts).toBe(before + 1)
    const abort = new AbortController()
    const options = { signal: abort.signal }
    const calls = [
      client().chat.completions.create(say('/hang'), options),
      client().chat.completions.create({ ...say('/hang'), stream: true }, options),
    ]
    const ended = calls.map((call) => expect(call).rejects.toBeInstanceOf(OpenAI.APIUserAbortError))
    await expect
      .poll(async () => (await served.host.health('tool_llm')).details)
      .toMatchObject({ waiting: 2, calls_in_flight: 1, open_streams: 1 })
    abort.abort()
    await Promise.all(ended)
    await expect.poll(aborts).toBe(before + 3)
  })

  it('completes a text', async () => {
    const { choices } = await client().completions.create({ model: 'tool_llm', prompt: 'Once' })
    expect(choices[0]?.text).toBe('Once!')
  })

  it('asks for a response, and goes on from it', async () => {
    const first = await client().responses.create({ model: 'tool_llm', input: 'hello' })
    expect(first.output_text).toBe('hello')
    const { output_text } = await client().responses.create({
      model: 'tool_llm',
      input: '/messages',
      previous_response_id: first.id,
    })
    expect(JSON.parse(output_text)).toHaveLength(3)
    expect(await client().responses.retrieve(first.id)).toMatchObject({ id: first.id, output: first.output })
    const items: unknown[] = []
    for await (const item of client().responses.inputItems.list(first.id, { limit: 1 })) items.push(item)
    expect(items).toMatchObject([{ role: 'user', content: [{ type: 'input_text', text: 'hello' }] }])
    await expect(client().responses.cancel(first.id)).rejects.toBeInstanceOf(OpenAI.BadRequestError)
    await client().responses.delete(first.id)
    await expect(client().responses.retrieve(first.id)).rejects.toBeInstanceOf(OpenAI.NotFoundError)
  })

  it('puts a streamed response together, step by step', async () => {
    const stream = client().responses.stream({ model: 'tool_llm', input: 'two words' })
    let text = ''
    stream.on('response.output_text.delta', ({ delta }) => {
      text += delta
    })
    expect(await stream.finalResponse()).toMatchObject({ status: 'completed', output_text: 'two words' })
    expect(text).toBe('two words')
    const tools = ['one', 'two'].map((name) => ({
      type: 'function' as const,
      name,
      parameters: { type: 'object' },
      strict: false,
    }))
    const { output } = await client()
      .responses.stream({ model: 'tool_llm', input: 'go', tools })
      .finalResponse()
    expect(output).toMatchObject([{ name: 'one' }, { name: 'two', arguments: '{"city":"City 1"}' }])
  })

  it('parses a response of a schema', async () => {
    const schema = { type: 'object', properties: { maxTokens: { type: 'integer' } } }
    const { output_text } = await client().responses.parse({
      model: 'tool_llm',
      input: '/options',
      text: { format: { type: 'json_schema', name: 'r', schema } },
    })
    expect(JSON.parse(output_text)).toMatchObject({ responseFormat: { schema } })
  })

  it('learns of a failure in the middle of a response', async () => {
    const input = '/fail LLM_COMPLETION_FAILED 2'
    const stream = await client().responses.create({ model: 'tool_llm', input, stream: true })
    const types: string[] = []
    for await (const { type } of stream) types.push(type)
    expect(types.at(-1)).toBe('response.failed')
  })

  it.each([
    [OpenAI.BadRequestError, 400, { ...say('x'), temperature: 3 }, 'temperature', 'invalid_value'],
    [OpenAI.NotFoundError, 404, { ...say('x'), model: 'gpt-9' }, 'model', 'model_not_found'],
    [OpenAI.RateLimitError, 429, say('/fail LLM_RATE_LIMITED'), null, 'rate_limit_exceeded'],
    [OpenAI.InternalServerError, 500, say('/fail Error'), null, 'internal_error'],
  ])('throws %o', async (kind, status, body, param, code) => {
    const error: unknown = await client()
      .chat.completions.create(body)
      .catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(kind)
    expect(error).toMatchObject({ status, param, code, requestID: expect.stringMatching(/^req_/) })
  })

  it('throws where its key is wrong', async () => {
    const error: unknown = await client({ apiKey: 'no' })
      .models.list()
      .catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(OpenAI.AuthenticationError)
    expect(error).toMatchObject({
      status: 401,
      code: 'invalid_api_key',
      requestID: expect.stringMatching(/^req_/),
    })
  })

  it('throws an error in the middle of a stream', async () => {
    const stream = await client().chat.completions.create({
      ...say('/fail LLM_COMPLETION_FAILED 2'),
      stream: true,
    })
    const read = async (): Promise<void> => {
      for await (const _ of stream);
    }
    await expect(read()).rejects.toMatchObject({ code: 'llm_completion_failed' })
  })

  it('tries again by itself where the plugin is killed, and after that', async () => {
    const retrying = client({ maxRetries: 2 }).chat.completions
    const once = client().chat.completions.create(say('/hang'))
    const again = retrying.create(say('/paced 5 100'))
    const details = async () => (await served.host.health('tool_llm')).details ?? {}
    await expect.poll(details).toMatchObject({ waiting: 2 })
    process.kill(Number((await details())['pid']), 'SIGKILL')
    await expect(once).rejects.toMatchObject({ status: 502, code: 'plugin_crashed' })
    expect((await again).choices[0]?.message.content).toBe('0 1 2 3 4 ')
    expect((await retrying.create(say('next'))).choices[0]?.message.content).toBe('next')
  })
})

const tool = (name: string) => ({
  type: 'function' as const,
  function: { name, parameters: { type: 'object' } },
})

async function aborts(): Promise<number> {
  const { choices } = await client().chat.completions.create(say('/aborts'))
  return Number(choices[0]?.message.content)
}
