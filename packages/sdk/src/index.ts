/// <reference types="node" preserve="true" />
export { type AudioFormat, decodeWav, encodeWav, sniffAudio, toMono16, type WavAudio } from './audio.js'
export { type Awaitable, PluginBase } from './contracts/base.js'
export type { CallOptions, ClientOf } from './contracts/client.js'
export type { WordTiming } from './contracts/common.table.js'
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
export {
  type ChatMessage,
  type ChatResult,
  type CompletionResult,
  type ContentPart,
  type GenerationOptions,
  type LLMClient,
  LLMContract,
  type Model,
  type TextChunk,
  type ToolCall,
  textOf,
} from './contracts/llm.js'
export {
  type Language,
  type STTClient,
  STTContract,
  type StreamOptions,
  type TranscriptionOptions,
  type TranscriptionResult,
  type TranscriptUpdate,
} from './contracts/stt.js'
export {
  type AudioChunk,
  type SynthesisOptions,
  type SynthesisResult,
  type TTSClient,
  TTSContract,
  type Voice,
} from './contracts/tts.js'
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
