import { setTimeout as delay } from 'node:timers/promises'
import { mapValues } from './ratios.mjs'

/** A measurement that takes longer than this hangs: a process is gone, say. */
const patienceMs = 60_000

/** The same for all the faults that are counted with `--full`. */
const countPatienceMs = 600_000

/** How long a contender may take to leave before it is made to. */
const leaveMs = 8000

/**
 * Measures a scenario: after a warm-up each round has every contender's turn once, and each round another one begins.
 * Returns the rounds: contender to figure. What only counts has one round, and no warm-up.
 */
export async function runRounds({ name, open, isCount }, most, progress, options) {
  const { measures, close } = await open(options)
  const contenders = Object.keys(measures)
  const ms = isCount ? countPatienceMs : patienceMs
  const measure = (contender) => within(ms, `${name}: ${contender}`, measures[contender]())
  const count = isCount ? 1 : most
  try {
    if (!isCount) progress(`${name}: warm-up`)
    for (const contender of isCount ? [] : contenders) await measure(contender)
    const rounds = []
    for (let index = 0; index < count; index++) {
      progress(`${name}: round ${index + 1} of ${count}`)
      const figures = {}
      for (const contender of rotated(contenders, index)) figures[contender] = await measure(contender)
      rounds.push(Object.fromEntries(contenders.map((contender) => [contender, figures[contender]])))
    }
    return rounds
  } finally {
    await close()
  }
}

/** Starts contenders, and stops them all if one fails to start. */
export async function startAll(starts) {
  const started = {}
  try {
    for (const [contender, start] of Object.entries(starts)) started[contender] = await start()
    return started
  } catch (error) {
    await stopAll(started)
    throw error
  }
}

/** Lets contenders go, and ends the processes of those that do not leave. */
export async function stopAll(started) {
  await Promise.all(Object.values(started).map(leave))
}

/** Runs every contender the same way; the common form of a scenario's `open`. */
export function withContenders(starts, measure) {
  return async () => {
    const started = await startAll(starts)
    return {
      measures: mapValues(started, (contender) => () => measure(contender)),
      close: () => stopAll(started),
    }
  }
}

async function leave({ pid, stop }) {
  const late = delay(leaveMs, 'late', { ref: false })
  if ((await Promise.race([stop(), late])) === 'late' && pid !== undefined) process.kill(pid, 'SIGKILL')
}

async function within(ms, what, work) {
  const timer = new AbortController()
  const late = delay(ms, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`${what} did not finish in ${ms / 1000} s`)
  })
  late.catch(() => {})
  try {
    return await Promise.race([work, late])
  } finally {
    timer.abort()
  }
}

function rotated(items, by) {
  const first = by % items.length
  return [...items.slice(first), ...items.slice(0, first)]
}
