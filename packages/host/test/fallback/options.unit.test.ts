import { expect, test } from 'vitest'
import { fallbackGivenOf, wrongFallback } from '../../src/fallback/options.js'

test('what is not given has its default, and undefined is not given', () => {
  expect(
    fallbackGivenOf({
      name: 'voice',
      plugins: ['one', { plugin: 'two' }],
      options: { leaveAfter: undefined },
    }),
  ).toEqual({
    name: 'voice',
    plugins: [{ plugin: 'one' }, { plugin: 'two' }],
    settings: { leaveAfter: 3, returnAfter: 2, probeIntervalMs: 5000, callerErrors: [] },
  })
})

test.each<[string, unknown, unknown, unknown]>([
  ['a name has letters', '', ['one'], {}],
  ['a name has letters', '../voice', ['one'], {}],
  ['a name has letters', 'x'.repeat(215), ['one'], {}],
  ['a name has letters', 7, ['one'], {}],
  ['plugins are an array', 'voice', 'one', {}],
  ['plugins are an array', 'voice', [], {}],
  ['plugins are an array', 'voice', Array.from({ length: 33 }, (_, index) => `p${index}`), {}],
  ['each plugin is a name', 'voice', [null], {}],
  ['each plugin is a name', 'voice', [{ name: 'one' }], {}],
  ['"one" is there twice', 'voice', ['one', { plugin: 'one' }], {}],
  ['there is no key "voice". Did you mean voices?', 'voice', [{ plugin: 'one', voice: 'x' }], {}],
  ['voices takes an object of names', 'voice', [{ plugin: 'one', voices: { alloy: 7 } }], {}],
  ['defaults takes an object', 'voice', [{ plugin: 'one', defaults: [] }], {}],
  ['options are an object', 'voice', ['one'], null],
  ['there is no option "attemptTimeout"', 'voice', ['one'], { attemptTimeout: 1 }],
  ['attemptTimeoutMs takes a number of ms above 0', 'voice', ['one'], { attemptTimeoutMs: 0 }],
  ['leaveAfter takes a whole number', 'voice', ['one'], { leaveAfter: 0 }],
  ['sampleRate takes a whole number from 4000', 'voice', ['one'], { sampleRate: 1 }],
  ['probe takes false or', 'voice', ['one'], { probe: true }],
  ['callerErrors takes an array', 'voice', ['one'], { callerErrors: ['x'] }],
])('refused: %s', (message, name, plugins, options) => {
  expect(wrongFallback({ name, plugins, options })).toContain(message)
})
