import { signal } from '@preact/signals'

interface Work {
  stopping: AbortController
  /** As `performance.now()`. */
  startedAt: number
}

/** Work that goes on while another section is shown: whether it is under way, how to stop it, what went wrong. */
export class Job {
  readonly #work = signal<Work | undefined>(undefined)
  readonly #error = signal<unknown>(undefined)

  get isRunning(): boolean {
    return this.#work.value !== undefined
  }

  /** As `performance.now()`; undefined while nothing is under way. */
  get startedAt(): number | undefined {
    return this.#work.value?.startedAt
  }

  /** Why it failed, until it is begun again. */
  get error(): unknown {
    return this.#error.value
  }

  /** Begins it, unless it is under way. An error that comes after a stop is not reported. */
  async run(work: (stop: AbortSignal) => Promise<void>): Promise<void> {
    if (this.isRunning) return
    const stopping = new AbortController()
    this.#work.value = { stopping, startedAt: performance.now() }
    this.#error.value = undefined
    try {
      await work(stopping.signal)
    } catch (error) {
      if (!stopping.signal.aborted) this.#error.value = error
    } finally {
      this.#work.value = undefined
    }
  }

  stop(): void {
    this.#work.value?.stopping.abort()
  }
}

/** One job for each key, for as long as the page is open. */
export class Jobs {
  readonly #jobs = new Map<string, Job>()

  of(key: string): Job {
    const job = this.#jobs.get(key) ?? new Job()
    this.#jobs.set(key, job)
    return job
  }
}
