import type { TimelineEvent } from '../api/types.js'
import { clock, duration } from '../parts/format.js'
import { timeline } from '../state/events.js'

const shownEvents = 100

/** Crashes, restarts, swaps and changes of status, the newest first. */
export function Timeline() {
  const events = timeline.value.slice(-shownEvents).reverse()
  return (
    <section class="card" aria-labelledby="timeline">
      <h3 id="timeline">Timeline</h3>
      {events.length === 0 ? (
        <p class="quiet">Nothing has happened yet. Loads, crashes, restarts and swaps come here.</p>
      ) : (
        <ol class="timeline">
          {events.map((event) => (
            <li key={`${event.at} ${event.type} ${event.plugin} ${event.step ?? event.status ?? ''}`}>
              <time>{clock(event.at)}</time>
              <span class={`event ${toneOf(event)}`}>{event.type}</span>
              <b>{event.plugin}</b>
              <span class="event-text">{textOf(event)}</span>
            </li>
          ))}
        </ol>
      )}
    </section>
  )
}

function toneOf({ type, status, error }: TimelineEvent): string {
  if (type === 'crash' || status === 'ERROR' || error !== undefined) return 'bad'
  if (type === 'swap') return 'busy'
  if (type === 'restart') return 'wait'
  return status === 'READY' ? 'good' : 'off'
}

function textOf(event: TimelineEvent): string {
  const { type, message, attempt, delay_ms: delay, previous, status } = event
  if (type === 'crash') return message ?? ''
  if (type === 'restart') return `attempt ${attempt}, after ${duration(delay)}`
  if (type === 'status') return `${previous?.toLowerCase()} → ${status?.toLowerCase()}`
  const what = event.replacement === event.plugin ? 'itself' : event.replacement
  const how = event.error === undefined ? `took ${duration(event.duration_ms)}` : `failed: ${event.error}`
  return `for ${what}: ${event.step} ${how}`
}
