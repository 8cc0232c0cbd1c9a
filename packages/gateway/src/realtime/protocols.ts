import type { IncomingMessage } from 'node:http'

/** Keys that a page sends, which can’t set headers. */
export function keysInProtocols({ headers }: IncomingMessage): string[] {
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((each) => each.trim())
  const prefix = 'openai-insecure-api-key.'
  return offered.filter((each) => each.startsWith(prefix)).map((each) => each.slice(prefix.length))
}

/** Whether a client knows the names of events that the beta had. */
export function isBetaClient({ headers }: IncomingMessage): boolean {
  const offered = headers['sec-websocket-protocol'] ?? ''
  return headers['openai-beta'] === 'realtime=v1' || offered.includes('openai-beta.realtime-v1')
}
