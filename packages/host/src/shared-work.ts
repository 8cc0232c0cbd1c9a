import type { PluginError } from '@appfactory/sdk'
import { requestCancelled } from './errors.js'
import { within } from './waiting.js'

interface Work<Result> {
  result: Promise<Result>
  /** Resolves when the work has ended, whatever came of it. */
  ended: Promise<void>
  abandon: AbortController
  /** How many wait for it. */
  waiting: number
  isOver: boolean
}

/** Work that is done once for all who ask for it while it is under way, and abandoned when the last of them has left. */
export class SharedWork<Result> {
  readonly #underWay = new Map<string, Work<Result>>()
  readonly #closing = new AbortController()
  #closed: PluginError | undefined

  /**
   * What comes of the work of that key, which `start` begins unless it is under way. The signal that `start` gets is aborted when
   * nobody waits any more; who left last then waits for the end of the work.
   *
   * @throws PluginError REQUEST_CANCELLED where `signal` is aborted; what `close()` was given.
   */
  async join(
    key: string,
    start: (abandoned: AbortSignal) => Promise<Result>,
    signal?: AbortSignal,
  ): Promise<Result> {
    const work = await this.#find(key, start, signal)
    try {
      return await within(work.result, { signal })
    } catch (error) {
      throw this.#closed ?? error
    } finally {
      work.waiting -= 1
      if (work.waiting === 0 && !work.isOver) work.abandon.abort()
      if (work.abandon.signal.aborted) await work.ended
    }
  }

  /** Abandons all work; resolves when it has ended. Who waits for it gets `error`. */
  async close(error: PluginError): Promise<void> {
    this.#closed = error
    this.#closing.abort()
    await Promise.all([...this.#underWay.values()].map(({ ended }) => ended))
  }

  async #find(
    key: string,
    start: (abandoned: AbortSignal) => Promise<Result>,
    signal: AbortSignal | undefined,
  ): Promise<Work<Result>> {
    for (;;) {
      if (this.#closed) throw this.#closed
      if (signal?.aborted) throw requestCancelled(signal)
      const work = this.#underWay.get(key) ?? this.#begin(key, start)
      if (!work.abandon.signal.aborted) {
        work.waiting += 1
        return work
      }
      // Two at once would get in each other's way.
      await work.ended
    }
  }

  #begin(key: string, start: (abandoned: AbortSignal) => Promise<Result>): Work<Result> {
    const abandon = new AbortController()
    const result = start(AbortSignal.any([abandon.signal, this.#closing.signal]))
    const forget = (): void => {
      work.isOver = true
      this.#underWay.delete(key)
    }
    const work = { result, ended: result.then(forget, forget), abandon, waiting: 0, isOver: false }
    this.#underWay.set(key, work)
    return work
  }
}
