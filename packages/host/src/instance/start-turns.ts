import { availableParallelism } from 'node:os'

/** Processes that may start at once: more of them start no sooner, and each takes files that the host needs for others. */
const most = Math.max(4, 2 * availableParallelism())

/** How long a start has its turn at most, in ms: a plugin that hangs while it is imported must not keep others from starting. */
const longestTurnMs = 2000

let starting = 0
const waiting: (() => void)[] = []

/**
 * Resolves when another process may start, with what lets the next one have its turn.
 *
 * @throws What `signal` was aborted with.
 */
export async function startTurn(signal: AbortSignal | undefined): Promise<() => void> {
  signal?.throwIfAborted()
  if (starting < most) starting += 1
  else await turnCame(signal)
  let isOver = false
  const timer = setTimeout(() => end(), longestTurnMs)
  timer.unref()
  const end = (): void => {
    if (isOver) return
    isOver = true
    clearTimeout(timer)
    const next = waiting.shift()
    if (next) next()
    else starting -= 1
  }
  return end
}

/** A turn goes from hand to hand, so that `starting` stays. */
function turnCame(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      waiting.splice(waiting.indexOf(begin), 1)
      reject(signal?.reason)
    }
    const begin = (): void => {
      signal?.removeEventListener('abort', abort)
      resolve()
    }
    waiting.push(begin)
    signal?.addEventListener('abort', abort, { once: true })
  })
}
