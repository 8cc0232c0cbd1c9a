import { LLMContract } from '@appfactory/sdk'

/** Works for 20 ms on each call. It sleeps, as a plugin does that waits for its GPU. */
export default class Slow extends LLMContract {
  async initialize() {}
  async shutdown() {}
  async healthCheck() {
    return { status: this.status }
  }
  async complete(prompt) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    return prompt
  }
  async chat(messages) {
    return messages.at(-1)
  }
  async getModels() {
    return []
  }
}
