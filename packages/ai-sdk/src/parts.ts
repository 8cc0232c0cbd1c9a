// What models answer, in terms of no version of the AI SDK's specification: all of them take it, and so do their declarations, which
// differ in what JSON is.

/** Any JSON. */
export type Json = null | string | number | boolean | Json[] | JsonObject

/** A JSON object. */
export interface JsonObject {
  [key: string]: Json | undefined
}

/** What was ignored or assumed. */
export type Warning =
  | { type: 'unsupported'; feature: string; details?: string }
  | { type: 'other'; message: string }

/** What the plugin tells beside its answer. */
export interface Metadata {
  providerMetadata?: { appfactory: JsonObject }
}

/** Which model answered, and when. */
export interface AnsweredBy {
  modelId: string
  timestamp: Date
}

/** Why an answer ends, in the words of the AI SDK. */
export type Unified = 'stop' | 'length' | 'content-filter' | 'tool-calls' | 'error' | 'other'

/** Why an answer ends, in the words of the AI SDK and of the plugin. */
export interface FinishReason {
  unified: Unified
  raw: string | undefined
}

/** The tokens of a call, as far as the plugin counts them. */
export interface TokenUsage {
  inputTokens: { total: number | undefined; noCache: undefined; cacheRead: undefined; cacheWrite: undefined }
  outputTokens: { total: number | undefined; text: undefined; reasoning: undefined }
  raw?: JsonObject
}

/** A tool that the model asks for; its input is JSON text. */
export interface ToolCallPart {
  type: 'tool-call'
  toolCallId: string
  toolName: string
  input: string
}

/** The answer of a language model. */
export interface Answer extends Metadata {
  content: ({ type: 'text' | 'reasoning'; text: string } | ToolCallPart)[]
  finishReason: FinishReason
  usage: TokenUsage
  response: AnsweredBy
  warnings: Warning[]
}

/** What stands between a start and an end of its own. */
export type BlockKind = 'text' | 'reasoning'

/** A part of a streamed answer. */
export type StreamPart =
  | { type: 'stream-start'; warnings: Warning[] }
  | ({ type: 'response-metadata' } & AnsweredBy)
  | { type: `${BlockKind}-start` | `${BlockKind}-end` | 'tool-input-end'; id: string }
  | { type: `${BlockKind}-delta` | 'tool-input-delta'; id: string; delta: string }
  | { type: 'tool-input-start'; id: string; toolName: string }
  | ToolCallPart
  | ({ type: 'finish'; finishReason: FinishReason; usage: TokenUsage } & Metadata)
  | { type: 'error'; error: unknown }

/** The answer of a speech model. */
export interface Speech extends Metadata {
  audio: Uint8Array
  warnings: Warning[]
  usage?: JsonObject
  response: AnsweredBy
}

/** The answer of an embedding model. */
export interface Embeddings extends Metadata {
  embeddings: number[][]
  usage?: { tokens: number }
  warnings: Warning[]
}

/** What is said from when to when. */
export interface TimedText {
  text: string
  startSecond: number
  endSecond: number
}

/** The answer of a transcription model. */
export interface Transcript extends Metadata {
  text: string
  segments: TimedText[]
  words?: TimedText[]
  language: string | undefined
  durationInSeconds: number | undefined
  warnings: Warning[]
  usage?: JsonObject
  response: AnsweredBy
}
