import { expect, test } from 'vitest'
import { fits, parseSpecifiers } from '../../src/python/version.js'

/** Versions in their order, as PEP 440 has it. */
const ascending = [
  '0.9',
  '1.0.dev3',
  '1.0a1.dev2',
  '1.0-alpha1',
  '1.0.b2',
  '1.0c1',
  '1.0rc2',
  '1.0',
  '1.0.post1.dev2',
  '1.0-1',
  '1.0.post2',
  '1.0.0.1',
  '1.9',
  '1.10',
  '2',
  '1!0.1',
]

function isFit(version: string, specifiers: string): boolean {
  const parsed = parseSpecifiers(specifiers)
  if (parsed === undefined) throw new Error(`${specifiers} is not parsed`)
  return fits(version, parsed)
}

test('versions are ordered as PEP 440 has it', () => {
  for (const [at, version] of ascending.entries())
    for (const [other, limit] of ascending.entries()) {
      expect(isFit(version, `>=${limit}`), `${version} >= ${limit}`).toBe(at >= other)
      expect(isFit(version, `<=${limit}`), `${version} <= ${limit}`).toBe(at <= other)
      expect(isFit(version, `==${limit}`), `${version} == ${limit}`).toBe(at === other)
    }
})

test.each([
  ['3.11.7', '>=3.9, <4', true],
  ['3.11.7', '>= 3.9 <3.11', false],
  ['3.13.0rc1', '<3.13', false],
  ['1.0rc1', '<1.0rc2', true],
  ['1.0.post1', '>1.0', false],
  ['1.0.post2', '>1.0.post1', true],
  ['1.4.9', '~=1.4.2', true],
  ['1.5', '~=1.4.2', false],
  ['1.9', '~=1.4', true],
  ['1.4.7', '==1.4.*', true],
  ['1.40', '==1.4.*', false],
  ['1.40', '!=1.4.*', true],
  ['1', '==1.0.*', true],
  ['v1.0.0', '==1', true],
  ['2.1.0+cu121', '==2.1', true],
  ['2.1.0+cu121', '==2.1.0+cpu', false],
  ['2.1.0', '==2.1.0+cpu', false],
  ['2.1.0+CU-121', '==2.1.0+cu.121', true],
  ['2.1.0+cu121', '===2.1.0', false],
  ['no version', '>=1', false],
  ['no version', '===no', false],
  ['5', '', true],
])('%s fits %s: %s', (version, specifiers, expected) => {
  expect(isFit(version, specifiers)).toBe(expected)
})

test.each(['^3.9', '3.9', '>=', '>=3.x', '>=1.*', '~=3', '>=1.0+cpu', '>=3.9,x', `>=${'1'.repeat(300)}`])(
  '%s is no specifier',
  (text) => {
    expect(parseSpecifiers(text)).toBeUndefined()
  },
)
