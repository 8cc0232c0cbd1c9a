import { setImmediate as turn } from 'node:timers/promises'
import { PluginStatus } from '@appfactory/sdk'
import { expect, onTestFinished, test } from 'vitest'
import { defaultRestartPolicy, defaultSlotLimits, type SlotLimits } from '../../src/options.js'
import { Slot } from '../../src/slot/slot.js'
import { swap } from '../../src/slot/swap.js'
import { type FakeInstance, FakeSource, untilAborted } from '../fixtures/fake-instance.js'

const nothing = (): void => {}

/** A slot with places, what it reports, and its instances in their order. Closed after the test. */
async function placed(replicas: number, limits: Partial<SlotLimits> = {}, source = new FakeSource()) {
  const events: string[] = []
  const at = (place: number | undefined): string => (place === undefined ? 'all' : `place ${place}`)
  const slot = new Slot({
    ...{ source, replicas },
    restartPolicy: { ...defaultRestartPolicy, firstDelayMs: 1 },
    limits: { ...defaultSlotLimits, healthIntervalMs: Number.POSITIVE_INFINITY, ...limits },
    events: {
      status: (status, _, place) => events.push(`${at(place)}: ${status}`),
      crash: (_, place) => events.push(`${at(place)} crashed`),
      restart: (attempt, _, place) => events.push(`${at(place)} restarts: ${attempt}`),
      replaced: (previous) => events.push(`replaced ${previous}`),
    },
  })
  onTestFinished(() => slot.close(true).catch(nothing))
  await slot.open()
  return { slot, source, events, instances: source.started }
}

/** Lets calls of an instance hang until the test ends one. */
function holdCallsOf(instance: FakeInstance): { endOne(): void } {
  const ends: (() => void)[] = []
  instance.answer = () => new Promise<void>((resolve) => ends.push(resolve))
  return { endOne: () => ends.shift()?.() }
}

const limitTo = (instance: FakeInstance, most: number): void => {
  Object.assign(instance.manifest, { max_concurrency: most })
}

const callsOf = (instances: readonly FakeInstance[]): number[] => instances.map(({ calls }) => calls.length)

const methodsOf = ({ calls }: FakeInstance | undefined = new FakeSource().last): string[] =>
  calls.map(([method]) => method)

test('calls one after the other take turns, and a busy place gets fewer', async () => {
  const { slot, instances } = await placed(3)
  for (let call = 0; call < 6; call++) await slot.call('say', {})
  expect(callsOf(instances)).toEqual([2, 2, 2])
  const [busy] = instances
  Object.assign(busy ?? {}, { callsInFlight: 5, openStreams: 1 })
  for (let call = 0; call < 4; call++) await slot.call('say', {})
  expect(callsOf(instances)).toEqual([2, 4, 4])
})

test('calls at the same moment are spread, and streams as well', async () => {
  const { slot, instances } = await placed(4)
  for (const instance of instances) holdCallsOf(instance)
  for (let call = 0; call < 8; call++) void slot.call('say', {})
  expect(callsOf(instances)).toEqual([2, 2, 2, 2])
  const streams = Array.from({ length: 4 }, () => slot.stream('say_all', {}))
  for (const stream of streams) void stream.next()
  await turn()
  expect(callsOf(instances)).toEqual([3, 3, 3, 3])
})

test('a session stays in its place, and counts there', async () => {
  const { slot, instances } = await placed(2)
  for (const instance of instances) {
    Object.assign(instance.roles, { start: 'open', feed: 'use', end: 'close' })
    instance.answer = async (method) => (method === 'start' ? { session_id: '1' } : method)
  }
  const open = async (): Promise<unknown> => Reflect.get(Object(await slot.call('start', {})), 'session_id')
  const [one, two] = [await open(), await open()]
  expect(callsOf(instances)).toEqual([1, 1])
  for (let call = 0; call < 3; call++) await slot.call('feed', { session_id: one })
  await slot.call('end', { session_id: two })
  expect(callsOf(instances)).toEqual([4, 2])
  // The place with a session has more to do than the other one.
  await slot.call('say', {})
  await slot.call('say', {})
  expect(callsOf(instances)).toEqual([4, 4])
})

