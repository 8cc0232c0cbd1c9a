import { setTimeout as delay } from 'node:timers/promises'
import { PluginError, PluginStatus } from '@appfactory/sdk'
import { byteStreamWindow, type RequestOptions, streamWindow } from '@appfactory/sdk/internal'
import { expect, test } from 'vitest'
import type { PluginConnection } from '../../src/instance/connection.js'
import { PluginInstance } from '../../src/instance/instance.js'
import { PluginFigures } from '../../src/metrics/plugin-figures.js'
import { defaultInstanceLimits, type InstanceLimits } from '../../src/options.js'

interface Asked {
  method: string
  params: unknown
  options: RequestOptions
}

const method = {
  ...{ description: '', kind: 'call' as const, required: true, idempotent: false, parameters: null },
  ...{ input: null, bare: null, unwrap: null, session: null, args: {}, result: {}, piece: null },
}

const healthy = {
  ...{ status: 'READY', message: 'warm', details: { voices: 2 } },
  ...{ latency_ms: null as number | null, memory_mb: null as number | null },
}

/** A connection without a process, which answers what a test says. */
class FakeConnection {
  readonly asked: Asked[] = []
  readonly steps: string[] = []
  readonly openedAt = performance.now() - 5000
  readonly counts = { received: 0, noise: 3, droppedReplies: 4 }
  readonly pid = 42
  readonly unsentBytes = 7
  readonly lost = Promise.resolve(undefined)
  readonly options: object
  readonly figures = new PluginFigures()
  isRunning = true
  isPaused = true
  isIdle: boolean | undefined
  answer: (asked: Asked) => unknown = () => 'an answer'
  pieces: () => AsyncIterableIterator<unknown> = async function* () {
    yield 'a'
  }
  exit = (): void => {}
  readonly exited = new Promise<void>((resolve) => {
    this.exit = resolve
  })

  constructor(limits: Partial<InstanceLimits>) {
    this.options = {
      dir: '/one',
      manifest: { name: 'one' },
      limits: { ...defaultInstanceLimits, ...limits },
      figures: this.figures,
    }
  }

  async request(name: string, params: unknown, options: RequestOptions = {}): Promise<unknown> {
    const asked = { method: name, params, options }
    this.asked.push(asked)
    return this.answer(asked)
  }

  ask(name: string, params: unknown, timeoutMs: number, late: () => PluginError): Promise<unknown> {
    return this.request(name, params, { timeoutMs, late })
  }

  stream(name: string, params: unknown, options: RequestOptions): AsyncIterableIterator<unknown> {
    this.asked.push({ method: name, params, options })
    return this.pieces()
  }

  setIdle(isIdle: boolean): void {
    this.isIdle = isIdle
  }

  beginServing(): void {
    this.steps.push('serving')
  }

  beginStop(): void {
    this.steps.push('stopping')
  }

  async stop(): Promise<void> {
    this.steps.push('stopped')
  }

  killBecause(reason: string): void {
    this.steps.push(reason)
  }

  get last(): Asked {
    const last = this.asked.at(-1)
    if (!last) throw new Error('Nothing was asked')
    return last
  }
}

async function running(limits: Partial<InstanceLimits> = {}, answer?: FakeConnection['answer']) {
  const connection = new FakeConnection({ unresponsiveTimeoutMs: Number.POSITIVE_INFINITY, ...limits })
  if (answer) connection.answer = answer
  const bytes = { type: 'string', contentEncoding: 'base64' }
  const handshake = {
    ...{ protocol_version: 1, sdk_version: '1', config_schema: null, byte_channels: [] },
    capabilities: ['say'],
    contract: {
      ...{ name: 'tts', version: '1.0.0', description: '' },
      methods: [
        { ...method, name: 'say', wire: 'say', idempotent: true },
        { ...method, name: 'start', wire: 'start', session: 'open' as const },
        { ...method, name: 'sing', wire: 'sing', piece: { properties: { audio: bytes } } },
        { ...method, name: 'spell', wire: 'spell', piece: { type: 'string' } },
      ],
    },
  }
  const opened = { connection: connection as unknown as PluginConnection, handshake }
  const instance = await PluginInstance.initialize(opened, { voice: 'low' })
  return { connection, instance, handshake }
}

test('a plugin serves once it is initialized with its configuration', async () => {
  const { connection, instance, handshake } = await running({ initializeTimeoutMs: 500 })
  expect(connection.last).toMatchObject({ params: { config: { voice: 'low' } }, options: { timeoutMs: 500 } })
  expect(connection.last.options.late?.()).toMatchObject({ codeName: 'PLUGIN_INITIALIZE_FAILED' })
  expect(connection.steps).toEqual(['serving'])
  expect(instance.contract).toBe(handshake.contract)
  expect([instance.dir, instance.unsentBytes, instance.isRunning, instance.isPaused]).toEqual([
    ...['/one', 7, true, true],
  ])
  expect(await instance.ended).toBeUndefined()
})

