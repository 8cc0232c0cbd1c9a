import { encodeWav, TTSContract } from '@appfactory/sdk'

const sampleRate = 24_000

/** Says as many pieces of a noisy tone as the text asks for, each as many samples long: `3 2400`. */
export default class Speech extends TTSContract {
  async initialize() {}
  async shutdown() {}
  async healthCheck() {
    return { status: this.status }
  }
  async synthesize(text) {
    return encodeWav(sound(Number(text)), { sampleRate })
  }
  async *synthesizeStream(text) {
    const [pieces, samples] = text.split(' ').map(Number)
    const piece = encodeWav(sound(samples), { sampleRate })
    for (let index = 0; index < pieces; index++) yield piece
  }
  async getVoices() {
    return []
  }
}

const made = new Map()

function sound(samples) {
  const known = made.get(samples)
  if (known) return known
  const tone = (_, at) => 8000 * Math.sin(at * 0.05) + 800 * Math.random()
  const fresh = Int16Array.from({ length: samples }, tone)
  made.set(samples, fresh)
  return fresh
}
