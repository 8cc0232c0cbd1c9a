import { createAppFactory } from '@appfactory/ai-sdk-provider'
import {
  APICallError,
  createProviderRegistry,
  generateText,
  isStepCount,
  NoSuchModelError,
  Output,
  streamText,
  tool,
  wrapLanguageModel,
} from 'ai'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { detailsOf, hostOfTests, lastSeen } from './setup.js'

const { host } = hostOfTests(['tool_llm', 'eyes_llm', 'quick_tts'])
const model = (id = 'tool_llm') => createAppFactory({ host: host() })(id)

const weather = tool({
  description: 'Tells the weather',
  inputSchema: z.object({ city: z.string() }),
  execute: ({ city }) => ({ city, degrees: city.length }),
})

it('generates text with usage, finish reason, metadata and all settings', async () => {
  const { text, usage, finishReason, rawFinishReason, providerMetadata, response } = await generateText({
    model: model('tool_llm/small'),
    instructions: 'Be brief.',
    prompt: 'hello',
    temperature: 0,
    topP: 0.5,
    seed: 3,
    maxOutputTokens: 12,
    stopSequences: ['.'],
    providerOptions: { appfactory: { mirostat: 2, timeoutMs: 9000 } },
  })
  expect([text, finishReason, rawFinishReason]).toEqual(['You said: hello', 'stop', 'stop'])
  expect([usage.inputTokens, usage.outputTokens]).toEqual([7, 3])
  expect(providerMetadata).toEqual({ appfactory: { engine: 'none' } })
  expect(response.modelId).toBe('tool_llm/small')
  expect(await lastSeen(host())).toEqual({
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'hello' },
    ],
    options: {
      ...{ model: 'small', maxTokens: 12, temperature: 0, topP: 0.5, seed: 3, stopSequences: ['.'] },
      providerOptions: { mirostat: 2 },
    },
  })
})

it('lets an answer be as long as the context of the model where nobody sets a limit', async () => {
  await generateText({ model: model(), prompt: 'hello' })
  expect(await lastSeen(host())).toMatchObject({ options: { maxTokens: 4321 } })
  await streamText({ model: model('tool_llm/small'), prompt: 'hello' }).text
  expect(await lastSeen(host())).toMatchObject({ options: { maxTokens: 4321 } })
  await generateText({ model: model('tool_llm/unheard'), prompt: 'hello' })
  expect(await lastSeen(host())).toMatchObject({ options: { maxTokens: 1024 } })
})

it('streams two steps: two tool calls at once, then an answer to their results', async () => {
  const { stream, steps, finishReason } = streamText({
    model: model(),
    prompt: 'weather in Oslo',
    tools: { weather },
    stopWhen: isStepCount(2),
  })
  const types: string[] = []
  for await (const part of stream) if (part.type !== 'tool-result') types.push(part.type)
  const done = ['text-end', 'finish-step']
  expect(types).toEqual([
    ...['start', 'start-step', 'text-start', 'text-delta', 'text-end'],
    ...['tool-input-start', 'tool-input-delta', 'tool-input-end', 'tool-call'],
    ...['tool-input-start', 'tool-input-delta', 'tool-input-end', 'tool-call', 'finish-step'],
    ...['start-step', 'text-start', 'text-delta', 'text-delta', ...done, 'finish'],
  ])
  const [first, second] = await steps
  expect([first?.finishReason, await finishReason]).toEqual(['tool-calls', 'stop'])
  expect(first?.toolCalls.map(({ input }) => input)).toEqual([{ city: 'Oslo' }, { city: 'Rome' }])
  expect(first?.providerMetadata).toEqual({ appfactory: { warnings: ['it was cold'] } })
  expect(second?.text).toBe('You said: {"city":"Rome","degrees":4}')
  expect(await lastSeen(host())).toMatchObject({
    messages: [
      { role: 'user', content: 'weather in Oslo' },
      {
        role: 'assistant',
        content: 'Let me see. ',
        toolCalls: [{ id: 'a', arguments: { city: 'Oslo' } }, { id: 'b' }],
      },
      { role: 'tool', toolCallId: 'a', name: 'weather', content: '{"city":"Oslo","degrees":4}' },
      { role: 'tool', toolCallId: 'b', content: '{"city":"Rome","degrees":4}' },
    ],
    options: {
      toolChoice: 'auto',
      tools: [{ name: 'weather', description: 'Tells the weather', parameters: { type: 'object' } }],
    },
  })
})

