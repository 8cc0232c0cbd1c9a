import type { ContractDescriptor } from '@appfactory/sdk'
import type { Callee, Callees } from './callee.js'
import { PieceStream } from './instance/pieces.js'
import { Requests } from './metrics/requests.js'
import type { RoutedCallOptions, WireArgs } from './options.js'

/** The calls of a system's plugins by their wire names, and how many requests there were. */
export class Calls {
  readonly #callees: Callees
  readonly requests = new Requests()

  constructor(callees: Callees) {
    this.#callees = callees
  }

  /** Bytes that wait for plugins to read them. */
  get unsentBytes(): number {
    return this.#callees.unsentBytes()
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
    const callee = this.#callees.find(plugin)
    const answer = callee ? call(callee) : this.#callees.require(plugin).then(call)
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
        const callee = this.#callees.find(plugin) ?? (await this.#callees.require(plugin))
        return callee.stream(method, args, options)
      },
      onEnd: this.requests.end,
      ...(map ? { map } : {}),
      isOutermost: true,
    })
  }

  /** The contract of what is called by that name. Undefined: it is not loaded, or has not come up yet. */
  contractOf(name: string): ContractDescriptor | undefined {
    return this.#callees.find(name)?.contract
  }
}
