import { sentencesOf } from '@appfactory/sdk'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

async function split(text: string | Iterable<string>): Promise<string[]> {
  const sentences: string[] = []
  const source = typeof text === 'string' ? text : pieces(text)
  for await (const sentence of sentencesOf(source)) sentences.push(sentence)
  return sentences
}

async function* pieces(texts: Iterable<string>): AsyncGenerator<string> {
  yield* texts
}

describe('sentencesOf', () => {
  it.each([
    ['Hello world. How are you? Fine!', ['Hello world.', 'How are you?', 'Fine!']],
    ['No mark at the end', ['No mark at the end']],
    ['', []],
    [' \n\t ', []],
    ['Really?! Yes…  Good.', ['Really?!', 'Yes…', 'Good.']],
    ['He said "Go." She went.', ['He said "Go."', 'She went.']],
    ['(So it is.) And so on.', ['(So it is.)', 'And so on.']],
    ['Pi is 3.14 today. Done.', ['Pi is 3.14 today.', 'Done.']],
    ['Dr. Smith met Mrs. Jones. They spoke.', ['Dr. Smith met Mrs. Jones.', 'They spoke.']],
    ['J. R. Smith left. Good.', ['J. R. Smith left.', 'Good.']],
    ['Heading\n\nText below', ['Heading', 'Text below']],
    ['One line\nand its rest.', ['One line\nand its rest.']],
    ['今日は。元気？はい！', ['今日は。', '元気？', 'はい！']],
  ])('%j', async (text, sentences) => {
    expect(await split(text)).toEqual(sentences)
  })

  it('yields a sentence as soon as it is complete', async () => {
    const asked: string[] = []
    async function* source(): AsyncGenerator<string> {
      for (const piece of ['Hel', 'lo. Wor', 'ld. Rest']) {
        asked.push(piece)
        yield piece
      }
    }
    const iterator = sentencesOf(source())
    expect(await iterator.next()).toEqual({ value: 'Hello.', done: false })
    expect(asked).toEqual(['Hel', 'lo. Wor'])
    expect(await iterator.next()).toEqual({ value: 'World.', done: false })
    expect(await iterator.next()).toEqual({ value: 'Rest', done: false })
    expect((await iterator.next()).done).toBe(true)
  })

  it('closes its source when the reader stops', async () => {
    let closed = false
    async function* source(): AsyncGenerator<string> {
      try {
        for (;;) yield 'Again. '
      } finally {
        closed = true
      }
    }
    for await (const sentence of sentencesOf(source())) {
      expect(sentence).toBe('Again.')
      break
    }
    expect(closed).toBe(true)
  })

  it('says the same however the text is cut, and loses no word', async () => {
    const word = fc.constantFrom('a', 'Dr.', 'end.', 'why?', 'so!', '3.5', '"Go."', '\n\n', 'B.')
    await fc.assert(
      fc.asyncProperty(fc.array(word, { maxLength: 20 }), fc.array(fc.nat(6)), async (words, cuts) => {
        const text = words.join(' ')
        const whole = await split(text)
        expect(await split(cut(text, cuts))).toEqual(whole)
        expect(whole.join(' ').split(/\s+/).filter(Boolean)).toEqual(text.split(/\s+/).filter(Boolean))
      }),
    )
  })

  it('splits as the rule says, whole and character by character', async () => {
    const part = fc.constantFrom(
      ...['a', 'Dr.', 'Mr', 'e.g.', 'etc.', 'A', '.', '!', '?', '…', '"', "'", '”', ')', '3.14', '😀'],
      ...[' ', '  ', '\n', '\n\n', '\t', '\u3000', '\u2028', '. ', '! ', '." '],
    )
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 40 }), async (parts) => {
        const text = parts.join('')
        expect(await split(text)).toEqual(splitByRule(text))
        expect(await split(parts)).toEqual(splitByRule(text))
        expect(await split(Array.from(text))).toEqual(splitByRule(text))
      }),
      { numRuns: 500 },
    )
  })
})

// That it takes no longer than other texts is for the tests of linear time.
describe('a text that is made to be slow', () => {
  const units = ['.', '!!!!', '！！！！', 'A. ', 'Dr. ', '."', ' ', '\n', '\n \n', 'x', 'word ', '😀', 'a.) ']

  it.each(units)('of %j, 20,000 times, loses nothing and is cut, whole and token by token', async (unit) => {
    const tokens = Array<string>(20_000).fill(unit)
    const text = `${tokens.join('')}a`
    const whole = await split(text)
    const streamed = await split([...tokens, 'a'])
    for (const sentences of [whole, streamed]) {
      expect(sentences.join('').replace(/\s/g, '')).toBe(text.replace(/\s/g, ''))
      expect(Math.max(...sentences.map(({ length }) => length))).toBeLessThanOrEqual(1000)
    }
    expect(await split('Hello. World.')).toEqual(['Hello.', 'World.'])
  })
})

describe('a text without marks', () => {
  it('is spoken before it ends, in parts of whole words', async () => {
    let asked = 0
    async function* source(): AsyncGenerator<string> {
      for (; asked < 10_000; asked++) yield `word${asked} `
    }
    const iterator = sentencesOf(source())
    const { value: first } = await iterator.next()
    expect(asked).toBeLessThan(1000)
    const rest: string[] = []
    for await (const sentence of iterator) rest.push(sentence)
    const words = [first, ...rest].join(' ').split(' ')
    expect(words).toEqual(Array.from({ length: 10_000 }, (_, index) => `word${index}`))
  })

  it('and without white space is cut, never inside of a character', async () => {
    const text = `x${'😀'.repeat(2000)}`
    const sentences = await split(text)
    expect(sentences.join('')).toBe(text)
    expect(sentences.length).toBeGreaterThan(3)
    for (const sentence of sentences) expect(Buffer.from(sentence).toString()).toBe(sentence)
  })

  it('leaves a sentence of 1,000 characters whole', async () => {
    const long = `${'many words '.repeat(90)}in 1,000.`.padStart(1000, 'x')
    expect(await split(`${long} Then another.`)).toEqual([long, 'Then another.'])
  })
})

/** The rule as regular expressions: right, but slow on some texts. */
function splitByRule(text: string): string[] {
  const sentences: string[] = []
  let start = 0
  for (const { 0: match, index } of text.matchAll(/[.!?…]+["'”’)\]]*\s+|\n\s*\n/g)) {
    const sentence = text.slice(start, index + match.length)
    if (/(?:^|\s)(?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|etc|e\.g|i\.e|[A-Z])\.\s+$/.test(sentence)) continue
    sentences.push(sentence.trim())
    start = index + match.length
  }
  return [...sentences, text.slice(start).trim()].filter((sentence) => sentence !== '')
}

function cut(text: string, lengths: readonly number[]): string[] {
  const parts: string[] = []
  let start = 0
  for (const length of lengths) {
    parts.push(text.slice(start, start + length))
    start += length
  }
  return [...parts, text.slice(start)]
}