it('asks for a tool by name', async () => {
  const toolChoice = { type: 'tool', toolName: 'weather' } as const
  const { toolCalls } = await generateText({
    model: model(),
    prompt: 'in Oslo',
    tools: { weather },
    toolChoice,
  })
  expect(toolCalls.map(({ toolCallId }) => toolCallId)).toEqual(['a', 'b'])
  expect(await lastSeen(host())).toMatchObject({ options: { toolChoice: { name: 'weather' } } })
})

it('answers in the form of a schema', async () => {
  const { output } = await generateText({
    model: model(),
    prompt: 'the city is Oslo',
    output: Output.object({ schema: z.object({ city: z.string() }) }),
  })
  expect(output).toEqual({ city: 'Oslo' })
  expect(await lastSeen(host())).toMatchObject({
    options: {
      responseFormat: { type: 'json_schema', schema: { properties: { city: { type: 'string' } } } },
    },
  })
})

it('tells reasoning apart from text', async () => {
  const { text, reasoningText } = streamText({ model: model(), prompt: 'think' })
  expect([await reasoningText, await text]).toEqual(['I think', 'You said: think'])
})

it('answers with nothing as it is', async () => {
  const { text, finishReason } = streamText({ model: model(), prompt: 'nothing' })
  expect([await text, await finishReason]).toEqual(['', 'stop'])
})

it('warns of what the contract has no name for', async () => {
  const { warnings } = await generateText({
    ...{ model: model(), prompt: 'hello', topK: 3, presencePenalty: 1, frequencyPenalty: 1 },
    reasoning: 'high',
  })
  expect(warnings).toEqual(
    ['topK', 'presencePenalty', 'frequencyPenalty', 'reasoning'].map((feature) => ({
      type: 'unsupported',
      feature,
    })),
  )
})

it('sends images and sound as bytes to a plugin that takes them, and refuses other files', async () => {
  const ask = (id: string, mediaType: string) =>
    generateText({
      model: model(id),
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'look' },
            { type: 'file', data: new Uint8Array([1, 2, 3]), mediaType },
          ],
        },
      ],
    })
  await ask('eyes_llm', 'image/png')
  expect(await lastSeen(host(), 'eyes_llm')).toMatchObject({
    messages: [
      {
        content: [
          { type: 'text', text: 'look' },
          { type: 'image', mediaType: 'image/png' },
        ],
      },
    ],
  })
  await ask('eyes_llm', 'audio/mpeg')
  expect(await lastSeen(host(), 'eyes_llm')).toMatchObject({
    messages: [{ content: [{}, { type: 'audio', format: 'mp3' }] }],
  })
  await expect(ask('tool_llm', 'image/png')).rejects.toMatchObject({ statusCode: 400, isRetryable: false })
  await expect(ask('eyes_llm', 'application/pdf')).rejects.toThrow('a file of type application/pdf')
})

it('passes on a history whose arguments are no object', async () => {
  await generateText({
    model: model(),
    messages: [
      { role: 'user', content: 'hello' },
      {
        role: 'assistant',
        content: [{ type: 'tool-call', toolCallId: 'x', toolName: 'weather', input: '{' }],
      },
      {
        role: 'tool',
        content: [
          { type: 'tool-result', toolCallId: 'x', toolName: 'weather', output: { type: 'execution-denied' } },
        ],
      },
    ],
  })
  expect(await lastSeen(host())).toMatchObject({
    messages: [
      {},
      { content: null, toolCalls: [{ arguments: { _raw: '{' } }] },
      { content: 'The user does not allow this call.' },
    ],
  })
})

