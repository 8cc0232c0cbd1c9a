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
})

function cut(text: string, lengths: readonly number[]): string[] {
  const parts: string[] = []
  let start = 0
  for (const length of lengths) {
    parts.push(text.slice(start, start + length))
    start += length
  }
  return [...parts, text.slice(start)]
}
