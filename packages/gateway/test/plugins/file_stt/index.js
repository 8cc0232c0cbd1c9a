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
    const samples = new Int16Array(data.slice().buffer)
    const loudest = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0)
    const firstLoud = samples.findIndex((sample) => Math.abs(sample) > 1000)
    return JSON.stringify({ samples: samples.length, sampleRate, language, prompt, loudest, firstLoud })
  }
}
