import { encodeWav, TTSContract } from '@appfactory/sdk'

/** Says each character as ten milliseconds of silence. */
export default class Wave extends TTSContract {
  async initialize() {}
  async shutdown() {}
  async healthCheck() {
    return { status: this.status }
  }
  async synthesize(text) {
    return encodeWav(new Int16Array(text.length * 160), { sampleRate: 16_000 })
  }
  async getVoices() {
    return [
      { id: 'low', name: 'Low', language: 'en-US' },
      { id: 'high', name: 'High', language: 'en-US' },
    ]
  }
}
