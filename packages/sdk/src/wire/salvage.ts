import { isUtf8 } from 'node:buffer'
import { type Message, parseLine } from './message.js'

const messageStart = '{"jsonrpc":"2.0"'

/** How many places of a line are tried, so that time stays linear in its length. */
const maxTries = 4

/** Something printed without a line end before a message: the message is still whole behind it. */
export function salvage(line: Buffer): { noise: string; message: Message } | undefined {
  let start = line.indexOf(messageStart, 1)
  for (let tries = 0; start !== -1 && tries < maxTries; tries++) {
    const rest = line.subarray(start)
    const parsed = isUtf8(rest) ? parseLine(rest.toString()) : undefined
    if (parsed?.kind === 'single') return { noise: line.toString('utf8', 0, start), message: parsed.message }
    start = line.indexOf(messageStart, start + 1)
  }
  return undefined
}
