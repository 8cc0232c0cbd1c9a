import { setTimeout as rest } from 'node:timers/promises'
import { LLMContract, PluginError, textOf } from '@appfactory/sdk'

/** How often a caller went away before the answer was there. */
let aborts = 0
/** How many slow answers are under way, as `health()` reports. */
let waiting = 0
/** How many pieces of `/endless` were made. */
let made = 0

/**
 * A language model without a model: the last message tells what it does. With tools, it calls each of them once. `/options` tells
 * what it was given, `/pieces N` streams, `/fail CODE` fails, and so on.
 */
export default class ToolModel extends LLMContract {
  async initialize() {}
  async shutdown() {}
  async healthCheck() {
    return { status: this.status, details: { waiting } }
  }

  async getModels() {
    return [
      { id: 'large:v1', name: 'Large', contextLength: 4096 },
      { id: 'org/small', contextLength: 512 },
    ]
  }

  async complete(prompt, options) {
    if (prompt === '/options') return JSON.stringify(told(options))
    return { text: `${prompt}!`, finishReason: 'length', usage: usageOf(1, 1) }
  }

  async *streamComplete(prompt) {
    if (prompt.startsWith('/units ')) return yield* prompt.slice('/units '.length).split('')
    yield prompt
    yield { text: '!', finishReason: 'length', usage: usageOf(1, 1) }
  }

  async chat(messages, options) {
    const chunks = []
    for await (const chunk of this.streamChat(messages, options))
      chunks.push(typeof chunk === 'string' ? { text: chunk } : chunk)
    const toolCalls = chunks.flatMap((chunk) => chunk.toolCalls ?? [])
    const { text: _, toolCalls: __, ...last } = Object.assign({}, ...chunks)
    const content = chunks.map(({ text }) => text).join('')
    return { ...last, message: { role: 'assistant', content, ...(toolCalls.length ? { toolCalls } : {}) } }
  }

  async *streamChat(messages, options) {
    const last = messages.at(-1)
    const [command, ...words] = textOf(last).split(' ')
    if (last.role === 'tool') return yield* answerTools(messages)
    if (options.tools?.length && options.toolChoice !== 'none') return yield* callTools(options)
    const act = commands[command]
    if (act) return yield* act(words, options, messages)
    yield* say(textOf(last))
  }
}

const commands = {
  '/options': async function* (_, options) {
    yield { text: JSON.stringify(told(options)), finishReason: 'stop' }
  },
  '/messages': async function* (_, _options, messages) {
    yield { text: JSON.stringify(messages), finishReason: 'stop' }
  },
  // As if each message were a token.
  '/room': async function* ([most], _options, messages) {
    if (messages.length > Number(most)) throw new PluginError('LLM_CONTEXT_TOO_LONG', 'It is too long')
    yield { text: JSON.stringify(messages), finishReason: 'stop' }
  },
  '/pieces': async function* ([count]) {
    for (let index = 0; index < Number(count); index++) yield `${index} `
  },
  '/sizes': async function* ([bytes]) {
    yield 'x'.repeat(Number(bytes))
  },
  '/paced': slow(async function* ([count, ms], { signal }) {
    for (let index = 0; index < Number(count); index++) {
      await rest(Number(ms), undefined, { signal })
      yield `${index} `
    }
  }),
  '/silent': async function* () {},
  '/think': async function* () {
    yield { text: '', reasoning: 'Hm.' }
    yield { text: 'Yes.', finishReason: 'stop' }
  },
  /** Thinks a word and says another, each unit of UTF-16 on its own. */
  '/units': async function* ([thought, said]) {
    for (const reasoning of thought.split('')) yield { text: '', reasoning }
    yield* said.split('')
  },
  '/finish': async function* ([finishReason]) {
    yield { text: 'Cut', finishReason }
  },
  '/fail': async function* ([code, after = 0]) {
    for (let index = 0; index < Number(after); index++) yield `${index} `
    if (code === 'Error') throw new Error(`at /secret/path: ${process.env.HOME}`)
    throw new PluginError(code, `It failed with ${code}`)
  },
  '/crash': async function* ([after = 0]) {
    for (let index = 0; index < Number(after); index++) yield `${index} `
    await new Promise((resolve) => setTimeout(resolve, 20))
    process.exit(7)
  },
  '/hang': slow(async function* (_, { signal }) {
    await rest(60_000, undefined, { signal })
    yield ''
  }),
  '/first': slow(async function* (_, { signal }) {
    yield 'first '
    await rest(60_000, undefined, { signal })
  }),
  '/endless': async function* () {
    for (made = 0; ; made++) yield 'x'.repeat(1000)
  },
  '/aborts': async function* () {
    yield String(aborts)
  },
  '/made': async function* () {
    yield String(made)
  },
}

function* say(text) {
  const words = text.split(/(?<= )/)
  for (const word of words) yield word
  yield { text: '', finishReason: 'stop', usage: usageOf(3, words.length) }
}

/** One call of each tool, all in one piece. */
function* callTools({ tools, toolChoice }) {
  const chosen = toolChoice?.name ? tools.filter(({ name }) => name === toolChoice.name) : tools
  const toolCalls = chosen.map(({ name }, index) => ({
    id: `call_${index}`,
    name,
    arguments: { city: `City ${index}` },
  }))
  yield { text: '', toolCalls, finishReason: 'tool_calls', usage: usageOf(5, 5) }
}

function* answerTools(messages) {
  const results = messages.filter(({ role }) => role === 'tool')
  yield* say(results.map((each) => `${each.toolCallId}=${textOf(each)}`).join('; '))
}

/** An answer that is counted while it is under way, and when it ends because its caller went away. */
function slow(answer) {
  return async function* (words, options) {
    waiting += 1
    try {
      yield* answer(words, options)
    } finally {
      waiting -= 1
      if (options.signal.aborted) aborts += 1
    }
  }
}

/** Options as JSON: a signal has none. */
function told({ signal: _, ...options }) {
  return options
}

function usageOf(promptTokens, completionTokens) {
  return { promptTokens, completionTokens, totalTokens: promptTokens + completionTokens }
}
