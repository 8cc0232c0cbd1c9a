import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { Followed } from '../../src/desired/followed.js'
import { Lease } from '../../src/desired/lease.js'
import type { DesiredStore } from '../../src/desired/store.js'
import { MemoryStore } from './memory-store.js'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

const leaseMs = 9000

/** A node that would like the lease of plugin x. */
function taker(store: MemoryStore, node: string) {
  const followed = new Followed()
  const lost: string[] = []
  let lease: Lease | undefined
  const reach = { store: store as DesiredStore }
  onTestFinished(() => lease?.release())
  return {
    lost,
    reach,
    get holds(): boolean {
      return lease?.isHeld ?? false
    },
    get lease() {
      return lease
    },
    look: () => followed.look(async () => store),
    async take(): Promise<boolean> {
      const value = { node, boot: node, leaseMs }
      const options = { plugin: 'x', value, store: async () => reach.store, onLost: () => lost.push(node) }
      lease = await Lease.take(options, followed.leases.get('x'))
      return lease !== undefined
    },
  }
}

test('it is one’s as long as it is renewed, and another’s when it is given back', async () => {
  const store = new MemoryStore()
  const [one, other] = [taker(store, 'one'), taker(store, 'other')]
  expect([await one.take(), await other.take()]).toEqual([true, false])
  await other.look()
  for (let times = 0; times < 20; times++) {
    await vi.advanceTimersByTimeAsync(2000)
    await other.look()
    expect([one.holds, await other.take()]).toEqual([true, false])
  }
  await one.lease?.release()
  await other.look()
  expect(await other.take()).toBe(true)
  expect(other.lease?.number).toBeGreaterThan(one.lease?.number ?? 0)
  expect(one.lost).toEqual([])
})

test('one whose holder has gone is free when its time is over, and not before', async () => {
  const store = new MemoryStore()
  const [one, other] = [taker(store, 'one'), taker(store, 'other')]
  await one.take()
  one.reach.store = { ...store, put: () => Promise.reject(new Error('cut off')) } as unknown as DesiredStore
  await other.look()
  let taken = false
  for (let ms = 0; ms < leaseMs * 1.5; ms += 100) {
    await vi.advanceTimersByTimeAsync(100)
    taken ||= await other.take()
    expect(one.holds && taken).toBe(false)
  }
  expect([taken, one.lost]).toEqual([true, ['one']])
})

test('a renewal whose answer is lost loses nothing', async () => {
  const store = new MemoryStore()
  const one = taker(store, 'one')
  await one.take()
  const put = vi.spyOn(store, 'put')
  put.mockImplementationOnce(async (...args) => {
    await MemoryStore.prototype.put.apply(store, args)
    throw new Error('timeout')
  })
  await vi.advanceTimersByTimeAsync(leaseMs * 4)
  expect([one.holds, one.lost]).toEqual([true, []])
  expect(put.mock.calls.length).toBeGreaterThan(8)
})

test('one that somebody else has taken is lost at once', async () => {
  const store = new MemoryStore()
  const one = taker(store, 'one')
  await one.take()
  store.set('leases.x', { node: 'other', boot: 'other', leaseMs })
  await vi.advanceTimersByTimeAsync(leaseMs / 3 + 10)
  expect([one.holds, one.lost]).toEqual([false, ['one']])
})

test('one that was removed is lost', async () => {
  const store = new MemoryStore()
  const one = taker(store, 'one')
  await one.take()
  await store.remove('leases.x', one.lease?.number ?? 0)
  await vi.advanceTimersByTimeAsync(leaseMs / 3 + 10)
  expect(one.lost).toEqual(['one'])
})

test('where the store never answers, it is over in time; its holder may take it again at once', async () => {
  const store = new MemoryStore()
  const one = taker(store, 'one')
  await one.take()
  await one.look()
  const put = vi.spyOn(store, 'put').mockImplementation(() => new Promise(() => {}))
  await vi.advanceTimersByTimeAsync(leaseMs - 10)
  expect([one.holds, one.lost]).toEqual([true, []])
  await vi.advanceTimersByTimeAsync(20)
  expect([one.holds, one.lost]).toEqual([false, ['one']])
  put.mockRestore()
  expect(await one.take()).toBe(true)
})

test('a clock of the day that is set back prolongs nothing', async () => {
  const store = new MemoryStore()
  const one = taker(store, 'one')
  await one.take()
  vi.spyOn(store, 'put').mockRejectedValue(new Error('cut off'))
  vi.spyOn(Date, 'now').mockReturnValue(0)
  await vi.advanceTimersByTimeAsync(leaseMs + 10)
  expect([one.holds, one.lost]).toEqual([false, ['one']])
})

test('what a machine that slept did not count is over all the same', async () => {
  const store = new MemoryStore()
  const one = taker(store, 'one')
  await one.take()
  vi.setSystemTime(Date.now() + 60_000)
  expect(one.holds).toBe(false)
  one.lease?.check()
  expect(one.lost).toEqual(['one'])
})

test.each([
  ['no JSON', Buffer.from('{')],
  ['wrong', { node: 'other', boot: 1, leaseMs: 'long' }],
  ['for ever', { node: 'other', boot: 'other', leaseMs: 1e12 }],
])('one that is %s counts as one of the usual time', async (_, value) => {
  const store = new MemoryStore()
  store.set('leases.x', value)
  const one = taker(store, 'one')
  await one.look()
  expect(await one.take()).toBe(false)
  await vi.advanceTimersByTimeAsync(leaseMs * 1.3)
  expect(await one.take()).toBe(true)
})

test('it is taken again by who had it, and has not read yet that it gave it back', async () => {
  const store = new MemoryStore()
  const one = taker(store, 'one')
  await one.take()
  await one.look()
  await one.lease?.release()
  expect(await one.take()).toBe(true)
})

test('it is given back also while a renewal is on its way', async () => {
  const store = new MemoryStore()
  const one = taker(store, 'one')
  await one.take()
  vi.spyOn(store, 'put').mockImplementationOnce(async (...written) => {
    const revision = await MemoryStore.prototype.put.apply(store, written)
    await new Promise((resolve) => setTimeout(resolve, 500))
    return revision
  })
  await vi.advanceTimersByTimeAsync(leaseMs / 3 + 100)
  const released = one.lease?.release()
  await vi.advanceTimersByTimeAsync(1000)
  await released
  expect(store.read('leases.x')).toBeUndefined()
})
