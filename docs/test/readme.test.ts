import { expect, it } from 'vitest'
import { testDocument } from './document.js'
import { ServedGateway } from './gateway.js'
import { patternOf } from './match.js'

testDocument('README.md', ({ blocks, reader }) => {
  it('shows what curl prints, and how to start what it asks', async () => {
    const start = blocks.find(({ text }) => text.includes('appfactory-host gateway'))?.text ?? ''
    const command = start.split('\n').find((line) => line.startsWith('npx')) ?? ''
    await using gateway = await ServedGateway.start(command.split(' ').slice(3))
    const shown = blocks.find(({ kind, text }) => kind === 'shown' && text.includes('[DONE]'))?.text ?? ''
    const script = blocks.find(({ attributes }) => attributes['file'] === 'speak.sh')?.text ?? ''
    const text = script.replaceAll('localhost:8080', gateway.address)
    const block = { place: '', language: 'sh', kind: 'run', attributes: { in: '.' }, text }
    const { output, errors } = await reader().run(block)
    expect(errors).toBe('')
    expect(output.trimEnd()).toMatch(patternOf(shown.trimEnd()))
  })

  it('shows what npm start prints', async () => {
    const shown = blocks.find(({ text }) => text.startsWith('three plugins ready'))?.text ?? ''
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
