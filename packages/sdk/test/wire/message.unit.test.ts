import { parseJson } from '@appfactory/sdk/internal'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { classify, parseLine } from '../../src/wire/message.js'

const request = { jsonrpc: '2.0', method: 'm', id: 1 }

function parsed(value: unknown): unknown {
  return parseLine(JSON.stringify(value))
}

describe('what is a request', () => {
  it.each([
    { ...request },
    { ...request, params: {} },
    { ...request, params: [1] },
    { ...request, id: 'text' },
    { ...request, id: null },
    { ...request, id: 0 },
    { jsonrpc: '2.0', method: '' },
    { jsonrpc: '2.0', method: 'notification', params: { a: 1 } },
    { ...request, more: 'is ignored' },
  ])('%j', (message) => {
    expect(parsed(message)).toEqual({ kind: 'single', message: { kind: 'request', request: message } })
  })
})

describe('what is a response', () => {
  it.each([
    { jsonrpc: '2.0', id: 1, result: null },
    { jsonrpc: '2.0', id: 'x', result: { a: 1 } },
    { jsonrpc: '2.0', id: null, error: { code: 1, message: 'm' } },
  ])('%j', (message) => {
    expect(parsed(message)).toEqual({ kind: 'single', message: { kind: 'response', response: message } })
  })
})

describe('a message that is neither a request nor a response', () => {
  it.each([
    [1, true, { ...request, jsonrpc: '1.0' }],
    [1, true, { ...request, jsonrpc: 2 }],
    [1, true, { id: 1, method: 'm' }],
    [1, true, { ...request, method: 1 }],
    [1, true, { ...request, method: null }],
    [1, true, { jsonrpc: '2.0', id: 1 }],
    [null, true, { ...request, id: {} }],
    [null, true, { ...request, id: [1] }],
    [null, true, { ...request, id: true }],
    [1, true, { ...request, params: 'bar' }],
    [1, true, { ...request, params: 5 }],
    [1, true, { ...request, params: null }],
    [null, true, { jsonrpc: '2.0' }],
    [null, true, { foo: 'boo' }],
    [null, true, 1],
    [null, true, 'text'],
    [null, true, null],
    // A notification or a response is owed nothing, however malformed.
    [null, false, { jsonrpc: '2.0', method: 'm', params: 'bar' }],
    [1, false, { jsonrpc: '1.0', id: 1, result: 5 }],
    [null, false, { jsonrpc: '2.0', result: 5 }],
    [null, false, { jsonrpc: '2.0', id: {}, result: 5 }],
    [1, false, { jsonrpc: '2.0', id: 1, error: 'bad' }],
    [1, false, { jsonrpc: '2.0', id: 1, error: { code: 'x', message: 'm' } }],
    [1, false, { jsonrpc: '2.0', id: 1, error: null }],
  ])('id %j, owed %j: %j', (id, owed, message) => {
    expect(parsed(message)).toMatchObject({ kind: 'single', message: { kind: 'invalid', id, owed } })
  })
})

describe('a line that is not JSON', () => {
  it.each(['', '{', 'hello', '{"a":1}}', "{'a':1}", '[1,', 'NaN', '\u0000', '{"a":01}'])('%j', (line) => {
    expect(parseLine(line)).toEqual({ kind: 'unparsable' })
  })
})

