import { type Outcome, outcomeOf } from '@appfactory/sdk/internal'
import { atCaller } from '../at-caller.js'

/** How many requests a host got, from clients and through its own methods and handles, and how many of them failed. */
export class Requests {
  #total = 0
  #errors = 0

  get total(): number {
    return this.#total
  }

  /** Those that were cancelled are not among them. */
  get errors(): number {
    return this.#errors
  }

  begin(): void {
    this.#total += 1
  }

  readonly end = (outcome: Outcome): void => {
    if (outcome === 'failed') this.#errors += 1
  }

  /** Counts what a request failed with, and throws it. `method` is what the application called, if that runs now. */
  readonly fail = (error: unknown, method?: (...args: never[]) => unknown): never => {
    this.end(outcomeOf(error))
    throw atCaller(error, method ?? this.fail)
  }

  /** Counts a request, whatever comes of it. */
  async count<Result>(request: () => Promise<Result>): Promise<Result> {
    this.begin()
    try {
      return await request()
    } catch (error) {
      return this.fail(error)
    }
  }
}