test('one whose initialize() returns false does not serve; one that returns nothing does', async () => {
  await expect(running({}, () => false)).rejects.toMatchObject({ codeName: 'PLUGIN_INITIALIZE_FAILED' })
  expect((await running({}, () => null)).connection.steps).toEqual(['serving'])
})

test('it knows what its methods do to sessions, which may be called twice, and whether it keeps state', async () => {
  const { instance, handshake } = await running()
  expect([instance.sessionRole('start'), instance.sessionRole('say')]).toEqual(['open', undefined])
  expect([instance.isIdempotent('say'), instance.isIdempotent('start')]).toEqual([true, false])
  expect(instance.keepsState).toBe(false)
  handshake.capabilities.push('state')
  expect(instance.keepsState).toBe(true)
})

test('a call has the time that it was given, or the usual one, and an error that names it', async () => {
  const { connection, instance } = await running({ callTimeoutMs: 100 })
  expect(await instance.call('say', { text: 'x' })).toBe('an answer')
  expect(connection.last).toMatchObject({
    params: { method: 'say', args: { text: 'x' } },
    options: { timeoutMs: 100 },
  })
  expect(connection.last.options.late?.()).toMatchObject({
    ...{ codeName: 'CALL_TIMEOUT', data: { plugin: 'one', timeout_ms: 100 } },
    message: expect.stringContaining('say'),
  })
  const { signal } = new AbortController()
  await instance.call('say', {}, { timeoutMs: 7, signal })
  expect(connection.last.options).toMatchObject({ timeoutMs: 7, signal })
})

test('an argument that follows piece by piece is marked in its place', async () => {
  const { connection, instance } = await running()
  const items = (async function* () {})()
  await instance.call('say', { text: 'x', audio: 'old' }, { input: { name: 'audio', items } })
  expect(connection.last.params).toEqual({ method: 'say', args: { text: 'x', audio: { $input: true } } })
  expect(connection.last.options.input).toBe(items)
})

test('calls are counted as they come and go, failed ones apart', async () => {
  const { connection, instance } = await running({}, () => delay(5).then(() => 'an answer'))
  const call = instance.call('say', {})
  expect([instance.callsInFlight, instance.isBusy, instance.answered]).toEqual([1, true, 0])
  await call
  expect([instance.callsInFlight, instance.isBusy, instance.answered]).toEqual([0, false, 1])
  connection.answer = () => Promise.reject(new PluginError('TTS_SYNTHESIS_FAILED'))
  await expect(instance.call('say', {})).rejects.toMatchObject({ codeName: 'TTS_SYNTHESIS_FAILED' })
  expect([instance.callsInFlight, instance.answered]).toEqual([0, 1])
  connection.answer = () => healthy
  expect((await instance.health()).details).toMatchObject({ calls_answered: 1, calls_failed: 1 })
})

test('a stream counts as one call: read to its end it is answered, left it is neither answered nor failed', async () => {
  const { connection, instance } = await running({ maxStreams: 1 })
  connection.pieces = async function* () {
    yield 'a'
    await delay(20)
    yield 'b'
  }
  const spelled: unknown[] = []
  for await (const piece of instance.stream('spell', {})) spelled.push(piece)
  for await (const _piece of instance.stream('spell', {})) {
    await instance
      .stream('spell', {})
      .next()
      .catch(() => {})
    break
  }
  // biome-ignore lint/correctness/useYield: it fails before its first piece.
  connection.pieces = async function* () {
    throw new PluginError('LLM_COMPLETION_FAILED')
  }
  await instance
    .stream('sing', {})
    .next()
    .catch(() => {})
  connection.answer = () => healthy
  const { details } = await instance.health()
  expect(spelled).toEqual(['a', 'b'])
  expect(details).toMatchObject({ calls_answered: 1, calls_failed: 1, calls_cancelled: 1, open_streams: 0 })
  expect(details?.['p99_ms']).toBeGreaterThan(10)
  // What was refused never got to this process, and has taken no time.
  const { outcomes, buckets, seconds } = connection.figures.of('spell')
  expect(outcomes).toEqual({ answered: 1, failed: 1, cancelled: 1 })
  expect(buckets.reduce((sum, count) => sum + count, 0)).toBe(2)
  expect(seconds).toBeGreaterThan(0.01)
  expect(connection.figures.of('sing').outcomes).toEqual({ answered: 0, failed: 1, cancelled: 0 })
  expect([connection.figures.openStreams, connection.figures.callsInFlight]).toEqual([0, 0])
})

