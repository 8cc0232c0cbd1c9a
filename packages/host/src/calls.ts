import type { ContractDescriptor } from '@appfactory/sdk'
import type { Callee } from './callee.js'
import type { Catalogue } from './catalogue.js'
import type { Fallback } from './fallback/fallback.js'
import type { Fallbacks } from './fallback/fallbacks.js'
import { PieceStream } from './instance/pieces.js'
import { Requests } from './metrics/requests.js'
import type { RoutedCallOptions, WireArgs } from './options.js'
import type { Registry } from './registry.js'
import type { Slot } from './slot/slot.js'

/** The calls of a host's plugins by their wire names, and how many requests there were. */
export class Calls {
  readonly #registry: Registry<Slot>
  readonly #catalogue: Catalogue
  readonly #fallbacks: Fallbacks
  readonly requests = new Requests()

  constructor(registry: Registry<Slot>, catalogue: Catalogue, fallbacks: Fallbacks) {
    this.#registry = registry
    this.#catalogue = catalogue
    this.#fallbacks = fallbacks
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
    this.requests.begin()
    const call = (callee: Callee): Promise<unknown> => callee.call(method, args, options)
    const callee = this.#find(plugin)
    const answer = callee ? call(callee) : this.#catalogue.slot(plugin).then(call)
    return answer.then(map, this.requests.fail)
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
        this.requests.begin()
        const callee = this.#find(plugin) ?? (await this.#catalogue.slot(plugin))
        return callee.stream(method, args, options)
      },
      onEnd: this.requests.end,
      ...(map ? { map } : {}),
      isOutermost: true,
    })
  }

  /** The contract of what is called by that name. Undefined: it is not loaded, or has not come up yet. */
  contractOf(name: string): ContractDescriptor | undefined {
    return this.#find(name)?.contract
  }

  #find(name: string): Slot | Fallback | undefined {
    return this.#registry.find(name) ?? this.#fallbacks.find(name)
  }
}
