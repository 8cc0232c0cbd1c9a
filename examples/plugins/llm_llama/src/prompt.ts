import { type ChatMessage, PluginError, textOf } from '@appfactory/sdk'
import type { ChatHistoryItem, ChatWrapper, LlamaText } from 'node-llama-cpp'

export interface Prompt {
  text: string | LlamaText
  /** What ends the answer, besides the model's own end of text. */
  stops: readonly (string | LlamaText)[]
  warnings: readonly string[]
}

/**
 * A conversation as tiny.gguf was trained on: `User: …` and `Bot: …`, a line each. It knows what a speech recogniser gives, so
 * what the user says is put in lower case and loses its punctuation.
 */
export function plainPrompt(messages: readonly ChatMessage[]): Prompt {
  const lines = messages.flatMap((message) => {
    const { role } = message
    const content = textOf(message)
    if (role === 'user') return [`User: ${asHeard(content)}`]
    if (role === 'assistant') return [`Bot: ${content.replace(/\s+/g, ' ').trim()}`]
    return []
  })
  if (!messages.some(({ role }) => role === 'user')) {
    throw new PluginError('INVALID_PARAMS', 'messages: nobody says anything; send one of the role "user"')
  }
  const ignored = new Set(
    messages.map(({ role }) => role).filter((role) => role === 'system' || role === 'tool'),
  )
  return {
    text: [...lines, 'Bot:'].join('\n'),
    stops: ['\n'],
    warnings: [...ignored].map(
      (role) => `Messages of the role ${role} were ignored: the plain format has none`,
    ),
  }
}

/** A conversation as the model's own chat template writes it. */
export function templatePrompt(messages: readonly ChatMessage[], wrapper: ChatWrapper): Prompt {
  const chatHistory: ChatHistoryItem[] = messages.map((message) => {
    const { role } = message
    const content = textOf(message)
    if (role === 'assistant') return { type: 'model', response: [content] }
    return { type: role === 'system' ? 'system' : 'user', text: content }
  })
  const { contextText, stopGenerationTriggers } = wrapper.generateContextState({
    // The answer that is still to be written.
    chatHistory: [...chatHistory, { type: 'model', response: [''] }],
  })
  return { text: contextText, stops: stopGenerationTriggers, warnings: [] }
}

function asHeard(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}'\s]/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim()
}
