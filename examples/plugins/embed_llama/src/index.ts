import { access } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  EmbeddingContract,
  type EmbeddingModel,
  type EmbeddingOptions,
  type EmbeddingResult,
  type HealthStatus,
  isPluginError,
  PluginError,
} from '@appfactory/sdk'
import { readGgufFileInfo } from 'node-llama-cpp'
import { Engine } from './engine.js'

/** As `config_schema` in manifest.json says. */
export interface LlamaConfig {
  model_path?: string
  context_size?: number
  threads?: number
}

const pluginFolder = fileURLToPath(new URL('..', import.meta.url))

/** Embeddings with llama.cpp. */
export default class LlamaEmbedder extends EmbeddingContract<LlamaConfig> {
  #threads = 1
  #contextSize: number | undefined
  #modelPath = resolve(pluginFolder, '../llm_llama/models/tiny.gguf')
  #engine: Promise<Engine> | undefined

  async initialize({ model_path, context_size, threads }: LlamaConfig): Promise<void> {
    this.#contextSize = context_size
    if (threads !== undefined) this.#threads = threads
    if (model_path !== undefined) this.#modelPath = resolve(pluginFolder, model_path)
    // A wrong path is told now; the model itself is loaded when somebody embeds something.
    await this.#checkExists()
  }

  async shutdown(): Promise<void> {
    const engine = this.#engine
    this.#engine = undefined
    // One that failed to load has nothing to release.
    await engine?.then(
      (loaded) => loaded.dispose(),
      () => undefined,
    )
  }

  healthCheck(): HealthStatus {
    const details = { model_path: this.#modelPath, model_loaded: this.#engine !== undefined }
    return { status: this.status, details }
  }

  async embed(texts: string[], { model, signal }: EmbeddingOptions = {}): Promise<EmbeddingResult> {
    this.#checkModel(model)
    const engine = await this.#ensureEngine()
    const embeddings: number[][] = []
    let promptTokens = 0
    for (const [index, text] of texts.entries()) {
      signal?.throwIfAborted()
      const { vector, tokens } = await engine.embed(text, `texts[${index}]`)
      embeddings.push(vector)
      promptTokens += tokens
    }
    return { embeddings, model: this.#modelId, usage: { promptTokens, totalTokens: promptTokens } }
  }

  /** Reads the head of the file only, so that asking for the list does not load the model. */
  async getModels(): Promise<EmbeddingModel[]> {
    await this.#checkExists()
    const { metadata, architectureMetadata } = await this.#explained(() => readGgufFileInfo(this.#modelPath))
    const { context_length, embedding_length } = architectureMetadata
    const contextLength = this.#contextSize ?? context_length
    return [
      {
        id: this.#modelId,
        name: metadata.general.name ?? this.#modelId,
        ...(contextLength === undefined ? {} : { contextLength }),
        ...(embedding_length === undefined ? {} : { dimensions: embedding_length }),
      },
    ]
  }

  get #modelId(): string {
    return basename(this.#modelPath, '.gguf')
  }

  /** Loads the model once, however many calls come at the same time. */
  #ensureEngine(): Promise<Engine> {
    this.#engine ??= this.#load().catch((error: unknown) => {
      // The next call may try again: somebody may have mended the file.
      this.#engine = undefined
      throw error
    })
    return this.#engine
  }

  async #load(): Promise<Engine> {
    await this.#checkExists()
    const settings = { modelPath: this.#modelPath, contextSize: this.#contextSize, threads: this.#threads }
    return this.#explained(() => Engine.load(settings))
  }

  #checkModel(model: string = this.#modelId): void {
    if (model === this.#modelId) return
    throw new PluginError(
      'LLM_MODEL_NOT_AVAILABLE',
      `There is no model "${model}"; there is ${this.#modelId} (see model_path in the configuration)`,
      { models: [this.#modelId] },
    )
  }

  async #checkExists(): Promise<void> {
    const model_path = this.#modelPath
    try {
      await access(model_path)
    } catch (cause) {
      const message = `There is no model file ${model_path}; correct model_path in the configuration`
      throw new PluginError('MODEL_NOT_FOUND', message, { model_path }, { cause })
    }
  }

  async #explained<Result>(action: () => Promise<Result>): Promise<Result> {
    try {
      return await action()
    } catch (cause) {
      if (isPluginError(cause)) throw cause
      const reason = cause instanceof Error ? cause.message : String(cause)
      const message = `The model ${this.#modelPath} can't be loaded: ${reason}`
      throw new PluginError('LLM_MODEL_NOT_AVAILABLE', message, undefined, { cause })
    }
  }
}
