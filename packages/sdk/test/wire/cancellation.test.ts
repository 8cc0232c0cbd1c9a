import { PluginError } from '@appfactory/sdk'
import { expect, it, vi } from 'vitest'
import { CancellationToken } from '../../src/wire/cancellation.js'

const reason = new PluginError('REQUEST_CANCELLED', 'enough')

it('all who listen are told, once, and the first reason counts', () => {
  const token = new CancellationToken()
  const listeners = [vi.fn(), vi.fn()]
  for (const listener of listeners) token.addListener(listener)
  expect(token.cancelled).toBeUndefined()
  token.cancel(reason)
  token.cancel(new PluginError('CALL_TIMEOUT', 'late'))
  for (const listener of listeners) expect(listener).toHaveBeenCalledOnce()
  expect(token.cancelled).toBe(reason)
})

it('who has left is not told', () => {
  const token = new CancellationToken()
  const [gone, there] = [vi.fn(), vi.fn()]
  token.removeListener(gone)
  for (const listener of [gone, there]) token.addListener(listener)
  token.removeListener(gone)
  token.cancel(reason)
  expect(gone).not.toHaveBeenCalled()
  expect(there).toHaveBeenCalledOnce()
})

it('who comes late is told at once', () => {
  const token = new CancellationToken()
  token.cancel(reason)
  const listener = vi.fn()
  token.addListener(listener)
  expect(listener).toHaveBeenCalledOnce()
})
