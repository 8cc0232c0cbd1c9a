import type { ChatMessage } from '@appfactory/sdk'
import { RequestError, unsupported } from '../errors.js'
import { callOf } from './messages.js'
import { contentOf } from './parts.js'
import type { GivenItem, ResponseRequest } from './responses.table.js'

const types = ['message', 'function_call', 'function_call_output', 'reasoning', 'item_reference']

/** Finds an item of an earlier answer by its id. */
export type FindItem = (id: string) => ChatMessage | undefined

/** The turns that a client sends. @throws RequestError 400 with the place. */
export function turnsOf({ input = [] }: ResponseRequest, find: FindItem): ChatMessage[] {
  if (typeof input === 'string') return [{ role: 'user', content: input }]
  return input.map((item, index) => turnOf(item, `input[${index}]`, find))
}

/** What one item says. @throws RequestError 400 with the place. */
export function turnOf(item: GivenItem, path: string, find: FindItem): ChatMessage {
  switch (item.type ?? 'message') {
    case 'message': {
      const role = required(item.role, `${path}.role`)
      const content = contentOf(required(item.content, `${path}.content`), `${path}.content`)
      return { role: role === 'developer' ? 'system' : role, content }
    }
    case 'function_call': {
      const name = required(item.name, `${path}.name`)
      const call = { name, arguments: item.arguments }
      return { ...nothing, toolCalls: [callOf(required(item.callId, `${path}.call_id`), call)] }
    }
    case 'function_call_output': {
      const content = contentOf(required(item.output, `${path}.output`), `${path}.output`)
      return { role: 'tool', content, toolCallId: required(item.callId, `${path}.call_id`) }
    }
    case 'reasoning':
      return { ...nothing, reasoning: thoughtsIn(item) }
    case 'item_reference':
      return referred(required(item.id, `${path}.id`), `${path}.id`, find)
    default:
      throw unsupported(`${path}.type`, `must be one of ${types.join(', ')}`)
  }
}

const nothing: ChatMessage = { role: 'assistant', content: null }

/** What a model has thought is text, in full or in short. What is encrypted was not written here. */
function thoughtsIn({ content = [], summary = [] }: GivenItem): string {
  const parts = [...(typeof content === 'string' ? [{ text: content }] : content), ...summary]
  return parts.map((part) => ('text' in part && typeof part.text === 'string' ? part.text : '')).join('')
}

function referred(id: string, path: string, find: FindItem): ChatMessage {
  const found = find(id)
  if (found) return found
  const shown = JSON.stringify(id.slice(0, 100))
  throw new RequestError(
    400,
    `${path}: there is no item ${shown} here any more. Send items in full instead of their ids, as clients do with "store": false`,
    { param: path, code: 'item_not_found' },
  )
}

function required<Value>(value: Value | undefined, path: string): Value {
  if (value === undefined)
    throw new RequestError(400, `${path}: is required`, { param: path, code: 'missing_required_parameter' })
  return value
}

/** Each text, call and thought of an answer is an item; to a model they are one turn. What only thinks is left out. */
export function joinTurns(turns: readonly ChatMessage[]): ChatMessage[] {
  const joined: ChatMessage[] = []
  for (const turn of turns) {
    const last = joined.at(-1)
    const fits = last?.role === 'assistant' && turn.role === 'assistant' && (isMute(last) || isMute(turn))
    if (fits) joined[joined.length - 1] = together(last, turn)
    else joined.push(turn)
  }
  return joined.filter((turn) => !isMute(turn) || turn.toolCalls !== undefined)
}

function isMute({ content }: ChatMessage): boolean {
  return content === null
}

function together(first: ChatMessage, second: ChatMessage): ChatMessage {
  const toolCalls = [...(first.toolCalls ?? []), ...(second.toolCalls ?? [])]
  const reasoning = [first, second].flatMap((turn) =>
    typeof turn['reasoning'] === 'string' ? [turn['reasoning']] : [],
  )
  return {
    role: 'assistant',
    content: first.content ?? second.content,
    ...(toolCalls.length > 0 ? { toolCalls } : {}),
    ...(reasoning.length > 0 ? { reasoning: reasoning.join('') } : {}),
  }
}
