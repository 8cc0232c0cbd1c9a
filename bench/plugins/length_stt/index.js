import { STTContract } from '@appfactory/sdk'

/** Hears how many bytes there are. */
export default class Length extends STTContract {
  async initialize() {}
  async shutdown() {}
  async healthCheck() {
    return { status: this.status }
  }
  async transcribe(audio) {
    return String(audio.length)
  }
  async getLanguages() {
    return []
  }
}
