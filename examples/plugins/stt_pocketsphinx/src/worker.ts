/** The thread of one recogniser. */
import { parentPort } from 'node:worker_threads'
import type { WorkerAnswer, WorkerRequest } from './protocol.js'
import { Recogniser } from './recogniser.js'

const port = parentPort
if (!port) throw new Error('worker.js runs as a worker thread, not by itself')

// Requests that come before it is loaded wait in the port until somebody listens.
const recogniser = await Recogniser.load()

port.on('message', (request: WorkerRequest) => {
  port.postMessage(answerTo(request))
})

function answerTo(request: WorkerRequest): WorkerAnswer {
  try {
    if (request.kind === 'end') return { kind: 'transcript', transcript: recogniser.end() }
    return { kind: 'partial', text: recogniser.push(request.samples, request.sampleRate) }
  } catch (error) {
    return { kind: 'failure', message: error instanceof Error ? error.message : String(error) }
  }
}
