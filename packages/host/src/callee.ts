import type { HealthStatus } from '@appfactory/sdk'
import type { RoutedCallOptions, WireArgs } from './options.js'

/** What is called by its name: a loaded plugin, or a fallback over several. */
export interface Callee {
  readonly name: string
  call(method: string, args: WireArgs, options?: RoutedCallOptions): Promise<unknown>
  stream(method: string, args: WireArgs, options?: RoutedCallOptions): AsyncIterableIterator<unknown>
  health(): Promise<HealthStatus>
}
