import { encodeWav, PluginError, TTSContract } from '@appfactory/sdk'

/** How often a caller went away before everything was said. */
let aborts = 0
/** How many pieces of `/endless` were made. */
let made = 0

/** How often `/held` may go on, and what tells it. */
let allowed = 0
let wake = () => {}

/** Says each word as a tenth of a second of a tone; a text that begins with a slash is a command. */
export default class Tone extends TTSContract {
  async initialize() {}
  async shutdown() {}
  async healthCheck() {
    return { status: this.status }
  }

  async getVoices() {
    return [{ id: 'low', name: 'Low', language: 'en-US' }]
  }

  async synthesize() {
    throw new PluginError('TTS_SYNTHESIS_FAILED', 'Only as a stream')
  }

  async *synthesizeStream(text, voiceId, { signal, ...options } = {}) {
    const [command, ...words] = text.split(' ')
    const act = commands[command]
    signal?.addEventListener('abort', () => {
      aborts += 1
    })
    if (command === '/count') throw told({ aborts, made })
    if (command === '/options') throw told({ voiceId, ...options })
    if (act) yield* act(words)
    else for (const _ of [command, ...words]) yield tone(16_000)
  }
}

const commands = {
  '/fail': async function* ([after, code]) {
    for (let index = 0; index < Number(after); index++) yield tone(24_000)
    throw new PluginError(code, `It failed with ${code}`)
  },
  '/rates': async function* (rates) {
    for (const rate of rates) yield tone(Number(rate))
  },
  '/raw': async function* () {
    const bytes = Buffer.from(tone(24_000).subarray(44))
    // Cut within a sample.
    for (const part of [bytes.subarray(0, 1001), bytes.subarray(1001)])
      yield { audio: part, format: 'pcm_s16le', sampleRate: 24_000, channels: 1 }
  },
  /** One piece that needs nothing done for `pcm`, one that does, and one that does not again. */
  '/mixed': async function* () {
    for (const rate of [24_000, 8000, 24_000]) yield tone(rate)
  },
  '/empty': async function* () {
    yield { audio: new Uint8Array(), format: 'pcm_s16le', sampleRate: 24_000, channels: 1 }
  },
  '/nothing': async function* () {},
  '/garbage': async function* () {
    yield { audio: Buffer.from('no sound at all'), format: 'mp3', sampleRate: 24_000, channels: 1 }
  },
  '/paced': async function* ([count, ms]) {
    for (let index = 0; index < Number(count); index++) {
      await new Promise((resolve) => setTimeout(resolve, Number(ms)))
      yield tone(24_000)
    }
  },
  /** A second of sound, and one more each time that somebody says `/go`. */
  '/held': async function* ([seconds]) {
    allowed = 0
    for (let index = 0; index < Number(seconds); index++) {
      yield tone(24_000, 1)
      while (allowed === 0)
        await new Promise((resolve) => {
          wake = resolve
        })
      allowed--
    }
  },
  '/go': async function* () {
    allowed++
    wake()
    yield tone(24_000)
  },
  '/endless': async function* () {
    for (made = 0; ; made++) yield tone(24_000, 2)
  },
}

/** A way out for what is no sound. */
function told(value) {
  return new PluginError('TTS_SYNTHESIS_FAILED', JSON.stringify(value))
}

function tone(sampleRate, seconds = 0.1) {
  const samples = Int16Array.from({ length: sampleRate * seconds }, (_, index) =>
    Math.round(10_000 * Math.sin((2 * Math.PI * 440 * index) / sampleRate)),
  )
  return encodeWav(samples, { sampleRate })
}
