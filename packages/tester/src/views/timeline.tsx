import { useState } from 'preact/hooks'
import type { TimelineEvent } from '../api/types.js'
import { clock, duration } from '../parts/format.js'
import type { Happening } from './happenings.js'

/** Rows that are shown before somebody asks for more. */
const fewRows = 12

/** Crashes, restarts, swaps and changes of status, the newest first. */
export function Timeline({ happened }: { happened: readonly Happening[] }) {
  const [showsAll, setShowsAll] = useState(false)
  const rows = [...happened].reverse()
  return (
    <section class="card" aria-labelledby="timeline">
      <h3 id="timeline">Timeline</h3>
      {rows.length === 0 && (
        <p class="quiet">Nothing has happened yet. Loads, crashes, restarts and swaps come here.</p>
      )}
      <ol class="timeline">
        {rows.slice(0, showsAll ? undefined : fewRows).map((row) => (
          <Row
            key={`${row.events[0].at} ${row.kind} ${row.plugin} ${row.events[0].status ?? ''}`}
            row={row}
          />
        ))}
      </ol>
      {rows.length > fewRows && (
        <button type="button" class="small" onClick={() => setShowsAll(!showsAll)}>
          {showsAll ? 'Only the newest' : `All ${rows.length}`}
        </button>
      )}
    </section>
  )
}

function Row({ row: { at, kind, plugin, events } }: { row: Happening }) {
  const failed = events.find(({ error }) => error !== undefined)
  return (
    <li>
      <time>{clock(at)}</time>
      <span class={`event ${failed ? 'bad' : toneOf(events[0])}`}>{kind}</span>
      <b>{plugin}</b>
      {kind === 'swap' ? (
        <details class="event-text">
          <summary>{swapText(events, failed)}</summary>
          <ul>
            {events.map(({ step, duration_ms: ms, error }) => (
              <li key={step}>
                {step} {error === undefined ? `took ${duration(ms)}` : `failed: ${error}`}
              </li>
            ))}
          </ul>
        </details>
      ) : (
        <span class="event-text">{textOf(events[0])}</span>
      )}
    </li>
  )
}

function toneOf({ type, status }: TimelineEvent): string {
  if (type === 'crash' || status === 'ERROR') return 'bad'
  if (type === 'swap') return 'busy'
  if (type === 'restart' || type === 'fallback') return 'wait'
  return status === 'READY' ? 'good' : 'off'
}

function textOf(event: TimelineEvent): string {
  const { type, message, attempt, delay_ms: delay, previous, status, serving, reason } = event
  if (type === 'crash') return message ?? ''
  if (type === 'restart') return `attempt ${attempt}, after ${duration(delay)}`
  if (type === 'fallback') return `${previous ?? 'nothing'} → ${serving ?? 'nothing'}, ${reason}`
  return `${previous?.toLowerCase()} → ${status?.toLowerCase()}`
}

function swapText(
  events: readonly [TimelineEvent, ...TimelineEvent[]],
  failed: TimelineEvent | undefined,
): string {
  const [{ plugin, replacement }] = events
  const what = replacement === plugin ? 'itself' : replacement
  if (failed) return `for ${what}: failed at ${failed.step}`
  const has = (wanted: string): boolean => events.some(({ step }) => step === wanted)
  if (!has('switch')) return `for ${what}: under way`
  // What retires is not waited for by anybody.
  const steps = events.filter(({ step }) => step !== 'retire')
  return `for ${what}: took ${duration(steps.reduce((sum, { duration_ms: ms }) => sum + (ms ?? 0), 0))}`
}
