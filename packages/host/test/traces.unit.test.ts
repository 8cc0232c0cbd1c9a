import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { PluginError } from '@appfactory/sdk'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import type { Slot } from '../src/slot/slot.js'
import { type CallTrace, callChannel } from '../src/traces.js'
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
    ['end', begun],
  ])
  expect(await answer).toBe('one')
  const ended = { ...begun, outcome: 'answered', durationMs: expect.any(Number) }
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
