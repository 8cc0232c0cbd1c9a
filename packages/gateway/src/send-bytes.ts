import type { Writable } from 'node:stream'
import { maxTimerMs } from '@appfactory/sdk/internal'
import type { Exchange } from './exchange.js'

/**
 * Answers with bytes as they come. An error before the first of them has its own status; a later one cuts the connection, so that
 * nobody takes what there is for the whole. The next bytes are asked for only when the client has room for them.
 */
export async function sendBytes(
  exchange: Exchange,
  headers: Readonly<Record<string, string>>,
  bytes: AsyncIterable<Uint8Array>,
): Promise<void> {
  const { response, settings } = exchange
  for await (const part of bytes) {
    if (!response.headersSent) exchange.writeHead(200, { 'cache-control': 'no-store', ...headers })
    if (response.destroyed) return
    if (!response.write(part)) await drained(response, settings.limits.unreadStreamMs)
  }
  response.end()
}

/** Resolves when there is room, or the client has gone. One that reads nothing for too long is disconnected. */
export function drained(output: Writable, patienceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const stalled = setTimeout(() => output.destroy(), Math.min(patienceMs, maxTimerMs))
    const go = (): void => {
      clearTimeout(stalled)
      output.off('drain', go).off('close', go)
      resolve()
    }
    output.on('drain', go).on('close', go)
  })
}
