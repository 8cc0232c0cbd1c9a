import { describe, expect, it } from 'vitest'
import { closest } from '../src/closest.js'
import { listed, quoted, shortened } from '../src/quote.js'

describe('a misspelt name', () => {
  const names = ['tts_flite', 'stt_sphinx', 'audio_b64']

  it.each([
    ['tts_flit', 'tts_flite'],
    ['TTS-Flite', 'tts_flite'],
    ['audio', 'audio_b64'],
    ['sttspinx', 'stt_sphinx'],
    ['something', undefined],
    ['', undefined],
  ])('%s is near %s', (name, meant) => {
    expect(closest(name, names)).toBe(meant)
  })

  it('of millions of characters is near none, and costs nothing', () => {
    // Time that was computed: a busy machine takes longer.
    const before = process.cpuUsage()
    for (let round = 0; round < 100; round++) {
      expect(closest('XxXx'.repeat(2_000_000), names)).toBeUndefined()
      expect(closest('-'.repeat(8_000_000), names)).toBeUndefined()
      expect(closest('name', ['n'.repeat(8_000_000)])).toBeUndefined()
    }
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(5000)
    expect(closest('tts_flit', names)).toBe('tts_flite')
  })
})

describe('text from outside in a message', () => {
  it('is cut, and its length told', () => {
    expect(quoted('tts_flite')).toBe('"tts_flite"')
    const text = quoted('x'.repeat(7_000_000))
    expect(text.length).toBeLessThan(200)
    expect(text).toContain('7000000')
  })

  it('is never cut in the middle of a character', () => {
    expect(shortened('🦜'.repeat(10), 3)).toMatch(/^🦜… /u)
  })

  it('of another type is named by its type', () => {
    expect([null, undefined, 5, {}].map(quoted)).toEqual([
      'null',
      'undefined',
      'a value of type number',
      'a value of type object',
    ])
  })

  it('in a list: the first of it, and how many more there are', () => {
    expect(listed(['a', 'b'])).toBe('a, b')
    expect(listed(Array.from({ length: 5000 }, (_, index) => index))).toMatch(/, 19, \.\.\. 4,980 more$/)
  })
})
