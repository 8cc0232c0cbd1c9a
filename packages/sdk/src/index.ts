/// <reference types="node" preserve="true" />
export { type AudioFormat, decodeWav, encodeWav, sniffAudio, toMono16, type WavAudio } from './audio.js'
export { type Awaitable, PluginBase } from './contracts/base.js'
export type { CallOptions, ClientOf } from './contracts/client.js'
export type { ResultExtras, Usage, WordTiming } from './contracts/common.types.js'
export {
  type CallContext,
  type ContractBinding,
  type ContractClass,
  type ContractDefinition,
  contractBindingOf,
  type MethodBehaviour,
  type MethodDefinition,
} from './contracts/contract.js'
export {
  type DefinedClient,
  type DefinedContract,
  defineContract,
  type ImplementationOf,
} from './contracts/define.js'
export { EmbeddingContract } from './contracts/embedding.js'
export type {
  EmbeddingClient,
  EmbeddingModel,
  EmbeddingOptions,
  EmbeddingResult,
} from './contracts/embedding.types.js'
export { LLMContract, textOf } from './contracts/llm.js'
export type {
  AnswerExtras,
  AudioPart,
  ChatMessage,
  ChatResult,
  CompletionResult,
  ContentPart,
  GenerationOptions,
  ImagePart,
  LLMClient,
  Model,
  ResponseFormat,
  TextChunk,
  TextPart,
  Tool,
  ToolCall,
} from './contracts/llm.types.js'
export { STTContract } from './contracts/stt.js'
export type {
  Language,
  STTClient,
  StreamOptions,
  TranscriptionOptions,
  TranscriptionResult,
  TranscriptSegment,
  TranscriptUpdate,
} from './contracts/stt.types.js'
export { TTSContract } from './contracts/tts.js'
export type {
  AudioChunk,
  SynthesisOptions,
  SynthesisResult,
  TTSClient,
  Voice,
} from './contracts/tts.types.js'
export type {
  ContractDescriptor,
  JsonSchema,
  MethodDescriptor,
  MethodKind,
  SessionRole,
} from './descriptor.js'
export type { ErrorData, ErrorIssue, PluginErrorOf } from './error-data.js'
export {
  ErrorCodes,
  type ErrorName,
  type ErrorObject,
  type ErrorRow,
  errorName,
  errorTable,
  isPluginError,
  PluginError,
} from './errors.js'
export { type HealthStatus, PluginStatus } from './health.js'
export type { Manifest } from './manifest.js'
export { sentencesOf } from './sentences.js'
export { type TraceContext, withTrace } from './trace-context.js'
