import { expect, it } from 'vitest'
import { testDocument } from './document.js'
import { patternOf } from './match.js'

testDocument('README.md', ({ blocks, reader }) => {
  it('shows what npm start prints', async () => {
    const shown = blocks.find(({ kind }) => kind === 'shown')?.text ?? ''
    // As `npm start` ends, in a folder that gets the recordings.
    const text = 'node ../../examples/voice-assistant/dist/main.js what is the capital of japan'
    const block = { place: '', language: 'sh', kind: 'run', attributes: { in: '.' }, text }
    const { output } = await reader().run(block)
    expect(output.slice(0, output.indexOf('\n1 turn')).trimEnd()).toMatch(
      patternOf(shown.replace(/\d+ ms/g, '… ms')),
    )
    expect(reader().has('out/1-answer.wav')).toBe(true)
  })
})
