import { linkSdk, linkZod, ttsPlugin, writePlugin } from '../fixtures/plugins.js'

/** What a text makes of a plugin: `fail@one` is for the plugin `one` only. */
const act = `
const does = (text, name, what) => text.includes(what + '@' + name + ' ')
async function act(text, name) {
  if (does(text, name, 'fail')) throw new Error('the engine is broken')
  if (does(text, name, 'refuse')) throw new PluginError('TTS_VOICE_NOT_FOUND', 'no such voice')
  if (does(text, name, 'own')) throw new PluginError(7, 'a code of its own')
  if (does(text, name, 'giveup')) throw new PluginError('REQUEST_CANCELLED', 'gave up')
  if (does(text, name, 'crash')) process.exit(1)
  if (does(text, name, 'hang')) await new Promise(() => setInterval(() => {}, 60_000))
}
`

/** A voice that says in its metadata who speaks, and with what. */
export function speaker(rate: number): string {
  return `${act}${ttsPlugin(`
  #sound(text, voiceId, options = {}) {
    const audio = this.name === 'silent' || does(text, this.name, 'mute') ? new Uint8Array() : new Uint8Array(${rate / 10} * 2)
    const metadata = { plugin: this.name, config: this.config, options: { speed: options.speed }, text }
    return { audio, format: 'pcm_s16le', sampleRate: ${rate}, channels: 1, voiceId: voiceId ?? 'none', metadata }
  }
  #check(voiceId) {
    if (voiceId === 'bad' || (voiceId === 'ones' && this.name !== 'one')) throw new PluginError('TTS_VOICE_NOT_FOUND', 'no such voice')
  }
  async getVoices() { return [{ id: this.name, name: 'Voice', language: 'en' }] }
  async synthesize(text, voiceId, options) {
    await act(text, this.name)
    this.#check(voiceId)
    return this.#sound(text, voiceId, options)
  }
  async *synthesizeStream(text, voiceId, options) {
    let all = ''
    if (typeof text === 'string') all = text
    else for await (const part of text) all += part
    await act(all, this.name)
    this.#check(voiceId)
    if (this.name === 'silent' || does(all, this.name, 'none')) return
    for (let piece = 0; piece < 3; piece++) {
      if (piece === 1 && does(all, this.name, 'late')) throw new Error('the engine broke off')
      if (piece === 1 && does(all, this.name, 'die')) process.exit(1)
      yield this.#sound(all, voiceId, options)
    }
  }
`)}`
}

export const listener = `
import { PluginError, STTContract } from '@appfactory/sdk'
export default class Listener extends STTContract {
  async initialize(config) { this.config = config }
  async shutdown() {}
  async healthCheck() { return { status: this.status } }
  async transcribe(audio) {
    if (audio[0] === 1 && this.name === 'ear_one') throw new Error('deaf')
    return this.name
  }
  getLanguages() { return [] }
  startStream({ language } = {}) {
    if (language === 'xx' && this.name === 'ear_one') throw new Error('deaf')
    return 'session'
  }
  feedAudio(id, chunk) {
    if (chunk[0] === 1) throw new Error('deaf')
    return { partial: this.name, final: null }
  }
  endStream() { return this.name }
}
`

export const writer = `
import { LLMContract, PluginError } from '@appfactory/sdk'
export default class Writer extends LLMContract {
  async initialize(config) { this.config = config }
  async shutdown() {}
  async healthCheck() { return { status: this.status } }
  getModels() { return [] }
  async complete(prompt, options) { return { text: this.name + ':' + (options?.model ?? 'own'), finishReason: 'stop' } }
  async chat(messages, options) {
    if (messages[0].content === 'slow down' && this.name === 'llm_one') throw new PluginError('LLM_RATE_LIMITED', 'slow down')
    return { message: { role: 'assistant', content: this.name + ':' + (options?.model ?? 'own') }, finishReason: 'stop' }
  }
  async *streamChat(messages) {
    if (messages[0].content === 'slow down' && this.name === 'llm_one') throw new PluginError('LLM_RATE_LIMITED', 'slow down')
    yield { text: this.name }
  }
}
`

/** A contract of an author’s own. */
export const sorter = `
import { defineContract, PluginError } from '@appfactory/sdk'
import { z } from 'zod'
const Sorting = defineContract({
  name: 'sorting', version: '1.0.0', description: 'Sorts',
  methods: { sort: { description: 'Sorts numbers.', args: z.strictObject({ numbers: z.array(z.number()), fallback: z.string().optional() }), result: z.strictObject({ by: z.string() }) } },
})
export default class Sorter extends Sorting {
  async initialize() {}
  async shutdown() {}
  async healthCheck() { return { status: this.status } }
  async sort({ numbers }) {
    if (numbers[0] === 1 && this.name === 'sort_one') throw new Error('broken')
    if (numbers[0] === 2) throw new PluginError(4711, 'two is not sorted by ' + this.name)
    return { by: this.name }
  }
}
`

/** A voice whose answers are files, in stereo. */
const filed = ttsPlugin(
  'async synthesize() { return encodeWav(new Int16Array(4410 * 2), { sampleRate: 44100, channels: 2 }) }',
)

/** The plugins that the tests call. */
export function writeEngines(folder: string): void {
  writePlugin(folder, 'one', speaker(24_000))
  writePlugin(folder, 'two', speaker(16_000))
  writePlugin(folder, 'three', speaker(24_000))
  writePlugin(folder, 'filed', filed)
  writePlugin(folder, 'silent', speaker(24_000))
  writePlugin(folder, 'broken', speaker(24_000).replace('{ this.config = config }', '{ return false }'))
  for (const name of ['ear_one', 'ear_two']) writePlugin(folder, name, listener, { contract: 'stt' })
  for (const name of ['llm_one', 'llm_two']) writePlugin(folder, name, writer, { contract: 'llm' })
  for (const name of ['sort_one', 'sort_two']) {
    const dir = writePlugin(folder, name, sorter, { contract: 'sorting' })
    linkSdk(dir)
    linkZod(dir)
  }
}
