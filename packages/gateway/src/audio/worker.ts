import { parentPort } from 'node:worker_threads'
import { hear, SpeechJob } from './jobs.js'
import { AudioProblem } from './problem.js'
import type { Answer, Ask } from './thread.js'

/** The thread of sound: codecs compute here, so that the requests of others are answered meanwhile. */

const jobs = new Map<number, SpeechJob>()
const gone = new Set<number>()
/** What was asked of a job is done in order. */
const turns = new Map<number, Promise<void>>()

parentPort?.on('message', (ask: Ask) => {
  if (ask.op === 'drop') gone.add(ask.job)
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
  if (ask.op === 'hear') return hear(ask.file, () => gone.has(ask.job), ask.mostSeconds)
  const known = jobs.get(ask.job)
  const job = known ?? new SpeechJob(ask.encoding, ask.mostSeconds)
  if (!known) jobs.set(ask.job, job)
  return ask.op === 'speak' ? job.push(ask.piece) : job.end()
}

function forget(id: number): void {
  jobs.get(id)?.free()
  jobs.delete(id)
  turns.delete(id)
  gone.delete(id)
}

function failure(job: number, error: unknown): Answer {
  if (error instanceof AudioProblem) return { job, problem: { kind: error.kind, message: error.message } }
  return { job, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}