describe('JSON that does harm', () => {
  it.each([
    ['nesting of 5,000 arrays', '['.repeat(5000) + ']'.repeat(5000)],
    ['nesting of 5,000 objects', `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`],
    ['nesting of 200,000', '['.repeat(200_000) + ']'.repeat(200_000)],
    ['__proto__', '{"__proto__":{"polluted":true}}'],
    ['__proto__ further in', '{"a":[{"b":{"__proto__":1}}]}'],
    ['__proto__ in escapes', '{"__proto\\u005f_":{"polluted":true}}'],
    ['__proto__ in other escapes', '{"__\\u0070roto__":{"polluted":true}}'],
    ['1e400', '{"a":1e400}'],
    ['-1E+400', '{"a":-1E+400}'],
    ['an integer of 400 digits', `{"a":${'9'.repeat(400)}}`],
  ])('%s', (_, value) => {
    expect(parseLine(value)).toMatchObject({ kind: 'single', message: { kind: 'invalid' } })
    expect(() => parseJson(value)).toThrow(SyntaxError)
    const inRequest = `{"jsonrpc":"2.0","id":7,"method":"m","params":{"x":${value}}}`
    expect(parseLine(inRequest)).toMatchObject({ message: { kind: 'invalid', id: 7, owed: true } })
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })

  it.each([
    ['the largest exact integer', 9007199254740991],
    ['the largest float of 32 bits', -3.4028234663852886e38],
    ['a clock in ns', 1764134400000000000],
    ['1e300', 1e300],
    ['the largest double', Number.MAX_VALUE],
    ['a small exponent', 1e-30],
    ['many decimals', 0.1234567890123456],
    ['a text about __proto__', 'what is __proto__?'],
    ['digits in a text', '99999999999999999999 and 1e400'],
    ['many brackets that are closed', Array.from({ length: 1000 }, () => [])],
    ['500 levels', nested(500)],
    ['constructor', { constructor: { prototype: 1 } }],
    ['escapes', '\u0001\u007f'],
  ])('%s does none', (_, value) => {
    expect(parseJson(JSON.stringify(value))).toEqual(value)
    expect(parsed({ ...request, params: { value } })).toMatchObject({ message: { kind: 'request' } })
  })
})

describe('an integer with more digits than a double holds becomes another one', () => {
  const inexact = ['9007199254740993', '-9007199254740993', '12345678901234567890', '1764134412345678901']
  it.each(inexact)('%s is refused from a client, as an id with the id null', (number) => {
    const asId = `{"jsonrpc":"2.0","id": ${number},"method":"m"}`
    const within = `{"jsonrpc":"2.0","id":7,"method":"m","params":{"s":"a\\\\\\"","x":[${number}]}}`
    const refused = { kind: 'invalid', owed: true }
    expect(parseLine(asId, { exact: true })).toMatchObject({ message: { ...refused, id: null } })
    expect(parseLine(within, { exact: true })).toMatchObject({ message: { ...refused, id: 7 } })
    expect(parseLine(within)).toMatchObject({ message: { kind: 'request' } })
    const asText = within.replace(`[${number}]`, `["\\"${number}"]`)
    expect(parseLine(asText, { exact: true })).toMatchObject({ message: { kind: 'request' } })
  })

  it('all others arrive as they are, and so does whatever JavaScript wrote', () => {
    const line = (value: unknown) => JSON.stringify({ ...request, id: value, params: { value } })
    fc.assert(
      fc.property(
        fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.maxSafeInteger()),
        (value) => {
          const scaled = Math.trunc(value) * 2 ** 20
          for (const number of [value, Number.isFinite(scaled) ? scaled : 0])
            expect(parseLine(line(number), { exact: true })).toMatchObject({ message: { kind: 'request' } })
        },
      ),
    )
    for (const text of ['9007199254740992', '10000000000000000000000', '1e20', '123456789012345678901.5'])
      expect(
        parseLine(`{"jsonrpc":"2.0","id":1,"method":"m","params":[${text}]}`, { exact: true }),
      ).toMatchObject({
        message: { kind: 'request' },
      })
  })
})

describe('a batch', () => {
  it.each([[[]], [[1, 2, 3]], [[request, request]]])('%j is left to the peer', (items) => {
    expect(parsed(items)).toEqual({ kind: 'batch', items })
  })
})

it('anything that is JSON is classified without a throw, and a request only with its rules kept', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const message = classify(value)
      if (message.kind !== 'request') return
      expect(message.request.jsonrpc).toBe('2.0')
      expect(message.request.method).toBeTypeOf('string')
    }),
  )
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (line) => void parseLine(line)))
})

function nested(depth: number): unknown {
  let value: unknown = 1
  for (let level = 0; level < depth; level++) value = [value]
  return value
}
