import { STTContract } from '@appfactory/sdk'

/** Hears a word in each piece of sound. */
export default class extends STTContract {
  async initialize() {}
  async shutdown() {}
  async healthCheck() {
    return { status: this.status }
  }

  async getLanguages() {
    return []
  }

  async transcribe() {
    return 'word'
  }

  async *transcribeStream(audio) {
    let final = ''
    for await (const _ of audio) {
      final += 'word '
      yield { partial: null, final }
    }
  }
}
