/// <reference types="node" preserve="true" />
export {
  type DevelopmentEvent,
  type PluginWatch,
  pluginsDirOf,
  type WatchOptions,
  watchPlugins,
} from './dev.js'
export type { DiscoveredPlugin, Discovery } from './discovery.js'
export type { HandleBase, PluginHandle } from './handle.js'
export { type HostEvents, type HostOptions, type HostStatus, PluginHost } from './host.js'
export type { CallOptions } from './instance.js'
export { type LogLevel, logLevels } from './logs.js'
export type { RestartPolicy } from './restart.js'
export type { PluginSummary } from './summary.js'
export type { SwapProgress, SwapResult, SwapStep } from './swap.js'
export { hostVersion } from './version.js'
