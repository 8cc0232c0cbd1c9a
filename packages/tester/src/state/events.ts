import { signal } from '@preact/signals'
import type { Batch, Sample, TimelineEvent } from '../api/types.js'
import { addLogs } from './logs.js'
import { applySample, applyStart, applyStatus, refreshPlugins } from './plugins.js'

/** Whether the tester tells us what happens. */
export const connected = signal<boolean | undefined>(undefined)
export const samples = signal<readonly Sample[]>([])
export const timeline = signal<readonly TimelineEvent[]>([])

/** Five minutes. */
const keptSamples = 300
const keptEvents = 500

/** Listens to the tester for as long as the page is open. */
export function listen(): void {
  const source = new EventSource('/events')
  source.addEventListener('open', () => {
    connected.value = true
    void refreshPlugins()
  })
  source.addEventListener('error', () => {
    connected.value = false
  })
  source.addEventListener('recorded', ({ data }: MessageEvent<string>) => {
    const recorded: Batch = JSON.parse(data)
    samples.value = recorded.samples
    timeline.value = recorded.timeline
    addLogs(recorded.logs, 0)
  })
  source.addEventListener('message', ({ data }: MessageEvent<string>) => take(JSON.parse(data)))
}

function take({ samples: fresh, timeline: events, logs, dropped_lines: dropped = 0 }: Batch): void {
  if (fresh.length > 0) samples.value = [...samples.value, ...fresh].slice(-keptSamples)
  for (const sample of fresh) applySample(sample)
  if (events.length > 0) {
    timeline.value = [...timeline.value, ...events].slice(-keptEvents)
    for (const event of events) {
      applyStatus(event)
      applyStart(event)
    }
    void refreshPlugins()
  }
  if (logs.length > 0) addLogs(logs, dropped)
}
