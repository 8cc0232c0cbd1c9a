import { PluginError } from '@appfactory/sdk'
import { RecogniserThread } from './recogniser-thread.js'

/** At most `limit` recognisers, made when they are needed and kept, since loading one takes half a second. */
export class ThreadPool {
  readonly limit: number
  #taken = new Set<RecogniserThread>()
  #idle: RecogniserThread[] = []
  #waiting: (() => void)[] = []
  #closed = false

  constructor(limit: number) {
    this.limit = limit
  }

  get threads(): number {
    return this.#taken.size + this.#idle.length
  }

  /** A recogniser for the caller alone, or undefined where all are taken. */
  tryTake(): RecogniserThread | undefined {
    if (this.#closed) throw new PluginError('PLUGIN_NOT_READY', 'The recognisers are being stopped')
    if (this.#taken.size >= this.limit) return undefined
    const thread = this.#idle.pop() ?? new RecogniserThread()
    this.#taken.add(thread)
    return thread
  }

  /** A recogniser for the caller alone, as soon as there is one. */
  async take(signal?: AbortSignal): Promise<RecogniserThread> {
    for (;;) {
      signal?.throwIfAborted()
      const thread = this.tryTake()
      if (thread) return thread
      await this.#nextChange(signal)
    }
  }

  /** Takes a recogniser back whose audio has been ended. */
  giveBack(thread: RecogniserThread): void {
    if (!this.#taken.delete(thread)) return
    if (thread.works && !this.#closed) this.#idle.push(thread)
    // All of them, since the first may have given up meanwhile; they queue again.
    for (const wake of this.#waiting.splice(0)) wake()
  }

  async close(): Promise<void> {
    this.#closed = true
    const threads = [...this.#taken, ...this.#idle]
    this.#taken.clear()
    this.#idle = []
    for (const wake of this.#waiting.splice(0)) wake()
    await Promise.all(threads.map((thread) => thread.terminate()))
  }

  #nextChange(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        signal?.removeEventListener('abort', giveUp)
        resolve()
      }
      const giveUp = (): void => {
        this.#waiting = this.#waiting.filter((waiting) => waiting !== wake)
        resolve()
      }
      signal?.addEventListener('abort', giveUp, { once: true })
      this.#waiting.push(wake)
    })
  }
}
