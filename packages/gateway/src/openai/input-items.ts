import { RequestError } from '../errors.js'
import { uniqueId } from './generation.js'

/** An item of a conversation as it is listed. */
export interface ListedItem {
  readonly id?: string | undefined
  readonly type: string
}

const idPrefixes: Readonly<Record<string, string>> = {
  function_call: 'fc_',
  function_call_output: 'fco_',
  reasoning: 'rs_',
}

/** What a client has sent as `input`, with all that lists of items have: ids, types, and texts in parts. */
export function givenItems(input: unknown): ListedItem[] {
  if (typeof input === 'string') return [listed({ role: 'user', content: input })]
  return Array.isArray(input) ? input.map(listed) : []
}

function listed(given: object): ListedItem {
  // null is absent.
  const members = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null))
  const { id, role, content } = members
  const type = typeof members['type'] === 'string' ? members['type'] : 'message'
  return {
    ...members,
    id: typeof id === 'string' && id !== '' ? id : uniqueId(idPrefixes[type] ?? 'msg_'),
    type,
    ...(type === 'reasoning' ? {} : { status: members['status'] ?? 'completed' }),
    ...(typeof content === 'string' ? { content: [textPart(role, content)] } : {}),
  }
}

function textPart(role: unknown, text: string): object {
  return role === 'assistant' ? { type: 'output_text', text, annotations: [] } : { type: 'input_text', text }
}

/** One page of a list, as the query asks for it: the newest first, 20 of them. @throws RequestError 400. */
export function pageOf(items: readonly ListedItem[], query: URLSearchParams): object {
  const order = query.get('order') ?? 'desc'
  if (order !== 'asc' && order !== 'desc') throw wrong('order', 'must be asc or desc')
  const limit = query.get('limit') ?? '20'
  if (!/^[1-9]\d?$|^100$/.test(limit)) throw wrong('limit', 'must be a whole number from 1 to 100')
  const all = order === 'asc' ? items : items.toReversed()
  const begin = beginOf(all, query.get('after'))
  const end = begin + Number(limit)
  const data = all.slice(begin, end)
  return {
    object: 'list',
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: end < all.length,
  }
}

function beginOf(items: readonly ListedItem[], after: string | null): number {
  const index = items.findIndex(({ id }) => id === after)
  if (after !== null && index < 0)
    throw wrong('after', `there is no item ${JSON.stringify(after.slice(0, 100))} in this list`)
  return index + 1
}

function wrong(param: string, why: string): RequestError {
  return new RequestError(400, `${param}: ${why}`, { param, code: 'invalid_value' })
}
