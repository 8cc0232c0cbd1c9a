import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Making } from './encode.js'
import type { Piece } from './jobs.js'
import { samplesToSend, slicesOf } from './plain.js'
import { AudioProblem, type ProblemKind } from './problem.js'

/** What the thread is asked for. A job is asked for one thing at a time, and dropped at its end. */
export type Ask =
  | { op: 'hear'; job: number; file: Uint8Array; mostSeconds: number }
  | { op: 'speak'; job: number; making: Making; piece: Piece }
  | { op: 'end'; job: number; making: Making }
  | { op: 'drop'; job: number }

export type Answer =
  | { job: number; bytes: Uint8Array }
  | { job: number; problem: { kind: ProblemKind; message: string } }
  | { job: number; error: string }

/** How long the thread waits for more work before it ends, in ms. */
const idleMs = 30_000

/** By the package's name, wherever a bundle has this code: a thread runs only what is built. */
const workerFile = join(
  dirname(createRequire(import.meta.url).resolve('@appfactory/gateway/package.json')),
  'dist/audio/worker.js',
)

interface Waiting {
  resolve(bytes: Uint8Array): void
  reject(error: Error): void
}

/** The one thread in which sound is read and made, while there is any. Only what is waited for keeps the process alive. */
class AudioThread {
  #worker: Worker | undefined
  #jobs = 0
  #lastJob = 0
  #idle: NodeJS.Timeout | undefined
  readonly #waiting = new Map<number, Waiting>()

  /** Begins a job, which `drop` ends. */
  begin(): number {
    clearTimeout(this.#idle)
    this.#jobs++
    return ++this.#lastJob
  }

  ask(ask: Exclude<Ask, { op: 'drop' }>, signal: AbortSignal): Promise<Uint8Array> {
    signal.throwIfAborted()
    this.#worker ??= this.#start()
    const worker = this.#worker
    return new Promise((resolve, reject) => {
      const onAbort = (): void => settle(() => reject(signal.reason))
      const settle = (tell: () => void): void => {
        this.#waiting.delete(ask.job)
        if (this.#waiting.size === 0) worker.unref()
        signal.removeEventListener('abort', onAbort)
        tell()
      }
      this.#waiting.set(ask.job, {
        resolve: (bytes) => settle(() => resolve(bytes)),
        reject: (error) => settle(() => reject(error)),
      })
      signal.addEventListener('abort', onAbort)
      worker.ref()
      worker.postMessage(ask)
    })
  }

  drop(job: number): void {
    this.#worker?.postMessage({ op: 'drop', job } satisfies Ask)
    if (--this.#jobs > 0) return
    this.#idle = setTimeout(() => this.#stop(), idleMs)
    this.#idle.unref()
  }

  #start(): Worker {
    const worker = new Worker(workerFile, { stdout: true, stderr: true })
    // Codecs print a line for each packet that is damaged.
    worker.stdout.resume()
    worker.stderr.resume()
    worker.on('message', (answer: Answer) => this.#take(answer))
    worker.on('error', (error) => this.#fail(worker, error))
    worker.on('exit', () => this.#fail(worker, new Error('The thread of sound has ended')))
    worker.unref()
    return worker
  }

  #stop(): void {
    void this.#worker?.terminate()
    this.#worker = undefined
  }

  #take(answer: Answer): void {
    const waiting = this.#waiting.get(answer.job)
    if ('bytes' in answer) waiting?.resolve(answer.bytes)
    else if ('problem' in answer)
      waiting?.reject(new AudioProblem(answer.problem.kind, answer.problem.message))
    else waiting?.reject(new Error(answer.error))
  }

  /** The next one who asks gets a new thread. */
  #fail(worker: Worker, error: unknown): void {
    if (worker !== this.#worker) return
    this.#worker = undefined
    const reason = error instanceof Error ? error : new Error(String(error))
    for (const { reject } of [...this.#waiting.values()]) reject(reason)
  }
}

const thread = new AudioThread()

/**
 * The sound of a file of any known format, as 16-bit mono at `hearingRate`, without a header.
 *
 * @throws AudioProblem.
 */
export async function hearFile(
  file: Uint8Array,
  signal: AbortSignal,
  mostSeconds: number,
): Promise<Uint8Array> {
  const job = thread.begin()
  try {
    return await thread.ask({ op: 'hear', job, file, mostSeconds }, signal)
  } finally {
    thread.drop(job)
  }
}

/**
 * Speech in an encoding, as its pieces come, or as one file at the end. The next piece is asked for only when this one has been taken.
 *
 * @throws AudioProblem, and what the pieces throw.
 */
export async function* encodeSpeech(
  pieces: AsyncIterable<Piece>,
  making: Making,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const job = thread.begin()
  try {
    let isUntouched = true
    for await (const { audio, format, sampleRate, channels } of pieces) {
      const whole = { audio, format, sampleRate, channels }
      const samples = isUntouched ? samplesToSend(whole, making) : undefined
      if (samples) {
        if (samples.length > 0) yield samples
        continue
      }
      isUntouched = false
      for (const piece of slicesOf(whole)) {
        const bytes = await thread.ask({ op: 'speak', job, making, piece }, signal)
        if (bytes.length > 0) yield bytes
      }
    }
    if (isUntouched) return
    const last = await thread.ask({ op: 'end', job, making }, signal)
    if (last.length > 0) yield last
  } finally {
    thread.drop(job)
  }
}
