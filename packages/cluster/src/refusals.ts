import { setTimeout as delay } from 'node:timers/promises'
import type { Bus } from './bus.js'
import { notAllowed } from './errors.js'

/** Notes what NATS refuses of some subjects, which nothing else tells. `check` is for after a `flush()`; it ends that. */
export function watchRefusals(bus: Bus, subjects: readonly string[]): { check(): Promise<void> } {
  let refused: Parameters<typeof notAllowed> | undefined
  const end = bus.onChange((change) => {
    if (change.type === 'refused' && subjects.includes(change.subject))
      refused ??= [change.operation, change.subject]
  })
  return {
    /** @throws PluginError CALL_FORBIDDEN */
    async check() {
      // What the server said before is told in a later turn.
      await delay(0)
      end()
      if (refused) throw notAllowed(...refused)
    },
  }
}
