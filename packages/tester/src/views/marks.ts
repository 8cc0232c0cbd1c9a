import type { Mark } from '../parts/chart.js'
import type { Happening } from './happenings.js'

/** What is marked on the charts, and how. What comes first is drawn first: nothing may hide a crash. */
export const markColors: Record<string, string> = { swap: '--busy', restart: '--wait', crash: '--bad' }

export function marksOf(happened: readonly Happening[]): Mark[] {
  return Object.entries(markColors).flatMap(([wanted, color]) =>
    happened.flatMap(({ at, kind }) => (kind === wanted ? [{ at: at / 1000, color }] : [])),
  )
}

/** Latencies that are shown, in the colours of `--line-1` to `--line-3`. */
export const percentiles = ['p50', 'p95', 'p99'] as const
