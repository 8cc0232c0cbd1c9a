import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { callTimeout } from '../../src/errors.js'
import { defaultRestartPolicy, defaultSlotLimits, type SlotLimits } from '../../src/options.js'
import { CallRouter } from '../../src/slot/call-router.js'
import { Places } from '../../src/slot/places.js'
import type { Supervisor } from '../../src/slot/supervisor.js'
import { FakeInstance, FakeSource, untilAborted } from '../fixtures/fake-instance.js'

interface Routing {
  source: FakeSource
  supervisor: Supervisor
  router: CallRouter
}

function route(limits: Partial<SlotLimits> = {}): Routing {
  const source = new FakeSource()
  const places = new Places({
    ...{ source, replicas: 1 },
    restartPolicy: { ...defaultRestartPolicy, firstDelayMs: 1 },
    healthIntervalMs: Number.POSITIVE_INFINITY,
    events: {
      status: () => {},
      crash: () => {},
      restart: () => {},
      replaced: () => {},
      gone: (instance) => router.forget(instance),
      changed: () => router.wake(),
    },
  })
  const router: CallRouter = new CallRouter(places, { ...defaultSlotLimits, ...limits })
  const supervisor = places.first
  onTestFinished(() => supervisor.close())
  return { source, supervisor, router }
}

async function opened(limits: Partial<SlotLimits> = {}): Promise<Routing> {
  const routing = route(limits)
  await routing.supervisor.open()
  return routing
}

/** Gives an instance methods that begin, use and end sessions. */
function withSessions(instance: FakeInstance): FakeInstance {
  Object.assign(instance.roles, { start: 'open', feed: 'use', get_session: 'use', end: 'close' })
  instance.answer = async (method) =>
    method === 'start' ? { session_id: '1' } : `${instance.manifest.name}: ${method}`
  return instance
}

async function begin(router: CallRouter): Promise<string> {
  return Reflect.get(Object(await router.call('start', {})), 'session_id') as string
}

/** Lets another plugin serve, and returns it. */
function replaceBy(supervisor: Supervisor, name: string): FakeInstance {
  const instance = new FakeInstance(name)
  const source = new FakeSource(name)
  supervisor.replace({ instance, source, canUndo: () => false }).commit()
  return instance
}

/** An answer that never comes, until the process ends. */
function hang(instance: FakeInstance): () => Promise<never> {
  return async () => {
    throw await instance.ended
  }
}

test('a call to a plugin that is ready goes to it at once', async () => {
  const { source, router } = await opened()
  const answer = router.call('get_voices', { language: 'en' }, { timeoutMs: 10 })
  expect(source.last.calls).toEqual([['get_voices', { language: 'en' }, { timeoutMs: 10 }]])
  expect([await answer, router.queuedCalls]).toEqual(['one', 0])
})

test('an option that means nothing is refused before anything is called', async () => {
  const { source, router } = await opened()
  await expect(router.call('get_voices', {}, { timeoutMs: -1 })).rejects.toThrow(TypeError)
  await expect(router.stream('stream', {}, { credit: 0.5 }).next()).rejects.toThrow(TypeError)
  expect(source.last.calls).toEqual([])
})

test('a call waits for a plugin that starts, and its time goes on meanwhile', async () => {
  const { source, supervisor, router } = route()
  source.before = () => delay(20)
  void supervisor.open()
  const calls = [router.call('a', {}, { timeoutMs: 5000 }), router.call('b', {})]
  expect(router.queuedCalls).toBe(2)
  await Promise.all(calls)
  const [[, , a] = [], [, , b] = []] = source.last.calls
  expect(a?.timeoutMs).toBeLessThan(4990)
  expect(b).toEqual({})
  expect(router.queuedCalls).toBe(0)
})

test('a call that waits ends with its time, its signal, or the plugin', async () => {
  const { source, supervisor, router } = route()
  source.before = untilAborted
  const opening = supervisor.open().catch(() => {})
  const leaving = new AbortController()
  const cancelled = router.call('a', {}, { signal: leaving.signal })
  const stranded = expect(router.call('a', {})).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_READY' })
  await expect(router.call('a', {}, { timeoutMs: 5 })).rejects.toMatchObject({
    codeName: 'CALL_TIMEOUT',
    data: { timeout_ms: 5 },
  })
  leaving.abort()
  await expect(cancelled).rejects.toMatchObject({ codeName: 'REQUEST_CANCELLED' })
  await supervisor.close()
  await stranded
  await opening
  await expect(router.call('a', {})).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_READY' })
  expect(router.queuedCalls).toBe(0)
})

