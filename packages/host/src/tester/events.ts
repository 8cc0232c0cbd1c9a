import type { ServerResponse } from 'node:http'
import type { LogLine, Sample, TimelineEvent } from './messages.js'
import type { Listener, Recorder } from './recorder.js'

/** Minimum interval between two batches, in ms. */
const batchMs = 100

/** Maximum of lines in a batch; of more, the newest are sent and the others counted. */
const maxBatchLines = 500

/** A `Batch` of events that grows. */
interface Collected {
  samples: Sample[]
  timeline: TimelineEvent[]
  logs: LogLine[]
  dropped_lines: number
}

/** Sends a page the recorded events, then new ones: Server-Sent Events, in batches. */
export function sendEvents(recorder: Recorder, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(`event: recorded\ndata: ${JSON.stringify(recorder.recorded)}\n\n`)
  let batch = emptyBatch()
  const listener: Listener = {
    sample: (sample) => batch.samples.push(sample),
    event: (event) => batch.timeline.push(event),
    log: (line) => {
      batch.logs.push(line)
      if (batch.logs.length > 2 * maxBatchLines) drop(batch)
    },
  }
  const timer = setInterval(() => {
    const isEmpty = batch.samples.length + batch.timeline.length + batch.logs.length === 0
    // Back-pressure: wait until a slow page has read the last batch.
    if (isEmpty || response.writableNeedDrain) return
    drop(batch)
    response.write(`data: ${JSON.stringify(batch)}\n\n`)
    batch = emptyBatch()
  }, batchMs)
  recorder.listeners.add(listener)
  response.once('close', () => {
    clearInterval(timer)
    recorder.listeners.delete(listener)
  })
}

function emptyBatch(): Collected {
  return { samples: [], timeline: [], logs: [], dropped_lines: 0 }
}

function drop(batch: Collected): void {
  const tooMany = batch.logs.length - maxBatchLines
  if (tooMany <= 0) return
  batch.logs.splice(0, tooMany)
  batch.dropped_lines += tooMany
}