test('a place that takes one call at a time gets the next one when it is free; the first that waits comes first', async () => {
  const { slot, instances } = await placed(2)
  const holds = instances.map(holdCallsOf)
  for (const instance of instances) limitTo(instance, 1)
  const calls = ['a', 'b', 'c', 'd'].map((method) => slot.call(method, {}))
  expect([callsOf(instances), slot.router.queuedCalls]).toEqual([[1, 1], 2])
  holds[1]?.endOne()
  await calls[1]
  expect([methodsOf(instances[1]), slot.router.queuedCalls]).toEqual([['b', 'c'], 1])
  // One that comes now waits behind the one that waits already.
  const last = slot.call('e', {})
  holds[0]?.endOne()
  await calls[0]
  expect(methodsOf(instances[0])).toEqual(['a', 'd'])
  for (const hold of [...holds, ...holds]) {
    hold.endOne()
    await turn()
  }
  for (const hold of holds) hold.endOne()
  await Promise.all([...calls, last])
  expect(slot.router.queuedCalls).toBe(0)
})

test('streams take the place of a call until they end, fail or are left, also while they wait', async () => {
  const { slot, instances } = await placed(1)
  const [instance] = instances
  if (!instance) throw new Error('There is one')
  limitTo(instance, 1)
  const first = slot.stream('first', {})
  expect(await first.next()).toMatchObject({ done: false })
  const left = slot.stream('left', {})
  const leaving = left.next()
  const call = slot.call('say', {})
  await turn()
  expect(methodsOf(instance)).toEqual(['first'])
  const returned = left.return?.()
  await first.return?.()
  await Promise.all([returned, leaving.catch(nothing), call])
  expect(methodsOf(instance)).toContain('say')
  instance.answer = () => Promise.reject(new Error('hoarse'))
  await expect(slot.stream('fails', {}).next()).rejects.toThrow('hoarse')
  await expect(slot.call('again', {})).rejects.toThrow('hoarse')
  expect(slot.router.queuedCalls).toBe(0)
})

test('a call that waits for room ends with its time or its signal, and takes no room then', async () => {
  const { slot, instances } = await placed(1, { maxQueuedCalls: 2 })
  const [instance] = instances
  if (!instance) throw new Error('There is one')
  limitTo(instance, 1)
  const { endOne } = holdCallsOf(instance)
  const running = slot.call('a', {})
  const leaving = new AbortController()
  const left = expect(slot.call('b', {}, { signal: leaving.signal })).rejects.toMatchObject({
    codeName: 'REQUEST_CANCELLED',
  })
  const late = expect(slot.call('c', {}, { timeoutMs: 5 })).rejects.toMatchObject({
    codeName: 'CALL_TIMEOUT',
  })
  await expect(slot.call('d', {})).rejects.toMatchObject({ codeName: 'RESOURCE_EXHAUSTED' })
  leaving.abort()
  await Promise.all([left, late])
  endOne()
  await running
  const next = slot.call('e', {})
  expect(methodsOf(instance)).toEqual(['a', 'e'])
  endOne()
  await next
})

test('a session goes on where its place is full', async () => {
  const { slot, instances } = await placed(1)
  const [instance] = instances
  if (!instance) throw new Error('There is one')
  Object.assign(instance.roles, { start: 'open', feed: 'use' })
  instance.answer = async (method) => (method === 'start' ? { session_id: '1' } : method)
  limitTo(instance, 1)
  const id = Reflect.get(Object(await slot.call('start', {})), 'session_id')
  const stream = slot.stream('all', {})
  await stream.next()
  expect(await slot.call('feed', { session_id: id })).toBe('feed')
  await stream.return?.()
})

test('a place that crashes is started again by itself, while the others serve; the plugin stays READY', async () => {
  const { slot, source, events, instances } = await placed(3)
  expect(events).toEqual([
    ...['place 1: INITIALIZING', 'all: INITIALIZING', 'place 1: READY', 'all: READY'],
    ...['place 2: INITIALIZING', 'place 3: INITIALIZING', 'place 2: READY', 'place 3: READY'],
  ])
  events.length = 0
  let goOn = nothing
  source.before = () =>
    new Promise<void>((resolve) => {
      goOn = resolve
    })
  instances[1]?.crash()
  await expect.poll(() => source.starts).toBe(4)
  expect([slot.status, slot.places.all.map(({ status }) => status)]).toEqual([
    'READY',
    ['READY', 'INITIALIZING', 'READY'],
  ])
  for (let call = 0; call < 4; call++) expect(await slot.call('say', {})).toBe('one')
  expect(callsOf(instances)).toEqual([2, 0, 2])
  goOn()
  await expect.poll(() => slot.places.all[1]?.status).toBe('READY')
  expect(events).toEqual([
    ...[
      'place 2 crashed',
      'place 2: ERROR',
      'place 2 restarts: 1',
      'place 2: INITIALIZING',
      'place 2: READY',
    ],
  ])
  expect([slot.places.restarts, source.starts]).toEqual([1, 4])
})

