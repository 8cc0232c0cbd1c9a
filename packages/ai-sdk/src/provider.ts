import type {
  EmbeddingModelV4,
  Experimental_StreamingSpeechModelV4,
  LanguageModelV4,
  ProviderV4,
  TranscriptionModelV4,
} from '@ai-sdk/provider'
import { providerOf } from './models.js'
import type { AppFactoryProviderSettings } from './settings.js'

/** The plugins of a host as models of the AI SDK. An id is `plugin` or `plugin/model`; the plugin must be loaded when it is called. */
export interface AppFactoryProvider extends ProviderV4 {
  /** A language model: the same as `languageModel`. */
  (modelId: string): LanguageModelV4
  /** A plugin of the contract `llm`, for `generateText` and `streamText`. */
  languageModel(modelId: string): LanguageModelV4
  /** A plugin of the contract `embedding`, for `embed` and `embedMany`. */
  embedding(modelId: string): EmbeddingModelV4
  /** The same as `embedding`. */
  embeddingModel(modelId: string): EmbeddingModelV4
  /** A plugin of the contract `tts`, for `generateSpeech` and `experimental_streamSpeech`. */
  speech(modelId: string): Experimental_StreamingSpeechModelV4
  /** The same as `speech`. */
  speechModel(modelId: string): Experimental_StreamingSpeechModelV4
  /** A plugin of the contract `stt`, for `transcribe` and `experimental_streamTranscribe`. */
  transcription(modelId: string): TranscriptionModelV4
  /** The same as `transcription`. */
  transcriptionModel(modelId: string): TranscriptionModelV4
}

/**
 * Makes an AI SDK provider of a host, for `ai` 7. For `ai` 6, import it from `@appfactory/ai-sdk-provider/v6`.
 *
 * @throws TypeError where `host` is missing.
 * @example
 * const appfactory = createAppFactory({ host })
 * const { text } = await generateText({ model: appfactory('llm_llama'), prompt: 'Tell me a story' })
 */
export function createAppFactory(settings: AppFactoryProviderSettings): AppFactoryProvider {
  return providerOf('v4', settings)
}
