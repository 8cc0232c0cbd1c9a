import { isJSONRPCID } from 'json-rpc-2.0'

export type RequestId = string | number | null

export interface Request {
  jsonrpc: '2.0'
  method: string
  params?: Record<string, unknown> | unknown[]
  /** Absent in a notification. */
  id?: RequestId
}

export interface Response {
  jsonrpc: '2.0'
  id: RequestId
  result?: unknown
  error?: { code: number; message: string; data?: unknown } | undefined
}

/** One item of what a line holds. */
export type Message =
  | { kind: 'request'; request: Request }
  | { kind: 'response'; response: Response }
  /** `owed`: whether the sender waits for an answer; a malformed notification or response gets none. */
  | { kind: 'invalid'; id: RequestId; reason: string; owed: boolean }

export type Line =
  | { kind: 'single'; message: Message }
  | { kind: 'batch'; items: unknown[] }
  | { kind: 'unparsable' }

/** Deeper nesting than this is nobody's data, and would overflow the stack of code that walks it. */
const maxDepth = 512

/** Parses one line. Never throws. */
export function parseLine(line: string): Line {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return { kind: 'unparsable' }
  }
  const reason = unsafeReason(line, value)
  if (reason) return { kind: 'single', message: refuse(value, reason) }
  if (Array.isArray(value)) return { kind: 'batch', items: value }
  return { kind: 'single', message: classify(value) }
}

/**
 * Parses JSON that comes from outside, such as a manifest.
 *
 * @throws SyntaxError where it is not JSON, or JSON that does harm.
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text)
  const reason = unsafeReason(text, value)
  if (reason) throw new SyntaxError(reason)
  return value
}

/** Tells a request or notification from a response and from neither. */
export function classify(value: unknown): Message {
  if (!isObject(value)) return refuse(value, 'a message is a JSON object')
  if (value['jsonrpc'] !== '2.0') return refuse(value, '"jsonrpc" must be "2.0"')
  const { method, id, params } = value
  if (looksLikeResponse(value)) return classifyResponse(value)
  if (typeof method !== 'string') return refuse(value, '"method" must be a string')
  if ('id' in value && !isId(id)) return refuse(value, '"id" must be a string, a number or null')
  if (params !== undefined && (typeof params !== 'object' || params === null)) {
    return refuse(value, '"params" must be an object or an array')
  }
  return { kind: 'request', request: value as unknown as Request }
}

function classifyResponse(value: Record<string, unknown>): Message {
  const { id, error } = value
  if (!isId(id)) return refuse(value, 'a response needs the "id" of its request')
  if (error === undefined) return { kind: 'response', response: value as unknown as Response }
  const wellFormed =
    isObject(error) && typeof error['code'] === 'number' && typeof error['message'] === 'string'
  return wellFormed
    ? { kind: 'response', response: value as unknown as Response }
    : refuse(value, 'malformed "error"')
}

function refuse(value: unknown, reason: string): Message {
  const id = isObject(value) && isId(value['id']) ? value['id'] : null
  return {
    kind: 'invalid',
    id,
    reason,
    owed: !isObject(value) || !(looksLikeResponse(value) || looksLikeNotification(value)),
  }
}

function looksLikeResponse(value: Record<string, unknown>): boolean {
  return value['method'] === undefined && ('result' in value || 'error' in value)
}

function looksLikeNotification(value: Record<string, unknown>): boolean {
  return typeof value['method'] === 'string' && value['jsonrpc'] === '2.0' && !('id' in value)
}

function isId(value: unknown): value is RequestId {
  return isJSONRPCID(value) && !(typeof value === 'number' && !Number.isFinite(value))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * JSON that parses and would still do harm: prototypes, numbers that JavaScript can't hold, nesting without end.
 * The text is searched for signs of it first, so that ordinary messages pay little.
 */
function unsafeReason(line: string, value: unknown): string | undefined {
  const suspicious = /__proto__|\\u00[567]|\d{16}|\d[eE]\+?\d/.test(line) || opensOften(line)
  return suspicious ? findUnsafe(value) : undefined
}

function opensOften(line: string): boolean {
  if (line.length < 2 * maxDepth) return false
  let count = 0
  for (const bracket of ['{', '[']) {
    for (let at = line.indexOf(bracket); at !== -1 && count <= maxDepth; at = line.indexOf(bracket, at + 1))
      count += 1
  }
  return count > maxDepth
}

function findUnsafe(root: unknown): string | undefined {
  let level: unknown[] = [root]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > maxDepth) return `JSON is nested deeper than ${maxDepth} levels`
    const next: unknown[] = []
    for (const value of level) {
      if (typeof value === 'number' && isUnsafeNumber(value))
        return `the number ${value} is too large to be exact`
      if (typeof value !== 'object' || value === null) continue
      if (Object.hasOwn(value, '__proto__')) return 'the name "__proto__" is not allowed'
      for (const item of Object.values(value)) next.push(item)
    }
    level = next
  }
  return undefined
}

function isUnsafeNumber(value: number): boolean {
  return !Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))
}
