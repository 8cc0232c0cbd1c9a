import { Writable } from 'node:stream'
import { expect, it } from 'vitest'
import { paint, write } from '../../src/cli/output.js'

function written(text: string, isTTY: boolean): string {
  let all = ''
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      all += chunk.toString()
      done()
    },
  })
  write(Object.assign(stream, { isTTY }), text)
  return all
}

it('what turns the direction of text is shown, so that no name reads as another one', () => {
  const name = 'tts_\u202egpj.exe\u2066'
  expect(written(name, true)).toBe('tts_\\u202egpj.exe\\u2066')
  expect(written(name, false)).toBe(name)
  expect(written('نص עברית', true)).toBe('نص עברית')
})

it('escape sequences of others are shown, and our own colours are colours', () => {
  const stream = Object.assign(new Writable(), { isTTY: true })
  expect(written(`${paint(stream, 'red', 'x')} \u001b]0;title\u0007\u009b2J`, true)).toMatch(
    /31mx.*39m \\x1b\]0;title\\x07\\x9b2J$/,
  )
})
