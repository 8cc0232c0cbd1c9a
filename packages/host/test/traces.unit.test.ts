import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { PluginError, withTrace } from '@appfactory/sdk'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { pluginCrashed } from '../src/errors.js'
import type { Slot } from '../src/slot/slot.js'
import { type AttemptTrace, type CallTrace, callChannel } from '../src/traces.js'
import { FakeSource } from './fixtures/fake-instance.js'
import { slotOf } from './fixtures/fake-slot.js'

let source: FakeSource
let slot: Slot

beforeEach(async () => {
  source = new FakeSource()
  slot = slotOf(source)
  await slot.open()
})

/** What is published while the test runs: the event, and the trace as it is then. */
function published(): [event: string, trace: CallTrace][] {
  const seen: [string, CallTrace][] = []
  for (const event of ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const) {
    const listen = (trace: unknown): void => void seen.push([event, { ...(trace as CallTrace) }])
    subscribe(callChannel[event].name as string, listen)
    onTestFinished(() => void unsubscribe(callChannel[event].name as string, listen))
  }
  return seen
}

const known = { plugin: 'one', contract: 'tts', kind: 'call' as const }

test('a call is told when it is made and when it is answered, without arguments and results', async () => {
  const seen = published()
  const asked = performance.now()
  const answer = slot.call('synthesize', { text: 'secret' })
  const begun = { ...known, method: 'synthesize' }
  expect(seen).toEqual([
    ['start', begun],
    ['end', { ...begun, version: '1.0.0' }],
  ])
  expect(await answer).toBe('one')
  const ended = { ...begun, version: '1.0.0', outcome: 'answered', durationMs: expect.any(Number) }
  expect(seen.at(-1)?.[1].durationMs).toBeGreaterThanOrEqual(0)
  expect(seen.at(-1)?.[1].durationMs).toBeLessThan(performance.now() - asked + 1)
  expect(seen.slice(2)).toEqual([
    ['asyncStart', ended],
    ['asyncEnd', ended],
  ])
})

test('a call that fails is told with its code, and never with its message', async () => {
  const seen = published()
  source.last.answer = () =>
    Promise.reject(new PluginError('TTS_TEXT_TOO_LONG', 'secret', { text: 'secret' }))
  await expect(slot.call('synthesize', {})).rejects.toThrow('secret')
  source.last.answer = () => Promise.reject(new RangeError('secret'))
  await expect(slot.call('synthesize', {})).rejects.toThrow('secret')
  source.last.answer = () => Promise.reject(new PluginError('REQUEST_CANCELLED'))
  await slot.call('synthesize', {}).catch(() => {})
  expect(seen.filter(([event]) => event === 'error').map(([, trace]) => trace)).toMatchObject([
    { outcome: 'failed', errorCode: 1002, errorName: 'TTS_TEXT_TOO_LONG' },
    { outcome: 'failed', errorName: 'RangeError' },
    { outcome: 'cancelled', errorCode: -32800, errorName: 'REQUEST_CANCELLED' },
  ])
  expect(seen.map(([event]) => event).slice(0, 5)).toEqual([
    'start',
    'end',
    'error',
    'asyncStart',
    'asyncEnd',
  ])
  expect(JSON.stringify(seen)).not.toContain('secret')
})

test('a stream is told from its first reading to its end, or until it is left', async () => {
  const seen = published()
  const read = slot.stream('spell', {})
  expect(seen).toEqual([])
  for await (const _piece of read);
  for await (const _piece of slot.stream('spell', {})) break
  const trace = { ...known, kind: 'stream', method: 'spell' }
  expect(seen.filter(([event]) => event === 'start')).toEqual([
    ['start', trace],
    ['start', trace],
  ])
  expect(seen.filter(([event]) => event === 'asyncEnd').map(([, { outcome }]) => outcome)).toEqual([
    ...['answered', 'cancelled'],
  ])
})

