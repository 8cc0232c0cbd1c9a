import type { z } from 'zod'
import { claimsOf } from '../claims.js'
import { PluginError } from '../errors.js'
import type { Manifest } from '../manifest.js'
import { type Awaitable, PluginBase } from './base.js'
import type { CallOptions, clientType } from './client.js'
import { contractSymbol, type MethodBehaviour } from './contract.js'
import type {
  chatMessage,
  chatResult,
  completionResult,
  contentPart,
  llmDefinition,
  model,
  textChunk,
  toolCall,
} from './llm.table.js'
import { shippedBinding } from './shipped.js'

/**
 * One turn of a conversation: `role` (system, user, assistant or tool), `content` and tool calls. `content` is text, null
 * (an assistant that only calls tools) or parts; `textOf(message)` is its text. A plugin gets parts only if its manifest
 * has `image_input` or `audio_input` among its `capabilities`; any other gets their text, or null.
 */
export type ChatMessage = z.output<typeof chatMessage>

/** A part of a message: text, an image or audio, with bytes as a Uint8Array. */
export type ContentPart = z.output<typeof contentPart>

/** A tool that an assistant wants to be called: `id`, `name`, `arguments`. */
export type ToolCall = z.output<typeof toolCall>

/** `text`, `finishReason`, and `tokensUsed`, `model`, `usage`, `warnings`, `metadata` where known. */
export type CompletionResult = z.output<typeof completionResult>

/** `message`, `finishReason`, and `tokensUsed`, `model`, `usage`, `warnings`, `metadata` where known. */
export type ChatResult = z.output<typeof chatResult>

/** One piece of a streamed answer. */
export type TextChunk = z.output<typeof textChunk>

/** A model: `id`, and `name`, `contextLength` (tokens) where known. */
export type Model = z.output<typeof model>

/**
 * `model`, `maxTokens` (default 1024), `temperature` (default 0.7), `topP`, `stopSequences`, `seed`, `responseFormat`,
 * `tools`, `toolChoice`, `providerOptions`, `signal`.
 */
export type GenerationOptions = Omit<z.input<typeof llmDefinition.methods.complete.args>, 'prompt'> &
  CallOptions

/** A language model plugin, as an application sees it through the host. */
export interface LLMClient {
  complete(prompt: string, options?: GenerationOptions): Promise<CompletionResult>
  chat(messages: readonly ChatMessage[], options?: GenerationOptions): Promise<ChatResult>
  getModels(options?: CallOptions): Promise<Model[]>
  streamComplete(prompt: string, options?: GenerationOptions): AsyncIterable<TextChunk>
  streamChat(messages: readonly ChatMessage[], options?: GenerationOptions): AsyncIterable<TextChunk>
}

const behaviour: Record<string, MethodBehaviour> = {
  complete: { normalise: withFinishReason },
  chat: { normalise: (result) => withFinishReason(asChatResult(result)), prepare: fitMessages },
  streamComplete: { aggregate: (chunks) => joinChunks(chunks) },
  streamChat: { aggregate: (chunks) => asChatResult(joinChunks(chunks)), prepare: fitMessages },
}

/** The text of a message: that of its parts together; empty where it has none. */
export function textOf({ content }: Pick<ChatMessage, 'content'>): string {
  if (typeof content === 'string') return content
  return (content ?? []).map((part) => (part.type === 'text' ? part.text : '')).join('')
}

/** The word of a manifest's `capabilities` that says that a plugin takes such parts. */
const wordOfPart = { image: 'image_input', audio: 'audio_input' }

/** Messages as the plugin takes them: where it takes no parts but text, their text. */
function fitMessages(args: Record<string, unknown>, manifest: Manifest): Record<string, unknown> {
  const messages = args['messages'] as ChatMessage[]
  if (!messages.some(({ content }) => Array.isArray(content))) return args
  const claims = claimsOf(manifest)
  const takesParts = Object.values(wordOfPart).some((word) => claims.includes(word))
  return {
    ...args,
    messages: messages.map((message, index) => {
      if (!Array.isArray(message.content)) return message
      checkParts(message.content, `messages[${index}].content`, manifest.name, claims)
      return takesParts ? message : { ...message, content: textOf(message) }
    }),
  }
}

