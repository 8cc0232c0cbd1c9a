import { PluginError } from '@appfactory/sdk'
import { expect, test } from 'vitest'
import { durationBounds } from '../../src/metrics/durations.js'
import { FiguresByPlugin, PluginFigures } from '../../src/metrics/plugin-figures.js'
import { Requests } from '../../src/metrics/requests.js'

test('a duration counts in the first bucket that it fits in, and the longest in the last', () => {
  const figures = new PluginFigures().of('say')
  for (const ms of [0, 1, 1.001, 60_000, 60_001]) figures.end('answered', ms)
  const last = durationBounds.length
  expect([figures.buckets[0], figures.buckets[1], figures.buckets[last - 1], figures.buckets[last]]).toEqual([
    ...[2, 1, 1, 1],
  ])
  expect(figures.seconds).toBeCloseTo(120.003, 3)
  expect(figures.outcomes).toEqual({ answered: 5, failed: 0, cancelled: 0 })
})

test('bounds grow, or a bucket would never count', () => {
  expect(durationBounds.toSorted((a, b) => a - b)).toEqual(durationBounds)
})

test('methods that are not in the contract are counted together, and so are those beyond the hundredth', () => {
  const figures = new PluginFigures()
  figures.know(Array.from({ length: 150 }, (_, index) => `m${index}`))
  for (const method of ['m0', 'm99', 'm100', 'unknown', '__proto__']) figures.of(method).end('answered', 1)
  const counted = [...figures.methods()].filter(([, { outcomes }]) => outcomes.answered > 0)
  expect(counted.map(([method, { outcomes }]) => [method, outcomes.answered])).toEqual([
    ...[
      ['m0', 1],
      ['m99', 1],
      ['other', 3],
    ],
  ])
  expect([...figures.methods()]).toHaveLength(101)
})

test('what is known again keeps its figures', () => {
  const figures = new FiguresByPlugin()
  figures.of('one').know(['say'])
  figures.of('one').of('say').end('failed', 1)
  figures.of('one').know(['say', 'sing'])
  expect(figures.of('one').of('say').outcomes.failed).toBe(1)
  expect([...figures].map(([plugin]) => plugin)).toEqual(['one'])
})

test('a call that is refused is counted by its error, without a duration', () => {
  const figures = new PluginFigures()
  figures.know(['say'])
  figures.refuse('say', new PluginError('PLUGIN_QUARANTINED'))
  figures.refuse('say', new PluginError('REQUEST_CANCELLED'))
  const { outcomes, buckets } = figures.of('say')
  expect(outcomes).toEqual({ answered: 0, failed: 1, cancelled: 1 })
  expect(buckets.every((count) => count === 0)).toBe(true)
})

test('requests that are cancelled are no errors', async () => {
  const requests = new Requests()
  await requests.count(async () => 'pong')
  for (const code of ['REQUEST_CANCELLED', 'CALL_TIMEOUT', 'PLUGIN_CRASHED'] as const)
    await expect(requests.count(() => Promise.reject(new PluginError(code)))).rejects.toThrow()
  expect([requests.total, requests.errors]).toEqual([4, 2])
})

test('a method counts as used whatever came of its calls', () => {
  for (const outcome of ['answered', 'failed', 'cancelled'] as const) {
    const figures = new PluginFigures().of('say')
    expect(figures.isUsed).toBe(false)
    figures.end(outcome, 1)
    expect(figures.isUsed, outcome).toBe(true)
  }
})

test('looking for a plugin that may not exist makes nothing', () => {
  const figures = new FiguresByPlugin()
  expect([figures.find('nobody'), [...figures]]).toEqual([undefined, []])
  expect(figures.of('one')).toBe(figures.find('one'))
})
