import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { placeOf } from '../../src/runtime/place.js'

const own = join(process.cwd(), 'src', 'index.ts')
const urlOf = (path: string): string => pathToFileURL(path).href

function errorWith(...lines: string[]): unknown {
  return { stack: lines.join('\n') }
}

test.each([
  ['in a function', `    at run (${urlOf(own)}:12:5)`],
  ['in none', `    at ${urlOf(own)}:12:5`],
  ['by its path', `    at new Speaker (${own}:12:5)`],
  ['before a syntax error', `${own}:12`],
])('the place of an error %s is found', (_, line) => {
  expect(placeOf(errorWith('Error: broken', line))).toBe(`${own}:12`)
})

test('the place is the first in the plugin’s own code, not in a package or in Node', () => {
  const place = placeOf(
    errorWith(
      'Error: broken',
      '    at node:internal/fs:1:1',
      `    at parse (${urlOf(join(process.cwd(), 'node_modules', 'json', 'index.js'))}:3:4)`,
      `    at ${urlOf(join(process.cwd(), '..', 'elsewhere.js'))}:5:6`,
      `    at run (${urlOf(own)}:12:5)`,
      `    at main (${urlOf(own)}:99:1)`,
    ),
  )
  expect(place).toBe(`${own}:12`)
})

test('an error without such a place, or without a stack, has none', () => {
  for (const error of [
    errorWith('Error: broken', '    at node:fs:1:1'),
    errorWith(''),
    { stack: 5 },
    null,
    'text',
  ])
    expect(placeOf(error)).toBeUndefined()
})

test('a stack that can’t be read has no place', () => {
  const hostile = {
    get stack(): string {
      throw new Error('no')
    },
  }
  expect(placeOf(hostile)).toBeUndefined()
})
