import { decodeWav, STTContract } from '@appfactory/sdk'

/** Hears recordings alone: it tells of each what it is, as JSON. */
export default class Whole extends STTContract {
  async initialize() {}
  async shutdown() {}
  async healthCheck() {
    return { status: this.status }
  }

  async getLanguages() {
    return [{ code: 'en-US', name: 'English' }]
  }

  async transcribe(audio, language, { prompt } = {}) {
    const { sampleRate, data } = decodeWav(audio)
    return JSON.stringify({ samples: data.length / 2, sampleRate, language, prompt })
  }
}
