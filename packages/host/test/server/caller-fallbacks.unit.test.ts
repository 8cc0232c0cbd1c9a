import { expect, it } from 'vitest'
import { CallerFallbacks } from '../../src/server/caller-fallbacks.js'

it('takes names away with the client, those too that are made only then', async () => {
  const fallbacks = new CallerFallbacks()
  const gone: string[] = []
  const made = (name: string) => ({
    unload: async (): Promise<void> => {
      gone.push(name)
    },
  })
  fallbacks.add('first', made('first'))
  expect(gone).toEqual([])
  await fallbacks.closeAll()
  expect(gone).toEqual(['first'])
  fallbacks.add('late', made('late'))
  expect(gone).toEqual(['first', 'late'])
})
