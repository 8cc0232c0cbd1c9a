import { setTimeout as delay } from 'node:timers/promises'
import type { PluginError } from '@appfactory/sdk'
import { allowListeners, type Cancellation, maxTimerMs, startTimer } from '@appfactory/sdk/internal'
import { requestCancelled } from './errors.js'

/** At least 1 ms: 0 would mean no time at all, which is not what was asked for. */
export function timeLeft(timeoutMs: number, since: number): number {
  return Math.max(1, timeoutMs - (performance.now() - since))
}

/** As `setInterval`, for any time in ms, as `startTimer` is `setTimeout`. Keeps no process alive. */
export function repeatEvery(ms: number, work: () => void): NodeJS.Timeout | undefined {
  return ms === Number.POSITIVE_INFINITY ? undefined : setInterval(work, Math.min(ms, maxTimerMs)).unref()
}

/** Resolves after any time in ms, or when `signal` is aborted. With `ref` false it keeps no process alive. */
export function pause(ms: number, { signal, ref }: { signal: AbortSignal; ref: boolean }): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = startTimer(ms, done)
    if (!ref) timer?.unref()
    signal.addEventListener('abort', done, { once: true })
  })
}

/** Whether `condition` came true in time. It is first looked at when what runs now has run, then ever less often. */
export async function waitUntil(
  condition: () => boolean,
  timeoutMs: number | (() => number),
): Promise<boolean> {
  const begun = performance.now()
  await delay(0)
  while (!condition()) {
    const waited = performance.now() - begun
    if (waited > (typeof timeoutMs === 'number' ? timeoutMs : timeoutMs())) return false
    await delay(Math.min(50, 2 + waited / 20))
  }
  return true
}

/** Resolves when `signal` is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

interface WaitOptions {
  signal?: AbortSignal | undefined
  cancellation?: Cancellation | undefined
  timeoutMs?: number | undefined
  /** What is told where the time is over. */
  late?(): PluginError
}

/** `promise`, unless whoever waits for it cancels, or the time is over. */
export function within<T>(promise: Promise<T>, options: WaitOptions): Promise<T> {
  const { signal, cancellation, timeoutMs, late } = options
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(requestCancelled(signal))
    const timer = timeoutMs === undefined ? undefined : startTimer(timeoutMs, () => reject(late?.()))
    if (signal?.aborted) abort()
    // Any number of calls may wait with the same signal.
    if (signal) allowListeners(signal)
    signal?.addEventListener('abort', abort, { once: true })
    cancellation?.addListener(abort)
    promise.then(resolve, reject).finally(() => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      cancellation?.removeListener(abort)
    })
  })
}
