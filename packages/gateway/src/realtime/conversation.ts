import type { ChatMessage, ToolCall } from '@appfactory/sdk'
import type { ConversationItem } from 'openai/resources/realtime/realtime'
import { RequestError, unsupported, wrongMember } from '../errors.js'
import { argumentsOf } from '../openai/messages.js'
import type { Spoken } from '../openai/spoken.js'
import type { GivenItem } from './events.table.js'
import { idOf } from './socket.js'

/** What is kept of a conversation: the oldest goes first. */
const mostItems = 500
const mostCharacters = 1024 * 1024

/** The transcript of a sound until there is one: clients break where a sound has none. */
export const untold = ''

/** What was said, called or answered. */
export interface Item {
  readonly wire: ConversationItem & { id: string }
  /** Resolves when its transcript is there, or won’t come. */
  ready?: Promise<void>
  /** What of it is spoken when. */
  spoken?: Spoken[]
  /** Until when it was heard, in ms. Default: to its end. */
  heardMs?: number
}

/** The items of a session, in order. */
export class Conversation {
  #items: Item[] = []

  get lastId(): string | null {
    return this.#items.at(-1)?.wire.id ?? null
  }

  /** @param after The item in front of it; `root`: none. Default: the last. @returns The id in front of it. @throws RequestError. */
  add(item: Item, after?: string): string | null {
    if (this.#items.some(({ wire }) => wire.id === item.wire.id))
      throw new RequestError(400, `item.id: there is an item ${quoted(item.wire.id)} already`, {
        param: 'item.id',
        code: 'invalid_value',
      })
    const place =
      after === undefined
        ? this.#items.length
        : after === 'root'
          ? 0
          : this.#placeOf(after, 'previous_item_id') + 1
    const previous = this.#items[place - 1]?.wire.id ?? null
    this.#items.splice(place, 0, item)
    this.#forgetOldest()
    return previous
  }

  /** @throws RequestError. */
  get(id: string): Item {
    const item = this.#items[this.#placeOf(id, 'item_id')]
    if (!item) throw noItem(id, 'item_id')
    return item
  }

  /** @throws RequestError. */
  delete(id: string): void {
    this.#items.splice(this.#placeOf(id, 'item_id'), 1)
  }

  /** Takes back what nobody has heard of an answer. @throws RequestError. */
  truncate(id: string, audioEndMs: number): void {
    const item = this.get(id)
    const { wire } = item
    if (wire.type !== 'message' || wire.role !== 'assistant')
      throw wrongMember('item_id', 'must be an answer that was spoken')
    const part = wire.content.find(({ type }) => type === 'output_audio')
    if (!part) throw wrongMember('item_id', 'must be an answer that was spoken')
    // It may still be written.
    item.heardMs = audioEndMs
    part.transcript = heardOf(item, part.transcript ?? '')
  }

  /** What a model gets. */
  async messages(items: readonly Item[] = this.#items): Promise<ChatMessage[]> {
    const given = [...items]
    await Promise.all(given.map(({ ready }) => ready))
    return joinCalls(given.flatMap(({ wire }) => messageOf(wire)))
  }

  #placeOf(id: string, param: string): number {
    const place = this.#items.findIndex(({ wire }) => wire.id === id)
    if (place < 0) throw noItem(id, param)
    return place
  }

  #forgetOldest(): void {
    let characters = 0
    const first = this.#items.findLastIndex(({ wire }) => {
      characters += sizeOf(wire)
      return characters > mostCharacters
    })
    this.#items.splice(0, Math.max(first + 1, this.#items.length - mostItems, 0))
  }
}

/** An item as a client makes it; sound in it is for `hear`. @throws RequestError. */
export function itemOf(
  given: GivenItem,
  path: string,
  hear: (base64: string, path: string, wire: Item) => void,
): Item {
  const id = given.id ?? idOf('item')
  const common = { id, object: 'realtime.item', status: 'completed' } as const
  const { type = given.role === undefined ? undefined : 'message', callId, output, name } = given
  switch (type) {
    case 'message':
      return messageItem(given, path, id, hear)
    case 'function_call':
      if (name === undefined) throw wrongMember(`${path}.name`, 'is required')
      return {
        wire: { ...common, type, name, call_id: callId ?? idOf('call'), arguments: given.arguments ?? '{}' },
      }
    case 'function_call_output':
      if (callId === undefined) throw wrongMember(`${path}.call_id`, 'is required')
      if (output === undefined) throw wrongMember(`${path}.output`, 'is required')
      return { wire: { ...common, type, call_id: callId, output } }
    default:
      throw wrongMember(`${path}.type`, 'must be "message", "function_call" or "function_call_output"')
  }
}

