import type { PluginError } from '@appfactory/sdk'
import { requestCancelled } from './messages.js'
import { within } from './waiting.js'

interface Work<Result> {
  result: Promise<Result>
  ending: AbortController
  waiting: number
}

/** Work that several callers may wait for: begun for the first, ended when the last has left. */
export class SharedWork<Result> {
  readonly #running = new Map<string, Work<Result>>()
  /** Work that has not ended yet, whether somebody waits for it or not. */
  readonly #unfinished = new Set<Promise<unknown>>()
  readonly #closing = new AbortController()
  #closed: PluginError | undefined

  /**
   * What comes of the work of that key, which `start` begins where it is not under way. An abort of the signal it is given
   * ends it.
   *
   * @throws PluginError REQUEST_CANCELLED where `signal` is aborted; what `close()` was given.
   */
  async join(
    key: string,
    start: (ending: AbortSignal) => Promise<Result>,
    signal?: AbortSignal,
  ): Promise<Result> {
    if (this.#closed) throw this.#closed
    if (signal?.aborted) throw requestCancelled(signal)
    const work = this.#running.get(key) ?? this.#begin(key, start)
    work.waiting += 1
    try {
      return await within(work.result, { signal })
    } catch (error) {
      throw this.#closed ?? error
    } finally {
      work.waiting -= 1
      if (work.waiting === 0) this.#end(key, work)
    }
  }

  /** Ends all work; resolves when it has ended. Who waits for it gets `error`. */
  async close(error: PluginError): Promise<void> {
    this.#closed = error
    this.#closing.abort()
    await Promise.all(this.#unfinished)
  }

  #begin(key: string, start: (ending: AbortSignal) => Promise<Result>): Work<Result> {
    const ending = new AbortController()
    const result = start(AbortSignal.any([ending.signal, this.#closing.signal]))
    const work = { result, ending, waiting: 0 }
    this.#running.set(key, work)
    const settled = result
      .catch(() => {})
      .then(() => {
        this.#unfinished.delete(settled)
      })
    this.#unfinished.add(settled)
    return work
  }

  #end(key: string, work: Work<Result>): void {
    work.ending.abort()
    if (this.#running.get(key) === work) this.#running.delete(key)
  }
}