test('no more calls wait than may, streams included', async () => {
  const { source, supervisor, router } = route({ maxQueuedCalls: 2 })
  source.before = () => delay(5)
  void supervisor.open()
  const waiting = [router.call('a', {}), router.stream('b', {}).next()]
  const exhausted = { codeName: 'RESOURCE_EXHAUSTED', data: { limit: 'maxQueuedCalls', value: 2 } }
  await expect(router.call('c', {})).rejects.toMatchObject(exhausted)
  await Promise.all(waiting)
  expect(source.last.calls.map(([method]) => method)).toEqual(['a', 'b'])
})

test('calls that are held are counted, and go to what serves then', async () => {
  const { source, supervisor, router } = await opened()
  const hold = router.holdCalls()
  const held = [router.call('a', {}), router.stream('b', {}).next()]
  expect([hold.calls, source.last.calls]).toEqual([2, []])
  replaceBy(supervisor, 'two')
  await delay(1)
  expect(router.queuedCalls).toBe(2)
  hold.release()
  const again = router.holdCalls()
  await delay(1)
  expect(router.queuedCalls).toBe(2)
  again.release()
  expect(await Promise.all(held)).toEqual(['two', { value: 'two', done: false }])
})

test('draining waits for calls in flight, but not for those of sessions, nor for ever', async () => {
  const { source, supervisor, router } = await opened({ drainTimeoutMs: 20 })
  const { last } = source
  withSessions(last)
  const id = await begin(router)
  last.answer = hang(last)
  const inSession = router.call('feed', { session_id: id }).catch(() => {})
  await router.drainCalls(last)
  expect(router.isIdle(last)).toBe(false)
  const slow = router.call('slow', {}).catch(() => {})
  await expect(router.drainCalls(last)).rejects.toMatchObject({ codeName: 'CALL_TIMEOUT' })
  const drained = expect(router.drainCalls(last)).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_READY' })
  supervisor.beginClose()
  await drained
  last.crash()
  await Promise.all([inSession, slow])
})

test('a call of a session that has ended is not taken for one in flight', async () => {
  const { source, router } = await opened({ drainTimeoutMs: 20 })
  const { last } = source
  withSessions(last)
  const id = await begin(router)
  await router.call('feed', { session_id: id })
  await router.call('end', { session_id: await begin(router) })
  last.answer = hang(last)
  const slow = router.call('slow', {}).catch(() => {})
  await expect(router.drainCalls(last)).rejects.toMatchObject({ codeName: 'CALL_TIMEOUT' })
  last.crash()
  await slow
})

test('an instance is idle when it has neither calls nor streams nor sessions', async () => {
  const { source, router } = await opened()
  const { last } = source
  expect(router.isIdle(last)).toBe(true)
  last.openStreams = 1
  expect(router.isIdle(last)).toBe(false)
})

test('nothing takes calls any more once the plugin is being unloaded, those of sessions included', async () => {
  const { source, supervisor, router } = await opened()
  withSessions(source.last)
  const id = await begin(router)
  supervisor.beginClose()
  await expect(router.call('feed', { session_id: id })).rejects.toMatchObject({
    codeName: 'PLUGIN_NOT_READY',
  })
  await expect(router.call('get_voices', {}, { retry: 1 })).rejects.toMatchObject({
    codeName: 'PLUGIN_NOT_READY',
  })
  expect(source.last.calls).toHaveLength(1)
})

test('a call that may be made twice is made again after a crash, all within one deadline', async () => {
  const { source, router } = await opened()
  const timeouts: (number | undefined)[] = []
  const crashAfter = (instance: FakeInstance): void => {
    instance.answer = async (_method, _args, options) => {
      timeouts.push(options?.timeoutMs)
      await delay(10)
      instance.crash()
      throw await instance.ended
    }
  }
  crashAfter(source.last)
  const start = source.start.bind(source)
  source.start = async (signal) => {
    const instance = await start(signal)
    if (source.starts < 3) crashAfter(instance)
    return instance
  }
  expect(await router.call('get_voices', {}, { retry: 2, timeoutMs: 1000 })).toBe('one')
  timeouts.push(source.last.calls[0]?.[2]?.timeoutMs)
  const [first = 0, second = 0, third = 0] = timeouts
  expect(first).toBeLessThanOrEqual(1000)
  expect(second).toBeLessThan(first - 5)
  expect(third).toBeLessThan(second - 5)
  expect(source.last.calls[0]?.[2]).not.toHaveProperty('retry')
})

