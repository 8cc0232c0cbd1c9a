import { LLMContract } from '@appfactory/sdk'

/** Works for 20 ms on each call, or for as long as it is told. It sleeps, as a plugin does that waits for its GPU. */
export default class Slow extends LLMContract {
  async initialize({ ms = 20 }) {
    this.ms = ms
  }
  async shutdown() {}
  async healthCheck() {
    return { status: this.status }
  }
  async complete(prompt) {
    await new Promise((resolve) => setTimeout(resolve, this.ms))
    return prompt
  }
  async chat(messages) {
    return messages.at(-1)
  }
  async getModels() {
    return []
  }
}
