/// <reference types="node" preserve="true" />

export { connect, connectHost, type RemoteFallbackOptions, type RemoteHost } from './client/connect.js'
export { type PluginWatch, pluginsDirOf, type WatchOptions, watchPlugins } from './dev/dev.js'
export type { DevelopmentEvent } from './dev/events.js'
export type { FallbackEvent } from './fallback/fallback.js'
export type { FallbackOptions, FallbackPlugin } from './fallback/options.js'
export type { HandleBase, PluginHandle } from './handle.js'
export {
  type CrashEvent,
  type HostEvents,
  type HostOptions,
  type HostStatus,
  type LogEvent,
  PluginHost,
  type ReloadResult,
  type RestartEvent,
  type StatusEvent,
  type SwapEvent,
} from './host.js'
export type { Link } from './link/link.js'
export { type LinkStreams, streamLink } from './link/stream-link.js'
export type { LogFormat } from './logs/formats.js'
export { type LogLevel, logLevels } from './logs/levels.js'
export type { CallOptions, LoadOptions, RestartPolicy, SwapOptions } from './options.js'
export type { PluginSettings } from './plugin-settings.js'
export type { PluginSystem } from './plugin-system.js'
export type {
  DiscoveredPlugin,
  Discovery,
  InvalidPlugin,
  PluginFolder,
  ValidPlugin,
} from './plugins/discovery.js'
export type { Env } from './plugins/environment.js'
export type { Rights } from './server/rights.js'
export { type ServeOptions, serve } from './server/serve.js'
export { type HostSocket, type SocketOptions, serveSocket } from './server/socket.js'
export type { SwapProgress, SwapResult, SwapStep } from './slot/swap.js'
export type { PluginSummary } from './summary.js'
export type { AttemptTrace, CallTrace, CrashTrace, LoadTrace, SwapTrace } from './traces.js'
export { hostVersion } from './version.js'
