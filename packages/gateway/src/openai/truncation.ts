import { type ChatMessage, isPluginError } from '@appfactory/sdk'

/** Tries with less and less of what was said, as long as it is too long for the model: the oldest goes first, the last message stays. */
export async function withLess<Result>(
  said: readonly ChatMessage[],
  attempt: (said: readonly ChatMessage[]) => Promise<Result>,
): Promise<Result> {
  try {
    return await attempt(said)
  } catch (error) {
    const rest = isPluginError(error, 'LLM_CONTEXT_TOO_LONG') ? shortened(said) : []
    if (rest.length === 0) throw error
    return withLess(rest, attempt)
  }
}

/** The same for a stream. Where it has begun, its error is the client’s. */
export async function* streamWithLess<Piece>(
  said: readonly ChatMessage[],
  begin: (said: readonly ChatMessage[]) => AsyncIterable<Piece>,
): AsyncGenerator<Piece, void, undefined> {
  const { first, pieces } = await withLess(said, async (messages) => {
    const pieces = begin(messages)[Symbol.asyncIterator]()
    return { first: await pieces.next(), pieces }
  })
  try {
    for (let next = first; !next.done; next = await pieces.next()) yield next.value
  } finally {
    await pieces.return?.()
  }
}

/** Without a quarter: few attempts, and most is kept. Instructions at the beginning stay; no result is left without its call. */
function shortened(said: readonly ChatMessage[]): readonly ChatMessage[] {
  const first = said.findIndex(({ role }) => role !== 'system')
  const instructions = said.slice(0, Math.max(0, first))
  const others = said.slice(instructions.length)
  const rest = others.slice(Math.ceil(others.length / 4))
  const begin = rest.findIndex(({ role }) => role !== 'tool')
  return begin < 0 ? [] : [...instructions, ...rest.slice(begin)]
}