test('a call that its caller cancels is neither answered nor failed', async () => {
  const { connection, instance } = await running()
  connection.answer = () => Promise.reject(new PluginError('REQUEST_CANCELLED'))
  const call = instance.call('say', {})
  expect(connection.figures.callsInFlight).toBe(1)
  await call.catch(() => {})
  connection.answer = () => healthy
  expect((await instance.health()).details).toMatchObject({
    ...{ calls_answered: 0, calls_failed: 0, calls_cancelled: 1, calls_in_flight: 0 },
  })
})

test('its figures have no more than three decimals', async () => {
  const { connection, instance } = await running({}, () => ({ ...healthy, latency_ms: 1.23456 }))
  connection.answer = () => delay(1)
  await instance.call('say', {})
  connection.answer = () => ({ ...healthy, latency_ms: 1.23456 })
  const { latencyMs, details = {} } = await instance.health()
  expect(latencyMs).toBe(1.235)
  for (const name of ['uptime_seconds', 'p50_ms', 'p95_ms', 'p99_ms'])
    expect(String(details[name]), name).toMatch(/^\d+(\.\d{1,3})?$/)
})

test('it is idle while it has neither calls nor streams', async () => {
  const { connection, instance } = await running({}, () => delay(5))
  const calls = [instance.call('say', {}), instance.call('say', {})]
  expect(connection.isIdle).toBe(false)
  await calls[0]
  const stream = instance.stream('spell', {})
  await stream.next()
  await Promise.all(calls)
  expect(connection.isIdle).toBe(false)
  await stream.return?.()
  expect(connection.isIdle).toBe(true)
})

test('no more calls are in flight than may be', async () => {
  const { connection, instance } = await running({ maxCallsInFlight: 1 })
  connection.answer = () => delay(5)
  const first = instance.call('say', {})
  await expect(instance.call('say', {})).rejects.toMatchObject({
    ...{ codeName: 'RESOURCE_EXHAUSTED', data: { limit: 'maxCallsInFlight', value: 1 } },
  })
  await first
  await instance.call('say', {})
})

test('no more streams are open than may be; one that is over, or could not begin, makes room', async () => {
  const { connection, instance } = await running({ maxStreams: 1 })
  const first = instance.stream('spell', { text: 'x' })
  expect([instance.openStreams, instance.isBusy]).toEqual([0, false])
  await first.next()
  expect([instance.openStreams, instance.callsInFlight, instance.isBusy]).toEqual([1, 0, true])
  await expect(instance.stream('spell', {}).next()).rejects.toMatchObject({
    ...{ codeName: 'RESOURCE_EXHAUSTED', data: { limit: 'maxStreams', value: 1 } },
  })
  expect(instance.openStreams).toBe(1)
  await first.return?.()
  expect(instance.openStreams).toBe(0)
  const { pieces } = connection
  connection.pieces = () => {
    throw new Error('broken')
  }
  await expect(instance.stream('spell', {}).next()).rejects.toThrow('broken')
  expect(instance.openStreams).toBe(0)
  connection.pieces = pieces
  expect(await instance.stream('spell', {}).next()).toEqual({ value: 'a', done: false })
})

test.each([
  ['spell', undefined, streamWindow],
  ['spell', 3, 3],
  ['spell', 1000, streamWindow],
  ['sing', undefined, byteStreamWindow],
  ['sing', 3, 3],
  ['sing', 1000, byteStreamWindow],
  ['unknown', undefined, streamWindow],
])('pieces of %s with a credit of %j come %i ahead', async (name, credit, window) => {
  const { connection, instance } = await running()
  await instance.stream(name, { text: 'x' }, credit === undefined ? {} : { credit }).next()
  expect(connection.last.params).toEqual({ method: name, args: { text: 'x' }, stream: { credit: window } })
  expect(connection.last.options.window).toBe(window)
})

