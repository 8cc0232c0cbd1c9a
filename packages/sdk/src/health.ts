/** Where a plugin is in its life. The SDK keeps it; an author reads it as `this.status`. */
export const PluginStatus = {
  /** Not yet initialized. */
  UNLOADED: 'UNLOADED',
  /** initialize() is running. */
  INITIALIZING: 'INITIALIZING',
  /** Fully operational. */
  READY: 'READY',
  /** Operational, with calls in flight. */
  BUSY: 'BUSY',
  /** Something failed that may recover. */
  ERROR: 'ERROR',
  /** shutdown() is running. */
  SHUTTING_DOWN: 'SHUTTING_DOWN',
  /** Cleanly stopped. */
  STOPPED: 'STOPPED',
} as const

export type PluginStatus = (typeof PluginStatus)[keyof typeof PluginStatus]

/** How a plugin is doing, as its `healthCheck()` says. */
export interface HealthStatus {
  /** `this.status`, or ERROR where something is wrong that the SDK does not know. */
  status: PluginStatus
  /** One line for a person. */
  message?: string
  /** Anything else worth showing, as JSON. */
  details?: Record<string, unknown>
  /** Time that a health check took from the host and back, in ms. The host fills it in where the plugin does not. */
  latencyMs?: number
  /** Resident memory of the plugin's process in MB (1,000,000 bytes). Filled in where the plugin does not. */
  memoryMb?: number
}

/** A HealthStatus as JSON on the wire. */
export interface WireHealthStatus {
  status: PluginStatus
  message: string
  details: Record<string, unknown>
  latency_ms: number | null
  memory_mb: number | null
}