test('a call that is tried again is one call', async () => {
  const seen = published()
  let calls = 0
  source.last.answer = async () => ++calls
  await slot.call('get_voices', {}, { retry: 2 })
  expect(seen.map(([event]) => event)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd'])
})

test('a call carries what its caller has in an AsyncLocalStorage, and what a listener puts there', async () => {
  const caller = new AsyncLocalStorage<string>()
  const bound = new AsyncLocalStorage<object>()
  callChannel.start.bindStore(bound, ({ method }) => ({ span: method }))
  onTestFinished(() => void callChannel.start.unbindStore(bound))
  const seen: unknown[] = []
  source.last.answer = async () => {
    seen.push(caller.getStore(), bound.getStore())
  }
  await caller.run('request 1', () => slot.call('synthesize', {}))
  expect(seen).toEqual(['request 1', { span: 'synthesize' }])
  expect(bound.getStore()).toBeUndefined()
})

/** The traces of attempts, as they are at their ends. */
function attempts(): AttemptTrace[] {
  const seen: AttemptTrace[] = []
  const listen = (trace: unknown): void => void seen.push(trace as AttemptTrace)
  subscribe('tracing:appfactory.attempt:asyncEnd', listen)
  onTestFinished(() => void unsubscribe('tracing:appfactory.attempt:asyncEnd', listen))
  return seen
}

test('each attempt of a call that may have several is told, with what came of it', async () => {
  const seen = attempts()
  let calls = 0
  source.last.answer = async () => {
    calls += 1
    if (calls < 3) throw pluginCrashed('one', 'exited with code 1', '')
  }
  await slot.call('get_voices', {}, { retry: 2 })
  await slot.call('get_voices', {})
  const where = { ...known, method: 'get_voices', version: '1.0.0' }
  expect(seen).toMatchObject([
    { ...where, attempt: 1, outcome: 'failed', errorName: 'PLUGIN_CRASHED' },
    { ...where, attempt: 2, outcome: 'failed', errorName: 'PLUGIN_CRASHED' },
    { ...where, attempt: 3, outcome: 'answered' },
  ])
  expect(seen[2]?.call).toMatchObject({ outcome: 'answered', kind: 'call' })
})

const trace = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, tracestate: 'x=1' }
const other = { traceparent: `00-${'a'.repeat(32)}-${'c'.repeat(16)}-01` }

test('a trace goes along with the call; where a listener makes a span of its own, that does', async () => {
  await slot.call('synthesize', {}, { trace })
  await withTrace(trace, () => slot.call('synthesize', {}))
  for await (const _piece of slot.stream('spell', {}, { trace }));
  const seen: CallTrace[] = []
  const listen = (told: unknown): void => {
    seen.push({ ...(told as CallTrace) })
    Object.assign(Object(told), { context: other })
  }
  subscribe('tracing:appfactory.call:start', listen)
  onTestFinished(() => void unsubscribe('tracing:appfactory.call:start', listen))
  await slot.call('synthesize', {}, { trace, arrival: { node: 'gpu-1' } })
  await slot.call('synthesize', {})
  expect(source.last.calls.map(([, , options]) => options?.trace)).toEqual([
    trace,
    trace,
    trace,
    other,
    other,
  ])
  expect(seen[0]).toMatchObject({ parent: trace, context: trace, served: true, node: 'gpu-1' })
  expect(seen[1]).not.toHaveProperty('parent')
})

test('nothing is added to a call that nobody listens to and that has no trace', async () => {
  const options = { timeoutMs: 1000 }
  await slot.call('synthesize', {}, options)
  expect(source.last.calls[0]?.[2]).toBe(options)
})

test('of several processes, it is told which one had the call', async () => {
  const both = new FakeSource()
  const two = slotOf(both, {}, 2)
  await two.open()
  const seen = published()
  await Promise.all([two.call('synthesize', {}), two.call('synthesize', {})])
  const ended = seen.filter(([event]) => event === 'asyncEnd')
  expect(ended.map(([, { place }]) => place).sort()).toEqual([1, 2])
})
