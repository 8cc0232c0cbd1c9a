import { expect, it } from 'vitest'
import { isPlainlyText } from '../src/audio/format.js'
import { joinTexts, textOf } from '../src/invoke/text.js'

const pieces = (...texts: string[]) => texts.map((text) => ({ text }))

it.each([
  [['One sentence.', 'And another one!', 'And a third'], 'One sentence. And another one! And a third'],
  [['“Go.”', 'He went.'], '“Go.” He went.'],
  [['Hel', 'lo', ' there.'], 'Hello there.'],
  [['3', '.', '5'], '3.5'],
  [['One. ', 'Two.'], 'One. Two.'],
  [['alone'], 'alone'],
  [[], ''],
])('joins %j', (texts, whole) => {
  expect(joinTexts(pieces(...texts))).toBe(whole)
})

it('finds the text of a result', () => {
  expect(textOf({ text: 'a' })).toBe('a')
  expect(textOf({ message: { role: 'assistant', content: 'b' } })).toBe('b')
  expect(textOf({ message: { content: null } })).toBeUndefined()
  expect(textOf('c')).toBeUndefined()
})

it('knows text from sound', () => {
  const bytes = (text: string) => new TextEncoder().encode(text)
  expect(isPlainlyText(bytes('Dear reader,\nthis is no sound: ä'))).toBe(true)
  expect(isPlainlyText(bytes('RIFF....WAVEfmt '))).toBe(false)
  expect(isPlainlyText(new Uint8Array([1, 0, 255, 127]))).toBe(false)
  expect(isPlainlyText(new Uint8Array([200, 40, 41]))).toBe(false)
  expect(isPlainlyText(new Uint8Array())).toBe(false)
})
