import { setTimeout as delay } from 'node:timers/promises'
import { type HealthStatus, PluginError, PluginStatus } from '@appfactory/sdk'
import { expect, test } from 'vitest'
import type { SlotLimits } from '../../src/options.js'
import { type SwapProgress, swap } from '../../src/slot/swap.js'
import { type FakeInstance, FakeSource, untilAborted } from '../fixtures/fake-instance.js'
import { slotOf } from '../fixtures/fake-slot.js'

const nothing = (): void => {}
const sick: HealthStatus = { status: PluginStatus.ERROR, message: 'no voice' }
const healthy: HealthStatus = { status: PluginStatus.READY, message: '' }
const failed = (step: string, more: object = {}) => ({
  codeName: 'HOTSWAP_FAILED',
  data: { step, rollback_performed: false, ...more },
})

/** A slot in which `one` serves, and a `two` that may take its place. */
async function two({
  limits = {},
  prepare = nothing,
  state = false,
}: {
  limits?: Partial<SlotLimits>
  /** What is special about the new one. */
  prepare?(candidate: FakeInstance): void
  /** Whether both keep state. */
  state?: boolean
} = {}) {
  const source = new FakeSource('one')
  const next = new FakeSource('two')
  const start = next.start.bind(next)
  next.start = async (signal) => {
    const candidate = await start(signal)
    if (state) candidate.capabilities.push('state')
    prepare(candidate)
    return candidate
  }
  const slot = slotOf(source, limits)
  await slot.open()
  const old = source.last
  if (state) old.capabilities.push('state')
  const steps: string[] = []
  const failures: string[] = []
  const swapping = (preserveState = true) =>
    swap(slot, {
      source: next,
      preserveState,
      onProgress: ({ step, durationMs, error }: SwapProgress) => {
        steps.push(step)
        // Not a time of day.
        expect(durationMs).toBeLessThan(1e6)
        if (error !== undefined) failures.push(`${step}: ${error}`)
      },
    })
  return { slot, source, next, old, steps, failures, swapping }
}

test('a swap lets the new one serve, says how it went, and stops the old one', async () => {
  const { slot, next, old, steps, failures, swapping } = await two()
  const result = await swapping()
  expect(result).toEqual({
    ...{ oldPlugin: 'one', newPlugin: 'two', oldVersion: '1.0.0', newVersion: '1.0.0' },
    ...{ statePreserved: false, heldCalls: 0, durationMs: expect.any(Number) },
  })
  expect(result.durationMs).toBeLessThan(1e6)
  expect([slot.name, slot.instance]).toEqual(['two', next.last])
  await old.ended
  await delay(1)
  expect([steps, failures]).toEqual([['start', 'probe', 'switch', 'confirm', 'retire'], []])
  expect(old.stops).toEqual(['stop'])
})

test('state goes over in between, and calls wait for it', async () => {
  const restored: unknown[] = []
  const { slot, next, steps, swapping } = await two({
    state: true,
    prepare: (candidate) => {
      candidate.restoreState = async (...state: unknown[]) => {
        restored.push(...state)
        await delay(5)
      }
    },
  })
  const swapped = swapping()
  while (!steps.includes('drain')) await delay(1)
  const held = slot.call('say', {})
  expect(await swapped).toMatchObject({ statePreserved: true, heldCalls: 1 })
  expect(await held).toBe('two')
  expect(restored).toEqual(['state'])
  expect(next.last.calls).toHaveLength(1)
  expect(steps.slice(0, 7)).toEqual(['start', 'probe', 'drain', 'capture', 'restore', 'switch', 'confirm'])
})

test('state is left behind where that is wanted', async () => {
  const { steps, swapping } = await two({ state: true })
  expect(await swapping(false)).toMatchObject({ statePreserved: false })
  expect(steps).not.toContain('capture')
})

test('a new one that can’t take the state does not get it, and the old one serves on with its calls', async () => {
  const { slot, old, next, swapping } = await two({
    state: true,
    prepare: (candidate) => void candidate.capabilities.pop(),
  })
  await expect(swapping()).rejects.toMatchObject(failed('restore'))
  expect(slot.instance).toBe(old)
  expect(await slot.call('say', {})).toBe('one')
  await next.last.ended
  expect(next.running).toEqual([])
})

test.each<[string, (candidate: FakeInstance) => void, string]>([
  [
    'is sick',
    (candidate) => {
      candidate.check = async () => sick
    },
    'no voice',
  ],
  [
    'is sick and does not say of what',
    (candidate) => {
      candidate.check = async () => ({ ...sick, message: '' })
    },
    'its health is ERROR',
  ],
  [
    'is of another contract',
    (candidate) => void Object.assign(candidate.contract, { name: 'stt' }),
    'it is of the contract "stt", not "tts"',
  ],
])('a new one that %s does not get to serve, and is stopped', async (_, prepare, reason) => {
  const { slot, old, next, failures, swapping } = await two({ prepare })
  await expect(swapping()).rejects.toMatchObject(failed('probe'))
  expect(failures).toEqual([`probe: ${reason}`])
  expect(slot.instance).toBe(old)
  await next.last.ended
  expect([next.running, old.isRunning]).toEqual([[], true])
})

