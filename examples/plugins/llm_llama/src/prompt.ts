import { type ChatMessage, PluginError, type ToolCall, textOf } from '@appfactory/sdk'
import {
  type ChatHistoryItem,
  type ChatModelFunctionCall,
  ChatWrapper,
  type ChatWrapperGeneratedContextState,
  LlamaText,
} from 'node-llama-cpp'

/** A conversation as a model reads it. */
export interface Dialogue {
  history: ChatHistoryItem[]
  /** Writes it down. */
  wrapper: ChatWrapper
  warnings: readonly string[]
}

/**
 * A conversation as tiny.gguf was trained on: `User: …` and `Bot: …`, a line each. It knows what a speech recogniser gives, so
 * what the user says is put in lower case and loses its punctuation.
 */
export function plainDialogue(messages: readonly ChatMessage[], hasTools: boolean): Dialogue {
  if (!messages.some(({ role }) => role === 'user')) {
    throw new PluginError('INVALID_PARAMS', 'messages: nobody says anything; send one of the role "user"')
  }
  const ignored = new Set(
    messages.map(({ role }) => role).filter((role) => role === 'system' || role === 'tool'),
  )
  return {
    history: historyOf(messages),
    wrapper: new PlainWrapper(plainText(messages)),
    warnings: [
      ...[...ignored].map((role) => `Messages of the role ${role} were ignored: the plain format has none`),
      ...(hasTools ? ['The plain format describes no tools: the model knew nothing but their names'] : []),
    ],
  }
}

/** The text of a conversation in that format. */
export function plainText(messages: readonly ChatMessage[]): string {
  const lines = messages.flatMap((message) => {
    const { role } = message
    const content = textOf(message)
    if (role === 'user') return [`User: ${asHeard(content)}`]
    const isSaid = role === 'assistant' && !(content === '' && message.toolCalls)
    return isSaid ? [`Bot: ${content.replace(/\s+/g, ' ').trim()}`] : []
  })
  return [...lines, 'Bot:'].join('\n')
}

/** A conversation as the model's own chat template writes it. */
export function templateDialogue(messages: readonly ChatMessage[], wrapper: ChatWrapper): Dialogue {
  return { history: historyOf(messages), wrapper, warnings: [] }
}

/** Writes a text that is ready, whatever else is known of the conversation. */
class PlainWrapper extends ChatWrapper {
  readonly wrapperName = 'plain'
  readonly #text: string

  constructor(text: string) {
    super()
    this.#text = text
  }

  override generateContextState(): ChatWrapperGeneratedContextState {
    return { contextText: LlamaText(this.#text), stopGenerationTriggers: [LlamaText('\n')] }
  }
}

/** Messages as node-llama-cpp has them, and behind them the answer that is to be written. */
function historyOf(messages: readonly ChatMessage[]): ChatHistoryItem[] {
  const history: ChatHistoryItem[] = []
  for (const message of messages) {
    const { role, toolCalls = [] } = message
    const content = textOf(message)
    if (role === 'system' || role === 'user') history.push({ type: role, text: content })
    else if (role === 'tool') addResult(history, message.toolCallId, content)
    else modelsTurn(history).push(...(content === '' ? [] : [content]), ...toolCalls.map(calledFunction))
  }
  modelsTurn(history).push('')
  return history
}

type Turn = Extract<ChatHistoryItem, { type: 'model' }>['response']

/** What the model says at the end: a call, its result and what follows are one turn. */
function modelsTurn(history: ChatHistoryItem[]): Turn {
  const last = history.at(-1)
  if (last?.type === 'model') return last.response
  const response: Turn = []
  history.push({ type: 'model', response })
  return response
}

interface Call extends ChatModelFunctionCall {
  id: string
}

function calledFunction({ id, name, arguments: params }: ToolCall): Call {
  return { type: 'functionCall', id, name, params, result: undefined }
}

/** The result of a call that nobody made is something that the user tells. */
function addResult(history: ChatHistoryItem[], id: string | undefined, content: string): void {
  const calls = history.flatMap((item) => (item.type === 'model' ? item.response.filter(isCall) : []))
  const call = calls.findLast((each) => each.id === id)
  if (call) call.result = resultIn(content)
  else history.push({ type: 'user', text: content })
}

function isCall(part: Turn[number]): part is Call {
  return typeof part === 'object' && part.type === 'functionCall' && 'id' in part
}

/** Results are written down as JSON: those that are JSON already, as they are. */
function resultIn(content: string): unknown {
  try {
    return JSON.parse(content)
  } catch {
    return content
  }
}

function asHeard(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}'\s]/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim()
}
