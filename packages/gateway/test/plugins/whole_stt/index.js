import { decodeWav, STTContract } from '@appfactory/sdk'

/** Hears only whole recordings: what it was given, as JSON. */
export default class Whole extends STTContract {
  async initialize() {}
  async shutdown() {}
  async healthCheck() {
    return { status: this.status }
  }
  async getLanguages() {
    return [{ code: 'de-DE', name: 'German' }]
  }

  async transcribe(audio, language, { prompt } = {}) {
    const { sampleRate, channels, data } = decodeWav(audio)
    const samples = new Int16Array(data.slice().buffer)
    const text = JSON.stringify({
      sampleRate,
      channels,
      samples: samples.length,
      peak: Math.max(...samples),
      prompt,
    })
    return { text, language }
  }
}
