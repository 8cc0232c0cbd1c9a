import { type ChatMessage, isPluginError } from '@appfactory/sdk'
import { failureOf } from '../errors.js'
import { WholeCharacters } from '../openai/whole-characters.js'
import type { TranscriptRequest } from './events.table.js'
import type { Talk } from './talk.js'

/** Characters of a conversation's id that tell it from others. */
const longestId = 256

/** Sends what a language model answers: `handled`, between the events of a stream; or `not-handled`, which says why. */
export async function answerText(talk: Talk, request: TranscriptRequest): Promise<void> {
  if (request.text.trim() === '') return talk.send('not-handled', { text: 'There is nothing to answer' })
  try {
    await sendAnswer(talk, request)
  } catch (error) {
    if (talk.signal.aborted) throw error
    const failure = failureOf(error)
    if (failure.status === 500) talk.report(error)
    await talk.send('not-handled', { text: failure.message })
  }
}

async function sendAnswer(talk: Talk, { text, context }: TranscriptRequest): Promise<void> {
  const { memory } = talk.programs
  const id = context?.conversationId
  const conversation = typeof id === 'string' ? id.slice(0, longestId) : undefined
  const question: ChatMessage = { role: 'user', content: text }
  const said = memory.of(conversation)
  const answer = await sendPieces(talk, [...said, question]).catch((error: unknown) => {
    // Too long for the model: it forgets what was said before.
    if (said.length > 0 && isPluginError(error, 'LLM_CONTEXT_TOO_LONG')) return sendPieces(talk, [question])
    throw error
  })
  if (answer === '') return talk.send('not-handled', { text: 'The model had no answer' })
  memory.keep(conversation, [...said, question, { role: 'assistant', content: answer }])
  await talk.send('handled', { text: answer })
  await talk.send('handled-stop')
}

/** @returns All of the answer. */
async function sendPieces(talk: Talk, messages: readonly ChatMessage[]): Promise<string> {
  const { plugin } = await talk.programs.find('llm', [talk.selected])
  const { handle } = await talk.directory.llm.find(plugin.name)
  const maxTokens = await talk.directory.mostTokens(plugin.name, undefined)
  const options = { signal: talk.signal, ...(maxTokens === undefined ? {} : { maxTokens }) }
  const characters = new WholeCharacters()
  let answer = ''
  const send = async (text: string): Promise<void> => {
    if (text === '') return
    if (answer === '') await talk.send('handled-start')
    answer += text
    await talk.send('handled-chunk', { text })
  }
  for await (const piece of handle.streamChat([...messages], options)) await send(characters.add(piece.text))
  await send(characters.rest())
  return answer
}
