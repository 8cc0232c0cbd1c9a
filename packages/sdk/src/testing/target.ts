import type { ContractDescriptor } from '../descriptor.js'
import type { HealthStatus, PluginStatus } from '../health.js'

export type WireArgs = Record<string, unknown>

/** How one call is made of a plugin that is being checked. */
export interface TargetCallOptions {
  /** An abort cancels the call in the plugin. */
  signal?: AbortSignal | undefined
  /** In ms; the call then fails with CALL_TIMEOUT. For a stream: time between two pieces. */
  timeoutMs?: number | undefined
  /** The argument that follows while the call runs: its wire name, and its items as they are on the wire. */
  input?: { name: string; items: AsyncIterable<unknown> } | undefined
}

/** A plugin that is initialized. Methods, arguments and results are those of the wire: snake_case, bytes as base64. */
export interface RunningPlugin {
  readonly contract: ContractDescriptor
  /** Wire names of the methods that the plugin implements itself, and `state` if it can be captured. */
  readonly capabilities: readonly string[]
  /** The plugin's status; after `stop()` STOPPED, or UNLOADED if nothing of it is left. */
  status(): PluginStatus | Promise<PluginStatus>
  /** @throws PluginError */
  call(method: string, args: WireArgs, options?: TargetCallOptions): Promise<unknown>
  /** The pieces of a stream method; `return()` cancels it in the plugin and resolves once it has ended there. */
  stream(method: string, args: WireArgs, options?: TargetCallOptions): AsyncIterableIterator<unknown>
  /** @throws PluginError */
  health(): Promise<HealthStatus>
  /** The result of the plugin's `captureState()`: JSON values and bytes. */
  captureState(): Promise<unknown>
  restoreState(state: unknown): Promise<void>
  /** Shuts the plugin down, only once even if called again. Throws if that fails; nothing is left running either way. */
  stop(): Promise<void>
}

/** A plugin under test: it can be started repeatedly, in any kind of process. */
export interface CheckTarget {
  /** The plugin's name. */
  readonly name: string
  /** The contract that the plugin implements. */
  describe(): Promise<ContractDescriptor>
  /** Words of the manifest's `capabilities`: `claimsOf(manifest)`. Without it, they are not checked. */
  claims?(): Promise<readonly string[]>
  /** Starts a new instance and initializes it. Throws a PluginError. */
  start(config: Record<string, unknown>): Promise<RunningPlugin>
}
