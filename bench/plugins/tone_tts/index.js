import { encodeWav, TTSContract } from '@appfactory/sdk'

const audio = encodeWav(new Int16Array(512 * 1024 - 22), { sampleRate: 16_000 })

export default class Tone extends TTSContract {
  async initialize() {}
  async shutdown() {}
  async healthCheck() {
    return { status: this.status }
  }
  async synthesize() {
    return audio
  }
  async getVoices() {
    return []
  }
}
