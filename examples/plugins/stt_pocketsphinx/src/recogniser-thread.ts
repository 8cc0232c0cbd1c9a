import { Worker } from 'node:worker_threads'
import { PluginError } from '@appfactory/sdk'
import type { MonoAudio } from './audio-input.js'
import type { Transcript, WorkerAnswer, WorkerRequest } from './protocol.js'

/** Names the built file from dist/ and from src/ alike: a thread runs JavaScript, and tests run from src/. */
const workerFile = new URL('../dist/worker.js', import.meta.url)

interface Waiting {
  resolve(answer: WorkerAnswer): void
  reject(reason: unknown): void
}

/** A recogniser in a thread of its own, since it computes for long without a break. */
export class RecogniserThread {
  readonly #worker = new Worker(workerFile, { name: 'pocketsphinx' })
  /** The thread answers in order. */
  readonly #waiting: Waiting[] = []
  #failure: PluginError | undefined

  constructor() {
    this.#worker.on('message', (answer: WorkerAnswer) => this.#waiting.shift()?.resolve(answer))
    this.#worker.on('error', (error) => this.#fail(`The recogniser failed: ${error.message}`))
    this.#worker.on('exit', () => this.#fail('The recogniser was stopped'))
    // An idle thread does not keep the process alive.
    this.#worker.unref()
  }

  /** Whether it can go on being used. */
  get works(): boolean {
    return this.#failure === undefined
  }

  /** Listens on; returns what has been understood so far. */
  async push({ samples, sampleRate }: MonoAudio): Promise<string> {
    const answer = await this.#ask({ kind: 'push', samples, sampleRate })
    return answer.kind === 'partial' ? answer.text : ''
  }

  /** Ends the audio; the next push begins another. */
  async end(): Promise<Transcript> {
    const answer = await this.#ask({ kind: 'end' })
    return answer.kind === 'transcript' ? answer.transcript : { text: '', words: [] }
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate()
  }

  async #ask(request: WorkerRequest): Promise<WorkerAnswer> {
    if (this.#failure) throw this.#failure
    this.#worker.ref()
    const answer = await new Promise<WorkerAnswer>((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#worker.postMessage(request)
    })
    if (this.#waiting.length === 0) this.#worker.unref()
    if (answer.kind === 'failure') {
      // After a trap nothing in its memory can be trusted.
      this.#fail(`The recogniser failed: ${answer.message}`)
      await this.#worker.terminate()
      throw this.#failure
    }
    return answer
  }

  #fail(message: string): void {
    this.#failure ??= new PluginError('STT_TRANSCRIPTION_FAILED', message)
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure)
  }
}
