import { isPassing } from './desired-errors.js'
import type { DesiredStore } from './store.js'

/** How long servers of NATS may take to agree on who of them leads, in ms: they answer nothing meanwhile. */
const patienceMs = 15_000

/** A store that asks again where nobody answers. What was written unheard shows as written by somebody else. */
export function patient(store: DesiredStore): DesiredStore {
  return {
    state: () => untilAnswered(() => store.state()),
    next: (after) => untilAnswered(() => store.next(after)),
    get: (key) => untilAnswered(() => store.get(key)),
    put: (...written) => untilAnswered(() => store.put(...written)),
    remove: (...removed) => untilAnswered(() => store.remove(...removed)),
  }
}

/** Resolves to the first answer. Rejects with what will not pass, or has not in time. */
export async function untilAnswered<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  const begun = performance.now()
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!isPassing(error) || performance.now() - begun > patienceMs) throw error
      await pause(100)
    }
  }
}

/** Resolves after so many ms. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
