import { firstIssues, type Issue, issuesText, nameValue } from '@appfactory/sdk/internal'
import { describe, expect, it } from 'vitest'

function someIssues(count: number): Issue[] {
  return Array.from({ length: count }, (_, index) => ({ path: `a[${index}]`, message: 'is required' }))
}

describe('of many issues', () => {
  it.each([
    [0, []],
    [20, someIssues(20)],
    [21, [...someIssues(20), { path: '', message: 'and 1 more' }]],
  ])('%i are listed up to 20, then counted', (count, listed) => {
    expect(firstIssues(someIssues(count))).toEqual(listed)
  })

  it('those that were not collected are counted too', () => {
    expect(firstIssues(someIssues(20), 5000).at(-1)).toEqual({ path: '', message: 'and 4980 more' })
  })

  it('the text says how many more there are, once', () => {
    for (const issues of [someIssues(25), firstIssues(someIssues(25))])
      expect(issuesText(issues).split('; ').slice(19)).toEqual(['a[19]: is required', 'and 5 more'])
  })
})

it.each([
  [null, 'null'],
  [undefined, 'undefined'],
  [true, 'true'],
  [5, '5'],
  ['x', 'the string "x"'],
  [[1, 2], 'an array of 2'],
  [Uint8Array.of(1), '1 bytes'],
  [{}, 'an object'],
  [() => 1, 'a function'],
])('%o is called %s', (value, name) => {
  expect(nameValue(value)).toBe(name)
})

it('a long string is shortened', () => {
  expect(nameValue('x'.repeat(1000)).length).toBeLessThan(70)
})
