import { createAppFactory } from '@appfactory/ai-sdk-provider/v6'
import {
  APICallError,
  createProviderRegistry,
  experimental_generateSpeech as generateSpeech,
  generateText,
  NoSuchModelError,
  Output,
  stepCountIs,
  streamText,
  tool,
  experimental_transcribe as transcribe,
} from 'ai-v6'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { hostOfTests, lastSeen } from './setup.js'

const { host } = hostOfTests(['tool_llm', 'eyes_llm', 'quick_tts', 'counting_stt'])
const provider = () => createAppFactory({ host: host() })

it('streams two steps with tools, in ai 6', async () => {
  const { textStream, steps, usage } = streamText({
    model: provider()('tool_llm'),
    prompt: 'weather in Oslo',
    tools: {
      weather: tool({
        inputSchema: z.object({ city: z.string() }),
        execute: ({ city }) => ({ city, degrees: city.length }),
      }),
    },
    stopWhen: stepCountIs(2),
  })
  let text = ''
  for await (const piece of textStream) text += piece
  expect(text).toBe('Let me see. You said: {"city":"Rome","degrees":4}')
  expect((await steps).map(({ finishReason }) => finishReason)).toEqual(['tool-calls', 'stop'])
  expect((await usage).inputTokens).toBe(7)
})

it('answers in the form of a schema, in ai 6', async () => {
  const { output } = await generateText({
    model: provider()('tool_llm/small'),
    prompt: 'the city is Oslo',
    output: Output.object({ schema: z.object({ city: z.string() }) }),
  })
  expect(output).toEqual({ city: 'Oslo' })
})

it('sends files in the older form', async () => {
  const image = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  const result = {
    type: 'content' as const,
    value: [{ type: 'image-data' as const, data: 'AQID', mediaType: 'image/png' }],
  }
  await generateText({
    model: provider()('eyes_llm'),
    messages: [
      { role: 'user', content: [{ type: 'image', image }] },
      { role: 'assistant', content: [{ type: 'tool-call', toolCallId: 'x', toolName: 'see', input: {} }] },
      { role: 'tool', content: [{ type: 'tool-result', toolCallId: 'x', toolName: 'see', output: result }] },
    ],
  })
  expect(await lastSeen(host(), 'eyes_llm')).toMatchObject({
    messages: [
      { content: [{ type: 'image', mediaType: 'image/png' }] },
      {},
      { role: 'tool', content: [{ type: 'image', mediaType: 'image/png' }] },
    ],
  })
})

it('aborts, and maps errors, in ai 6', async () => {
  const model = provider()('tool_llm')
  const abort = new AbortController()
  const stream = streamText({ model, prompt: 'slow', abortSignal: abort.signal })
  const types: string[] = []
  for await (const { type } of stream.fullStream) {
    types.push(type)
    if (type === 'text-delta') abort.abort()
  }
  expect(types.at(-1)).toBe('abort')
  const busy = await generateText({ model, prompt: 'busy', maxRetries: 0 }).catch((error: unknown) => error)
  expect(APICallError.isInstance(busy) && busy.isRetryable).toBe(true)
  const registry = createProviderRegistry({ local: provider() })
  const none = generateText({ model: registry.languageModel('local:nobody'), prompt: 'hello' })
  await expect(none).rejects.toSatisfy(NoSuchModelError.isInstance)
})

it('speaks and listens, in ai 6', async () => {
  const { audio } = await generateSpeech({ model: provider().speech('quick_tts'), text: 'Hello' })
  expect([audio.mediaType, audio.uint8Array.length]).toEqual(['audio/wav', 44 + 10])
  const { text } = await transcribe({
    model: provider().transcription('counting_stt'),
    audio: audio.uint8Array,
  })
  expect(text).toBe('hello')
})
