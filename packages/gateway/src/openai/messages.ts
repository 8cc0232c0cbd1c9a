import type { ChatMessage, ContentPart, ToolCall } from '@appfactory/sdk'
import { unsupported, wrongMember } from '../errors.js'
import type { ChatRequest } from './generation.table.js'

type Given = ChatRequest['messages'][number]
type Part = Exclude<Given['content'], string | undefined>[number]

const roles = {
  system: 'system',
  developer: 'system',
  user: 'user',
  assistant: 'assistant',
  tool: 'tool',
  function: 'tool',
} as const

/** A conversation as the contract has it. @throws RequestError 400 with the place. */
export function messagesOf(given: ChatRequest['messages']): ChatMessage[] {
  return given.map((message, index) => messageOf(message, `messages[${index}]`))
}

function messageOf(message: Given, path: string): ChatMessage {
  const toolCalls = toolCallsOf(message)
  const { role, name, toolCallId } = message
  if (role === 'tool' && toolCallId === undefined) throw wrongMember(`${path}.tool_call_id`, 'is required')
  const callId = role === 'function' ? (name ?? '') : toolCallId
  return {
    role: roles[role],
    content: contentOf(message, path),
    ...(name === undefined ? {} : { name }),
    ...(toolCalls.length > 0 ? { toolCalls } : {}),
    ...(callId === undefined ? {} : { toolCallId: callId }),
  }
}

function contentOf({ role, content }: Given, path: string): ChatMessage['content'] {
  if (content === undefined) {
    if (role !== 'assistant' && role !== 'function') throw wrongMember(`${path}.content`, 'is required')
    return null
  }
  if (typeof content === 'string') return content
  const parts = content.flatMap((part, index) => partOf(part, `${path}.content[${index}]`))
  const texts = parts.flatMap((part) => (part.type === 'text' ? [part.text] : []))
  return texts.length === parts.length ? texts.join('') : parts
}

/** A refusal is dropped: no contract has it. */
function partOf(part: Part, path: string): ContentPart[] {
  switch (part.type) {
    case 'text':
      return [{ type: 'text', text: textIn(part, 'text', path) }]
    case 'refusal':
      return []
    case 'image_url':
      return [
        imageOf(
          textIn(memberOf(part, 'image_url', path), 'url', `${path}.image_url`),
          `${path}.image_url.url`,
        ),
      ]
    case 'input_audio': {
      const audio = memberOf(part, 'input_audio', path)
      const inside = `${path}.input_audio`
      return [
        {
          type: 'audio',
          audio: bytesOf(textIn(audio, 'data', inside), `${inside}.data`),
          format: textIn(audio, 'format', inside),
        },
      ]
    }
    case 'file':
      throw unsupported(path, 'files are not taken')
    default:
      throw wrongMember(`${path}.type`, 'must be "text", "refusal", "image_url" or "input_audio"')
  }
}

/** Only bytes: a gateway fetches nothing, or it could be sent to addresses inside a network. */
function imageOf(url: string, path: string): ContentPart {
  const [, mediaType, data] = /^data:([\w.+-]+\/[\w.+-]+);base64,(.*)$/s.exec(url) ?? []
  if (mediaType === undefined || data === undefined)
    throw unsupported(path, 'must be a data: URL in base64; the gateway fetches nothing')
  return { type: 'image', image: bytesOf(data, path), mediaType }
}

function bytesOf(base64: string, path: string): Uint8Array {
  if (base64 === '' || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(base64)) throw wrongMember(path, 'must be base64')
  return new Uint8Array(Buffer.from(base64, 'base64'))
}

function memberOf(part: object, name: string, path: string): object {
  const value: unknown = Reflect.get(part, name)
  if (typeof value !== 'object' || value === null) throw wrongMember(`${path}.${name}`, 'must be an object')
  return value
}

function textIn(part: object, name: string, path: string): string {
  const value: unknown = Reflect.get(part, name)
  if (typeof value !== 'string') throw wrongMember(`${path}.${name}`, 'must be a string')
  return value
}

function toolCallsOf({ toolCalls = [], functionCall }: Given): ToolCall[] {
  const calls = toolCalls.map(({ id, function: called }) => callOf(id, called))
  return functionCall ? [...calls, callOf(functionCall.name, functionCall)] : calls
}

function callOf(id: string, { name, arguments: text }: { name: string; arguments: string }): ToolCall {
  return { id, name, arguments: argumentsOf(text) }
}

/** What a model once wrote may be no object: history is not refused for that. */
export function argumentsOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
  } catch {
    return {}
  }
}
