import { PluginError } from '@appfactory/sdk'
import { expect, test } from 'vitest'
import type { Calls } from '../../src/calls.js'
import { CallerSessions } from '../../src/server/caller-sessions.js'

const methods = [
  { wire: 'open', session: 'open' },
  { wire: 'use', session: 'use' },
  { wire: 'end', session: 'close' },
  { wire: 'other', session: null },
]

/** The sessions of a caller of the plugin `ears`, and what was called to close them. */
function caller() {
  const closed: unknown[] = []
  const calls = {
    contractOf: (name: string) => (name === 'ears' ? { methods } : undefined),
    call: async (plugin: string, method: string, args: object) => {
      closed.push([plugin, method, args])
      throw new Error('for nobody')
    },
  }
  const sessions = new CallerSessions(calls as unknown as Calls)
  const open = (id: string, plugin = 'ears', method = 'open'): Promise<unknown> =>
    sessions.watch(Promise.resolve({ session_id: id }), { plugin, method, args: {} })
  return { sessions, open, closed }
}

test('those that are open are closed, once, by the method of their contract', async () => {
  const { sessions, open, closed } = caller()
  expect(await open('one')).toEqual({ session_id: 'one' })
  await open('two')
  const args = { session_id: 'one' }
  await sessions.watch(Promise.resolve(), { plugin: 'ears', method: 'use', args })
  const failing = sessions.watch(Promise.reject(new Error('no')), { plugin: 'ears', method: 'end', args })
  await expect(failing).rejects.toThrow('no')
  await sessions.closeAll()
  await sessions.closeAll()
  expect(closed).toEqual([['ears', 'end', { session_id: 'two' }]])
})

test('one that opens when its caller has gone is closed too', async () => {
  const { sessions, open, closed } = caller()
  await sessions.closeAll()
  await open('late')
  expect(closed).toEqual([['ears', 'end', { session_id: 'late' }]])
})

test('one that opens when its client has cancelled the call is closed, and told to nobody', async () => {
  const { sessions, closed } = caller()
  const cancelled = new PluginError('REQUEST_CANCELLED')
  const cancellation = { cancelled, addListener: () => {}, removeListener: () => {} }
  const call = { plugin: 'ears', method: 'open', args: {}, cancellation }
  await expect(sessions.watch(Promise.resolve({ session_id: 'one' }), call)).rejects.toBe(cancelled)
  expect(closed).toEqual([['ears', 'end', { session_id: 'one' }]])
})

test('what only looks like a session is none', async () => {
  const { sessions, open, closed } = caller()
  await open('one', 'ears', 'other')
  await open('two', 'unknown')
  expect(await sessions.watch(Promise.resolve(null), { plugin: 'ears', method: 'open', args: {} })).toBeNull()
  await sessions.closeAll()
  expect(closed).toEqual([])
})
