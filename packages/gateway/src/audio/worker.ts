import { parentPort } from 'node:worker_threads'
import { hear, programMs, SpeechJob } from './jobs.js'
import { AudioProblem } from './problem.js'
import type { Answer, Ask } from './thread.js'

/** The thread of sound: codecs compute here, so that the requests of others are answered meanwhile. */

const jobs = new Map<number, SpeechJob>()
/** Of files that are being read. */
const aborts = new Map<number, AbortController>()
/** What was asked of a job is done in order. */
const turns = new Map<number, Promise<void>>()

parentPort?.on('message', (ask: Ask) => {
  if (ask.op === 'drop') aborts.get(ask.job)?.abort()
  const turn = (turns.get(ask.job) ?? Promise.resolve()).then(() => answer(ask))
  turns.set(ask.job, turn)
})

async function answer(ask: Ask): Promise<void> {
  if (ask.op === 'drop') return forget(ask.job)
  try {
    const bytes = await bytesOf(ask)
    parentPort?.postMessage({ job: ask.job, bytes } satisfies Answer, [bytes.buffer])
  } catch (error) {
    parentPort?.postMessage(failure(ask.job, error))
  }
}

async function bytesOf(ask: Exclude<Ask, { op: 'drop' }>): Promise<Uint8Array<ArrayBuffer>> {
  if (ask.op === 'hear') {
    const abort = new AbortController()
    aborts.set(ask.job, abort)
    return hear(ask.file, abort.signal, { seconds: ask.mostSeconds, programMs })
  }
  const known = jobs.get(ask.job)
  const job = known ?? new SpeechJob(ask.making)
  if (!known) jobs.set(ask.job, job)
  return ask.op === 'speak' ? job.push(ask.piece) : job.end()
}

function forget(id: number): void {
  jobs.get(id)?.free()
  jobs.delete(id)
  turns.delete(id)
  aborts.delete(id)
}

function failure(job: number, error: unknown): Answer {
  if (error instanceof AudioProblem) return { job, problem: { kind: error.kind, message: error.message } }
  return { job, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}
