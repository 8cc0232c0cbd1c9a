import { STTContract } from '@appfactory/sdk'

/** Can’t listen to a stream; takes M4A, and tells what it was given. */
export default class Plain extends STTContract {
  async initialize() {}
  async shutdown() {}
  async healthCheck() {
    return { status: this.status }
  }

  async getLanguages() {
    return [{ code: 'en-US', name: 'English' }]
  }

  async transcribe(audio, _, { format = 'wav' } = {}) {
    return `${format} of ${audio.length} bytes`
  }
}
