import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Kept } from '../src/kept.js'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('keeps the newest of what fits', () => {
  const kept = new Kept<string>({ most: 3, mostBytes: 10, ms: 1000 })
  for (const id of ['a', 'b', 'c', 'd']) kept.add(id, id.toUpperCase(), 3)
  expect(kept.values).toEqual(['D', 'C', 'B'])
  kept.add('large', 'LARGE', 11)
  expect(kept.values).toEqual(['D', 'C', 'B'])
  kept.add('e', 'E', 5)
  expect(kept.values).toEqual(['E', 'D'])
  expect([kept.delete('d'), kept.delete('d'), kept.get('d')]).toEqual([true, false, undefined])
  kept.add('f', 'F', 5)
  expect(kept.values).toEqual(['F', 'E'])
})

it('drops each value in time, also when nobody asks', () => {
  const kept = new Kept<string>({ most: 10, mostBytes: 10, ms: 1000 })
  kept.add('a', 'A', 1)
  vi.advanceTimersByTime(600)
  kept.add('b', 'B', 1)
  expect(vi.getTimerCount()).toBe(1)
  vi.advanceTimersByTime(500)
  expect(kept.values).toEqual(['B'])
  vi.advanceTimersByTime(600)
  expect(kept.values).toEqual([])
  expect(vi.getTimerCount()).toBe(0)
  kept.add('c', 'C', 1)
  kept.clear()
  expect([kept.values, vi.getTimerCount()]).toEqual([[], 0])
})
