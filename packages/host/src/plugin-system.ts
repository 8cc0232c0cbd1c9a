import type { ContractClass, ContractDescriptor, HealthStatus, Manifest } from '@appfactory/sdk'
import type { Config } from './config/config.js'
import type { FallbackPlugin } from './fallback/options.js'
import type { PluginHandle } from './handle.js'
import type { HostEvents, HostStatus } from './host.js'
import type { CallOptions } from './options.js'
import type { PluginSummary } from './summary.js'

/**
 * What calls plugins, wherever they run: a `PluginHost`, a host at the other end of a connection, or a cluster of hosts. The
 * gateway, MCP, Wyoming and the AI SDK provider stand on this and no more.
 */
export interface PluginSystem {
  /** The plugins that are there, loaded or not; those that are not valid only if asked for. */
  list(options?: { includeInvalid?: boolean }): Promise<PluginSummary[]>
  /**
   * The contract of a plugin, loaded or not: its methods and their schemas.
   *
   * @param options `signal`: an abort ends the wait.
   */
  describe(
    name: string,
    options?: { signal?: AbortSignal | undefined },
  ): Promise<{ plugin: { name: string; manifest?: Manifest }; contract: ContractDescriptor }>
  /**
   * The handle of a loaded plugin of a contract.
   *
   * @throws PluginError CONTRACT_MISMATCH where it is of another contract; PLUGIN_NOT_FOUND or PLUGIN_NOT_READY.
   */
  get<Contract extends ContractClass>(
    contract: Contract,
    name: string,
  ): Promise<PluginHandle<InstanceType<Contract>>>
  /**
   * The handle of a loaded plugin.
   *
   * @throws PluginError PLUGIN_NOT_FOUND or PLUGIN_NOT_READY.
   */
  get<Contract = unknown>(name: string): Promise<PluginHandle<Contract>>
  /** The name of the plugin that answers for a contract: the one of its plugins that was loaded last. */
  active(contract: string): string | undefined
  /** Calls a method by its wire name, with arguments and result as they are on the wire (snake_case, base64). */
  call(plugin: string, method: string, args?: Config, options?: CallOptions): Promise<unknown>
  /** As `call`, for the pieces of a stream method. `break` in the loop cancels it in the plugin. */
  stream(plugin: string, method: string, args?: Config, options?: CallOptions): AsyncIterableIterator<unknown>
  /** Makes a name that stands for several plugins of one contract, in order. Absent: this system has no such names. */
  fallback?(name: string, plugins: readonly (string | FallbackPlugin)[]): Promise<PluginHandle>
  /** How one plugin is doing. One that is not loaded is UNLOADED. */
  health(name: string): Promise<HealthStatus>
  /** How all loaded plugins are doing, by name. */
  health(): Promise<Record<string, HealthStatus>>
  /** Figures of the whole. */
  status(): HostStatus
  /** Its metrics in Prometheus' text format, version 0.0.4. */
  metrics(): string
  /** Calls `listener` with each event of that name from now on. */
  on<Name extends keyof HostEvents>(event: Name, listener: (...details: HostEvents[Name]) => void): this
  /** Calls `listener` no more. */
  off<Name extends keyof HostEvents>(event: Name, listener: (...details: HostEvents[Name]) => void): this
}
