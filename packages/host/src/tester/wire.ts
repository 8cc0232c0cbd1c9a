import type { ServerResponse } from 'node:http'
import type { Served } from '../server/served.js'
import type { WireLine } from '../trace/wire.js'

/** Minimum interval between two batches, in ms. */
const batchMs = 100

/** Most messages, and most characters of JSON, in a batch; of more, the newest are sent and the others counted. */
const maxBatchLines = 200
const maxBatchLength = 1024 * 1024

/** Sends a page each message of a plugin from now on: Server-Sent Events, in batches. Nothing is made of messages that nobody sees. */
export function sendWire({ local }: Served, plugin: string, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(':\n\n')
  let lines: WireLine[] = []
  let dropped = 0
  // Nodes of a cluster tell nobody of their messages.
  const stop = local?.wire.listen((line) => {
    if (line.plugin !== plugin) return
    lines.push(line)
    if (lines.length > 2 * maxBatchLines) dropped += lines.splice(0, maxBatchLines).length
  })
  const timer = setInterval(() => {
    // Back-pressure: wait until a slow page has read the last batch.
    if (lines.length === 0 || response.writableNeedDrain) return
    const texts = newest(lines)
    const lost = dropped + lines.length - texts.length
    response.write(`data: {"lines":[${texts.join(',')}],"dropped":${lost}}\n\n`)
    lines = []
    dropped = 0
  }, batchMs)
  response.once('close', () => {
    clearInterval(timer)
    stop?.()
  })
}

/** The JSON of the newest messages, as many as a batch may have. */
function newest(lines: readonly WireLine[]): string[] {
  const texts: string[] = []
  let room = maxBatchLength
  for (const line of lines.slice(-maxBatchLines).reverse()) {
    const text = JSON.stringify(line)
    room -= text.length
    if (room < 0) break
    texts.push(text)
  }
  return texts.reverse()
}
