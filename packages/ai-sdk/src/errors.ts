import { APICallError, NoSuchModelError } from '@ai-sdk/provider'
import { type ErrorName, isPluginError, type PluginError } from '@appfactory/sdk'

/** The kinds of models, as the AI SDK names them. */
export type ModelType = 'languageModel' | 'embeddingModel' | 'speechModel' | 'transcriptionModel'

/** What a call was, for its error. */
export interface Call {
  modelId: string
  modelType: ModelType
  plugin: string
  /** The method's name on the wire. */
  method: string
  signal: AbortSignal | undefined
}

/** Another try may help with these and no others: the AI SDK makes two more. */
const retryable: readonly ErrorName[] = ['PLUGIN_CRASHED', 'RESOURCE_EXHAUSTED', 'LLM_RATE_LIMITED']

const noSuchModel: readonly ErrorName[] = [
  'PLUGIN_NOT_FOUND',
  'CONTRACT_NOT_FOUND',
  'CONTRACT_MISMATCH',
  'LLM_MODEL_NOT_AVAILABLE',
]

/** The HTTP status that says the same: middleware looks at it. All others are 500. */
const statusCodes: { readonly [Name in ErrorName]?: number } = {
  INVALID_PARAMS: 400,
  TTS_VOICE_NOT_FOUND: 400,
  TTS_TEXT_TOO_LONG: 400,
  STT_AUDIO_INVALID: 400,
  STT_LANGUAGE_NOT_SUPPORTED: 400,
  LLM_CONTEXT_TOO_LONG: 400,
  MESSAGE_TOO_LARGE: 413,
  RESOURCE_EXHAUSTED: 429,
  LLM_RATE_LIMITED: 429,
  PLUGIN_CRASHED: 502,
  PLUGIN_NOT_READY: 503,
  PLUGIN_QUARANTINED: 503,
  CALL_TIMEOUT: 504,
}

/** The error that the AI SDK expects in place of `error`: what its caller aborted is the reason of the abort. */
export function toAiError(error: unknown, call: Call): unknown {
  if (call.signal?.aborted) return call.signal.reason
  if (!isPluginError(error)) return error
  const { codeName, message } = error
  if (codeName && noSuchModel.includes(codeName))
    return new NoSuchModelError({ modelId: call.modelId, modelType: call.modelType, message })
  return apiCallError(error, call)
}

function apiCallError(error: PluginError, { plugin, method }: Call): APICallError {
  const { codeName, code, message, data } = error
  return new APICallError({
    message,
    url: `appfactory:${plugin}/${method}`,
    requestBodyValues: {},
    statusCode: (codeName && statusCodes[codeName]) ?? 500,
    isRetryable: codeName !== undefined && retryable.includes(codeName),
    data: { code, name: codeName, data },
    cause: error,
  })
}
