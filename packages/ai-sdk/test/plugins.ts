import { writePlugin } from '../../host/test/fixtures/plugins.js'

/**
 * A language model without a model: what it is told decides what it answers. It writes each request and each cancellation into its log.
 *
 * - `tools` are asked for once, with the city of the last word; their result is told.
 * - `responseFormat` json: `{"city": …}`.
 * - `think`: reasoning first; `slow`: a piece and then nothing until it is cancelled; `crash`, `busy`, `refuse`: errors.
 */
const toolLlm = `
import { LLMContract, PluginError } from '@appfactory/sdk'
export default class ToolModel extends LLMContract {
  seen = []
  cancelled = 0
  async initialize() {}
  async shutdown() {}
  async healthCheck() { return { status: this.status, details: { seen: this.seen, cancelled: this.cancelled } } }
  async getModels() { return [{ id: 'small', contextLength: 4321 }] }
  async complete(prompt) { return prompt }
  async chat(messages, options) {
    const all = { text: '' }
    for await (const { text, ...rest } of this.streamChat(messages, options)) {
      all.text += text
      Object.assign(all, rest)
    }
    const { text, toolCalls, ...rest } = all
    return { ...rest, message: { role: 'assistant', content: text === '' ? null : text, toolCalls } }
  }
  async *streamChat(messages, { signal, ...options } = {}) {
    this.seen.push({ messages, options })
    const last = messages.at(-1)
    const end = { text: '', finishReason: 'stop', usage: { promptTokens: 7, completionTokens: 3 } }
    const said = typeof last.content === 'string' ? last.content : ''
    const word = said.split(' ').at(-1)
    if (said === 'crash') process.exit(3)
    if (said === 'busy') throw new PluginError('LLM_RATE_LIMITED', 'Wait a little')
    if (said === 'refuse') throw new PluginError('LLM_CONTEXT_TOO_LONG', 'Too long')
    if (said === 'nothing') return yield end
    if (said === 'break') { yield { text: 'half' }; throw new PluginError('LLM_COMPLETION_FAILED', 'It broke') }
    if (said === 'slow') {
      yield { text: 'one' }
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      this.cancelled += 1
      signal.throwIfAborted()
    }
    if (said === 'think') {
      yield { text: '', reasoning: 'I ' }
      yield { text: '', reasoning: 'think' }
    }
    if (options.tools && last.role !== 'tool') {
      yield { text: 'Let me see. ' }
      yield { text: '', toolCalls: [
        { id: 'a', name: options.tools[0].name, arguments: { city: word } },
        { id: 'b', name: options.tools[0].name, arguments: { city: 'Rome' } },
      ] }
      return yield { ...end, warnings: ['it was cold'] }
    }
    if (options.responseFormat) { yield { text: '{"city":' }; yield { text: JSON.stringify(word) + '}' }; return yield end }
    for (const piece of ['You said: ', said]) yield { text: piece }
    yield { ...end, metadata: { engine: 'none' } }
  }
}
`

/** Speaks each piece of text at once: as many samples as characters, each of them the voice's length. */
const quickTts = `
import { encodeWav, PluginError, TTSContract } from '@appfactory/sdk'
export default class Speaker extends TTSContract {
  async initialize() {}
  async shutdown() {}
  async healthCheck() { return { status: this.status, details: { heard: this.heard, cancelled: this.cancelled } } }
  async getVoices() { return [{ id: 'one', name: 'One', language: 'en-US' }] }
  async synthesize(text, voice, options) {
    this.heard = { text, voice, options: { ...options, signal: undefined } }
    if ((options.format === 'pcm_s16le' && !options.providerOptions?.wav) || options.providerOptions?.raw)
      return { audio: new Uint8Array(text.length * 2).fill(7), format: 'pcm_s16le', sampleRate: 8000, channels: 1 }
    return encodeWav(new Int16Array(text.length), { sampleRate: 8000 })
  }
  async *synthesizeStream(text, voice, options = {}) {
    for await (const piece of typeof text === 'string' ? [text] : text) {
      if (piece === 'fail') throw new PluginError('TTS_SYNTHESIS_FAILED', 'It broke')
      yield { audio: encodeWav(new Int16Array(piece.length * 2), { sampleRate: 8000, channels: 2 }), text: piece }
    }
  }
}
`

/** Hears as many words as the audio has bytes. */
const countingStt = `
import { STTContract } from '@appfactory/sdk'
export default class Listener extends STTContract {
  async initialize() {}
  async shutdown() {}
  async healthCheck() { return { status: this.status, details: { heard: this.heard } } }
  async getLanguages() { return [{ code: 'en-US', name: 'English' }] }
  async transcribe(audio, language, options) {
    this.heard = { bytes: audio.length, language, options: { ...options, signal: undefined } }
    const words = [{ word: 'hello', startMs: 100, endMs: 600 }]
    return { text: 'hello', language: 'en-US', usage: { audioMs: 1500 }, ...(options.wordTimestamps ? { words } : {}), warnings: ['quiet'] }
  }
  async *transcribeStream(audio, options) {
    let final = ''
    for await (const chunk of audio) {
      yield { partial: 'maybe', final: null }
      final = (final + ' word' + chunk.length).trim()
      yield { partial: null, final }
    }
    this.heard = { options: { ...options, signal: undefined } }
  }
}
`

/** A vector of the text's length and its place among the texts of the call; `refuse` and `crash` are errors, `slow` waits. */
const countingEmbedder = `
import { EmbeddingContract, PluginError } from '@appfactory/sdk'
export default class Embedder extends EmbeddingContract {
  calls = []
  async initialize() {}
  async shutdown() {}
  async healthCheck() { return { status: this.status, details: { calls: this.calls } } }
  async getModels() { return [{ id: 'small', dimensions: 2 }] }
  async embed(texts, { signal, ...options }) {
    this.calls.push({ count: texts.length, options })
    if (texts[0] === 'crash') process.exit(3)
    if (texts[0] === 'refuse') throw new PluginError('LLM_CONTEXT_TOO_LONG', 'Too long')
    if (texts[0] === 'slow') await new Promise((resolve) => signal.addEventListener('abort', resolve))
    const embeddings = texts.map((text, place) => Float32Array.of(text.length, place))
    return { embeddings, usage: { promptTokens: texts.length }, warnings: ['rounded'], model: 'small' }
  }
}
`

/** Writes the plugins of these tests into `root`. */
export function writePlugins(root: string): void {
  writePlugin(root, 'tool_llm', toolLlm, { contract: 'llm' })
  writePlugin(root, 'eyes_llm', toolLlm, { contract: 'llm', capabilities: ['image_input', 'audio_input'] })
  writePlugin(root, 'quick_tts', quickTts)
  writePlugin(root, 'acting_tts', quickTts, { capabilities: ['instructions'] })
  writePlugin(root, 'counting_stt', countingStt, { contract: 'stt' })
  writePlugin(root, 'counting_embedder', countingEmbedder, { contract: 'embedding' })
}
