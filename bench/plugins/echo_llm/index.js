import { LLMContract } from '@appfactory/sdk'

export default class Echo extends LLMContract {
  async initialize() {}
  async shutdown() {}
  async healthCheck() {
    return { status: this.status }
  }
  async complete(prompt, { signal }) {
    if (prompt === 'idle') await gone(signal)
    return prompt
  }
  async chat(messages) {
    const last = messages.at(-1)
    return last.content === 'aborts' ? { role: 'assistant', content: JSON.stringify(aborts.splice(0)) } : last
  }
  async getModels() {
    return []
  }
  async *streamChat(messages, { maxTokens, signal }) {
    if (messages[0].content === 'idle') return yield* idle(signal)
    for (let count = 0; count < maxTokens; count++) yield messages[0].content
  }
  async *streamComplete(prompt, { maxTokens }) {
    for (let count = 0; count < maxTokens; count++) yield prompt
  }
}

/** When `idle` was cancelled, in ms of the system's clock; `aborts` tells. */
const aborts = []

/** One piece, and then nothing until nobody waits any more. */
async function* idle(signal) {
  yield 'idle'
  await gone(signal)
  aborts.push(Number(process.hrtime.bigint()) / 1e6)
}

/** Resolves when nobody waits any more. */
function gone(signal) {
  return new Promise((resolve) => signal.addEventListener('abort', resolve))
}