test('a new one whose contract lacks a method does not get to serve; one that has more does', async () => {
  const give = ({ contract }: FakeInstance, ...names: string[]) =>
    void Object.assign(contract, { methods: names.map((wire) => ({ wire })) })
  const missing = await two()
  give(missing.old, 'say', 'sing')
  await expect(missing.swapping()).rejects.toMatchObject(failed('probe'))
  expect(missing.failures[0]).toContain('say, sing')
  const more = await two({
    prepare: (candidate) => give(candidate, 'say', 'sing'),
  })
  give(more.old, 'say')
  expect(await more.swapping()).toMatchObject({ newPlugin: 'two' })
})

test('a new one that does not start leaves the old one serving', async () => {
  const { slot, old, next, steps, swapping } = await two()
  next.before = () => Promise.reject(new Error('syntax'))
  await expect(swapping()).rejects.toMatchObject(failed('start'))
  expect([slot.instance, steps]).toEqual([old, ['start']])
})

test('a new one that is sick once it has the state gives way', async () => {
  const { slot, old, next, failures, swapping } = await two({
    state: true,
    prepare: (candidate) => {
      candidate.restoreState = async () => {
        candidate.check = async () => sick
      }
    },
  })
  await expect(swapping()).rejects.toMatchObject(failed('restore'))
  expect(failures).toEqual(['restore: no voice'])
  expect(slot.instance).toBe(old)
  await next.last.ended
})

test('calls that do not end in time keep the state where it is', async () => {
  const { slot, old, swapping } = await two({ state: true, limits: { drainTimeoutMs: 10 } })
  old.answer = () => delay(60)
  const slow = slot.call('say', {})
  await expect(swapping()).rejects.toMatchObject(failed('drain'))
  await slow
  old.answer = async () => 'one'
  expect(await slot.call('say', {})).toBe('one')
})

test('a crash right after the switch brings the old one back', async () => {
  const { slot, old, next, steps, swapping } = await two({
    prepare: (candidate) => {
      let checks = 0
      candidate.check = async () => {
        if (++checks === 1) return healthy
        candidate.crash()
        throw await candidate.ended
      }
    },
  })
  await expect(swapping()).rejects.toMatchObject(failed('confirm', { rollback_performed: true }))
  expect([slot.instance, slot.name, old.isRunning]).toEqual([old, 'one', true])
  expect(next.running).toEqual([])
  expect(steps).not.toContain('retire')
})

test('a crash right after its answer brings the old one back as well', async () => {
  const { slot, old, swapping } = await two({
    prepare: (candidate) => {
      let checks = 0
      candidate.check = async () => {
        if (++checks === 2) queueMicrotask(() => candidate.crash())
        return healthy
      }
    },
  })
  await expect(swapping()).rejects.toMatchObject(failed('confirm', { rollback_performed: true }))
  expect(slot.instance).toBe(old)
})

test('a health check that fails after the switch, other than by a crash, undoes nothing', async () => {
  const { slot, next, swapping } = await two({
    prepare: (candidate) => {
      let checks = 0
      candidate.check = () =>
        ++checks === 1 ? Promise.resolve(healthy) : Promise.reject(new PluginError('HEALTH_CHECK_TIMEOUT'))
    },
  })
  expect(await swapping()).toMatchObject({ newPlugin: 'two' })
  expect(slot.instance).toBe(next.last)
})

test('there is no way back once a state is ahead of the old one’s: the new one stays, the old one stops', async () => {
  const { slot, old, swapping } = await two({
    state: true,
    prepare: (candidate) => {
      let checks = 0
      candidate.check = async () => {
        if (++checks < 3) return healthy
        candidate.answered = 1
        candidate.crash()
        throw await candidate.ended
      }
    },
  })
  await expect(swapping()).rejects.toMatchObject({
    codeName: 'HOTSWAP_ROLLBACK_FAILED',
    data: { step: 'confirm', rollback_performed: false },
  })
  await old.ended
  expect([slot.name, old.stops]).toEqual(['two', ['stop']])
})

test('an old one that has crashed meanwhile can’t come back', async () => {
  const { slot, old, swapping } = await two({
    prepare: (candidate) => {
      let checks = 0
      candidate.check = async () => {
        if (++checks === 1) return healthy
        old.crash()
        candidate.crash()
        throw await candidate.ended
      }
    },
  })
  await expect(swapping()).rejects.toMatchObject({ codeName: 'HOTSWAP_ROLLBACK_FAILED' })
  expect(slot.name).toBe('two')
})

test('the end of the slot ends a swap, and nothing is left running', async () => {
  const { slot, source, next, swapping } = await two({
    prepare: (candidate) => {
      candidate.check = () => new Promise(nothing)
    },
  })
  const ended = expect(swapping()).rejects.toMatchObject(failed('probe'))
  while (next.started.length === 0) await delay(1)
  await slot.close()
  await ended
  await next.last.ended
  expect([source.running, next.running]).toEqual([[], []])
})

test('a swap may come before the first instance is there: its manifest says what it would be', async () => {
  for (const [contract, isFit] of [
    ['tts', true],
    ['stt', false],
  ] as const) {
    const source = new FakeSource('one')
    source.before = untilAborted
    source.inspect = async () => ({ manifest: { contract } }) as never
    const slot = slotOf(source)
    const opening = slot.open().catch(nothing)
    const swapped = swap(slot, { source: new FakeSource('two'), preserveState: true, onProgress: nothing })
    if (isFit) expect(await swapped).toMatchObject({ oldVersion: null, newPlugin: 'two' })
    else await expect(swapped).rejects.toMatchObject(failed('probe'))
    await slot.close(true)
    await opening
  }
})
