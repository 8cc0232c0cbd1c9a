import type { CallOptions } from './client.js'
import type { ResultExtras } from './common.types.js'
import type { Model } from './llm.types.js'

/** The answer to `embed`. A plugin may return vectors of another kind, such as `Float32Array`. */
export interface EmbeddingResult<Vector = number[]> extends ResultExtras {
  /** One for each text, in the order of the texts; all of one length. */
  embeddings: Vector[]
  /** The `id` of the model that answered. */
  model?: string | undefined
}

/** A model of an embedding plugin. `contextLength` is that of one text. */
export interface EmbeddingModel extends Model {
  /** Numbers in an embedding, where `dimensions` is not given. */
  dimensions?: number | undefined
}

/** How to embed. */
export interface EmbeddingOptions extends CallOptions {
  /** The `id` of one of `getModels()`. Default: the plugin's own. */
  model?: string | undefined
  /** Numbers in an embedding. A model that can't give so many refuses with INVALID_PARAMS. Default: the model's own. */
  dimensions?: number | undefined
  /** Options of the engine itself, which it gets as they are. */
  providerOptions?: Record<string, unknown> | undefined
}

/** An embedding plugin, as an application sees it through the host. */
export interface EmbeddingClient {
  /**
   * Converts texts to vectors: texts that mean much the same get vectors that point much the same way.
   *
   * @param texts At least one.
   * @throws PluginError LLM_MODEL_NOT_AVAILABLE, LLM_CONTEXT_TOO_LONG, LLM_RATE_LIMITED and the errors of every call.
   * @example const { embeddings } = await embedder.embed(['a fox', 'a dog'])
   */
  embed(texts: readonly string[], options?: EmbeddingOptions): Promise<EmbeddingResult>
  /** Lists the models. */
  getModels(options?: CallOptions): Promise<EmbeddingModel[]>
}
