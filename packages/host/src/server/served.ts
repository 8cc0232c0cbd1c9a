import type { Calls } from '../calls.js'
import type { FallbackGiven } from '../fallback/options.js'
import { type HostInternals, PluginHost } from '../host.js'
import type { LoadOptions, SwapOptions } from '../options.js'
import type { PluginSystem } from '../plugin-system.js'
import type { Discovery } from '../plugins/discovery.js'
import type { SwapResult } from '../slot/swap.js'
import type { PluginSummary } from '../summary.js'
import type { MadeFallback } from './caller-fallbacks.js'
import { servedHost } from './served-host.js'

/** On which nodes something is changed. Absent: where the system decides. */
export interface OnNodes {
  on?: readonly string[] | undefined
}

/** Where something is loaded: on nodes by their names, or on any that have these labels. */
export interface Where {
  on?: readonly string[] | Readonly<Record<string, string>> | undefined
}

/** What changes the plugins of a system. What is absent, it does not do. */
export interface Changes {
  discover?(paths: readonly string[] | undefined): Promise<Discovery>
  load?(name: string, options: LoadOptions & Where): Promise<unknown>
  unload?(name: string, options: { force: boolean } & OnNodes): Promise<void>
  /** Resolves to the name of what serves by `name`. */
  scale?(name: string, replicas: number, options: OnNodes): Promise<string>
  swap?(
    old: string,
    replacement: { name: string } | { path: string },
    options: SwapOptions & OnNodes,
  ): Promise<SwapResult>
  fallback?(given: FallbackGiven): Promise<MadeFallback>
}

/** What only a host in this process can tell of its plugins. */
export interface Local {
  /** What a plugin runs with; null while it starts. Throws PLUGIN_NOT_FOUND and the like. */
  configOf(plugin: string): Promise<Record<string, unknown> | null>
  /** The messages between the host and its plugins. */
  readonly wire: HostInternals['wire']
}

/** What the methods of the server stand on: a host, or a cluster of hosts. */
export interface Served {
  readonly system: PluginSystem
  readonly calls: Calls
  readonly changes: Changes
  /** Absent: its plugins run elsewhere. */
  readonly local?: Local
  /** Plugins that are loaded, or being loaded. */
  loadedNames(): readonly string[]
  /** Whether any of its plugins is of that contract. */
  knowsContract(contract: string): Promise<boolean>
  /** The name of the plugin that answers for a contract. Throws CONTRACT_NOT_FOUND. */
  requireActive(contract: string): Promise<string>
  /** A plugin, as `plugin/list` shows it. */
  summary(name: string): Promise<PluginSummary>
  /** Ends all that it has begun. `force`: without a wait for calls in flight. */
  close(force: boolean): Promise<void>
}

/** A symbol that copies of this package share. */
const offered = Symbol.for('@appfactory/host/served')

/** Lets servers of this package serve a system of another one. */
export function offerServed(system: PluginSystem, served: Served): void {
  Object.defineProperty(system, offered, { value: served })
}

/** @throws TypeError for a system that nobody has taught to be served. */
export function servedOf(system: PluginSystem): Served {
  if (system instanceof PluginHost) return servedHost(system)
  const served: unknown = Reflect.get(system, offered)
  if (isServed(served)) return served
  throw new TypeError('Only a PluginHost and a Cluster can be served')
}

function isServed(value: unknown): value is Served {
  return typeof value === 'object' && value !== null && 'changes' in value
}
