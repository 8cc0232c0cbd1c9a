import { isUtf8 } from 'node:buffer'
import { type Message, parseLine } from './message.js'

const messageStart = '{"jsonrpc"'

/** How many places of a line are tried, so that time stays linear in its length. */
const maxTries = 4

/**
 * Something printed without a line end before a message: the message is still whole behind it.
 *
 * @param mark How this end's ids begin. What does not carry one of them is text that looks like a message, and no more.
 */
export function salvage(line: Buffer, mark: string): { noise: string; message: Message } | undefined {
  if (mark === '') return undefined
  const marked = line.lastIndexOf(mark)
  let start = marked === -1 ? -1 : line.lastIndexOf(messageStart, marked)
  for (let tries = 0; start > 0 && tries < maxTries; tries++) {
    const rest = line.subarray(start)
    const parsed = isUtf8(rest) ? parseLine(rest.toString()) : undefined
    if (parsed?.kind === 'single' && isAbout(parsed.message, mark))
      return { noise: line.toString('utf8', 0, start), message: parsed.message }
    start = line.lastIndexOf(messageStart, start - 1)
  }
  return undefined
}

/** Whether a message belongs to one of this end's requests. */
function isAbout(message: Message, mark: string): boolean {
  if (message.kind === 'invalid') return isMarked(message.id, mark)
  if (message.kind === 'response') return isMarked(message.response.id, mark)
  const { id, params } = message.request
  return id === undefined && isMarked((params as { id?: unknown } | undefined)?.id, mark)
}

function isMarked(id: unknown, mark: string): boolean {
  return typeof id === 'string' && id.startsWith(mark)
}
