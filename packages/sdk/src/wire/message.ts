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

type Line =
  | { kind: 'single'; message: Message }
  | { kind: 'batch'; items: unknown[] }
  | { kind: 'unparsable' }

/** Deeper nesting than this is nobody's data, and would overflow the stack of code that walks it. */
const maxDepth = 512

/** Parses one line. Never throws. `exact`: whether integers are refused that JavaScript would pass on as other ones. */
export function parseLine(line: string, { exact = false }: { exact?: boolean } = {}): Line {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return { kind: 'unparsable' }
  }
  const reason = unsafeReason(line, value, exact)
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
  const own = isObject(value) && isId(value['id']) ? value['id'] : null
  // One that is not exact is another one's, perhaps.
  const id = isLargeInteger(own) ? null : own
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
function unsafeReason(line: string, value: unknown, exact = false): string | undefined {
  const suspicious = /__proto__|\\u00[567]|\d{16}|\d[eE]\+?\d/.test(line) || opensOften(line)
  return suspicious ? (findUnsafe(value) ?? (exact ? inexactReason(line) : undefined)) : undefined
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
      if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY)
        return 'a number is too large for a double'
      if (typeof value !== 'object' || value === null) continue
      if (Object.hasOwn(value, '__proto__')) return 'the name "__proto__" is not allowed'
      for (const item of Object.values(value)) next.push(item)
    }
    level = next
  }
  return undefined
}

/** An integer that is written with more digits than a double holds, such as 9007199254740993. */
function inexactReason(line: string): string | undefined {
  if (!/\d{16}/.test(line)) return undefined
  const tokens = /"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g
  for (let token = tokens.exec(line); token; token = tokens.exec(line)) {
    if (token[0] === '"') tokens.lastIndex = endOfString(line, token.index)
    else if (isInexact(token[0]))
      return `the integer ${token[0].slice(0, 40)} is not exact as a double; send it as a string`
  }
  return undefined
}

/** Where the string that begins at `start` has ended. */
function endOfString(line: string, start: number): number {
  let end = start
  let escapes = 0
  do {
    end = line.indexOf('"', end + 1)
    for (escapes = 0; line[end - 1 - escapes] === '\\'; ) escapes += 1
  } while (escapes % 2 === 1)
  return end + 1
}

/** What JavaScript wrote itself has as many digits as it takes to be read as the same double, and is exact. */
function isInexact(digits: string): boolean {
  if (digits.length < 16 || /[.eE]/.test(digits)) return false
  const number = Number(digits)
  return String(number) !== digits && !(Number.isFinite(number) && BigInt(number) === BigInt(digits))
}

function isLargeInteger(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)
}
