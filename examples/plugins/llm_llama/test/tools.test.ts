import { type ChatMessage, type TextChunk, type Tool, textOf } from '@appfactory/sdk'
import { ChatWrapper } from 'node-llama-cpp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import LlamaPlugin from '../src/index.js'
import { templateDialogue } from '../src/prompt.js'

const plugin = new LlamaPlugin()
const templated = new LlamaPlugin()
const messages: ChatMessage[] = [{ role: 'user', content: 'what is the weather in paris' }]

beforeAll(async () => {
  await plugin.initialize({})
  // The description of tools takes more than the tiny model was made for; it has no sense for it anyway.
  await templated.initialize({ prompt_format: 'template', context_size: 1024 })
})

afterAll(async () => {
  await plugin.shutdown()
  await templated.shutdown()
})

const weather: Tool = {
  name: 'weather',
  description: 'The weather of a city',
  parameters: {
    type: 'object',
    properties: { city: { enum: ['Paris', 'Tokyo'] }, days: { type: 'integer', minimum: 1, maximum: 9 } },
    required: ['city'],
  },
}
const now: Tool = { name: 'now' }

describe.each([
  ['the plain format', plugin],
  ['a chat template', templated],
])('tools in %s', (_format, asked) => {
  it('are called where the client demands it', async () => {
    const { message, finishReason, usage } = await asked.chat(messages, {
      tools: [weather, now],
      toolChoice: { name: 'weather' },
      seed: 1,
    })
    expect(finishReason).toBe('tool_calls')
    expect(message).toEqual({
      role: 'assistant',
      content: null,
      toolCalls: [
        {
          id: expect.stringMatching(/^call_/),
          name: 'weather',
          arguments: {
            city: expect.stringMatching(/^(Paris|Tokyo)$/),
            days: expect.toSatisfy(Number.isInteger),
          },
        },
      ],
    })
    expect(usage?.completionTokens).toBeGreaterThan(0)
  })

  it('are called in a stream, whole and behind all text', async () => {
    const chunks: TextChunk[] = []
    const options = { tools: [now], toolChoice: 'required' as const, seed: 1 }
    for await (const chunk of asked.streamChat(messages, options)) chunks.push(chunk)
    expect(chunks).toMatchObject([
      { text: '', finishReason: 'tool_calls', toolCalls: [{ name: 'now', arguments: {} }] },
    ])
  })

  it('are not called to the end where few tokens are left', async () => {
    const options = { tools: [weather], toolChoice: 'required' as const, maxTokens: 2 }
    expect(await asked.chat(messages, options)).toMatchObject({ finishReason: 'length' })
  })

  it.each<[string, Tool, object]>([
    ['tools[0].parameters.pattern', { name: 'x', parameters: { pattern: 'x' } }, {}],
    ['tools[0].parameters.type', { name: 'x', parameters: { type: 'string' } }, {}],
    ['tools[0].name', { name: 'x y' }, {}],
    ['tool_choice', now, { toolChoice: { name: 'gone' } }],
  ])('are refused at %s', async (path, tool, more) => {
    const call = asked.chat(messages, { tools: [tool], toolChoice: 'required', ...more })
    await expect(call).rejects.toMatchObject({ codeName: 'INVALID_PARAMS', data: { issues: [{ path }] } })
  })
})

describe('tools', () => {
  it('may be left alone by a model that is told of them', async () => {
    const { message, finishReason } = await templated.chat(messages, { tools: [now], maxTokens: 8, seed: 1 })
    expect(finishReason).toBe('length')
    expect(textOf(message)).not.toBe('')
    const responseFormat = { type: 'json' } as const
    const both = templated.chat(messages, { tools: [now], responseFormat })
    await expect(both).rejects.toMatchObject({ data: { issues: [{ path: 'response_format' }] } })
  })

  it('are refused where the model would never learn of them', async () => {
    const refused = { codeName: 'INVALID_PARAMS', data: { issues: [{ path: 'tools' }] } }
    for (const toolChoice of [undefined, 'auto'] as const) {
      await expect(plugin.chat(messages, { tools: [now], toolChoice })).rejects.toMatchObject(refused)
      await expect(plugin.streamChat(messages, { tools: [now], toolChoice }).next()).rejects.toMatchObject(
        refused,
      )
    }
  })

  it('that do not fit into the context are refused, or called without a description', async () => {
    const tool = { ...weather, description: 'long '.repeat(2000) }
    const call = templated.chat(messages, { tools: [tool] })
    await expect(call).rejects.toMatchObject({ codeName: 'LLM_CONTEXT_TOO_LONG' })
    const { message, warnings } = await templated.chat(messages, { tools: [tool], toolChoice: 'required' })
    expect(message.toolCalls).toMatchObject([{ name: 'weather' }])
    expect(warnings).toEqual([expect.stringContaining('too small')])
  })

  it('are called no more when the caller has gone', async () => {
    // Such a string has no end that the tiny model would find.
    const tool = { name: 'note', parameters: { properties: { text: { type: 'string' } } } }
    const abort = new AbortController()
    const options = { tools: [tool], toolChoice: 'required' as const, signal: abort.signal }
    const calls = [1, 2, 3].map((seed) => templated.chat(messages, { ...options, seed }))
    setTimeout(() => abort.abort(), 5)
    for (const { status } of await Promise.allSettled(calls)) expect(status).toBe('rejected')
    const { finishReason } = await templated.chat(messages, { tools: [now], toolChoice: 'required' })
    expect(finishReason).toBe('tool_calls')
  })

  it('that nothing fits are refused', async () => {
    const parameters = { properties: { a: { $ref: '#/$defs/a' } }, $defs: { a: { $ref: '#/$defs/a' } } }
    const call = plugin.chat(messages, { tools: [{ name: 'x', parameters }], toolChoice: 'required' })
    await expect(call).rejects.toMatchObject({ codeName: 'INVALID_PARAMS' })
  })

  it('stay in the conversation: what was called, and what came of it', async () => {
    const call = (id: string, city: string) => ({ id, name: 'weather', arguments: { city } })
    const history: ChatMessage[] = [
      ...messages,
      { role: 'assistant', content: 'Let me see.', toolCalls: [call('1', 'Paris'), call('2', 'Tokyo')] },
      { role: 'tool', toolCallId: '2', content: '{"sky":"clear"}' },
      { role: 'tool', toolCallId: '1', content: 'rain' },
      { role: 'tool', toolCallId: '9', content: 'of nobody' },
    ]
    const { history: chatHistory, wrapper } = templateDialogue(history, new AnyWrapper())
    const text = wrapper.generateContextState({ chatHistory }).contextText.toString()
    expect(text).toMatch(/weather.*Paris.*rain.*weather.*Tokyo.*"sky".*"clear".*of nobody/s)
    const { warnings, message } = await plugin.chat(history, { temperature: 0 })
    expect(warnings).toEqual([expect.stringContaining('tool')])
    expect(textOf(message)).not.toBe('')
    expect(textOf((await templated.chat(history, { maxTokens: 4, tools: [weather] })).message)).not.toBe('')
  })
})

/** What node-llama-cpp does where a model has no template. */
class AnyWrapper extends ChatWrapper {
  readonly wrapperName = 'any'
}
