import { isPluginError } from '@appfactory/sdk'

/**
 * What came of a call or a stream. A stream is one call. One that its reader leaves is cancelled, as a call is that its caller
 * cancels: it is neither answered nor failed.
 */
export type Outcome = 'answered' | 'failed' | 'cancelled'

export const outcomes: readonly Outcome[] = ['answered', 'failed', 'cancelled']

/** What came of a call that ended with an error. */
export function outcomeOf(error: unknown): Outcome {
  return isPluginError(error) && error.codeName === 'REQUEST_CANCELLED' ? 'cancelled' : 'failed'
}

/** How many calls ended in which way. */
export class OutcomeCounts {
  answered = 0
  failed = 0
  cancelled = 0

  add(outcome: Outcome): void {
    this[outcome] += 1
  }
}