test('calls wait only while no place serves, and fail when none ever will', async () => {
  const source = new FakeSource()
  const { slot, instances } = await placed(2, {}, source)
  source.before = untilAborted
  for (const instance of instances) instance.crash()
  await expect.poll(() => slot.places.serving).toBeUndefined()
  const waiting = slot.call('say', {})
  await expect.poll(() => source.starts).toBe(4)
  expect(slot.router.queuedCalls).toBe(1)
  const stranded = expect(waiting).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_READY' })
  await slot.close(true)
  await stranded
})

test('a place that is not well gets calls only where no other has room', async () => {
  const { slot, instances } = await placed(2, { healthIntervalMs: 5 })
  const [sick, well] = instances
  if (!sick || !well) throw new Error('There are two')
  sick.check = async () => ({ status: PluginStatus.ERROR, message: 'hoarse' })
  await expect.poll(() => slot.places.first.status).toBe('ERROR')
  expect(slot.status).toBe('READY')
  for (let call = 0; call < 4; call++) await slot.call('say', {})
  expect(callsOf(instances)).toEqual([0, 4])
  expect(await slot.health()).toMatchObject({
    status: 'READY',
    message: '1 of 2 places are ready',
    details: {
      ...{ replicas: 2, replicas_ready: 1, restarts: 0 },
      places: [
        { place: 1, status: 'ERROR', message: 'hoarse' },
        { place: 2, status: 'READY' },
      ],
    },
  })
  limitTo(well, 1)
  holdCallsOf(well)
  void slot.call('say', {})
  await slot.call('say', {})
  expect(callsOf(instances)).toEqual([1, 5])
})

test('a plugin that keeps state has one process, unless its manifest says otherwise', async () => {
  const source = new FakeSource()
  const start = source.start.bind(source)
  let manifest = {}
  source.start = async (signal) => {
    const instance = await start(signal)
    instance.capabilities.push('state')
    Object.assign(instance.manifest, manifest)
    return instance
  }
  const refused = { codeName: 'PLUGIN_LOAD_FAILED', data: { replicas: 2 } }
  await expect(placed(2, {}, source)).rejects.toMatchObject(refused)
  expect(source.running).toEqual([])
  const { slot } = await placed(1, {}, source)
  await expect(slot.scale(2)).rejects.toMatchObject(refused)
  expect([slot.places.count, await slot.call('say', {}), source.running.length]).toEqual([1, 'one', 1])
  manifest = { replicas: 'independent' }
  expect((await placed(2, {}, source)).slot.places.count).toBe(2)
})

test('further places take calls once they are ready; where one can’t be started, there are as many as before', async () => {
  const { slot, source, instances, events } = await placed(1)
  events.length = 0
  const [first] = instances
  if (!first) throw new Error('There is one')
  limitTo(first, 1)
  const { endOne } = holdCallsOf(first)
  const calls = [slot.call('a', {}), slot.call('b', {})]
  expect(slot.router.queuedCalls).toBe(1)
  await slot.scale(2)
  await calls[1]
  expect([slot.router.queuedCalls, methodsOf(instances[1])]).toEqual([0, ['b']])
  endOne()
  await calls[0]
  expect(events).toEqual(['place 2: INITIALIZING', 'place 2: READY'])
  source.before = (_, started) => (started === 4 ? Promise.reject(new Error('no memory')) : undefined)
  await expect(slot.scale(4)).rejects.toThrow('no memory')
  expect([slot.places.count, source.running.length, slot.status]).toEqual([2, 2, 'READY'])
})

test('a place that is one too many gets no calls, and ends once its calls, streams and sessions have', async () => {
  const { slot, instances, events } = await placed(2)
  const [first, leaving] = instances
  if (!first || !leaving) throw new Error('There are two')
  const { endOne } = holdCallsOf(leaving)
  await slot.call('a', {})
  const running = slot.call('b', {})
  events.length = 0
  await slot.scale(1)
  for (let call = 0; call < 3; call++) await slot.call('c', {})
  expect([callsOf(instances), leaving.isRunning, events]).toEqual([[4, 1], true, ['place 2: SHUTTING_DOWN']])
  endOne()
  await running
  await leaving.ended
  await expect.poll(() => events).toEqual(['place 2: SHUTTING_DOWN', 'place 2: STOPPED'])
  expect(slot.places.count).toBe(1)
})

test('a place that leaves is not started again, and goes when its time is over', async () => {
  const { slot, source, instances, events } = await placed(3, { retireTimeoutMs: 5 })
  const [, crashing, hanging] = instances
  if (!crashing || !hanging) throw new Error('There are three')
  holdCallsOf(hanging)
  hanging.callsInFlight = 1
  crashing.callsInFlight = 1
  await slot.scale(1)
  crashing.crash()
  await hanging.ended
  expect([hanging.stops, source.running.length]).toEqual([['stop'], 1])
  expect(events.filter((event) => event.includes('restart'))).toEqual([])
})

