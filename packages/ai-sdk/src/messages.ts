import {
  type LanguageModelV3Prompt,
  type LanguageModelV4Prompt,
  UnsupportedFunctionalityError,
} from '@ai-sdk/provider'
import type { ChatMessage, ContentPart, ToolCall } from '@appfactory/sdk'
import { toBytes } from './bytes.js'

/** A prompt of either version of the specification. */
export type Prompt = LanguageModelV3Prompt | LanguageModelV4Prompt

type Message = Prompt[number]
type AssistantPart = Extract<Message, { role: 'assistant' }>['content'][number]
type ToolPart = Extract<Message, { role: 'tool' }>['content'][number]
type ToolOutput = Extract<ToolPart, { type: 'tool-result' }>['output']
type FilePart = Extract<Extract<Message, { role: 'user' }>['content'][number], { type: 'file' }>

/** A conversation as the contract has it. */
export function toChatMessages(prompt: Prompt): ChatMessage[] {
  return prompt.flatMap(toMessages)
}

function toMessages(message: Message): ChatMessage[] {
  switch (message.role) {
    case 'system':
      return [{ role: 'system', content: message.content }]
    case 'user':
      return [{ role: 'user', content: joined(message.content.map(toContentPart)) }]
    case 'assistant':
      return [assistantMessage(message.content)]
    case 'tool':
      return message.content.flatMap(toolMessage)
  }
}

/** One string where all is text. */
function joined(parts: ContentPart[]): string | ContentPart[] {
  const texts = parts.flatMap((part) => (part.type === 'text' ? [part.text] : []))
  return texts.length === parts.length ? texts.join('') : parts
}

function assistantMessage(parts: readonly AssistantPart[]): ChatMessage {
  const toolCalls = parts.flatMap((part) => (part.type === 'tool-call' ? [toToolCall(part)] : []))
  const content = joined(
    parts.flatMap((part) => (part.type === 'text' || part.type === 'file' ? [toContentPart(part)] : [])),
  )
  const reasoning = parts.flatMap((part) => (part.type === 'reasoning' ? [part.text] : [])).join('')
  return {
    role: 'assistant',
    content: content.length === 0 && toolCalls.length > 0 ? null : content,
    ...(toolCalls.length > 0 ? { toolCalls } : {}),
    ...(reasoning === '' ? {} : { reasoning }),
  }
}

/** A model may have asked with arguments that are no object: its history is passed on all the same. */
function toToolCall({
  toolCallId,
  toolName,
  input,
}: Extract<AssistantPart, { type: 'tool-call' }>): ToolCall {
  return { id: toolCallId, name: toolName, arguments: isRecord(input) ? input : { _raw: input ?? null } }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function toolMessage(part: ToolPart): ChatMessage[] {
  if (part.type !== 'tool-result') return []
  const { toolCallId, toolName, output } = part
  return [{ role: 'tool', toolCallId, name: toolName, content: outputContent(output) }]
}

function outputContent(output: ToolOutput): string | ContentPart[] {
  switch (output.type) {
    case 'text':
    case 'error-text':
      return output.value
    case 'json':
    case 'error-json':
      return JSON.stringify(output.value)
    case 'execution-denied':
      return output.reason ?? 'The user does not allow this call.'
    case 'content':
      return joined(output.value.map(outputPart))
  }
}

function outputPart(part: Extract<ToolOutput, { type: 'content' }>['value'][number]): ContentPart {
  if (part.type === 'text') return { type: 'text', text: part.text }
  if (part.type === 'file') return toContentPart(part)
  if (part.type === 'file-data' || part.type === 'image-data') return filePart(part.mediaType, part.data)
  throw unsupported(`a tool result’s part of type ${part.type}`)
}

function toContentPart(
  part: { type: 'text'; text: string } | Omit<FilePart, 'providerOptions'>,
): ContentPart {
  if (part.type === 'text') return { type: 'text', text: part.text }
  const { data, mediaType } = part
  if (data instanceof URL || typeof data === 'string' || data instanceof Uint8Array)
    return filePart(mediaType, data)
  switch (data.type) {
    case 'text':
      return { type: 'text', text: data.text }
    case 'data':
      return filePart(mediaType, data.data)
    case 'url':
      return filePart(mediaType, data.url)
    case 'reference':
      throw unsupported('a file by reference')
  }
}

/** What a sound's media type is in the contract; others are named after their media type. */
const soundFormats: Readonly<Record<string, string>> = { mpeg: 'mp3', 'x-wav': 'wav', wave: 'wav' }

function filePart(mediaType: string, data: Uint8Array | string | URL): ContentPart {
  if (data instanceof URL) throw unsupported(`a file by URL (${data.protocol})`)
  const [kind, subtype = ''] = mediaType.split(/[/;]/)
  if (kind === 'image') return { type: 'image', image: toBytes(data), mediaType }
  if (kind === 'audio')
    return { type: 'audio', audio: toBytes(data), format: soundFormats[subtype] ?? subtype }
  if (kind === 'text') return { type: 'text', text: new TextDecoder().decode(toBytes(data)) }
  throw unsupported(`a file of type ${mediaType}`)
}

function unsupported(functionality: string): UnsupportedFunctionalityError {
  const message = `${functionality} can’t be sent to a plugin: it takes text, and images and audio as bytes`
  return new UnsupportedFunctionalityError({ functionality, message })
}
