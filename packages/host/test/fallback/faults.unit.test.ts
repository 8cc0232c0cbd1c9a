import { readFileSync } from 'node:fs'
import { errorTable, PluginError } from '@appfactory/sdk'
import { expect, test } from 'vitest'
import { type Fault, faultOf, faults } from '../../src/fallback/faults.js'

test('each code has its row', () => {
  expect(Object.keys(faults).sort()).toEqual(errorTable.map(({ name }) => name).sort())
})

test.each([
  ['a crash', new PluginError('PLUGIN_CRASHED'), 'engine'],
  ['a voice that is not there', new PluginError('TTS_VOICE_NOT_FOUND'), 'caller'],
  ['a call too many', new PluginError('RESOURCE_EXHAUSTED'), 'lack'],
  ['a code of an author’s own', new PluginError(4711), 'lack'],
  ['one that is said to be the caller’s', new PluginError(42), 'caller'],
  ['a wrong option', new TypeError('timeoutMs'), 'caller'],
])('%s', (_, error, fault) => {
  expect(faultOf(error, [42])).toBe(fault)
})

test('the page on fallbacks has the same table', () => {
  const page = readFileSync(new URL('../../../../docs/scale.md', import.meta.url), 'utf8')
  const rows = page.split('\n').filter((line) => line.startsWith('| '))
  const [lack = '', caller = ''] = ['`RESOURCE_EXHAUSTED`', '`INVALID_PARAMS`'].map((first) =>
    rows.find((line) => line.startsWith(`| ${first}`)),
  )
  const codesIn = (row: string): string[] =>
    [...row.matchAll(/`([A-Z_]+)`/g)].map(([, code = '']) => code).sort()
  const codesOf = (fault: Fault): string[] =>
    Object.entries(faults)
      .flatMap(([code, each]) => (each === fault ? [code] : []))
      .sort()
  expect([codesIn(lack), codesIn(caller)]).toEqual([codesOf('lack'), codesOf('caller')])
})
