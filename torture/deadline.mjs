import { setTimeout as delay } from 'node:timers/promises'

/** The longest that any call may take, in ms: that of the host's own timeouts, and room for a busy machine. */
export const answerLimitMs = 45_000

/** Whether `promise` is settled in time. A call that is not counts as lost. */
export async function settles(promise, ms = answerLimitMs) {
  const stop = new AbortController()
  const late = delay(ms, false, { signal: stop.signal }).catch(() => false)
  const inTime = await Promise.race([promise.then(yes, yes), late])
  stop.abort()
  return inTime
}

const yes = () => true
