import { classTarget, contractChecks, runChecks } from '@appfactory/sdk/testing'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { GoodEmbedder, GoodLlm, GoodOwn, GoodStt, GoodTts, OwnContract } from './good-plugins.js'
import { blockers, mutants } from './mutants.js'

const contracts = {
  tts: 'tts',
  stt: 'stt',
  llm: 'llm',
  embedding: 'embedding',
  counting: OwnContract,
} as const

// The runtime logs the stack of each error that a mutant did not foresee.
beforeAll(() => {
  vi.spyOn(console, 'error').mockImplementation(() => {})
})

describe('good plugins pass all checks, and skip only what they are not capable of', () => {
  test.each([
    [GoodTts, []],
    [GoodStt, ['state.round_trip']],
    [GoodLlm, ['state.round_trip']],
    [GoodEmbedder, ['state.round_trip']],
    [GoodOwn, ['state.round_trip']],
  ])('%o', async (good, skipped) => {
    const { results, ...counts } = await runChecks({ target: classTarget(good) })
    expect(results.filter(({ status }) => status === 'failed')).toEqual([])
    expect(results.filter(({ status }) => status === 'skipped').map(({ id }) => id)).toEqual(skipped)
    expect(counts).toMatchObject({ failed: 0, blocked: 0, passed: results.length - skipped.length })
  })
})

describe('a mutant fails exactly its check', () => {
  test.concurrent.each(
    mutants.map((mutant) => [`${mutant.fails} ${mutant.how ?? ''}`.trim(), mutant] as const),
  )('%s', async (_, { fails, target }) => {
    const { results } = await runChecks({ target, timeoutMs: 2000 })
    const failed = results.filter(({ status }) => status === 'failed').map(({ id, reason }) => [id, reason])
    expect(failed).toEqual([[fails, expect.any(String)]])
  })
})

test.each(blockers.map(({ fails, target }) => [fails.join(', '), fails, target] as const))(
  'a mutant that blocks the event loop fails %s, and is told so',
  async (_, fails, target) => {
    const { results } = await runChecks({ target, timeoutMs: 2000 })
    const failed = results.filter(({ status }) => status === 'failed')
    expect(failed.map(({ id }) => id)).toEqual(fails)
    for (const { reason } of failed) expect(reason).toMatch(/blocks the event loop/)
  },
)

test('every check has a mutant, and no mutant is for a check that is not there', async () => {
  const checks = await Promise.all(Object.values(contracts).map((contract) => contractChecks(contract)))
  const ids = new Set(checks.flat().map(({ id }) => id))
  expect([...new Set(mutants.map(({ fails }) => fails))].toSorted()).toEqual([...ids].toSorted())
})
