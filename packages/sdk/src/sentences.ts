/** The end of a sentence: its mark, closing quotes or brackets, and white space; or a blank line. */
const sentenceEnd = /[.!?…]+["'”’)\]]*\s+|[。！？]+|\n\s*\n/g

/** Titles and the like whose full stop ends no sentence. */
const abbreviation = /(?:^|\s)(?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|etc|e\.g|i\.e|[A-Z])\.\s+$/

/**
 * Splits text into sentences, each as soon as it is complete. What arrives piece by piece (a language model's answer)
 * can so be spoken while it is still being written.
 */
export async function* sentencesOf(
  text: string | AsyncIterable<string>,
): AsyncGenerator<string, void, undefined> {
  let rest = ''
  for await (const piece of typeof text === 'string' ? [text] : text) {
    rest += piece
    const { complete, remainder } = splitSentences(rest)
    yield* complete
    rest = remainder
  }
  if (rest.trim() !== '') yield rest.trim()
}

function splitSentences(text: string): { complete: string[]; remainder: string } {
  const complete: string[] = []
  let start = 0
  for (const match of text.matchAll(sentenceEnd)) {
    const end = match.index + match[0].length
    const sentence = text.slice(start, end)
    if (abbreviation.test(sentence)) continue
    if (sentence.trim() !== '') complete.push(sentence.trim())
    start = end
  }
  return { complete, remainder: text.slice(start) }
}
