interface Job {
  result: Promise<void>
  /** How many wait for it. */
  waiting: number
  abandon: AbortController
}

/** Installations, each done once for all who ask for it while it is under way. */
export class SharedInstallations {
  readonly #jobs = new Map<string, Job>()

  /**
   * Does `work`, or waits for the one of that key that is under way. An abort of `signal` ends the wait; the work itself is aborted
   * when nobody waits for it any more, and whoever left last waits for its end.
   */
  async run(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    signal.throwIfAborted()
    let job = this.#jobs.get(key)
    while (job?.abandon.signal.aborted) {
      await job.result.catch(() => {})
      job = this.#jobs.get(key)
    }
    await wait(job ?? this.#begin(key, work), signal)
  }

  #begin(key: string, work: (signal: AbortSignal) => Promise<void>): Job {
    const abandon = new AbortController()
    const result = work(abandon.signal).finally(() => this.#jobs.delete(key))
    const job = { result, waiting: 0, abandon }
    this.#jobs.set(key, job)
    return job
  }
}

async function wait(job: Job, signal: AbortSignal): Promise<void> {
  let leave = (): void => {}
  job.waiting += 1
  const left = new Promise<void>((_, reject) => {
    leave = () => {
      job.waiting -= 1
      if (job.waiting === 0) job.abandon.abort()
      else reject(signal.reason)
    }
    if (signal.aborted) leave()
    else signal.addEventListener('abort', leave, { once: true })
  })
  try {
    await Promise.race([job.result, left])
  } finally {
    signal.removeEventListener('abort', leave)
  }
}
