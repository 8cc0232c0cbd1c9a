import { Bytes } from '@appfactory/sdk/internal'
import { expect, test } from 'vitest'
import { shorten } from '../../src/trace/shorten.js'

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(shorten(value)))

test('a short message stays as it is', () => {
  const message = { jsonrpc: '2.0', id: 7, params: { text: 'Grüße', list: [1, null, true, { a: {} }] } }
  expect(shorten(message)).toEqual(message)
  expect(shorten('no JSON-RPC')).toBe('no JSON-RPC')
})

test('of bytes their number is kept, of a long text its beginning and its length', () => {
  expect(shorten({ audio_b64: new Bytes(new Uint8Array(5000)), raw: Buffer.alloc(3) })).toEqual({
    audio_b64: { bytes: 5000 },
    raw: { bytes: 3 },
  })
  const { text } = shorten({ text: 'abc'.repeat(10_000) }) as { text: string }
  expect(text).toMatch(/^(abc)+ab… \(30000 characters\)$/)
})

test('a date is what JSON makes of it, and what JSON leaves out is left out', () => {
  const date = new Date(0)
  expect(JSON.stringify(shorten({ date, no: undefined, work: () => 1, list: [undefined] }))).toBe(
    JSON.stringify({ date, no: undefined, work: () => 1, list: [undefined] }),
  )
})

test('what makes itself of itself ends', () => {
  const endless: object = { toJSON: () => endless }
  expect(JSON.stringify(shorten(endless))).toBe('"…"')
})

test.for<[string, unknown]>([
  ['many items', Array(500_000).fill('\u0000'.repeat(3000))],
  ['many members', Object.fromEntries(Array.from({ length: 100_000 }, (_, at) => [`\ud800${at}`, at / 3]))],
  [
    'long names',
    Object.fromEntries(Array.from({ length: 300 }, (_, at) => [at + '\ud800'.repeat(9000), {}])),
  ],
  ['a long text', '\u0001'.repeat(8_000_000)],
  ['many empty objects', Array(500_000).fill({})],
  ['deep nesting', JSON.parse(`${'[{"a":'.repeat(250)}[]${'}]'.repeat(250)}`)],
  ['wide and deep', nested(5)],
])('%s: less than 64 KiB, and it shows that something is left out', ([, message]) => {
  expect(bytesOf(message)).toBeLessThan(65_000)
  expect(JSON.stringify(shorten(message))).toContain('…')
})

function nested(depth: number): unknown {
  return depth === 0
    ? '\u2028'.repeat(1999)
    : Object.fromEntries(Array.from({ length: 8 }, (_, at) => [`k${at}`, nested(depth - 1)]))
}
