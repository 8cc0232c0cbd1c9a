import { PluginError } from '@appfactory/sdk'
import {
  getLlama,
  type Llama,
  type LlamaEmbeddingContext,
  LlamaLogLevel,
  type LlamaModel,
} from 'node-llama-cpp'

export interface EngineSettings {
  modelPath: string
  /** In tokens; undefined for the model's own. */
  contextSize: number | undefined
  threads: number
}

export interface Embedded {
  vector: number[]
  tokens: number
}

const longestDefaultContext = 8192

/** A model in memory. It embeds one text at a time; calls at the same time take turns. */
export class Engine {
  readonly #llama: Llama
  readonly #model: LlamaModel
  readonly #context: LlamaEmbeddingContext
  readonly #contextSize: number

  private constructor(llama: Llama, model: LlamaModel, context: LlamaEmbeddingContext, contextSize: number) {
    this.#llama = llama
    this.#model = model
    this.#context = context
    this.#contextSize = contextSize
  }

  static async load({ modelPath, threads, ...settings }: EngineSettings): Promise<Engine> {
    // Never builds llama.cpp from source: what is installed works or fails, at once.
    const llama = await getLlama({
      build: 'never',
      gpu: false,
      logLevel: LlamaLogLevel.error,
      progressLogs: false,
    })
    try {
      const model = await llama.loadModel({ modelPath })
      const { contextSize = Math.min(model.trainContextSize, longestDefaultContext) } = settings
      const context = await model.createEmbeddingContext({ contextSize, threads })
      return new Engine(llama, model, context, contextSize)
    } catch (error) {
      await llama.dispose()
      throw error
    }
  }

  /** @param place What the caller calls the text: `texts[3]`. */
  async embed(text: string, place: string): Promise<Embedded> {
    // Text of a caller never becomes a special token: "</s>" is four characters.
    const tokens = this.#model.tokenize(text, false, 'trimLeadingSpace')
    if (tokens.length === 0) throw emptyText(place)
    // One for the beginning of the text, one for its end.
    if (tokens.length + 2 > this.#contextSize) throw tooLong(place, tokens.length, this.#contextSize - 2)
    const { vector } = await this.#context.getEmbeddingFor(tokens)
    return { vector: ofLengthOne(vector), tokens: tokens.length }
  }

  async dispose(): Promise<void> {
    await this.#llama.dispose()
  }
}

function ofLengthOne(vector: readonly number[]): number[] {
  const length = Math.hypot(...vector) || 1
  return vector.map((value) => value / length)
}

function emptyText(place: string): PluginError {
  const message = 'has nothing that can be embedded; leave it out'
  return new PluginError('INVALID_PARAMS', `${place}: ${message}`, { issues: [{ path: place, message }] })
}

function tooLong(place: string, tokens: number, most: number): PluginError {
  return new PluginError(
    'LLM_CONTEXT_TOO_LONG',
    `${place} has ${tokens} tokens and may have ${most}; send it in parts`,
    { tokens, most },
  )
}
