import { signal } from '@preact/signals'

/** Work that goes on while another section is shown: whether it is under way, how to stop it, what went wrong. */
export class Job {
  readonly #stopping = signal<AbortController | undefined>(undefined)
  readonly #error = signal<unknown>(undefined)

  get isRunning(): boolean {
    return this.#stopping.value !== undefined
  }

  /** Why it failed, until it is begun again. */
  get error(): unknown {
    return this.#error.value
  }

  /** Begins it, unless it is under way. What a stop makes of it is no error. */
  async run(work: (stop: AbortSignal) => Promise<void>): Promise<void> {
    if (this.isRunning) return
    const stopping = new AbortController()
    this.#stopping.value = stopping
    this.#error.value = undefined
    try {
      await work(stopping.signal)
    } catch (error) {
      if (!stopping.signal.aborted) this.#error.value = error
    } finally {
      this.#stopping.value = undefined
    }
  }

  stop(): void {
    this.#stopping.value?.abort()
  }
}
