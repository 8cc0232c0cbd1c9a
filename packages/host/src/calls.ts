import type { Catalogue } from './catalogue.js'
import { PieceStream } from './instance/pieces.js'
import type { RoutedCallOptions, WireArgs } from './options.js'
import type { Registry } from './registry.js'
import type { Slot } from './slot/slot.js'

/** The calls of a host's plugins by their wire names, and the figures about them. */
export class Calls {
  readonly #registry: Registry<Slot>
  readonly #catalogue: Catalogue
  #requests = 0
  #errors = 0

  constructor(registry: Registry<Slot>, catalogue: Catalogue) {
    this.#registry = registry
    this.#catalogue = catalogue
  }

  /** Requests so far, and how many of them failed. */
  get figures(): { requests: number; errors: number } {
    return { requests: this.#requests, errors: this.#errors }
  }

  /** Bytes that wait for plugins to read them. */
  get unsentBytes(): number {
    let sum = 0
    for (const slot of this.#registry.slots()) sum += slot.unsentBytes
    return sum
  }

  /**
   * Calls a method. Bytes in the result are as they came: `JSON.stringify` makes base64 of them.
   *
   * @param map Makes of the result what the caller gets. Default: the result itself.
   */
  call(
    plugin: string,
    method: string,
    args: WireArgs,
    options: RoutedCallOptions,
    map?: (result: unknown) => unknown,
  ): Promise<unknown> {
    this.#requests += 1
    const call = (slot: Slot): Promise<unknown> => slot.call(method, args, options)
    const slot = this.#registry.find(plugin)
    const answer = slot ? call(slot) : this.#catalogue.slot(plugin).then(call)
    return answer.then(map, this.#countError)
  }

  /** As `call`, for the pieces of a stream method. */
  stream(
    plugin: string,
    method: string,
    args: WireArgs,
    options: RoutedCallOptions,
    map?: (piece: unknown) => unknown,
  ): AsyncIterableIterator<unknown> {
    return new PieceStream({
      open: async () => {
        const slot = await this.count(() => this.#catalogue.slot(plugin))
        return slot.stream(method, args, options)
      },
      ...(map ? { map } : {}),
    })
  }

  /** Counts a request, whatever comes of it. */
  async count<Result>(request: () => Promise<Result>): Promise<Result> {
    this.#requests += 1
    try {
      return await request()
    } catch (error) {
      return this.#countError(error)
    }
  }

  readonly #countError = (error: unknown): never => {
    this.#errors += 1
    throw error
  }
}