function checkParts(
  parts: readonly ContentPart[],
  path: string,
  plugin: string,
  claims: readonly string[],
): void {
  for (const [index, { type }] of parts.entries()) {
    if (type === 'text' || claims.includes(wordOfPart[type])) continue
    const issue = {
      path: `${path}[${index}]`,
      message: `${plugin} takes no ${type}: its manifest has no ${wordOfPart[type]} in capabilities`,
    }
    throw new PluginError('INVALID_PARAMS', `${issue.path}: ${issue.message}`, { plugin, issues: [issue] })
  }
}

/**
 * A language model. Extend it and implement `complete`, `chat` and `getModels`; and `streamComplete` and `streamChat`
 * where the engine can answer piece by piece.
 */
export abstract class LLMContract<Config = Record<string, unknown>> extends PluginBase<Config> {
  static readonly [contractSymbol] = shippedBinding('llm', behaviour)
  declare readonly [clientType]?: LLMClient

  /** Goes on with `prompt`. */
  abstract complete(prompt: string, options?: GenerationOptions): Awaitable<string | CompletionResult>

  /** Answers a conversation. */
  abstract chat(messages: ChatMessage[], options?: GenerationOptions): Awaitable<ChatMessage | ChatResult>

  /** Lists the models. */
  abstract getModels(): Awaitable<Model[]>

  /** Goes on with `prompt`, piece by piece. Default: `complete()` in one piece. */
  async *streamComplete(
    prompt: string,
    options?: GenerationOptions,
  ): AsyncGenerator<string | TextChunk, void, undefined> {
    const answer = await this.complete(prompt, options)
    yield withFinishReason(typeof answer === 'string' ? { text: answer } : answer)
  }

  /** Answers a conversation, piece by piece. Default: `chat()` in one piece. */
  async *streamChat(
    messages: ChatMessage[],
    options?: GenerationOptions,
  ): AsyncGenerator<string | TextChunk, void, undefined> {
    const answer = withFinishReason(asChatResult(await this.chat(messages, options)))
    const { message, ...rest } = answer as ChatResult
    yield { ...rest, text: textOf(message), ...(message.toolCalls ? { toolCalls: message.toolCalls } : {}) }
  }
}

function withFinishReason<Result extends Record<string, unknown>>(
  result: Result,
): Result & { finishReason: string } {
  const { finishReason } = result
  // A spread with a property behind it takes Node 20 ten times as long, and this is done for each answer.
  return Object.assign({}, result, { finishReason: typeof finishReason === 'string' ? finishReason : 'stop' })
}

/** `{ message }` from whatever an author may return: a string, a message, a text, or the result itself. */
function asChatResult(result: Record<string, unknown>): Record<string, unknown> {
  if ('role' in result) return { message: result }
  if (typeof result['message'] === 'string')
    return { ...result, message: { role: 'assistant', content: result['message'] } }
  if (typeof result['text'] !== 'string' || 'message' in result) return result
  const { text, toolCalls, ...rest } = result
  return { ...rest, message: { role: 'assistant', content: text, ...(toolCalls ? { toolCalls } : {}) } }
}

/** All pieces of a stream as one: texts and tool calls follow each other; of the rest the last word counts. */
function joinChunks(chunks: readonly Record<string, unknown>[]): Record<string, unknown> {
  const toolCalls = chunks.flatMap((chunk) => (Array.isArray(chunk['toolCalls']) ? chunk['toolCalls'] : []))
  const text = chunks.map((chunk) => chunk['text']).join('')
  return withFinishReason({
    ...Object.assign({}, ...chunks),
    text,
    ...(toolCalls.length > 0 ? { toolCalls } : {}),
  })
}
