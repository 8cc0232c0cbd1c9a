import { expect, test } from 'vitest'
import { leastLoaded } from '../src/balance.js'

/** Numbers in a fixed order that looks like chance. */
function seeded(seed = 1): () => number {
  let state = seed
  return () => {
    state = (state * 48271) % 2147483647
    return state / 2147483647
  }
}

const own = (load: number): number => load

test('the least loaded is chosen, and of none nothing', () => {
  expect(leastLoaded([3, 1, 2], own)).toBe(1)
  expect(leastLoaded([], own)).toBeUndefined()
})

test('equals are chosen about as often', () => {
  const random = seeded()
  const counts = new Map<string, number>()
  for (let choice = 0; choice < 3000; choice++) {
    const name = leastLoaded(['a', 'b', 'c', 'busy'], (one) => (one === 'busy' ? 1 : 0), random) ?? ''
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  expect([...counts.keys()].sort()).toEqual(['a', 'b', 'c'])
  for (const count of counts.values()) expect(count).toBeGreaterThan(900)
})

test('of many, the best of four is chosen, and each of them at times', () => {
  const random = seeded(7)
  const all = Array.from({ length: 17 }, (_, index) => index)
  const chosen = new Set<number>()
  const looks = new Set<number>()
  for (let choice = 0; choice < 500; choice++) {
    let looked = 0
    chosen.add(leastLoaded(all, (load) => [load, looked++][0] ?? 0, random) ?? -1)
    looks.add(looked)
  }
  expect([...looks]).toEqual([4])
  // The three with most to do are never the best of four.
  expect(Math.max(...chosen)).toBeLessThan(14)
  expect(chosen.size).toBeGreaterThan(8)
})
