import type { ServerResponse } from 'node:http'
import type { Listener, LogLine, Recorder, Sample, TimelineEvent } from './recorder.js'

/** A page is told at most this often, in ms. */
const batchMs = 100

/** Lines of one batch; of a flood, the newest are sent and the others counted. */
const maxBatchLines = 500

/** What a page is told at once. */
interface Batch {
  samples: Sample[]
  timeline: TimelineEvent[]
  logs: LogLine[]
  dropped_lines: number
}

/** Tells a page what happens from now on, and what was before: Server-Sent Events, in batches. */
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
    // What a slow page has not read is not made longer.
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

function emptyBatch(): Batch {
  return { samples: [], timeline: [], logs: [], dropped_lines: 0 }
}

function drop(batch: Batch): void {
  const tooMany = batch.logs.length - maxBatchLines
  if (tooMany <= 0) return
  batch.logs.splice(0, tooMany)
  batch.dropped_lines += tooMany
}
