import type { JsonObject, Schema } from '../api/types.js'
import { initialValue } from '../form/schema.js'
import type { Run } from './run.js'
import { joinTexts, textOf } from './text.js'

/** The conversation among arguments; undefined where they have none. */
function messagesOf(args: JsonObject): readonly JsonObject[] | undefined {
  const { messages } = args
  if (!Array.isArray(messages) || messages.length === 0) return undefined
  return messages.every((each) => typeof each === 'object' && each !== null && 'role' in each)
    ? messages
    : undefined
}

/** Whether a conversation has an answer in it. */
export function hasAnswers(args: JsonObject): boolean {
  return messagesOf(args)?.some(({ role }) => role === 'assistant') === true
}

/** The arguments for the next turn: with what was answered, and room for what the user says next. */
export function nextTurn({ invocation: { args }, pieces, result, state }: Run): JsonObject | undefined {
  const messages = messagesOf(args)
  const answer = joinTexts(pieces) || textOf(result)
  if (state !== 'done' || !messages || !answer) return undefined
  const answered = { role: 'assistant', content: answer }
  return { ...args, messages: [...messages, answered, { role: 'user', content: '' }] }
}

/** The arguments with a conversation that begins. */
export function newConversation(args: JsonObject, schema: Schema): JsonObject {
  return { ...args, messages: initialValue(schema.properties?.['messages'] ?? {}, schema) }
}
