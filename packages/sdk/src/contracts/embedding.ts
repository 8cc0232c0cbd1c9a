import { PluginError } from '../errors.js'
import { type Awaitable, PluginBase } from './base.js'
import type { clientType } from './client.js'
import { contractSymbol, type MethodBehaviour } from './contract.js'
import type { EmbeddingClient, EmbeddingModel, EmbeddingOptions, EmbeddingResult } from './embedding.types.js'
import { shippedBinding } from './shipped.js'

const behaviour: Record<string, MethodBehaviour> = {
  embed: { normalise: withPlainVectors },
}

/**
 * Text embedding. Extend it and implement `embed` and `getModels`.
 *
 * @example
 * export default class MyEmbedder extends EmbeddingContract {
 *   async initialize() {}
 *   async shutdown() {}
 *   async healthCheck() { return { status: this.status } }
 *   async embed(texts: string[]) { return texts.map((text) => vectorOf(text)) }
 *   async getModels() { return [{ id: 'small', dimensions: 384 }] }
 * }
 */
export abstract class EmbeddingContract<Config = Record<string, unknown>> extends PluginBase<Config> {
  static readonly [contractSymbol] = shippedBinding('embedding', behaviour)
  declare readonly [clientType]?: EmbeddingClient

  /** Converts texts to vectors, one for each text in their order: numbers in an array or a Float32Array, or an EmbeddingResult. */
  abstract embed(
    texts: string[],
    options?: EmbeddingOptions,
  ): Awaitable<readonly ArrayLike<number>[] | EmbeddingResult<ArrayLike<number>>>

  /** Lists the models. */
  abstract getModels(): Awaitable<EmbeddingModel[]>
}

/** Checks what callers rely on without looking: one vector for each text, all of one length, of the one that was asked for. */
function withPlainVectors(
  result: Record<string, unknown>,
  { texts, dimensions }: Record<string, unknown>,
): Record<string, unknown> {
  const embeddings = plainVectors(result['embeddings'])
  const expected = (texts as string[]).length
  if (embeddings.length !== expected)
    throw new TypeError(
      `embed must return one embedding for each text: there are ${expected} texts and ${embeddings.length} embeddings`,
    )
  const length = embeddings[0]?.length ?? 0
  const other = embeddings.findIndex((vector) => vector.length !== length)
  if (length === 0 || other > 0)
    throw new TypeError(
      length === 0
        ? 'embed returned an embedding without numbers'
        : `embed must return embeddings of one length: the first has ${length} numbers, embeddings[${other}] has ${embeddings[other]?.length}`,
    )
  if (dimensions !== undefined && dimensions !== length) throw otherLength(dimensions, length)
  return { ...result, embeddings }
}

function plainVectors(vectors: unknown): number[][] {
  if (!Array.isArray(vectors) || vectors.some((vector) => !isVector(vector)))
    throw new TypeError(
      'embed must return an array of embeddings, each an array of numbers, or an object whose `embeddings` it is',
    )
  return vectors.map((vector: ArrayLike<number>) => (Array.isArray(vector) ? vector : Array.from(vector)))
}

function isVector(value: unknown): value is ArrayLike<number> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView))
}

/** An engine may not know of dimensions; vectors of another length would spoil the index that they are for. */
function otherLength(asked: unknown, length: number): PluginError {
  const message = `the model gives ${length}, not ${asked}; leave dimensions out`
  return new PluginError('INVALID_PARAMS', `dimensions: ${message}`, {
    issues: [{ path: 'dimensions', message }],
  })
}
