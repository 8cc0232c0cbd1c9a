import { createAppFactory } from '@appfactory/ai-sdk-provider'
import { generateSpeech, streamText } from 'ai'
import { start as project } from '../contenders/appfactory.mjs'
import { elapsedMs, medianLatency } from '../measure.mjs'

const count = 5000
const prompt = 'hello'

/** A model that costs nothing, behind the AI SDK: what is left is the AI SDK itself. */
const instant = {
  specificationVersion: 'v4',
  provider: 'none',
  modelId: 'none',
  supportedUrls: {},
  doStream: async () => ({ stream: partsOf(count) }),
}

/** Text through the AI SDK, beside the handle that the provider reads. */
export const aiSdkText = {
  name: 'ai-sdk-text',
  group: 'ai-sdk',
  title: 'streamed pieces of text, through the AI SDK',
  unit: 'pieces/s',
  base: 'handle.streamChat',
  // The AI SDK itself takes most of the time: the provider is compared with what is beneath it, and with what is above it.
  targets: [
    { of: 'model.doStream', against: 'handle.streamChat', atLeast: 0.7 },
    { of: 'streamText', against: 'streamText of an instant model', atLeast: 0.7 },
  ],
  open: async () => {
    const { host, llm, stop } = await project()
    const model = createAppFactory({ host })('echo_llm')
    const messages = [{ role: 'user', content: prompt }]
    const call = {
      prompt: [{ role: 'user', content: [{ type: 'text', text: prompt }] }],
      maxOutputTokens: count,
    }
    return {
      measures: {
        'handle.streamChat': () => piecesPerSecond(() => llm.streamChat(messages, { maxTokens: count })),
        'model.doStream': () => piecesPerSecond(async () => deltasOf((await model.doStream(call)).stream)),
        streamText: () =>
          piecesPerSecond(() => streamText({ model, prompt, maxOutputTokens: count }).textStream),
        'streamText of an instant model': () =>
          piecesPerSecond(() => streamText({ model: instant, prompt }).textStream),
      },
      close: stop,
    }
  },
}

/** Speech through the AI SDK, 1 MiB each. */
export const aiSdkSpeech = {
  name: 'ai-sdk-speech',
  group: 'ai-sdk',
  title: '1 MiB of speech at a time, through the AI SDK, p50',
  unit: 'µs',
  base: 'handle.synthesize',
  targets: [{ of: 'model.doGenerate', against: 'handle.synthesize', atMost: 1.1 }],
  open: async () => {
    const { host, tts, stop } = await project()
    const handle = await tts()
    const model = createAppFactory({ host }).speech(handle.name)
    return {
      measures: {
        'handle.synthesize': () => medianLatency((text) => handle.synthesize(text)),
        'model.doGenerate': () => medianLatency((text) => model.doGenerate({ text })),
        generateSpeech: () => medianLatency((text) => generateSpeech({ model, text })),
      },
      close: stop,
    }
  },
}

async function piecesPerSecond(read) {
  let got = 0
  const ms = await elapsedMs(async () => {
    for await (const _ of await read()) got += 1
  })
  if (got !== count) throw new Error(`${got} pieces arrived, not ${count}`)
  return count / (ms / 1000)
}

/** Its deltas, without the parts around them. */
function deltasOf(stream) {
  const parts = stream[Symbol.asyncIterator]()
  const next = async () => {
    const result = await parts.next()
    return result.done || result.value.type === 'text-delta' ? result : next()
  }
  return { [Symbol.asyncIterator]: () => ({ next }) }
}

function partsOf(left) {
  const usage = { inputTokens: {}, outputTokens: {} }
  return new ReadableStream({
    start(controller) {
      controller.enqueue({ type: 'stream-start', warnings: [] })
      controller.enqueue({ type: 'text-start', id: '1' })
    },
    pull(controller) {
      left -= 1
      if (left >= 0) return controller.enqueue({ type: 'text-delta', id: '1', delta: 'hello' })
      controller.enqueue({ type: 'text-end', id: '1' })
      controller.enqueue({ type: 'finish', finishReason: { unified: 'stop', raw: 'stop' }, usage })
      controller.close()
    },
  })
}
