/** The longest sentence, in characters. A longer one is cut at white space, so that text without marks streams too. */
const maxLength = 1000

/** What a character can do to a sentence. All others are part of it. */
type Kind = 'mark' | 'closer' | 'wide mark' | 'space' | 'line end'

const kinds = new Map<string, Kind>([
  ...kindOfEach('mark', '.!?…'),
  ...kindOfEach('closer', '"\'”’)]'),
  ...kindOfEach('wide mark', '。！？'),
  ...kindOfEach('line end', '\n'),
  // What `\s` and `trim()` take for white space.
  ...kindOfEach('space', ' \t\r\v\f\u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff'),
  ...kindOfEach('space', '\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a'),
])

/** Titles and the like whose full stop ends no sentence. */
const abbreviation = /(?:^|\s)(?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|etc|e\.g|i\.e|[A-Z])\.$/

/** As many characters as tell an abbreviation: the longest, its full stop, and what stands before it. */
const abbreviationLength = 6

/**
 * Splits text into sentences, each as soon as it is complete. What arrives piece by piece (a language model's answer)
 * can so be spoken while it is still being written. A sentence has at most 1,000 characters: a longer one is cut at
 * white space. Time and memory grow with the text's length and no faster, whatever it contains.
 */
export async function* sentencesOf(
  text: string | AsyncIterable<string>,
): AsyncGenerator<string, void, undefined> {
  const scanner = new SentenceScanner()
  for await (const piece of typeof text === 'string' ? [text] : text) yield* scanner.push(piece)
  yield* scanner.end()
}

/** Looks at each character once: what it has seen before is in `#state`. */
class SentenceScanner {
  #text = ''
  /** Places in the text: where the sentence begins, the next character, the last white space, the run of wide marks. */
  #start = 0
  #next = 0
  #space = 0
  #wideMarks = 0
  /** What comes before the next character. `line end` and `abbreviation` hold until the white space is over. */
  #state: 'text' | 'mark' | 'wide mark' | 'line end' | 'abbreviation' = 'text'
  #complete: string[] = []

  /** Takes the next piece of text, and returns the sentences that are complete with it. */
  push(piece: string): string[] {
    this.#complete = []
    this.#text += piece
    while (this.#next < this.#text.length) {
      this.#take(kinds.get(this.#text.charAt(this.#next)))
      this.#next += 1
      if (this.#next - this.#start > maxLength) this.#cut()
    }
    // Marks alone may be the rest of those that ended the last sentence, or the first of many.
    if (this.#state === 'wide mark' && this.#wideMarks > this.#start) this.#endSentence(this.#next)
    this.#forget()
    return this.#complete
  }

  /** Returns what is left. */
  end(): string[] {
    this.#complete = []
    this.#endSentence(this.#text.length)
    return this.#complete
  }

  #take(kind: Kind | undefined): void {
    if (this.#state === 'wide mark' && kind !== 'wide mark') this.#endSentence(this.#next)
    if (kind === 'space' || kind === 'line end') this.#takeSpace(kind)
    else if (kind === 'mark') this.#state = 'mark'
    else if (kind === 'wide mark') {
      if (this.#state !== 'wide mark') this.#wideMarks = this.#next
      this.#state = 'wide mark'
    } else if (kind !== 'closer' || this.#state !== 'mark') this.#state = 'text'
  }

  /** A sentence ends at white space behind a mark, and at a blank line. */
  #takeSpace(kind: 'space' | 'line end'): void {
    const leads = this.#next === this.#start
    const ends =
      leads ||
      (this.#state === 'mark' ? !this.#isAbbreviation() : this.#state === 'line end' && kind === 'line end')
    if (ends) {
      this.#endSentence(this.#next)
      this.#start = this.#next + 1
      return
    }
    this.#space = this.#next
    if (this.#state === 'mark') this.#state = 'abbreviation'
    else if (kind === 'line end' && this.#state === 'text') this.#state = 'line end'
  }

  #isAbbreviation(): boolean {
    const from = Math.max(this.#start, this.#next - abbreviationLength)
    return abbreviation.test(this.#text.slice(from, this.#next))
  }

  #endSentence(end: number): void {
    const sentence = this.#text.slice(this.#start, end).trim()
    if (sentence !== '') this.#complete.push(sentence)
    this.#start = end
    this.#state = 'text'
  }

  /** Ends a sentence that is too long at its last white space; where it has none, not inside of a character. */
  #cut(): void {
    const state = this.#state
    const limit = this.#start + maxLength
    const isPair = /[\ud800-\udbff]/.test(this.#text.charAt(limit - 1))
    this.#endSentence(this.#space > this.#start ? this.#space : isPair ? limit - 1 : limit)
    this.#state = state
  }

  #forget(): void {
    this.#text = this.#text.slice(this.#start)
    this.#next -= this.#start
    this.#space -= this.#start
    this.#wideMarks -= this.#start
    this.#start = 0
  }
}

function kindOfEach(kind: Kind, characters: string): [string, Kind][] {
  return Array.from(characters, (character) => [character, kind])
}
