import { afterEach, expect, test, vi } from 'vitest'
import { CallerRoom } from '../../src/server/caller-room.js'

const mib = 2 ** 20

afterEach(() => void vi.useRealTimers())

/** The room of a caller for which so much waits. */
function room() {
  vi.useFakeTimers()
  const caller = { unsent: 0, given: [] as unknown[] }
  const made = new CallerRoom({
    unsentBytes: () => caller.unsent,
    onHopeless: ({ codeName, data }) => caller.given.push({ codeName, data }),
  })
  return { caller, room: made }
}

/** Whether a promise is settled by now. */
async function isOver(promise: Promise<void> | undefined): Promise<boolean> {
  return Promise.race([promise?.then(() => true), Promise.resolve().then(() => false)]) as Promise<boolean>
}

test('up to the limit, nothing waits', () => {
  const { caller, room: made } = room()
  caller.unsent = 16 * mib
  expect([made.isBehind, made.forPlugins(), made.forRequests()]).toEqual([false, undefined, undefined])
  expect(() => made.check()).not.toThrow()
})

test('behind, its calls are refused, plugins wait for a moment, and its requests until it has read', async () => {
  const { caller, room: made } = room()
  caller.unsent = 17 * mib
  expect(() => made.check()).toThrow(expect.objectContaining({ codeName: 'RESOURCE_EXHAUSTED' }))
  const [plugins, requests] = [made.forPlugins(), made.forRequests()]
  expect(made.forPlugins()).toBe(plugins)
  await vi.advanceTimersByTimeAsync(200)
  expect(await isOver(plugins)).toBe(false)
  await vi.advanceTimersByTimeAsync(100)
  expect(await isOver(plugins)).toBe(true)
  expect(made.forPlugins()).toBeUndefined()
  expect(await isOver(requests)).toBe(false)
  caller.unsent = 0
  await vi.advanceTimersByTimeAsync(50)
  expect(await isOver(requests)).toBe(true)
  expect(caller.given).toEqual([])
  caller.unsent = 17 * mib
  expect(made.forPlugins()).toBeInstanceOf(Promise)
})

test('one that reads nothing is given up at twice the limit, once', async () => {
  const { caller, room: made } = room()
  caller.unsent = 17 * mib
  made.forPlugins()
  await vi.advanceTimersByTimeAsync(300)
  caller.unsent = 33 * mib
  made.forPlugins()
  made.forPlugins()
  const data = { limit: 16 * mib, value: 33 * mib }
  expect(caller.given).toEqual([{ codeName: 'RESOURCE_EXHAUSTED', data }])
  expect([made.isBehind, made.forPlugins(), made.forRequests()]).toEqual([false, undefined, undefined])
})

test('one that reads slowly may be further behind, within four times the limit', async () => {
  const { caller, room: made } = room()
  for (caller.unsent = 60 * mib; caller.unsent > 17 * mib; caller.unsent -= mib) {
    made.forPlugins()
    await vi.advanceTimersByTimeAsync(200)
  }
  expect(caller.given).toEqual([])
  caller.unsent = 65 * mib
  made.forPlugins()
  expect(caller.given).toHaveLength(1)
})

test('one that reads nothing for long is given up, however little is behind the limit', async () => {
  const { caller, room: made } = room()
  caller.unsent = 17 * mib
  made.forRequests()
  await vi.advanceTimersByTimeAsync(29_000)
  expect(caller.given).toEqual([])
  await vi.advanceTimersByTimeAsync(2000)
  expect(caller.given).toHaveLength(1)
})

test('for one that is gone, nothing waits', async () => {
  const { caller, room: made } = room()
  caller.unsent = 17 * mib
  const requests = made.forRequests()
  made.end()
  expect(made.isBehind).toBe(false)
  await vi.advanceTimersByTimeAsync(50)
  expect(await isOver(requests)).toBe(true)
  expect(caller.given).toEqual([])
})
