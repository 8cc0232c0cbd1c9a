import { expect, test } from 'vitest'
import { activeTrace, traceContextOf, withTrace } from '../src/trace-context.js'

const [traceId, spanId] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7']
const traceparent = `00-${traceId}-${spanId}-01`

test.each([
  undefined,
  7,
  '',
  traceparent.toUpperCase(),
  `ff-${traceId}-${spanId}-01`,
  `00-${'0'.repeat(32)}-${spanId}-01`,
  `00-${traceId}-${'0'.repeat(16)}-01`,
  `00-${traceId}-${spanId}-0`,
  `${traceparent}-more`,
  `${traceparent}, ${traceparent}`,
  `01-${traceId}-${spanId}-01x`,
])('%j is no trace', (wrong) => {
  expect(traceContextOf({ traceparent: wrong })).toBeUndefined()
  expect(withTrace({ traceparent: wrong }, activeTrace)).toBeUndefined()
})

test('a later version may say more; what is added is taken as it is, unless it is long', () => {
  const later = `01-${traceId}-${spanId}-01-more`
  expect(traceContextOf({ traceparent: later, tracestate: 'a=1' })).toEqual({
    traceparent: later,
    tracestate: 'a=1',
  })
  for (const tracestate of ['', 'x'.repeat(513), ['a=1']])
    expect(traceContextOf({ traceparent, tracestate })).toEqual({ traceparent })
})

test('it holds for what is done within it, and only for that', async () => {
  const seen: unknown[] = []
  const work = withTrace({ traceparent }, async () => {
    await Promise.resolve()
    seen.push(activeTrace())
  })
  seen.push(activeTrace())
  await work
  expect(seen).toEqual([undefined, { traceparent }])
})