test('who closes a slot waits for places that leave, and ends them by force', async () => {
  const { slot, source, instances } = await placed(2)
  const [, leaving] = instances
  Object.assign(leaving ?? {}, { callsInFlight: 1 })
  await slot.scale(1)
  await slot.close(true)
  expect(source.running).toEqual([])
})

test('changes of the number are made one after the other, and the last one holds', async () => {
  const { slot, source } = await placed(1)
  await Promise.all([slot.scale(4), slot.scale(2), slot.scale(3)])
  expect(slot.places.count).toBe(3)
  await expect.poll(() => source.running.length).toBe(3)
})

test('a swap lets all places be replaced at once, when each has its successor', async () => {
  const { slot, source, events } = await placed(3)
  const next = new FakeSource('two')
  const steps: string[] = []
  const served: unknown[] = []
  next.before = async () => {
    served.push(await slot.call('say', {}))
  }
  const result = await swap(slot, {
    ...{ source: next, preserveState: true },
    onProgress: ({ step, place }) => steps.push(place === undefined ? step : `${step} ${place}`),
  })
  expect(result).toMatchObject({ oldPlugin: 'one', newPlugin: 'two', statePreserved: false })
  expect([served, next.running.length]).toEqual([['one', 'one', 'one'], 3])
  for (let call = 0; call < 3; call++) expect(await slot.call('say', {})).toBe('two')
  expect(callsOf(next.started)).toEqual([1, 1, 1])
  await expect.poll(() => source.running).toEqual([])
  expect(steps.filter((step) => !step.startsWith('retire'))).toEqual([
    ...['start 1', 'probe 1', 'start 2', 'probe 2', 'start 3', 'probe 3', 'switch', 'confirm'],
  ])
  expect(events.filter((event) => event.startsWith('replaced'))).toEqual(['replaced one'])
})

test('where one successor can’t be started, all places go on as before, and no successor is left', async () => {
  const { slot, source } = await placed(2)
  const next = new FakeSource('two')
  next.before = (_, started) => (started === 2 ? Promise.reject(new Error('no memory')) : undefined)
  const swapping = swap(slot, { source: next, preserveState: true, onProgress: nothing })
  await expect(swapping).rejects.toMatchObject({ codeName: 'HOTSWAP_FAILED', data: { step: 'start' } })
  await expect.poll(() => next.running).toEqual([])
  expect([slot.name, source.running.length, await slot.call('say', {})]).toEqual(['one', 2, 'one'])
})

test('where one successor crashes before it is confirmed, all places go back', async () => {
  const { slot, source } = await placed(2)
  const next = new FakeSource('two')
  const start = next.start.bind(next)
  next.start = async (signal) => {
    const instance = await start(signal)
    let checks = 0
    instance.check = async () => {
      checks += 1
      if (checks === 2 && next.started.length === 2) next.last.crash()
      return { status: PluginStatus.READY }
    }
    return instance
  }
  const swapping = swap(slot, { source: next, preserveState: true, onProgress: nothing })
  await expect(swapping).rejects.toMatchObject({
    ...{ codeName: 'HOTSWAP_FAILED', data: { step: 'confirm', rollback_performed: true } },
  })
  expect([slot.name, source.running.length]).toEqual(['one', 2])
  for (let call = 0; call < 4; call++) expect(await slot.call('say', {})).toBe('one')
  await expect.poll(() => next.running).toEqual([])
})

test('each place hands its own state to its successor', async () => {
  const source = new FakeSource()
  const next = new FakeSource('two')
  const restored: unknown[][] = []
  for (const [each, kind] of [
    [source, 'old'],
    [next, 'new'],
  ] as const) {
    const start = each.start.bind(each)
    each.start = async (signal) => {
      const instance = await start(signal)
      const number = each.started.length
      instance.capabilities.push('state')
      Object.assign(instance.manifest, { replicas: 'independent' })
      instance.captureState = async () => `${kind} ${number}`
      instance.restoreState = async (...state: unknown[]) => void restored.push([number, ...state])
      return instance
    }
  }
  const { slot } = await placed(2, {}, source)
  const result = await swap(slot, { source: next, preserveState: true, onProgress: nothing })
  expect([result.statePreserved, restored]).toEqual([
    true,
    [
      [1, 'old 1'],
      [2, 'old 2'],
    ],
  ])
})
