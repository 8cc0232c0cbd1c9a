import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Heartbeat } from '../../src/instance/heartbeat.js'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A plugin that a heartbeat of one second, a beat each 200 ms, listens to. */
function listenTo(plugin: { ping?(): Promise<unknown>; received?(): number; isPaused?(): boolean }) {
  const heard = { pings: 0, silences: 0 }
  const heartbeat = new Heartbeat({
    timeoutMs: 1000,
    ping: () => {
      heard.pings += 1
      return plugin.ping?.() ?? new Promise(() => {})
    },
    received: () => plugin.received?.() ?? 0,
    isPaused: () => plugin.isPaused?.() ?? false,
    onSilence: () => {
      heard.silences += 1
    },
  })
  return { heartbeat, heard }
}

test('a plugin that answers no ping is told of after its time, once, and is asked once only', async () => {
  const { heard } = listenTo({})
  // The first beat asks; five more bring no answer.
  await vi.advanceTimersByTimeAsync(1199)
  expect(heard).toEqual({ pings: 1, silences: 0 })
  await vi.advanceTimersByTimeAsync(1)
  expect(heard).toEqual({ pings: 1, silences: 1 })
  await vi.advanceTimersByTimeAsync(5000)
  expect(heard).toEqual({ pings: 1, silences: 1 })
})

test('one that answers is asked at each beat, and lives', async () => {
  const { heard } = listenTo({ ping: () => new Promise((resolve) => setTimeout(resolve, 30)) })
  await vi.advanceTimersByTimeAsync(5000)
  expect(heard).toEqual({ pings: 25, silences: 0 })
})

test('an error is a sign of life as well', async () => {
  const { heard } = listenTo({ ping: () => Promise.reject(new Error('unknown method')) })
  await vi.advanceTimersByTimeAsync(5000)
  expect(heard).toEqual({ pings: 25, silences: 0 })
})

test('one that blocks for less than its time, again and again, lives', async () => {
  const { heard } = listenTo({ ping: () => new Promise((resolve) => setTimeout(resolve, 900)) })
  await vi.advanceTimersByTimeAsync(10_000)
  expect(heard.silences).toBe(0)
  expect(heard.pings).toBe(10)
})

test('whatever arrives is a sign of life, though a ping waits behind it', async () => {
  let received = 0
  let isTalking = true
  const { heard } = listenTo({ received: () => (isTalking ? ++received : received) })
  await vi.advanceTimersByTimeAsync(5000)
  expect(heard).toEqual({ pings: 1, silences: 0 })
  isTalking = false
  await vi.advanceTimersByTimeAsync(1000)
  expect(heard.silences).toBe(1)
})

test('a plugin whose answers the host leaves in its pipes is not taken for silent', async () => {
  let isPaused = true
  const { heard } = listenTo({ isPaused: () => isPaused })
  await vi.advanceTimersByTimeAsync(5000)
  expect(heard.silences).toBe(0)
  isPaused = false
  await vi.advanceTimersByTimeAsync(1000)
  expect(heard.silences).toBe(1)
})

test('silences are counted in a row', async () => {
  let received = 0
  const { heard } = listenTo({ received: () => received })
  for (let round = 0; round < 5; round++) {
    await vi.advanceTimersByTimeAsync(800)
    received += 1
  }
  expect(heard.silences).toBe(0)
})

test('how long the last ping took is known once there was one', async () => {
  const { heartbeat } = listenTo({ ping: () => new Promise((resolve) => setTimeout(resolve, 150)) })
  expect(heartbeat.delayMs).toBeUndefined()
  await vi.advanceTimersByTimeAsync(349)
  expect(heartbeat.delayMs).toBeUndefined()
  await vi.advanceTimersByTimeAsync(1)
  expect(heartbeat.delayMs).toBe(150)
})

test('one that was stopped asks nothing and tells nothing', async () => {
  const { heartbeat, heard } = listenTo({})
  await vi.advanceTimersByTimeAsync(600)
  heartbeat.stop()
  await vi.advanceTimersByTimeAsync(5000)
  expect(heard).toEqual({ pings: 1, silences: 0 })
})
