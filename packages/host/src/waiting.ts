import { setTimeout as delay } from 'node:timers/promises'
import { PluginError } from '@appfactory/sdk'
import { allowListeners, type Cancellation, cancelledBy, maxTimerMs } from '@appfactory/sdk/wire'

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
    const abort = (): void =>
      reject(
        signal?.aborted
          ? cancelledBy(signal)
          : new PluginError('REQUEST_CANCELLED', 'The request was cancelled'),
      )
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => reject(late?.()), Math.min(timeoutMs, maxTimerMs))
    if (signal?.aborted || cancellation?.cancelled) abort()
    // Any number of calls may wait with the same signal.
    if (signal) allowListeners(signal)
    signal?.addEventListener('abort', abort, { once: true })
    if (cancellation) cancellation.onCancel = abort
    promise.then(resolve, reject).finally(() => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    })
  })
}
