import { setTimeout as delay } from 'node:timers/promises'
import { type HealthStatus, PluginStatus } from '@appfactory/sdk'
import { expect, test } from 'vitest'
import type { SlotLimits } from '../../src/options.js'
import type { Slot } from '../../src/slot/slot.js'
import { FakeInstance, FakeSource, untilAborted } from '../fixtures/fake-instance.js'
import { slotOf } from '../fixtures/fake-slot.js'

const nothing = (): void => {}

function withSource(limits: Partial<SlotLimits> = {}, source = new FakeSource()) {
  return { slot: slotOf(source, limits), source }
}

/** A call that ends when the test says so. */
function callThatWaits(instance: FakeInstance): () => void {
  let end = nothing
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  instance.answer = async () => ended
  return end
}

/** Whether it has ended by the time that what can be done at once is done. */
async function hasEnded(work: Promise<unknown>): Promise<boolean> {
  let isOver = false
  void work.finally(() => {
    isOver = true
  })
  await delay(15)
  return isOver
}

test('calls and streams go to what serves', async () => {
  const { slot, source } = withSource()
  const first = await slot.open()
  expect([slot.instance, await slot.ready(), slot.source, slot.name]).toEqual([first, first, source, 'one'])
  expect(await slot.call('say', { text: 'x' }, { timeoutMs: 5 })).toBe('one')
  expect(await slot.stream('say_all', {}).next()).toEqual({ value: 'one', done: false })
  expect(source.last.calls[0]).toEqual(['say', { text: 'x' }, { timeoutMs: 5 }])
})

test('its health is that of the plugin, with what the slot knows beside', async () => {
  const { slot, source } = withSource()
  expect(slot.unsentBytes).toBe(0)
  await slot.open()
  Object.assign(source.last, { unsentBytes: 7 })
  const health: HealthStatus = { status: PluginStatus.READY, message: 'warm', details: { voices: 2 } }
  source.last.check = async () => health
  expect(await slot.health()).toEqual({
    ...health,
    details: { voices: 2, restarts: 0, queued_calls: 0, open_sessions: 0 },
  })
  expect(slot.unsentBytes).toBe(7)
})

test('a plugin that is not there has a health as well: it starts, or why it does not', async () => {
  const { slot, source } = withSource()
  source.before = untilAborted
  slot.open().catch(nothing)
  void slot.call('say', {}).catch(nothing)
  expect(await slot.health()).toEqual({
    ...{ status: PluginStatus.INITIALIZING, message: 'starting' },
    details: { restarts: 0, queued_calls: 1, open_sessions: 0 },
  })
  const failing = withSource()
  failing.source.before = () => Promise.reject(new Error('no voice'))
  await failing.slot.open().catch(nothing)
  expect(await failing.slot.health()).toMatchObject({ status: PluginStatus.ERROR, message: 'no voice' })
})

test('a second swap is refused as long as the first goes on, however that ends', async () => {
  const { slot } = withSource()
  await slot.open()
  const first = slot.exclusively('two', () => delay(5).then(() => Promise.reject(new Error('broken'))))
  const second = slot.exclusively('three', async () => 'never')
  await expect(second).rejects.toMatchObject({ codeName: 'HOTSWAP_FAILED' })
  await expect(first).rejects.toThrow('broken')
  expect(await slot.exclusively('three', async () => 'done')).toBe('done')
})

test('work that is waited for ends with the slot, its own failures stay', async () => {
  const { slot } = withSource()
  await slot.open()
  expect(await slot.unlessClosed(Promise.resolve('done'))).toBe('done')
  await expect(slot.unlessClosed(Promise.reject(new Error('broken')))).rejects.toThrow('broken')
  const waiting = expect(slot.unlessClosed(new Promise(nothing))).rejects.toMatchObject({
    codeName: 'PLUGIN_NOT_READY',
  })
  expect(slot.closing.aborted).toBe(false)
  await slot.close()
  await waiting
  expect(slot.closing.aborted).toBe(true)
})

test('what was replaced stops once its calls have ended', async () => {
  const { slot } = withSource()
  await slot.open()
  const old = new FakeInstance('old')
  const end = callThatWaits(old)
  void old.call('say', {})
  const retired = slot.retire(old)
  expect(await hasEnded(retired)).toBe(false)
  end()
  await retired
  expect(old.stops).toEqual(['stop'])
})

