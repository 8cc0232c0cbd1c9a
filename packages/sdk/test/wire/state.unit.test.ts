import { expect, test } from 'vitest'
import { Bytes } from '../../src/bytes.js'
import { decodeState, encodeState } from '../../src/wire/state.js'

const data = new Bytes(Buffer.from([1, 2, 3]))
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
