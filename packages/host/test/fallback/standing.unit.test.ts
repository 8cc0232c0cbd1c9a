import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Standing } from '../../src/fallback/standing.js'

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

/** A standing with probes that have the given ends, one after the other; then they succeed. */
function standing(...probes: boolean[]) {
  const asked: number[] = []
  const begun = Date.now()
  const changes: boolean[] = []
  const made: Standing = new Standing({
    ...{ leaveAfter: 3, returnAfter: 2, probeIntervalMs: 1000 },
    probe: async () => {
      asked.push(Date.now() - begun)
      return probes.shift() ?? true
    },
    changed: () => changes.push(made.isAway),
  })
  return { standing: made, asked, changes }
}

test('a plugin leaves after several failures in a row, and an answer between them counts', () => {
  const { standing: one, changes } = standing()
  one.failed('broken')
  one.failed('broken')
  one.answered()
  one.failed('broken')
  one.failed('broken')
  expect(one.isAway).toBe(false)
  one.failed('broken for good')
  expect([one.isAway, one.reason, changes]).toEqual([true, 'broken for good', [true]])
})

test('it comes back after several good probes in a row', async () => {
  const { standing: one, asked, changes } = standing(true, false)
  one.leave('it is down')
  await vi.advanceTimersByTimeAsync(3999)
  expect([one.isAway, asked]).toEqual([true, [1000, 2000, 3000]])
  await vi.advanceTimersByTimeAsync(1)
  expect([one.isAway, changes]).toEqual([false, [true, false]])
})

test('the next failure of one that is just back sends it away, each time for twice as long', async () => {
  const { standing: one, asked } = standing()
  one.leave('it is down')
  await vi.advanceTimersByTimeAsync(2000)
  one.failed('broken')
  expect(one.isAway).toBe(true)
  await vi.advanceTimersByTimeAsync(4000)
  one.failed('broken')
  await vi.advanceTimersByTimeAsync(8000)
  expect([one.isAway, asked]).toEqual([false, [1000, 2000, 4000, 6000, 10_000, 14_000]])
  one.answered()
  one.failed('broken')
  expect(one.isAway).toBe(false)
})

test('the pause does not grow for ever', async () => {
  const { standing: one, asked } = standing()
  for (let relapse = 0; relapse < 20; relapse++) {
    one.leave('broken')
    await vi.advanceTimersByTimeAsync(2 * 64_000)
  }
  const pauses = asked.map((at, index) => at - (asked[index - 1] ?? 0))
  expect(Math.max(...pauses)).toBeLessThanOrEqual(2 * 64_000)
  expect(one.isAway).toBe(false)
})

test('a caller’s answer brings it back at once, and the probe that runs meanwhile changes nothing', async () => {
  const { standing: one, changes } = standing(false)
  one.leave('it is down')
  vi.advanceTimersByTime(1000)
  one.answered()
  await vi.advanceTimersByTimeAsync(60_000)
  expect([one.isAway, changes, vi.getTimerCount()]).toEqual([false, [true, false], 0])
})

test('one that is closed asks no more', async () => {
  const { standing: one, asked } = standing()
  one.leave('it is down')
  one.close()
  await vi.advanceTimersByTimeAsync(60_000)
  one.leave('again')
  expect([asked, vi.getTimerCount()]).toEqual([[], 0])
})
