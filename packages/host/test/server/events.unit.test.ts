import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import type { PluginHost } from '../../src/host.js'
import { ClientEvents } from '../../src/server/events.js'

function client() {
  const host = new EventEmitter()
  const got: unknown[] = []
  const state = { isBehind: false }
  const events = new ClientEvents(host as PluginHost, {
    notify: (event) => got.push(event),
    isBehind: () => state.isBehind,
  })
  return { host, got, state, events }
}

test('events for who is behind are dropped, and counted in the next one', () => {
  const { host, got, state, events } = client()
  events.subscribe(['log'])
  state.isBehind = true
  for (const message of ['1', '2']) host.emit('log', { message })
  state.isBehind = false
  for (const message of ['3', '4']) host.emit('log', { message })
  expect(got).toEqual([
    { type: 'log', message: '3', events_dropped: 2 },
    { type: 'log', message: '4' },
  ])
})

test('a type comes once however often it is asked for, and none after the end', () => {
  const { host, got, events } = client()
  events.subscribe(['log'])
  events.subscribe(undefined)
  host.emit('log', {})
  host.emit('crash', { delayMs: 1 })
  events.end()
  host.emit('log', {})
  expect(got).toEqual([{ type: 'log' }, { type: 'crash', delay_ms: 1 }])
  expect([host.listenerCount('log'), host.getMaxListeners()]).toEqual([0, 10])
})

test('without a limit of listeners there is none', () => {
  const { host, events } = client()
  host.setMaxListeners(0)
  events.subscribe(undefined)
  events.end()
  expect(host.getMaxListeners()).toBe(0)
})
