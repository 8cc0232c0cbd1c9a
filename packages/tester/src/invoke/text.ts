import type { JsonObject } from '../api/types.js'

/** The text of pieces: as it came, with a space between sentences that came without one. */
export function joinTexts(pieces: readonly JsonObject[]): string {
  const texts = pieces.flatMap(({ text }) => (typeof text === 'string' && text !== '' ? [text] : []))
  const areSentences =
    texts.length > 1 && texts.slice(0, -1).every((text) => /[.!?…。！？]["”’)]?$/.test(text))
  return texts.join(areSentences ? ' ' : '')
}

/** The text of a result: of a transcript, a completion, or the message of a chat. */
export function textOf(result: unknown): string | undefined {
  if (typeof result !== 'object' || result === null) return undefined
  if ('text' in result && typeof result.text === 'string') return result.text
  return 'message' in result ? contentOf(result.message) : undefined
}

function contentOf(message: unknown): string | undefined {
  if (typeof message !== 'object' || message === null || !('content' in message)) return undefined
  return typeof message.content === 'string' ? message.content : undefined
}
