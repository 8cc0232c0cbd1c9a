import type { CallOptions } from './client.js'
import type { ResultExtras } from './common.types.js'

/** A tool that an assistant wants to be called. */
export interface ToolCall {
  /** For the message that answers it: its `toolCallId`. */
  id: string
  /** The tool's name. */
  name: string
  /** Arguments, as the tool's own schema says. */
  arguments: Record<string, unknown>
  /** What else the engine tells. */
  [key: string]: unknown
}

/** A part of a message that is text. */
export interface TextPart {
  /** Tells the kinds of parts apart. */
  type: 'text'
  /** The text. */
  text: string
  /** What else the engine takes. */
  [key: string]: unknown
}

/** A part of a message that is an image. */
export interface ImagePart {
  /** Tells the kinds of parts apart. */
  type: 'image'
  /** The bytes of the file. */
  image: Uint8Array
  /** Such as image/png. */
  mediaType: string
  /** What else the engine takes. */
  [key: string]: unknown
}

/** A part of a message that is audio. */
export interface AudioPart {
  /** Tells the kinds of parts apart. */
  type: 'audio'
  /** The bytes of the file. */
  audio: Uint8Array
  /** Such as wav. */
  format: string
  /** What else the engine takes. */
  [key: string]: unknown
}

/** A part of a message: text, an image or audio. */
export type ContentPart = TextPart | ImagePart | AudioPart

/** One turn of a conversation. A plugin gets parts that are no text only if its manifest's `capabilities` name them. */
export interface ChatMessage {
  /** Who says it. */
  role: 'system' | 'user' | 'assistant' | 'tool'
  /** Text, or parts; `textOf(message)` is its text. null: an assistant that only calls tools. */
  content: string | ContentPart[] | null
  /** Who of several users or tools says it. */
  name?: string | undefined
  /** Of an assistant: the tools that it wants to be called. */
  toolCalls?: ToolCall[] | undefined
  /** Of a tool: the `id` of the call that this answers. */
  toolCallId?: string | undefined
  /** What else the engine tells. */
  [key: string]: unknown
}

/** What any answer of a language model has. */
export interface AnswerExtras extends ResultExtras {
  /** Tokens of prompt and answer together. */
  tokensUsed?: number | undefined
  /** The `id` of the model that answered. */
  model?: string | undefined
}

/** The answer to `complete`. */
export interface CompletionResult extends AnswerExtras {
  /** What follows the prompt. */
  text: string
  /** Why it ends: stop, length, tool_calls, content_filter or cancelled. */
  finishReason: string
}

/** The answer to `chat`. */
export interface ChatResult extends AnswerExtras {
  /** The assistant's turn. */
  message: ChatMessage
  /** Why it ends: stop, length, tool_calls, content_filter or cancelled. */
  finishReason: string
}

/** One piece of a streamed answer. */
export interface TextChunk extends AnswerExtras {
  /** What follows the pieces before. May be empty. */
  text: string
  /** Tools that the assistant wants to be called. */
  toolCalls?: ToolCall[] | undefined
  /** In the last piece, why it ends: stop, length, tool_calls, content_filter or cancelled. */
  finishReason?: string | undefined
}

/** A model of a language model plugin. */
export interface Model {
  /** What the option `model` takes. */
  id: string
  /** For people. */
  name?: string | undefined
  /** Most tokens of prompt and answer together. */
  contextLength?: number | undefined
  /** What else the engine tells. */
  [key: string]: unknown
}

/** A tool that a model may ask for. */
export interface Tool {
  /** What a ToolCall names. */
  name: string
  /** When to use it, for the model. */
  description?: string | undefined
  /** JSON Schema of its arguments. */
  parameters?: Record<string, unknown> | undefined
}

/** The form of an answer. */
export interface ResponseFormat {
  /** text, json for any JSON, or json_schema for what `schema` describes. */
  type: 'text' | 'json' | 'json_schema'
  /** JSON Schema of the answer. */
  schema?: Record<string, unknown> | undefined
}

/** How to answer. */
export interface GenerationOptions extends CallOptions {
  /** The `id` of one of `getModels()`. Default: the plugin's own. */
  model?: string | undefined
  /** Most tokens to generate. Default: 1,024. */
  maxTokens?: number | undefined
  /** Randomness, 0 to 10; 0 is the most predictable. Default: 0.7. */
  temperature?: number | undefined
  /** Share of the likeliest tokens to choose from, 0 to 1. Default: the engine's own. */
  topP?: number | undefined
  /** The answer ends before any of these. */
  stopSequences?: string[] | undefined
  /** A whole number: the same seed gives the same answer, where the engine can. Default: another one each time. */
  seed?: number | undefined
  /** The form of the answer. Default: text. */
  responseFormat?: ResponseFormat | undefined
  /** Tools that the model may ask for. */
  tools?: Tool[] | undefined
  /** Which tool to ask for: any (`auto`), none, at least one (`required`), or the one of that name. Default: the engine's own. */
  toolChoice?: 'auto' | 'none' | 'required' | { name: string } | undefined
  /** Options of the engine itself, which it gets as they are. */
  providerOptions?: Record<string, unknown> | undefined
}

/** A language model plugin, as an application sees it through the host. */
export interface LLMClient {
  /**
   * Goes on with a text.
   *
   * @throws PluginError LLM_COMPLETION_FAILED, LLM_MODEL_NOT_AVAILABLE, LLM_CONTEXT_TOO_LONG, LLM_RATE_LIMITED and the errors
   *   of every call.
   * @example const { text } = await llm.complete('Once upon a time', { maxTokens: 40 })
   */
  complete(prompt: string, options?: GenerationOptions): Promise<CompletionResult>
  /**
   * Answers a conversation.
   *
   * @param messages The turns so far, the oldest first. At least one.
   * @throws PluginError As `complete`.
   * @example const { message } = await llm.chat([{ role: 'user', content: 'Hello' }], { temperature: 0 })
   */
  chat(messages: readonly ChatMessage[], options?: GenerationOptions): Promise<ChatResult>
  /** Lists the models. */
  getModels(options?: CallOptions): Promise<Model[]>
  /**
   * Goes on with a text, piece by piece. `break` ends the generation.
   *
   * @example for await (const { text } of llm.streamComplete('Once upon a time')) process.stdout.write(text)
   */
  streamComplete(prompt: string, options?: GenerationOptions): AsyncIterable<TextChunk>
  /**
   * Answers a conversation, piece by piece. `break` ends the generation.
   *
   * @param messages The turns so far, the oldest first. At least one.
   * @example for await (const { text } of llm.streamChat(messages)) process.stdout.write(text)
   */
  streamChat(messages: readonly ChatMessage[], options?: GenerationOptions): AsyncIterable<TextChunk>
}
