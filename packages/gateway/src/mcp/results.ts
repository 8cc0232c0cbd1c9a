import { sniffAudio } from '@appfactory/sdk'
import type { CallToolResult, ContentBlock } from '@modelcontextprotocol/server'
import { failureOf, RequestError, wireFailure } from '../errors.js'
import { mediaTypeOf } from '../rest/answer.js'
import { hasPlainResult, isObjectSchema, type PluginTool } from './tools.js'

/** Longest answer of a stream, in characters: its pieces are held until its end. */
const mostCharacters = 32 * 1024 * 1024

/** The result of a call, for a client. */
export function callResult({ method }: PluginTool, result: unknown): CallToolResult {
  const value = result ?? null
  if (hasPlainResult(method)) {
    const structured = isObjectSchema(method.result) ? Object(value) : { result: value }
    return { content: [textOf(value)], structuredContent: structured }
  }
  const { plain, sounds } = withoutBytes(value)
  return { content: [...sounds, textOf(plain)], structuredContent: { result: plain } }
}

/** What a failure is called; the client’s model reads it. */
export function failedResult(error: unknown): CallToolResult {
  const { message, code } = failureOf(wireFailure(error))
  return {
    content: [{ type: 'text', text: code === null ? message : `${message} (${code})` }],
    isError: true,
  }
}

/** The pieces of a stream, until they are told together. */
export class Pieces {
  readonly #plain: unknown[] = []
  readonly #sounds: ContentBlock[] = []
  #characters = 0

  /** @throws RequestError where they are too long together. */
  add(piece: unknown): void {
    this.#characters += JSON.stringify(piece).length
    if (this.#characters > mostCharacters)
      throw new RequestError(413, 'The pieces are too long together. Ask for less', {
        code: 'answer_too_long',
      })
    const { plain, sounds } = withoutBytes(piece)
    this.#plain.push(plain)
    this.#sounds.push(...sounds)
  }

  get count(): number {
    return this.#plain.length
  }

  result(): CallToolResult {
    const texts = this.#plain.map(textIn)
    // Pieces of a text are read together.
    const isText = texts.length > 0 && texts.every((text) => text !== undefined)
    const content = isText ? [{ type: 'text' as const, text: texts.join('') }] : [textOf(this.#plain)]
    return { content: [...this.#sounds, ...content], structuredContent: { pieces: this.#plain } }
  }
}

/** The text of a piece of text. */
export function textIn(piece: unknown): string | undefined {
  if (typeof piece === 'string') return piece
  const text: unknown = typeof piece === 'object' && piece !== null ? Reflect.get(piece, 'text') : undefined
  return typeof text === 'string' ? text : undefined
}

function textOf(value: unknown): ContentBlock {
  return { type: 'text', text: JSON.stringify(value) }
}

/** The same value, with its bytes as content of their own: nobody’s model reads base64. */
function withoutBytes(value: unknown): { plain: unknown; sounds: ContentBlock[] } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { plain: value, sounds: [] }
  const members = Object.entries(value)
  const isBytes = ([name, each]: [string, unknown]): boolean =>
    name.endsWith('_b64') && typeof each === 'string'
  const format: unknown = Reflect.get(value, 'format')
  return {
    plain: Object.fromEntries(members.filter((member) => !isBytes(member))),
    sounds: members.filter(isBytes).map(([name, each]) => blockOf(name, String(each), format)),
  }
}

function blockOf(name: string, data: string, format: unknown): ContentBlock {
  const known = typeof format === 'string' ? format : sniffAudio(Buffer.from(data, 'base64'))?.format
  const mimeType = mediaTypeOf(known)
  if (mimeType.startsWith('audio/')) return { type: 'audio', data, mimeType }
  return {
    type: 'resource',
    resource: { uri: `result:///${name.replace(/_b64$/, '')}`, blob: data, mimeType },
  }
}
