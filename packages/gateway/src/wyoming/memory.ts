import { type ChatMessage, textOf } from '@appfactory/sdk'
import { Kept } from '../kept.js'

/** What is kept of a conversation: the newest messages, and fewer where they are long. */
const mostMessages = 20
const mostCharacters = 32_768

/** What was said in the conversations that clients name: Home Assistant connects anew for each sentence. */
export class Memory {
  readonly #kept = new Kept<readonly ChatMessage[]>({
    most: 100,
    mostBytes: 4 * 1024 * 1024,
    ms: 3_600_000,
  })

  /** @param conversation undefined: the client names none, so nothing was said before. */
  of(conversation: string | undefined): readonly ChatMessage[] {
    return (conversation === undefined ? undefined : this.#kept.get(conversation)) ?? []
  }

  keep(conversation: string | undefined, messages: readonly ChatMessage[]): void {
    if (conversation === undefined) return
    let characters = 0
    const first = messages.findLastIndex((message) => {
      characters += textOf(message).length
      return characters > mostCharacters
    })
    // Questions and answers are kept in pairs: a conversation begins with a question.
    const kept = messages.slice(Math.max(first + 1 + ((first + 1) % 2), messages.length - mostMessages))
    const bytes = kept.reduce((sum, message) => sum + 2 * textOf(message).length, 2 * conversation.length)
    this.#kept.delete(conversation)
    this.#kept.add(conversation, kept, bytes)
  }
}
