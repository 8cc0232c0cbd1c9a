import { encodeWav, TTSContract } from '@appfactory/sdk'

export default class Speaker extends TTSContract {
  initialize({ rate }) {
    this.rate = rate
  }
  shutdown() {}
  healthCheck() {
    return { status: this.status, details: { pid: process.pid } }
  }
  synthesize(text) {
    return encodeWav(new Int16Array(text.length * 80).fill(9), { sampleRate: this.rate })
  }
  getVoices() {
    return [{ id: 'a', name: 'A', language: 'en' }]
  }
}