it('cancels in the plugin when the caller aborts, and when the reader leaves', async () => {
  const before = Number((await detailsOf(host(), 'tool_llm'))['cancelled'])
  const cancelled = () =>
    detailsOf(host(), 'tool_llm').then((details) => Number(details['cancelled']) - before)
  const abort = new AbortController()
  const { textStream } = streamText({ model: model(), prompt: 'slow', abortSignal: abort.signal })
  for await (const _piece of textStream) abort.abort()
  await expect.poll(cancelled).toBe(1)

  const { stream } = await model().doStream({
    prompt: [{ role: 'user', content: [{ type: 'text', text: 'slow' }] }],
  })
  const reader = stream.getReader()
  await reader.read()
  await reader.cancel()
  await expect.poll(cancelled).toBe(2)

  const signal = AbortSignal.timeout(50)
  const answer = generateText({ model: model(), prompt: 'slow', abortSignal: signal })
  await expect(answer).rejects.toMatchObject({ name: 'TimeoutError' })
  await expect.poll(cancelled).toBe(3)
  const aborted = generateText({ model: model(), prompt: 'hello', abortSignal: AbortSignal.abort() })
  await expect(aborted).rejects.toMatchObject({ name: 'AbortError' })
  expect((await generateText({ model: model(), prompt: 'hello' })).text).toBe('You said: hello')
})

it.each([
  ['crash', 502, true],
  ['busy', 429, true],
  ['refuse', 400, false],
])('says of the error %s whether another try may help', async (prompt, statusCode, isRetryable) => {
  const error = await generateText({ model: model(), prompt, maxRetries: 0 }).catch(
    (thrown: unknown) => thrown,
  )
  expect(APICallError.isInstance(error)).toBe(true)
  expect(error).toMatchObject({ statusCode, isRetryable, url: 'appfactory:tool_llm/chat' })
  // A stream that fails before its first piece is an error of the call too: it is retried all the same.
  const call = model().doStream({ prompt: [{ role: 'user', content: [{ type: 'text', text: prompt }] }] })
  await expect(call).rejects.toMatchObject({ statusCode, isRetryable })
  expect((await generateText({ model: model(), prompt: 'hello' })).text).toBe('You said: hello')
})

it('ends a stream that breaks with an error behind what was said', async () => {
  const errors: unknown[] = []
  const { textStream, finishReason } = streamText({
    model: model(),
    prompt: 'break',
    onError: ({ error }) => void errors.push(error),
  })
  const pieces: string[] = []
  for await (const piece of textStream) pieces.push(piece)
  expect([pieces, await finishReason]).toEqual([['half'], 'error'])
  expect(errors).toMatchObject([{ name: 'AI_APICallError', statusCode: 500, isRetryable: false }])
})

it('knows no model where the plugin is none', async () => {
  for (const id of ['nobody', 'quick_tts', '', '/']) {
    const error = await generateText({ model: model(id), prompt: 'hello' }).catch((thrown: unknown) => thrown)
    expect(NoSuchModelError.isInstance(error), id).toBe(true)
    expect(error).toMatchObject({ modelId: id, modelType: 'languageModel' })
  }
  const provider = createAppFactory({ host: host() })
  expect(() => provider.imageModel('x')).toThrow(NoSuchModelError)
  expect(() => createAppFactory(JSON.parse('{}'))).toThrow('host: must be a PluginHost')
})

it('refuses a provider option of the wrong type, and names it', async () => {
  const answer = generateText({
    ...{ model: model(), prompt: 'hello' },
    providerOptions: { appfactory: { timeoutMs: 'soon' } },
  })
  await expect(answer).rejects.toThrow('providerOptions.appfactory.timeoutMs: must be a number, not "soon"')
})

it('works in a registry and behind middleware', async () => {
  const registry = createProviderRegistry({ local: createAppFactory({ host: host() }) })
  const wrapped = wrapLanguageModel({
    model: registry.languageModel('local:tool_llm/small'),
    middleware: {
      specificationVersion: 'v4',
      transformParams: async ({ params }) => ({ ...params, seed: 5 }),
    },
  })
  expect((await generateText({ model: wrapped, prompt: 'hello' })).text).toBe('You said: hello')
  expect(await lastSeen(host())).toMatchObject({ options: { seed: 5, model: 'small' } })
})
