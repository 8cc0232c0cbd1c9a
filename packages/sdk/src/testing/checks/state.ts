import { isDeepStrictEqual } from 'node:util'
import { type Check, type CheckContext, must } from '../check.js'
import type { RunningPlugin } from '../target.js'
import { callSomething, unexpected } from './calls.js'

export const stateCheck: Check = {
  id: 'state.round_trip',
  requires: 'state',
  title:
    'What captureState() returns, restoreState() of another instance takes; captured again it is the same',
  after: ['lifecycle.initialize'],
  run: checkState,
}

async function checkState(context: CheckContext): Promise<void> {
  // An unused instance may have no state.
  await callSomething(context)
  const captured = await capture(await context.plugin())
  const successor = await context.another()
  // A copy, as a successor in another process gets.
  await successor.restoreState(structuredClone(captured)).catch((error: unknown) => {
    throw unexpected('restoreState()', error)
  })
  const again = await capture(successor)
  must(
    isDeepStrictEqual(again, captured),
    `captured ${shown(captured)}; the instance that restored it captures ${shown(again)}`,
  )
}

async function capture(plugin: RunningPlugin): Promise<unknown> {
  try {
    // A copy: the plugin may go on changing what it has returned.
    return structuredClone(await plugin.captureState())
  } catch (error) {
    throw unexpected('captureState()', error)
  }
}

function shown(state: unknown): string {
  return JSON.stringify(state)?.slice(0, 200) ?? String(state)
}
