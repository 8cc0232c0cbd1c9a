import { expect, test } from 'vitest'
import { PluginError } from '../../src/errors.js'
import { cancelledBy, errorResponse, unwritable } from '../../src/wire/replies.js'

function dataOf(data: unknown): unknown {
  return errorResponse(1, new PluginError('INTERNAL_ERROR', 'broken', data as object)).error.data
}

function messageOf(text: string): string {
  return errorResponse(1, new PluginError('INTERNAL_ERROR', text)).error.message
}

test('an error that a person can read goes as it is', () => {
  const data = { list: Array.from({ length: 100 }, (_, index) => index), text: 'x'.repeat(5000) }
  expect(errorResponse(7, new PluginError('INVALID_PARAMS', 'no text', data))).toEqual({
    ...{ jsonrpc: '2.0', id: 7 },
    error: { code: new PluginError('INVALID_PARAMS').code, message: 'no text', data },
  })
  expect(messageOf('x'.repeat(2000))).toBe('x'.repeat(2000))
})

test('a long message is cut, and says how long it was', () => {
  expect(messageOf('x'.repeat(2001))).toBe(`${'x'.repeat(2000)}… (2001 characters in all)`)
  // Half of a character would be none.
  expect(messageOf(`${'x'.repeat(1999)}🎉`)).toBe(`${'x'.repeat(1999)}… (2001 characters in all)`)
})

test('long data are cut in their texts, lists, members, names and depth', () => {
  const long = 'x'.repeat(70_000)
  expect(dataOf({ a: long, b: 5, c: null })).toEqual({ a: `${'x'.repeat(2000)}…`, b: 5, c: null })
  expect(dataOf({ a: long, list: Array(50).fill(1) })).toMatchObject({ list: Array(20).fill(1) })
  const members = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`m${index}`, long]))
  expect(Object.keys(dataOf(members) as object)).toHaveLength(20)
  expect(dataOf({ [long]: 1 })).toEqual({ [`${'x'.repeat(100)}…`]: 1 })
  let deep: unknown = 'bottom'
  for (let depth = 0; depth < 20; depth++) deep = [deep]
  expect(dataOf({ a: long, deep })).toMatchObject({ deep: [[[[[[[null]]]]]]] })
})

test('all of the long data together have their limit', () => {
  const lists = Array.from({ length: 20 }, () => Array.from({ length: 20 }, () => 'x'.repeat(3000)))
  const length = JSON.stringify(dataOf({ lists })).length
  expect(length).toBeLessThan(70_000)
  expect(length).toBeGreaterThan(60_000)
})

test('the reason of a cancel is told where there is one', () => {
  const none = new AbortController()
  none.abort()
  expect(cancelledBy(none.signal).message).toBe('The request was cancelled')
  const why = new Error('the user has left')
  expect(cancelledBy(AbortSignal.abort(why))).toMatchObject({
    ...{ codeName: 'REQUEST_CANCELLED', message: 'The request was cancelled (reason: the user has left)' },
    cause: why,
  })
})

test('what can’t be written is INTERNAL_ERROR, unless it says itself what it is', () => {
  expect(unwritable(new TypeError('a circle'))).toMatchObject({
    ...{ codeName: 'INTERNAL_ERROR', data: { error: 'TypeError' } },
    message: expect.stringContaining('a circle'),
  })
  const own = new PluginError('MESSAGE_TOO_LARGE')
  expect(unwritable(own)).toBe(own)
})