function messageItem(
  given: GivenItem,
  path: string,
  id: string,
  hear: (base64: string, path: string, item: Item) => void,
): Item {
  const { role, content = [] } = given
  const common = { id, object: 'realtime.item', type: 'message', status: 'completed' } as const
  const place = (index: number): string => `${path}.content[${index}]`
  if (role === 'assistant') {
    const parts = content.map(({ type, text, transcript }, index) => {
      if (type === 'output_audio' || type === 'audio')
        return { type: 'output_audio' as const, transcript: transcript ?? '' }
      return { type: 'output_text' as const, text: textOf(type, text, place(index)) }
    })
    return { wire: { ...common, role, content: parts } }
  }
  if (role === 'system')
    return {
      wire: {
        ...common,
        role,
        content: content.map(({ type, text }, index) => ({
          type: 'input_text' as const,
          text: textOf(type, text, place(index)),
        })),
      },
    }
  if (role !== 'user') throw wrongMember(`${path}.role`, 'must be "user", "assistant" or "system"')
  if (content.length === 0) throw wrongMember(`${path}.content`, 'must not be empty')
  const item: Item = {
    wire: {
      ...common,
      role,
      content: content.map(({ type, text, transcript }, index) =>
        type === 'input_audio'
          ? { type, transcript: transcript ?? untold }
          : { type: 'input_text' as const, text: textOf(type, text, place(index)) },
      ),
    },
  }
  for (const [index, part] of content.entries()) {
    if (part.type !== 'input_audio' || part.transcript !== undefined) continue
    if (part.audio === undefined) throw wrongMember(`${place(index)}.audio`, 'is required')
    hear(part.audio, `${place(index)}.audio`, item)
  }
  return item
}

function textOf(type: string, text: string | undefined, path: string): string {
  if (type === 'input_image') throw unsupported(`${path}.type`, 'images are not taken')
  if (type !== 'input_text' && type !== 'output_text' && type !== 'text')
    throw wrongMember(`${path}.type`, `must not be ${JSON.stringify(type.slice(0, 40))}`)
  if (text === undefined) throw wrongMember(`${path}.text`, 'is required')
  return text
}

/** What was heard of an answer's text: of a sentence that was cut, as many words as fit. */
export function heardOf({ spoken = [], heardMs }: Item, all: string): string {
  if (heardMs === undefined) return all
  const heard: string[] = []
  let leftMs = heardMs
  for (const { text, durationMs } of spoken) {
    if (leftMs <= 0) break
    if (leftMs < durationMs) {
      const words = text.trim().split(/\s+/)
      heard.push(words.slice(0, Math.floor((words.length * Math.max(0, leftMs)) / durationMs)).join(' '))
      break
    }
    leftMs -= durationMs
    heard.push(text.trim())
  }
  return heard.filter((text) => text !== '').join(' ')
}

function messageOf(item: ConversationItem): ChatMessage[] {
  switch (item.type) {
    case 'message': {
      const texts = item.content.flatMap((part) => {
        const text = part.text ?? ('transcript' in part ? part.transcript : undefined)
        return text ? [text] : []
      })
      return texts.length === 0 ? [] : [{ role: item.role, content: texts.join('\n') }]
    }
    case 'function_call': {
      const call: ToolCall = {
        id: item.call_id ?? '',
        name: item.name,
        arguments: argumentsOf(item.arguments),
      }
      return [{ role: 'assistant', content: null, toolCalls: [call] }]
    }
    case 'function_call_output':
      return [{ role: 'tool', content: item.output, toolCallId: item.call_id }]
    default:
      return []
  }
}

/** Calls that a model made at once are one message: a result has to follow its call. */
function joinCalls(messages: readonly ChatMessage[]): ChatMessage[] {
  const joined: ChatMessage[] = []
  for (const message of messages) {
    const last = joined.at(-1)
    if (message.toolCalls && last?.role === 'assistant')
      joined[joined.length - 1] = { ...last, toolCalls: [...(last.toolCalls ?? []), ...message.toolCalls] }
    else joined.push(message)
  }
  return joined
}

function sizeOf(item: ConversationItem): number {
  return JSON.stringify(item).length
}

function quoted(id: string): string {
  return JSON.stringify(id.slice(0, 100))
}

function noItem(id: string, param: string): RequestError {
  return new RequestError(400, `${param}: there is no item ${quoted(id)}`, { param, code: 'item_not_found' })
}