test('a call is not made again for another failure than a crash', async () => {
  const { source, router } = await opened()
  const { last } = source
  last.answer = () => Promise.reject(callTimeout('one', 'get_voices', 5))
  await expect(router.call('get_voices', {}, { retry: 3 })).rejects.toMatchObject({
    codeName: 'CALL_TIMEOUT',
  })
  expect(last.calls).toHaveLength(1)
})

test('a call is not made again more often than was asked for', async () => {
  const { source, router } = await opened()
  const start = source.start.bind(source)
  const crashing = (instance: FakeInstance): FakeInstance => {
    instance.answer = async () => {
      instance.crash()
      throw await instance.ended
    }
    return instance
  }
  crashing(source.last)
  source.start = async (signal) => crashing(await start(signal))
  await expect(router.call('get_voices', {}, { retry: 2 })).rejects.toMatchObject({
    codeName: 'PLUGIN_CRASHED',
  })
  expect(source.started.flatMap(({ calls }) => calls)).toHaveLength(3)
})

test.each(['synthesize', 'start', 'feed', 'get_session'])(
  'a call of %s may not be made twice',
  async (method) => {
    const { source, router } = await opened()
    withSessions(source.last)
    await expect(router.call(method, {}, { retry: 1 })).rejects.toMatchObject({ codeName: 'INVALID_PARAMS' })
    expect(source.last.calls).toEqual([])
  },
)

test('calls of a session go to the instance that began it, by its own id, also while others are held', async () => {
  const { source, supervisor, router } = await opened()
  const one = withSessions(source.last)
  const first = await begin(router)
  const two = withSessions(replaceBy(supervisor, 'two'))
  const second = await begin(router)
  expect(first).not.toBe(second)
  expect([router.openSessions, router.isIdle(one), router.isIdle(two)]).toEqual([2, false, false])
  const hold = router.holdCalls()
  expect(await router.call('feed', { session_id: first, audio: 1 })).toBe('one: feed')
  expect(await router.call('feed', { session_id: second })).toBe('two: feed')
  expect(one.calls.at(-1)).toEqual(['feed', { session_id: '1', audio: 1 }, {}])
  hold.release()
  expect(await router.call('end', { session_id: first })).toBe('one: end')
  expect([router.openSessions, router.isIdle(one)]).toEqual([1, true])
})

test('a session that is over is not taken for one of the plugin’s own ids', async () => {
  const { source, router } = await opened()
  withSessions(source.last)
  await begin(router)
  const before = source.last.calls.length
  await expect(router.call('feed', { session_id: '1' })).rejects.toMatchObject({ codeName: 'INVALID_PARAMS' })
  expect(source.last.calls).toHaveLength(before)
  // What it does not know is for the plugin to judge.
  expect(await router.call('feed', { session_id: '2' })).toBe('one: feed')
})

test('a session whose end failed is over', async () => {
  const { source, router } = await opened({ maxSessions: 1 })
  withSessions(source.last)
  const id = await begin(router)
  const { answer } = source.last
  source.last.answer = () => Promise.reject(new Error('the engine is on fire'))
  await expect(router.call('end', { session_id: id })).rejects.toThrow('on fire')
  expect([router.openSessions, router.isIdle(source.last)]).toEqual([0, true])
  source.last.answer = answer
  expect(await begin(router)).not.toBe(id)
})

test('no more sessions are open than may be, those that are being begun included', async () => {
  const { source, router } = await opened({ maxSessions: 2 })
  withSessions(source.last)
  const begun = await Promise.allSettled([begin(router), begin(router), begin(router)])
  expect(begun.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected'])
  expect(begun[2]).toMatchObject({
    reason: { codeName: 'RESOURCE_EXHAUSTED', data: { limit: 'maxSessions' } },
  })
})

test('a session ends with its instance, and one that has no id does not begin', async () => {
  const { source, supervisor, router } = await opened()
  const one = withSessions(source.last)
  const id = await begin(router)
  one.answer = async () => ({})
  await expect(router.call('start', {})).rejects.toMatchObject({ codeName: 'CONTRACT_MISMATCH' })
  expect(router.openSessions).toBe(1)
  one.crash()
  await one.ended
  expect(router.openSessions).toBe(0)
  withSessions((await supervisor.ready()) as FakeInstance)
  expect(await router.call('feed', { session_id: id })).toBe('one: feed')
  expect(source.last.calls).toEqual([['feed', { session_id: id }, {}]])
})
