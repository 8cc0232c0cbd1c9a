import { setTimeout as delay } from 'node:timers/promises'
import { PluginError } from '@appfactory/sdk'
import { maxTimerMs } from '@appfactory/sdk/wire'
import { callTimeout } from './messages.js'

/** At least 1 ms: 0 would mean no time at all, which is not what was asked for. */
export function timeLeft(timeoutMs: number, since: number): number {
  return Math.max(1, timeoutMs - (performance.now() - since))
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

/** `promise`, unless the caller aborts or its time is over. */
export function within<T>(
  plugin: string,
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  timeoutMs: number | undefined,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new PluginError('REQUEST_CANCELLED', 'The request was cancelled'))
    const late = (): void => reject(callTimeout(plugin, 'a call', timeoutMs ?? 0))
    const timer = timeoutMs === undefined ? undefined : setTimeout(late, Math.min(timeoutMs, maxTimerMs))
    if (signal?.aborted) abort()
    signal?.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    })
  })
}
