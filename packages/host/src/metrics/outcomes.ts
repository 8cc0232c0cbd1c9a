import type { Outcome } from '@appfactory/sdk/internal'

export const outcomes: readonly Outcome[] = ['answered', 'failed', 'cancelled']

/** How many calls ended in which way. */
export class OutcomeCounts {
  answered = 0
  failed = 0
  cancelled = 0

  add(outcome: Outcome): void {
    this[outcome] += 1
  }
}
