import { contractChecks } from '@appfactory/sdk/testing'
import { expect, it } from 'vitest'
import { testDocument } from './document.js'
import { firstColumn } from './tables.js'

const { text } = testDocument('docs/testing.md')

it('testing.md says of each check what must hold', async () => {
  const patterns = firstColumn(text, 'What is checked').flatMap((cell) => cell.split(/[, ]+/))
  const checks = await Promise.all(['tts', 'stt', 'llm', 'embedding'].map((name) => contractChecks(name)))
  const missing = checks
    .flat()
    .map(({ id }) => id)
    .filter((id) => !patterns.some((pattern) => fits(id, pattern)))
  expect(missing).toEqual([])
})

function fits(id: string, pattern: string): boolean {
  const parts = pattern.replace('…', '*').split('*')
  return new RegExp(`^${parts.map((part) => part.replaceAll('.', '\\.')).join('.*')}$`).test(id)
}
