import { claimsOf } from '../claims.js'
import { PluginError } from '../errors.js'
import type { Manifest } from '../manifest.js'
import { type Awaitable, PluginBase } from './base.js'
import type { clientType } from './client.js'
import { contractSymbol, type MethodBehaviour } from './contract.js'
import type {
  ChatMessage,
  ChatResult,
  CompletionResult,
  ContentPart,
  GenerationOptions,
  LLMClient,
  Model,
  TextChunk,
} from './llm.types.js'
import { shippedBinding } from './shipped.js'

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
