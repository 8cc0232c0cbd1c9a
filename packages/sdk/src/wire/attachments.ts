import { type BytesReference, isBytesReference } from './bytes.js'
import type { Message } from './message.js'

/** A place in a message whose bytes come beside it. */
export interface Attachment {
  holder: Record<string, unknown>
  key: string
  reference: BytesReference
}

/** The places of a message whose bytes come beside it: `…_b64` fields, and items of a stream or an input. */
export function findAttachments(message: Message, nonce: string): Attachment[] {
  const found: Attachment[] = []
  const rest: unknown[] = [message]
  while (rest.length > 0) {
    const holder = rest.pop()
    if (typeof holder !== 'object' || holder === null) continue
    for (const [key, item] of Object.entries(holder)) {
      const isPlace = key.endsWith('_b64') || key === 'value'
      if (isPlace && typeof item === 'object' && item !== null && isBytesReference(item, nonce)) {
        found.push({ holder: holder as Record<string, unknown>, key, reference: item })
      } else rest.push(item)
    }
  }
  return found
}

/** What a message belongs to: messages of one call must not overtake each other. Undefined: nothing. */
export function callOf(message: Message): string | undefined {
  if (message.kind === 'invalid') return undefined
  if (message.kind === 'response') return `ours ${String(message.response.id)}`
  const { id, method, params } = message.request
  if (id !== undefined) return `theirs ${String(id)}`
  const about = String((params as { id?: unknown } | undefined)?.id)
  if (method === '$/stream') return `ours ${about}`
  return method === '$/input' ? `theirs ${about}` : undefined
}
