import { once } from 'node:events'
import { EmbeddingContract, PluginError } from '@appfactory/sdk'

/** Its vectors tell the text's length and first letter. Texts that begin with a slash do something else. */
export default class Letters extends EmbeddingContract {
  #aborts = 0
  #waiting = 0

  async initialize() {}
  async shutdown() {}
  async healthCheck() {
    return { status: this.status, details: { aborts: this.#aborts, waiting: this.#waiting } }
  }
  async embed(texts, { model = 'small', dimensions, signal }) {
    const size = { small: 3, large: 5 }[model]
    if (!size) throw new PluginError('LLM_MODEL_NOT_AVAILABLE', `There is no model ${model}`)
    if (texts.includes('/long')) throw new PluginError('LLM_CONTEXT_TOO_LONG', 'A text is too long')
    if (texts.includes('/few')) return [[1]]
    if (texts.includes('/wait')) await this.#wait(signal)
    const embeddings = texts.map((text) => vectorOf(text, model === 'large' ? (dimensions ?? size) : size))
    if (texts.includes('/uncounted')) return embeddings
    return { embeddings, usage: { promptTokens: texts.join('').length } }
  }
  async getModels() {
    return [
      { id: 'small', dimensions: 3 },
      { id: 'large', dimensions: 5 },
    ]
  }

  async #wait(signal) {
    this.#waiting += 1
    await once(signal, 'abort')
    this.#aborts += 1
    signal.throwIfAborted()
  }
}

function vectorOf(text, size) {
  return Float32Array.from(
    { length: size },
    (_, index) => [text.length, text.codePointAt(0), 0.1][index] ?? 0,
  )
}
