import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText, jsonSchema, Output, stepCountIs, streamText, tool } from 'ai'
import { describe, expect, it } from 'vitest'
import { serveAll } from '../visitor.js'

const served = serveAll(['tool_llm'])

const openai = () => createOpenAI({ baseURL: served.gateway.url, apiKey: 'none' })
const compatible = () =>
  createOpenAICompatible({ name: 'plugins', baseURL: served.gateway.url, supportsStructuredOutputs: true })

const tools = Object.fromEntries(
  ['one', 'two'].map((name) => [
    name,
    tool({
      inputSchema: jsonSchema<{ city: string }>({ type: 'object', properties: { city: { type: 'string' } } }),
      execute: ({ city }) => `${name} in ${city}`,
    }),
  ]),
)
const results = /^call_0=.*one in City 0.*; call_1=.*two in City 1/

describe.each([
  ['@ai-sdk/openai', () => openai()('tool_llm')],
  ['@ai-sdk/openai, chat', () => openai().chat('tool_llm')],
  ['@ai-sdk/openai-compatible', () => compatible()('tool_llm')],
])('%s', (_name, model) => {
  it('generates text, with its usage', async () => {
    const { text, usage, finishReason } = await generateText({ model: model(), prompt: 'two words' })
    expect([text, usage.totalTokens, finishReason]).toEqual(['two words', 5, 'stop'])
  })

  it('calls tools, and goes on with their results, streamed or not', async () => {
    const asked = { prompt: 'go', tools, stopWhen: stepCountIs(3) }
    expect((await generateText({ model: model(), ...asked })).text).toMatch(results)
    const stream = streamText({ model: model(), ...asked })
    expect(await stream.text).toMatch(results)
    expect(await stream.steps).toHaveLength(2)
  })

  it('goes on with a conversation', async () => {
    const first = await generateText({ model: model(), prompt: 'hello' })
    const messages = [
      { role: 'user' as const, content: 'hello' },
      ...first.response.messages,
      { role: 'user' as const, content: '/messages' },
    ]
    const { text } = await generateText({ model: model(), system: 'Be kind.', messages })
    expect(JSON.parse(text)).toMatchObject([
      { role: 'system', content: 'Be kind.' },
      { role: 'user', content: 'hello' },
      { role: 'assistant', content: 'hello' },
      { role: 'user', content: '/messages' },
    ])
  })

  it('asks for an object of a schema', async () => {
    const schema = jsonSchema<{ responseFormat: { type: string } }>({
      type: 'object',
      properties: { responseFormat: { type: 'object' } },
      additionalProperties: true,
    })
    const { output } = await generateText({
      model: model(),
      prompt: '/options',
      output: Output.object({ schema }),
    })
    expect(output.responseFormat.type).toBe('json_schema')
  })

  it('tells an error of the plugin, before and in a stream', async () => {
    const failing = generateText({ model: model(), prompt: '/fail LLM_CONTEXT_TOO_LONG', maxRetries: 0 })
    await expect(failing).rejects.toMatchObject({ statusCode: 400, isRetryable: false })
    const errors: unknown[] = []
    const stream = streamText({
      model: model(),
      prompt: '/fail LLM_COMPLETION_FAILED 2',
      onError: ({ error }) => void errors.push(error),
    })
    await stream.consumeStream()
    expect(errors).toHaveLength(1)
  })

  it('aborts, and the plugin is told', async () => {
    const aborts = async (): Promise<number> =>
      Number((await generateText({ model: model(), prompt: '/aborts' })).text)
    const before = await aborts()
    const leaving = new AbortController()
    const stream = streamText({ model: model(), prompt: '/paced 1000 10', abortSignal: leaving.signal })
    for await (const text of stream.textStream) if (text.includes('1')) leaving.abort()
    await expect.poll(aborts).toBe(before + 1)
  })
})
