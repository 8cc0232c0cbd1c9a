import type { ChatMessage, ToolCall } from '@appfactory/sdk'
import { RequestError, wrongMember } from '../errors.js'
import { isObject } from '../rules.js'
import type { ChatRequest } from './generation.table.js'
import { contentOf } from './parts.js'

type Given = ChatRequest['messages'][number]

const roles = {
  system: 'system',
  developer: 'system',
  user: 'user',
  assistant: 'assistant',
  tool: 'tool',
  function: 'tool',
} as const

/** A conversation as the contract has it. @throws RequestError 400 with the place. */
export function messagesOf(given: ChatRequest['messages'], transcriptOf: TranscriptOf): ChatMessage[] {
  return given.map((message, index) => messageOf(message, `messages[${index}]`, transcriptOf))
}

/** The text of sound that was an answer. */
export type TranscriptOf = (id: string) => string | undefined

function messageOf(message: Given, path: string, transcriptOf: TranscriptOf): ChatMessage {
  const toolCalls = toolCallsOf(message)
  const { role, name, toolCallId, reasoningContent } = message
  if (role === 'tool' && toolCallId === undefined) throw wrongMember(`${path}.tool_call_id`, 'is required')
  const callId = role === 'function' ? (name ?? '') : toolCallId
  return {
    role: roles[role],
    content: textOrParts(message, path, transcriptOf),
    ...(name === undefined ? {} : { name }),
    ...(toolCalls.length > 0 ? { toolCalls } : {}),
    ...(callId === undefined ? {} : { toolCallId: callId }),
    ...(reasoningContent === undefined ? {} : { reasoning: reasoningContent }),
  }
}

function textOrParts(
  { role, content, audio }: Given,
  path: string,
  transcriptOf: TranscriptOf,
): ChatMessage['content'] {
  if (content === undefined && role === 'assistant' && audio)
    return saidIn(audio.id, `${path}.audio.id`, transcriptOf)
  if (content !== undefined) return contentOf(content, `${path}.content`)
  if (role !== 'assistant' && role !== 'function') throw wrongMember(`${path}.content`, 'is required')
  return null
}

function saidIn(id: string, path: string, transcriptOf: TranscriptOf): string {
  const text = transcriptOf(id)
  if (text !== undefined) return text
  const message = `${path}: there is no sound ${JSON.stringify(id.slice(0, 100))} here any more. Send its transcript as content`
  throw new RequestError(400, message, { param: path, code: 'audio_not_found' })
}

function toolCallsOf({ toolCalls = [], functionCall }: Given): ToolCall[] {
  const calls = toolCalls.map(({ id, function: called }) => callOf(id, called))
  return functionCall ? [...calls, callOf(functionCall.name, functionCall)] : calls
}

/** A call of a tool that a client tells of. */
export function callOf(
  id: string,
  { name, arguments: given }: { name: string; arguments?: unknown },
): ToolCall {
  return { id, name, arguments: argumentsOf(given) }
}

/** What a model once wrote may be no object: history is not refused for that, and nothing of it is lost. */
export function argumentsOf(given: unknown): Record<string, unknown> {
  if (given === undefined || given === null) return {}
  if (typeof given !== 'string') return isObject(given) ? { ...given } : { _raw: JSON.stringify(given) }
  if (given.trim() === '') return {}
  try {
    const value: unknown = JSON.parse(given)
    if (isObject(value)) return { ...value }
  } catch {}
  return { _raw: given }
}
