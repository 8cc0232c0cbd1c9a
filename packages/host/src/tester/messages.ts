import type { HealthResult } from '../server/results.js'
import type { WireLine } from '../trace/wire.js'

// What the tester tells its page. The page takes its types from here.

/** An event of a plugin, with wire names. */
export interface TimelineEvent {
  at: number
  type: 'status' | 'crash' | 'restart' | 'swap' | 'fallback'
  plugin: string
  status?: string
  previous?: string | null
  /** Of a fallback: the plugin that gets its calls now, and why. */
  serving?: string | null
  reason?: string
  message?: string
  stderr?: string
  attempt?: number
  delay_ms?: number
  replacement?: string
  step?: string
  duration_ms?: number
  error?: string
  /** Which of several processes it is about, from 1. */
  place?: number
}

export interface LogLine {
  /** Counts up from 1, so that a page notices missed events. */
  seq: number
  at: number
  plugin: string
  level: string
  message: string
}

/** A sample of the host and its plugins at one moment. */
export interface Sample {
  at: number
  host: Record<string, number | string>
  plugins: Record<string, HealthResult>
}

/** What has happened since the last batch, or in the recent past. */
export interface Batch {
  samples: readonly Sample[]
  timeline: readonly TimelineEvent[]
  logs: readonly LogLine[]
  /** Lines that came too fast to be sent. */
  dropped_lines?: number
}

/** In ms. */
export interface Percentiles {
  p50_ms: number
  p95_ms: number
  p99_ms: number
  max_ms: number
}

/** What a load run reports, several times a second. */
export interface LoadReport {
  elapsed_ms: number
  calls: number
  answered: number
  in_flight: number
  /** Calls without a result, whatever the reason, except those that were refused or cancelled. */
  lost: number
  /** Calls whose arguments the plugin did not accept. */
  refused: number
  /** Calls that were in flight when the time was over, or when the run was stopped. */
  cancelled: number
  /** How often each error came, by its name. */
  errors: Record<string, number>
  first_error: string | null
  per_second: number
  recent: Percentiles | null
  all: Percentiles | null
  swap: {
    state: 'under way' | 'done' | 'failed'
    at_ms: number
    to: string
    duration_ms?: number
    held_calls?: number
    message?: string
  } | null
  done: boolean
}

/** The start, or the end, of one check. */
export interface CheckReport {
  id: string
  title: string
  status: 'running' | 'passed' | 'failed' | 'skipped' | 'blocked'
  reason?: string | null
  duration_ms?: number
}

/** Messages between the host and one plugin. */
export interface WireBatch {
  lines: readonly WireLine[]
  /** Messages that came too fast to be sent. */
  dropped: number
}
