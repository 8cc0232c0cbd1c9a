import { expect, it } from 'vitest'
import { WholeCharacters } from '../src/openai/whole-characters.js'

function told(pieces: readonly string[]): string[] {
  const characters = new WholeCharacters()
  return [...pieces.map((piece) => characters.add(piece)), characters.rest()]
}

it('holds half of a character back until the other half comes', () => {
  expect(told(['a', 'b\ud83d', '\ude00c', ''])).toEqual(['a', 'b', '😀c', '', ''])
  expect(told(['\ud83d', '', '\ude00\ud83d', '\ude00'])).toEqual(['', '', '😀', '😀', ''])
})

it('loses nothing of what is no character', () => {
  expect(told(['\ud83d'])).toEqual(['', '\ud83d'])
  expect(told(['\ud83d', 'a', '\ude00'])).toEqual(['', '\ud83da', '\ude00', ''])
  expect(told(['\ud83d', '\ud83d', '\ude00'])).toEqual(['', '\ud83d', '😀', ''])
})
