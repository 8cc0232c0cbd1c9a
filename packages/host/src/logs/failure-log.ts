import { isPluginError } from '@appfactory/sdk'
import { describeThrown, outcomeOf, shortened } from '@appfactory/sdk/internal'
import { LogBudget } from './log-budget.js'
import type { Logs } from './logs.js'

/** Failed calls that are logged in a burst, and per second after that. */
const rate = { burst: 200, perSecond: 10 }

/** Longest reason that is logged, in characters. */
const longestReason = 1000

/** Logs calls that failed. Of a flood of them it logs few, and counts the others. */
export class FailureLog {
  readonly #logs: Logs
  readonly #budget: LogBudget

  constructor(logs: Logs) {
    this.#logs = logs
    this.#budget = new LogBudget(
      (dropped) => logs.launcher('WARNING', 'more calls failed than are logged', { not_logged: dropped }),
      rate,
    )
  }

  add(plugin: string, method: string, error: unknown, durationMs: number): void {
    if (outcomeOf(error) === 'cancelled' || !this.#budget.take(0)) return
    const { name, message } = describeThrown(error)
    this.#logs.launcher('WARNING', 'call failed', {
      plugin,
      method: shortened(method),
      error: isPluginError(error) ? (error.codeName ?? error.code) : name,
      reason: shortened(message, longestReason),
      durationMs,
    })
  }

  /** Reports what was not logged. */
  close(): void {
    this.#budget.tell()
  }
}
