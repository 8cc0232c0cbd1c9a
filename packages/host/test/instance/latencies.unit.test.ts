import { expect, test } from 'vitest'
import { Latencies } from '../../src/instance/latencies.js'

function latenciesOf(durations: readonly number[]): Latencies {
  const latencies = new Latencies()
  for (const ms of durations) latencies.add(ms)
  return latencies
}

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1)
}

test('before the first call there are no percentiles', () => {
  expect(new Latencies().percentiles()).toBeUndefined()
})

test('percentiles are of the durations in order, not in the order of the calls', () => {
  expect(latenciesOf(upTo(100).toReversed()).percentiles()).toEqual({ p50_ms: 50, p95_ms: 95, p99_ms: 99 })
  expect(latenciesOf([7]).percentiles()).toEqual({ p50_ms: 7, p95_ms: 7, p99_ms: 7 })
  expect(latenciesOf([10, 9]).percentiles()).toEqual({ p50_ms: 9, p95_ms: 10, p99_ms: 10 })
})

test('only the last 1,024 calls count', () => {
  const slowAtFirst = [...Array.from({ length: 1024 }, () => 5000), ...Array.from({ length: 1024 }, () => 1)]
  expect(latenciesOf(slowAtFirst).percentiles()).toEqual({ p50_ms: 1, p95_ms: 1, p99_ms: 1 })
  expect(latenciesOf([...slowAtFirst, 9]).percentiles()?.p99_ms).toBe(1)
  expect(latenciesOf(slowAtFirst.slice(0, 1536)).percentiles()).toEqual({
    ...{ p50_ms: 1, p95_ms: 5000, p99_ms: 5000 },
  })
})
