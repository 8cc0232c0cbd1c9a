import type { ContractDescriptor, HealthStatus } from '@appfactory/sdk'
import type { RoutedCallOptions, WireArgs } from './options.js'

/** What is called by its name: a loaded plugin, or a fallback over several. */
export interface Callee {
  readonly name: string
  call(method: string, args: WireArgs, options?: RoutedCallOptions): Promise<unknown>
  stream(method: string, args: WireArgs, options?: RoutedCallOptions): AsyncIterableIterator<unknown>
  health(): Promise<HealthStatus>
}

/** What is called by its name, and its contract. */
export interface DescribedCallee extends Callee {
  /** Undefined: it has not come up yet. */
  readonly contract: ContractDescriptor | undefined
}

/** Where calls find what is called. */
export interface Callees {
  /** Undefined: nothing has that name now. */
  find(name: string): DescribedCallee | undefined
  /** Waits for what may be on its way. Rejects with why nothing has that name. */
  require(name: string): Promise<Callee>
  /** Bytes that wait for plugins to read them. */
  unsentBytes(): number
}
