import { LLMContract } from '@appfactory/sdk'

export default class Echo extends LLMContract {
  async initialize() {}
  async shutdown() {}
  async healthCheck() {
    return { status: this.status }
  }
  async complete(prompt) {
    return prompt
  }
  async chat(messages) {
    return messages.at(-1)
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

/** One piece, and then nothing until nobody waits any more. */
async function* idle(signal) {
  yield 'idle'
  await new Promise((resolve) => signal.addEventListener('abort', resolve))
}
