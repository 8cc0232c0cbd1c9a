import { expect, test } from 'vitest'
import { Bytes } from '../../src/bytes.js'
import { decodeState, encodeState } from '../../src/wire/state.js'

const data = new Bytes(Uint8Array.of(1, 2, 3))
const unlimited = Number.POSITIVE_INFINITY

test.each([
  [{}, ['missing']],
  [{}, ['__proto__', 'toLocaleString']],
  [{}, ['constructor', 'prototype', 'polluted']],
  [{}, ['toString']],
  [{ list: [] }, ['list', 0]],
  [{ list: [] }, ['list', 'length', 'x']],
  [[], ['__proto__', 'copyWithin']],
  ['text', [0]],
  [null, ['x']],
])(
  'bytes for a place that the state %j has not, %j, are INVALID_PARAMS, and are put nowhere',
  (state, path) => {
    const before = Object.getOwnPropertyDescriptors(Object.prototype)
    expect(() => decodeState({ state, bytes: [{ path, data_b64: data }] })).toThrow(
      expect.objectContaining({ codeName: 'INVALID_PARAMS' }),
    )
    expect(Object.getOwnPropertyDescriptors(Object.prototype)).toEqual(before)
    expect(typeof Array.prototype.copyWithin).toBe('function')
  },
)

test('bytes go to their places, also where one is called __proto__ or all of the state is bytes', () => {
  const state = { list: [{ bytes: data.data }], ...JSON.parse('{"__proto__":{"own":1}}') }
  expect(decodeState(encodeState(state, unlimited))).toEqual(state)
  expect(decodeState(encodeState(data.data, unlimited))).toEqual(data.data)
})

test('an object that stands at two places goes over, one that holds itself does not', () => {
  const shared = { x: 1 }
  expect(decodeState(encodeState({ a: shared, b: [shared] }, unlimited))).toEqual({ a: shared, b: [shared] })
  const circle: Record<string, unknown> = {}
  circle['self'] = circle
  expect(() => encodeState(circle, unlimited)).toThrow(
    expect.objectContaining({ codeName: 'HOTSWAP_FAILED' }),
  )
})

test('a state of exactly the limit goes over, one byte more does not', () => {
  const state = { text: 'äx', bytes: data.data }
  const size = Buffer.byteLength('{"text":"äx","bytes":null}') + 3
  expect(encodeState(state, size)).toMatchObject({ state: { text: 'äx' } })
  expect(() => encodeState(state, size - 1)).toThrow(
    expect.objectContaining({ codeName: 'RESOURCE_EXHAUSTED', data: { bytes: size, limit: size - 1 } }),
  )
})

test('a state whose JSON is longer than 64 KiB goes as bytes, and comes back the same', () => {
  const textOf = (bytes: number): string => 'x'.repeat(bytes - '""'.length)
  const short = encodeState(textOf(65_536), unlimited)
  expect(short).toEqual({ state: textOf(65_536), bytes: [] })
  const long = encodeState({ text: textOf(65_537), bytes: data.data }, unlimited)
  expect(long).toEqual({ state_b64: expect.any(Bytes), bytes: [{ path: ['bytes'], data_b64: data }] })
  expect(decodeState(long)).toEqual({ text: textOf(65_537), bytes: data.data })
})

test('text of a state that is no JSON is INVALID_PARAMS', () => {
  const broken = { state_b64: new Bytes(Buffer.from('{"a":')), bytes: [] }
  expect(() => decodeState(broken)).toThrow(expect.objectContaining({ codeName: 'INVALID_PARAMS' }))
})

test('bytes may come as base64', () => {
  const state = { state: { a: null }, bytes: [{ path: ['a'], data_b64: 'AQID' }] }
  expect(decodeState(state)).toEqual({ a: Uint8Array.of(1, 2, 3) })
})

test('JSON values of all kinds go over; members that are undefined are left out, and nothing is null', () => {
  const bare = Object.assign(Object.create(null) as object, { own: true })
  const state = { text: '', number: -0.5, yes: true, no: false, nothing: null, list: [1, [null]], bare }
  expect(decodeState(encodeState({ ...state, left: undefined }, unlimited))).toEqual({
    ...state,
    bare: { own: true },
  })
  expect(encodeState({ left: undefined }, unlimited).state).toStrictEqual({})
  expect(decodeState(encodeState(undefined, unlimited))).toBeNull()
})

test.each<[unknown, string, string]>([
  [{ a: [new Map()] }, 'a.0', 'a.0 is Map'],
  [{ at: new Date(0) }, 'at', 'at is Date'],
  [{ number: Number.NaN }, 'number', 'number is NaN'],
  [[Number.POSITIVE_INFINITY], '0', '0 is Infinity'],
  [{ list: [undefined] }, 'list.0', 'list.0 is undefined'],
  [{ big: 1n }, 'big', 'big is 1'],
  [Symbol('own'), '', 'what it returned is Symbol(own)'],
  [{ a: Object.create(Object.create(Object.create(null))) }, 'a', 'a is object'],
])('%o is no state: the error says where, and what it is', (state, path, text) => {
  expect(() => encodeState(state, unlimited)).toThrow(
    expect.objectContaining({
      ...{ codeName: 'HOTSWAP_FAILED', data: { path } },
      message: expect.stringContaining(`but ${text}`),
    }),
  )
})
