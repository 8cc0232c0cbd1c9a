import {
  type EmbeddingModelV3CallOptions,
  type EmbeddingModelV4CallOptions,
  TooManyEmbeddingValuesForCallError,
} from '@ai-sdk/provider'
import type { PluginSystem } from '@appfactory/host'
import { EmbeddingContract, type EmbeddingOptions, type EmbeddingResult } from '@appfactory/sdk'
import { type Call, toAiError } from './errors.js'
import { GivenOptions } from './given-options.js'
import { metadataOf } from './json.js'
import { type ModelId, parseModelId } from './model-id.js'
import type { Embeddings } from './parts.js'

type CallOptions = EmbeddingModelV3CallOptions | EmbeddingModelV4CallOptions

/** An answer of more would not fit into a message of the host. `embedMany` makes several calls of more. */
const maxEmbeddingsPerCall = 64

/** An embedding model of either version of the specification. */
export function embeddingModel<Version extends 'v3' | 'v4'>(
  version: Version,
  host: PluginSystem,
  id: string,
) {
  const modelId = parseModelId(id)
  const provider = 'appfactory.embedding'
  return {
    specificationVersion: version,
    provider,
    modelId: id,
    maxEmbeddingsPerCall,
    // The host shares calls out to the replicas of the plugin.
    supportsParallelCalls: true,
    async doEmbed(options: CallOptions): Promise<Embeddings> {
      const { values } = options
      if (values.length > maxEmbeddingsPerCall)
        throw new TooManyEmbeddingValuesForCallError({ provider, modelId: id, maxEmbeddingsPerCall, values })
      return embed(host, modelId, options)
    },
  }
}

async function embed(host: PluginSystem, modelId: ModelId, options: CallOptions): Promise<Embeddings> {
  const call = callOf(modelId, options.abortSignal)
  try {
    options.abortSignal?.throwIfAborted()
    const plugin = await host.get(EmbeddingContract, modelId.plugin)
    return answerOf(await plugin.embed(options.values, settingsOf(options, modelId)))
  } catch (error) {
    throw toAiError(error, call)
  }
}

function answerOf({ embeddings, usage, warnings = [], ...about }: EmbeddingResult): Embeddings {
  const tokens = usage?.promptTokens ?? usage?.totalTokens
  return {
    embeddings,
    ...(tokens === undefined ? {} : { usage: { tokens } }),
    warnings: warnings.map((message) => ({ type: 'other', message })),
    ...metadataOf(about),
  }
}

function settingsOf({ providerOptions, abortSignal }: CallOptions, { model }: ModelId): EmbeddingOptions {
  const given = new GivenOptions(providerOptions)
  return {
    ...given.callOptions(abortSignal),
    ...{ model, dimensions: given.number('dimensions') },
    ...given.rest(),
  }
}

function callOf({ id, plugin }: ModelId, signal: AbortSignal | undefined): Call {
  return { modelId: id, modelType: 'embeddingModel', plugin, method: 'embed', signal }
}
