import { createHash } from 'node:crypto'
import { decodeWav, PluginError, STTContract } from '@appfactory/sdk'

/** Hears what it was given, as JSON; a prompt tells what else it does. */
export default class Echo extends STTContract {
  async initialize() {}
  async shutdown() {}
  async healthCheck() {
    return { status: this.status }
  }

  async getLanguages() {
    return [{ code: 'en-US', name: 'English' }]
  }

  async transcribe(audio, language, { signal: _, ...options } = {}) {
    const [command, code] = (options.prompt ?? '').split(' ')
    if (command === '/fail') throw new PluginError(code, `It failed with ${code}`)
    if (command === '/digest') return createHash('sha256').update(audio).digest('hex')
    if (command === '/segments') return segmented(code, options)
    const { sampleRate, channels, data } = decodeWav(audio) ?? {}
    return JSON.stringify({
      bytes: audio.length,
      sampleRate,
      channels,
      samples: data && data.length / 2,
      language,
      options,
    })
  }

  async *transcribeStream(audio, options) {
    let pieces = 0
    for await (const _ of audio) pieces++
    if (options.prompt === '/hang')
      await new Promise((resolve) => options.signal.addEventListener('abort', resolve))
    yield { partial: 'one t', final: null }
    yield { partial: 'two', final: 'one' }
    if (options.prompt === '/fail') throw new PluginError('STT_TRANSCRIPTION_FAILED', 'It failed')
    yield { partial: null, final: 'one two' }
    yield { partial: null, final: `one two ${pieces}` }
  }
}

function segmented(speakers, { wordTimestamps }) {
  const [first, second] = speakers === 'speakers' ? ['A', 'B'] : []
  return {
    text: 'one two',
    language: 'en-US',
    segments: [
      { text: 'one', startMs: 0, endMs: 1500, ...(first ? { speaker: first } : {}) },
      { text: 'two\n\n-->', startMs: 3_661_001, endMs: 3_662_000, ...(second ? { speaker: second } : {}) },
    ],
    ...(wordTimestamps ? { words: [{ word: 'one', startMs: 250, endMs: 500 }] } : {}),
  }
}
