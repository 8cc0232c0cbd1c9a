import type { RequestId } from './message.js'

/** How far into a line, from either end, the id of an answer is looked for, in characters. */
const reach = 400

const id = '"id"\\s*:\\s*(-?\\d{1,16}|"[^"\\\\]{1,200}")'
/** The members of an answer, and of a piece of a stream, up to the id. */
const first = new RegExp(
  `^\\s*\\{\\s*(?:"jsonrpc"\\s*:\\s*"2\\.0"\\s*,\\s*)?(?:"method"\\s*:\\s*"\\$/stream"\\s*,\\s*"params"\\s*:\\s*\\{\\s*)?${id}`,
)
/** An id behind the result. */
const last = new RegExp(`,\\s*${id}\\s*(?:,\\s*"jsonrpc"\\s*:\\s*"2\\.0"\\s*)?\\}\\s*$`)

const notNumbers = /[[:,\s]-?(?:NaN|Infinity)\s*[,\]}]/

/** The id that a line is about which looks like an answer and is no JSON. Nested ids are those of data. */
export function brokenAnswerId(line: string): RequestId | undefined {
  const found = first.exec(line.slice(0, reach))?.[1] ?? last.exec(line.slice(-reach))?.[1]
  return found === undefined ? undefined : found.startsWith('"') ? found.slice(1, -1) : Number(found)
}

/** Why such a line can't be read. */
export function whyBroken(line: string | Uint8Array): string {
  if (typeof line !== 'string') return 'it is not UTF-8'
  return notNumbers.test(line) ? 'it is not JSON, which has no NaN and no Infinity' : 'it is not JSON'
}
