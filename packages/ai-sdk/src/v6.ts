import type {
  EmbeddingModelV3CallOptions,
  LanguageModelV3CallOptions,
  SpeechModelV3CallOptions,
  TranscriptionModelV3CallOptions,
} from '@ai-sdk/provider'
import { providerOf } from './models.js'
import type { Answer, Embeddings, Speech, StreamPart, Transcript } from './parts.js'
import type { AppFactoryProviderSettings } from './settings.js'

export type { Answer, Embeddings, Speech, StreamPart, Transcript } from './parts.js'
export type { AppFactoryProviderSettings } from './settings.js'

/** What each model has. */
interface Model {
  readonly specificationVersion: 'v3'
  readonly provider: string
  readonly modelId: string
}

/** A plugin as a `LanguageModelV3`. */
export interface LanguageModel extends Model {
  supportedUrls: Record<string, RegExp[]>
  doGenerate(options: LanguageModelV3CallOptions): Promise<Answer>
  doStream(options: LanguageModelV3CallOptions): Promise<{ stream: ReadableStream<StreamPart> }>
}

/** A plugin as an `EmbeddingModelV3`. */
export interface EmbeddingModel extends Model {
  readonly maxEmbeddingsPerCall: number
  readonly supportsParallelCalls: boolean
  doEmbed(options: EmbeddingModelV3CallOptions): Promise<Embeddings>
}

/** A plugin as a `SpeechModelV3`. */
export interface SpeechModel extends Model {
  doGenerate(options: SpeechModelV3CallOptions): Promise<Speech>
}

/** A plugin as a `TranscriptionModelV3`. */
export interface TranscriptionModel extends Model {
  doGenerate(options: TranscriptionModelV3CallOptions): Promise<Transcript>
}

/** A `ProviderV3`: the plugins of a host. An id is `plugin` or `plugin/model`; the plugin must be loaded when it is called. */
export interface AppFactoryProvider {
  readonly specificationVersion: 'v3'
  /** A language model: the same as `languageModel`. */
  (modelId: string): LanguageModel
  /** A plugin of the contract `llm`, for `generateText` and `streamText`. */
  languageModel(modelId: string): LanguageModel
  /** A plugin of the contract `embedding`, for `embed` and `embedMany`. */
  embedding(modelId: string): EmbeddingModel
  /** The same as `embedding`. */
  embeddingModel(modelId: string): EmbeddingModel
  /** A plugin of the contract `tts`, for `experimental_generateSpeech`. */
  speech(modelId: string): SpeechModel
  /** The same as `speech`. */
  speechModel(modelId: string): SpeechModel
  /** A plugin of the contract `stt`, for `experimental_transcribe`. */
  transcription(modelId: string): TranscriptionModel
  /** The same as `transcription`. */
  transcriptionModel(modelId: string): TranscriptionModel
  /** @throws NoSuchModelError: no contract makes images. */
  imageModel(modelId: string): never
}

/**
 * Makes an AI SDK provider of a host, for `ai` 6: as `createAppFactory` of `@appfactory/ai-sdk-provider`, in the older form of models.
 *
 * @throws TypeError where `host` is missing.
 * @example
 * const appfactory = createAppFactory({ host })
 * const { text } = await generateText({ model: appfactory('llm_llama'), prompt: 'Tell me a story' })
 */
export function createAppFactory(settings: AppFactoryProviderSettings): AppFactoryProvider {
  return providerOf('v3', settings)
}
