import { failureOf } from '../errors.js'
import type { Talk } from './talk.js'

/** Sends what a language model answers: `handled`, between the events of a stream; or `not-handled`, which says why. */
export async function answerText(talk: Talk, text: string): Promise<void> {
  if (text.trim() === '') return talk.send('not-handled', { text: 'There is nothing to answer' })
  try {
    await sendAnswer(talk, text)
  } catch (error) {
    if (talk.signal.aborted) throw error
    const failure = failureOf(error)
    if (failure.status === 500) talk.report(error)
    await talk.send('not-handled', { text: failure.message })
  }
}

async function sendAnswer(talk: Talk, text: string): Promise<void> {
  const { plugin } = await talk.programs.find('llm', [talk.selected])
  const { handle } = await talk.directory.llm.find(plugin.name)
  const maxTokens = await talk.directory.mostTokens(plugin.name, undefined)
  const options = { signal: talk.signal, ...(maxTokens === undefined ? {} : { maxTokens }) }
  let answer = ''
  for await (const piece of handle.streamChat([{ role: 'user', content: text }], options)) {
    if (piece.text === '') continue
    if (answer === '') await talk.send('handled-start')
    answer += piece.text
    await talk.send('handled-chunk', { text: piece.text })
  }
  if (answer === '') return talk.send('not-handled', { text: 'The model had no answer' })
  await talk.send('handled', { text: answer })
  await talk.send('handled-stop')
}