test('its health is what it says, with what the host knows', async () => {
  const { connection, instance } = await running({ healthTimeoutMs: 50 }, () => healthy)
  const health = await instance.health()
  expect(health).toEqual({
    ...{ status: PluginStatus.READY, message: 'warm', latencyMs: expect.any(Number) },
    details: {
      ...{ voices: 2, pid: 42, uptime_seconds: expect.any(Number), calls_in_flight: 0, open_streams: 0 },
      ...{ calls_answered: 0, calls_failed: 0, calls_cancelled: 0, noise: 3, dropped_replies: 4 },
    },
  })
  // Not a time of day.
  expect(health.latencyMs).toBeLessThan(1e6)
  expect(health.details?.['uptime_seconds']).toBeGreaterThanOrEqual(5)
  expect(health.details?.['uptime_seconds']).toBeLessThan(1000)
  expect(connection.last.options.timeoutMs).toBe(50)
  expect(connection.last.options.late?.()).toMatchObject({ codeName: 'HEALTH_CHECK_TIMEOUT' })
  connection.answer = () => ({ ...healthy, latency_ms: 0, memory_mb: 0 })
  expect(await instance.health()).toMatchObject({ latencyMs: 0, memoryMb: 0 })
  connection.answer = () => ({ ...healthy, status: 'FINE' })
  await expect(instance.health()).rejects.toMatchObject({ codeName: 'CONTRACT_MISMATCH' })
})

test('how long calls took is known once there was one', async () => {
  const { connection, instance } = await running()
  connection.answer = () => delay(20)
  await instance.call('say', {})
  connection.answer = () => healthy
  const { details } = await instance.health()
  expect(details?.['p50_ms']).toBeGreaterThan(10)
  expect(details?.['p50_ms']).toBeLessThan(1e6)
})

test('its state goes out and in within its time', async () => {
  const { connection, instance } = await running({ stateTimeoutMs: 60, maxStateBytes: 9 })
  connection.answer = () => ({ state: 1 })
  expect(await instance.captureState()).toEqual({ state: 1 })
  expect(connection.last).toMatchObject({ params: { max_bytes: 9 }, options: { timeoutMs: 60 } })
  expect(connection.last.options.late?.()).toMatchObject({ data: { timeout_ms: 60 } })
  await instance.restoreState({ state: 2 })
  expect(connection.last).toMatchObject({ params: { state: 2 }, options: { timeoutMs: 60 } })
  expect(connection.last.options.late?.()).toMatchObject({ codeName: 'CALL_TIMEOUT' })
})

test('it shuts down once, in order, within its time', async () => {
  const { connection, instance } = await running({ shutdownTimeoutMs: 80 })
  const stopped = instance.stop()
  expect(instance.stop()).toBe(stopped)
  await stopped
  expect(connection.steps).toEqual(['serving', 'stopping', 'stopped'])
  expect(connection.last.options.timeoutMs).toBe(80)
  expect(connection.last.options.late?.()).toMatchObject({ codeName: 'PLUGIN_SHUTDOWN_FAILED' })
  expect(connection.asked.filter(({ method: name }) => name.includes('shutdown'))).toHaveLength(1)
})

test.each([
  new PluginError('PLUGIN_SHUTDOWN_FAILED', 'it did not finish'),
  new PluginError('INTERNAL_ERROR', 'the engine is on fire'),
  new Error('the engine is on fire'),
])('one whose shutdown() fails with %o is stopped all the same', async (error) => {
  const { connection, instance } = await running()
  connection.answer = () => Promise.reject(error)
  await expect(instance.stop()).rejects.toMatchObject({
    codeName: 'PLUGIN_SHUTDOWN_FAILED',
    message: expect.stringContaining(error.message),
  })
  expect(connection.steps.at(-1)).toBe('stopped')
})

test('one that does not turn its event loop is killed, unless nobody reads what it says', async () => {
  const { connection, instance } = await running({ unresponsiveTimeoutMs: 50 })
  connection.answer = () => new Promise(() => {})
  await delay(120)
  expect(connection.steps).toEqual(['serving'])
  connection.isPaused = false
  const deadline = performance.now() + 5000
  while (connection.steps.length === 1 && performance.now() < deadline) await delay(5)
  expect(connection.steps[1]).toContain('50 ms')
  instance.killBecause('enough')
  expect(connection.steps[2]).toBe('enough')
})

test('nobody listens for a sign of life once it is gone, or is asked to go', async () => {
  for (const end of ['exit', 'stop'] as const) {
    const { connection, instance } = await running({ unresponsiveTimeoutMs: 10 })
    connection.isPaused = false
    if (end === 'exit') connection.exit()
    else await instance.stop()
    connection.answer = () => new Promise(() => {})
    await delay(60)
    expect(connection.steps.filter((step) => step.includes('event loop'))).toEqual([])
  }
})

test('the time of the last sign of life is among its figures', async () => {
  const { connection, instance } = await running({ unresponsiveTimeoutMs: 10 }, () => healthy)
  const deadline = performance.now() + 5000
  let figures = (await instance.health()).details
  while (figures?.['event_loop_delay_ms'] === undefined && performance.now() < deadline) {
    await delay(2)
    figures = (await instance.health()).details
  }
  expect(figures?.['event_loop_delay_ms']).toBeLessThan(1e6)
  connection.exit()
})