test('what was replaced stops when its time is over, or it has crashed', async () => {
  const { slot } = withSource({ retireTimeoutMs: 20, drainTimeoutMs: 1e8 })
  await slot.open()
  for (const end of [nothing, (old: FakeInstance) => old.crash()]) {
    const old = new FakeInstance('old')
    old.openStreams = 1
    const retired = slot.retire(old)
    end(old)
    await retired
    expect(old.stops).toEqual(['stop'])
  }
})

test('a replaced one with a session is let go with the sessions that it has', async () => {
  const { slot, source } = withSource({ retireTimeoutMs: 5 })
  await slot.open()
  const { last } = source
  last.roles['start'] = 'open'
  last.answer = async () => ({ session_id: '1' })
  await slot.call('start', {})
  expect(slot.router.openSessions).toBe(1)
  await slot.retire(last)
  expect(slot.router.openSessions).toBe(0)
})

test('closing waits for calls in flight', async () => {
  const { slot, source } = withSource({ drainTimeoutMs: 1e8 })
  await slot.open()
  const end = callThatWaits(source.last)
  const answer = slot.call('say', {})
  const closed = slot.close()
  expect(slot.close()).toBe(closed)
  expect(await hasEnded(closed)).toBe(false)
  expect(source.last.stops).toEqual([])
  end()
  await Promise.all([closed, answer])
  expect([source.last.stops.length > 0, slot.status]).toEqual([true, PluginStatus.STOPPED])
})

test('closing waits no longer than it may, nor for one that has crashed, nor where it is told not to', async () => {
  const closings = [
    { limits: { drainTimeoutMs: 20 }, close: (slot: Slot) => slot.close() },
    { limits: { drainTimeoutMs: 1e8 }, close: (slot: Slot) => slot.close(true) },
    {
      limits: { drainTimeoutMs: 1e8 },
      close: (slot: Slot) => {
        const closed = slot.close()
        slot.forceClose()
        return closed
      },
    },
    {
      limits: { drainTimeoutMs: 1e8 },
      close: async (slot: Slot, instance: FakeInstance) => {
        const closed = slot.close()
        await delay(5)
        instance.crash()
        return closed
      },
    },
  ]
  for (const { limits, close } of closings) {
    const { slot, source } = withSource(limits)
    await slot.open()
    source.last.openStreams = 1
    await close(slot, source.last)
    expect(source.running).toEqual([])
  }
})

test('closing waits for what was replaced as long as for calls, not as long as that may stay', async () => {
  const { slot } = withSource({ drainTimeoutMs: 150, retireTimeoutMs: 1e8 })
  await slot.open()
  const old = new FakeInstance('old')
  old.openStreams = 1
  void slot.retire(old)
  const closed = slot.close()
  expect(await hasEnded(closed)).toBe(false)
  await closed
  expect(old.isRunning).toBe(false)
})

test('a replaced one that can’t shut down does not keep the slot from closing', async () => {
  const { slot } = withSource()
  await slot.open()
  const old = new FakeInstance('old')
  old.stop = () => Promise.reject(new Error('stuck'))
  await expect(slot.retire(old)).rejects.toThrow('stuck')
  old.openStreams = 1
  slot.retire(old).catch(nothing)
  slot.forceClose()
  await slot.close()
  expect(slot.status).toBe(PluginStatus.STOPPED)
})

test('closing ends a swap that is under way, and calls that it holds', async () => {
  const { slot } = withSource()
  await slot.open()
  const hold = slot.router.holdCalls()
  const held = slot.call('say', {})
  let isOver = false
  const swapping = slot.exclusively('two', async () => {
    await slot.unlessClosed(new Promise(nothing)).catch(nothing)
    await delay(5)
    isOver = true
    hold.release()
    throw new Error('broken')
  })
  const failed = expect(swapping).rejects.toThrow('broken')
  const stranded = expect(held).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_READY' })
  await slot.close()
  expect(isOver).toBe(true)
  await Promise.all([failed, stranded])
})

test('a slot without a swap closes, one whose plugin can’t shut down says so', async () => {
  const { slot, source } = withSource()
  await slot.open()
  source.last.stop = () => Promise.reject(new Error('stuck'))
  await expect(slot.close()).rejects.toThrow('stuck')
})

test('one that never came up closes', async () => {
  const { slot, source } = withSource()
  source.before = untilAborted
  const opening = slot.open().catch(nothing)
  await slot.close()
  await opening
  expect(source.started).toEqual([])
})
