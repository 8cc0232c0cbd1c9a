import type { Bytes } from '../bytes.js'
import type { ContractDescriptor, JsonSchema } from '../descriptor.js'
import type { WireHealthStatus } from '../health.js'
import type { Manifest } from '../manifest.js'
import type { TraceContext } from '../trace-context.js'

/** Versions of the protocol between host and plugin that this SDK speaks, newest first. */
export const protocolVersions: readonly number[] = [1]

/** What a host asks of a plugin's process. */
export const pluginMethods = {
  handshake: 'plugin/handshake',
  initialize: 'plugin/initialize',
  call: 'plugin/call',
  health: 'plugin/health',
  /** Answered at once by whose event loop turns. */
  ping: 'plugin/ping',
  captureState: 'plugin/capture_state',
  restoreState: 'plugin/restore_state',
  shutdown: 'plugin/shutdown',
} as const

/** The first request: who the host is, and whom it thinks it has started. */
export interface HandshakeParams {
  /** Those that the host speaks, newest first. */
  protocol_versions: readonly number[]
  host_version: string
  manifest: Manifest
  /** Longest line that the host takes. */
  max_message_bytes: number
  /** Whether the host asks for the JSON Schema of the configuration's schema in code, for forms. */
  wants_config_schema: boolean
  /** Other ways to move messages that the host offers: `fd4`, a pipe as file descriptor 4, both ways. Absent: none. */
  message_channels?: readonly string[]
  /** Ways to move raw bytes that the host offers: `fd3`, a pipe as file descriptor 3. */
  byte_channels: readonly string[]
  /** Stands in each reference to bytes; hard to guess. */
  byte_nonce: string
}

/** The answer to a handshake. */
export interface HandshakeResult {
  /** The one that both will speak. */
  protocol_version: number
  sdk_version: string
  contract: ContractDescriptor
  /** Wire names of the methods that the plugin implements itself, and `state` where it can be captured. */
  capabilities: string[]
  /** Where the host wants it. */
  config_schema: JsonSchema | null
  /** Whether the code has a schema of its own, which then decides alone. */
  checks_config?: boolean
  /** Those of the host's offers where the plugin's messages go, and where it takes the host's. Absent or none: stdio. */
  message_channels?: string[]
  /** Those of the host's offers that the plugin takes. None: bytes are base64. */
  byte_channels: string[]
}

export interface CallParams {
  /** Wire name. */
  method: string
  args: Record<string, unknown>
  /** Absent: one answer. */
  stream?: true | { credit: number }
  /** The span that the call belongs to. Absent: none that is known. */
  trace?: TraceContext
}

export interface CaptureStateParams {
  /** The most that the state may have. */
  max_bytes: number
}

/** A plugin's state between two instances. */
export interface WireState {
  /** JSON, with null wherever there are bytes. */
  state?: unknown
  /** In place of `state` where that is long: its text, in UTF-8. */
  state_b64?: Bytes | string
  /** The bytes, each with its place in `state`: keys and indexes from the outside in. */
  bytes: { path: readonly (string | number)[]; data_b64: Bytes | string }[]
}

/** In place of an argument: it follows as `$/input` notifications. */
export const inputMarker = { $input: true } as const

/** Whether `value` stands for an argument that follows as `$/input` notifications. */
export function isInputMarker(value: unknown): boolean {
  return typeof value === 'object' && value !== null && '$input' in value
}

export type HealthResult = WireHealthStatus
