import { type BytesReference, isBytesReference } from '../bytes.js'
import type { Message } from './message.js'

/** A place in a message whose bytes come beside it. */
export interface Attachment {
  holder: Record<string, unknown>
  key: string
  reference: BytesReference
}

/** The places of a message whose bytes come beside it, wherever they are: the nonce tells a reference from all other data. */
export function findAttachments(message: Message, nonce: string): Attachment[] {
  const found: Attachment[] = []
  const rest: unknown[] = [message]
  while (rest.length > 0) {
    const holder = rest.pop()
    if (typeof holder !== 'object' || holder === null) continue
    for (const [key, item] of Object.entries(holder)) {
      if (typeof item !== 'object' || item === null) continue
      if (isBytesReference(item, nonce))
        found.push({ holder: holder as Record<string, unknown>, key, reference: item })
      else rest.push(item)
    }
  }
  return found
}

/** What a message belongs to. */
interface Belonging {
  /** Its call: messages of one call must not overtake each other. Undefined: none. */
  call: string | undefined
  /** Its session: requests of one session must not either. Undefined: none. */
  session: string | undefined
}

export function belongingOf(message: Message): Belonging {
  if (message.kind === 'invalid') return { call: undefined, session: undefined }
  if (message.kind === 'response') return { call: ourCall(message.response.id), session: undefined }
  const { id, method } = message.request
  const { id: about, args, session_id: direct } = paramsOf(message)
  if (id !== undefined) {
    const session = (args as { session_id?: unknown } | null | undefined)?.session_id ?? direct
    return { call: theirCall(id), session: session === undefined ? undefined : `session ${String(session)}` }
  }
  if (method === '$/stream') return { call: ourCall(about), session: undefined }
  return { call: method === '$/input' ? theirCall(about) : undefined, session: undefined }
}

/** A call that this end makes. */
export function ourCall(id: unknown): string {
  return `ours ${String(id)}`
}

/** A call that the other end makes. */
export function theirCall(id: unknown): string {
  return `theirs ${String(id)}`
}

/** The members of a request's `params`, where they have names. */
export function paramsOf(message: Message): Record<string, unknown> {
  const params = message.kind === 'request' ? message.request.params : undefined
  return Array.isArray(params) ? {} : (params ?? {})
}
