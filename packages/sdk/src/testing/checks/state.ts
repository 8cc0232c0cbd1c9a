import { isDeepStrictEqual } from 'node:util'
import { type Check, type CheckContext, must } from '../check.js'
import { unexpected } from './calls.js'

export const stateCheck: Check = {
  id: 'state.round_trip',
  requires: 'state',
  title:
    'What captureState() returns, restoreState() of another instance takes; captured again it is the same',
  after: ['lifecycle.initialize'],
  run: checkState,
}

async function checkState(context: CheckContext): Promise<void> {
  const captured = await capture(await context.plugin())
  const problem = problemOf(captured, 'state')
  must(problem === undefined, `${problem}; a state is JSON values and bytes`)
  const successor = await context.another()
  // A copy, as a successor in a process of its own gets one.
  await successor.restoreState?.(structuredClone(captured)).catch((error: unknown) => {
    throw unexpected('restoreState()', error)
  })
  const again = await capture(successor)
  must(
    isDeepStrictEqual(again, captured),
    `captured ${shown(captured)}; the instance that restored it captures ${shown(again)}`,
  )
}

async function capture(plugin: { captureState?(): Promise<unknown> }): Promise<unknown> {
  try {
    return structuredClone(await plugin.captureState?.())
  } catch (error) {
    throw unexpected('captureState()', error)
  }
}

/** What of a state could not be handed over. */
function problemOf(value: unknown, path: string): string | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return undefined
  if (value instanceof Uint8Array || (typeof value === 'number' && Number.isFinite(value))) return undefined
  if (Array.isArray(value)) return firstProblem(value.entries(), path)
  const isPlain =
    typeof value === 'object' && [Object.prototype, null].includes(Object.getPrototypeOf(value) as null)
  if (isPlain) return firstProblem(Object.entries(value as object), path)
  return `${path} is ${typeof value === 'object' ? `a ${value.constructor.name}` : String(value)}`
}

function firstProblem(entries: Iterable<[string | number, unknown]>, path: string): string | undefined {
  for (const [key, value] of entries) {
    const problem = problemOf(value, `${path}.${key}`)
    if (problem) return problem
  }
  return undefined
}

function shown(state: unknown): string {
  return JSON.stringify(state)?.slice(0, 200) ?? String(state)
}
