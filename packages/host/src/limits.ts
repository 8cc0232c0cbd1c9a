import { defaultMaxMessageBytes } from '@appfactory/sdk/wire'
import { checkedNumbers, count, type NumberRule, size, time } from './numbers.js'

/** Limits of one running plugin. Times in ms; Infinity is never, and of a number that there is no limit. */
export interface InstanceLimits {
  /** Of an installation of missing dependencies. */
  installTimeoutMs: number
  /** From the start of the process to the answer of the handshake. */
  startTimeoutMs: number
  initializeTimeoutMs: number
  shutdownTimeoutMs: number
  healthTimeoutMs: number
  /** Of a call without a timeout of its own; for a stream, between two pieces. */
  callTimeoutMs: number
  /** How long its event loop may stand still before it is killed. */
  unresponsiveTimeoutMs: number
  /** Of `captureState()` and `restoreState()`, each. */
  stateTimeoutMs: number
  /** Longest message either way. */
  maxMessageBytes: number
  /** Longest state that a successor gets, its bytes included. */
  maxStateBytes: number
  /** Calls in flight at once, without streams. */
  maxCallsInFlight: number
  /** Streams that are open at once. */
  maxStreams: number
  /** Of JavaScript's heap (`--max-old-space-size`), in MB (1,048,576 bytes). */
  maxHeapMb?: number
}

export const defaultInstanceLimits: InstanceLimits = {
  installTimeoutMs: 300_000,
  startTimeoutMs: 30_000,
  initializeTimeoutMs: 30_000,
  shutdownTimeoutMs: 5000,
  healthTimeoutMs: 5000,
  callTimeoutMs: 60_000,
  unresponsiveTimeoutMs: 10_000,
  stateTimeoutMs: 10_000,
  maxMessageBytes: defaultMaxMessageBytes,
  maxStateBytes: 16 * 1024 * 1024,
  maxCallsInFlight: 10_000,
  maxStreams: 1000,
}

/** Limits of what waits in front of a plugin. Times in ms; Infinity is never, and of a number that there is no limit. */
export interface SlotLimits {
  /** Between two health checks. */
  healthIntervalMs: number
  /** How long unloading, and a swap that carries state over, wait for calls in flight. */
  drainTimeoutMs: number
  /** How long streams and sessions may stay with an instance that was replaced. */
  retireTimeoutMs: number
  /** Calls that wait while a plugin is started or swapped. */
  maxQueuedCalls: number
  /** Sessions that are open at once. */
  maxSessions: number
}

export const defaultSlotLimits: SlotLimits = {
  healthIntervalMs: 30_000,
  drainTimeoutMs: 10_000,
  retireTimeoutMs: 60_000,
  maxQueuedCalls: 10_000,
  maxSessions: 1000,
}

const instanceRules: Record<keyof InstanceLimits, NumberRule> = {
  installTimeoutMs: time,
  startTimeoutMs: time,
  initializeTimeoutMs: time,
  shutdownTimeoutMs: time,
  healthTimeoutMs: time,
  callTimeoutMs: time,
  unresponsiveTimeoutMs: time,
  stateTimeoutMs: time,
  maxMessageBytes: size,
  maxStateBytes: size,
  maxCallsInFlight: count,
  maxStreams: count,
  maxHeapMb: size,
}

const slotRules: Record<keyof SlotLimits, NumberRule> = {
  healthIntervalMs: time,
  drainTimeoutMs: time,
  retireTimeoutMs: time,
  maxQueuedCalls: count,
  maxSessions: count,
}

/** @throws TypeError that names the option. */
export function instanceLimitsOf(options: Partial<InstanceLimits>): InstanceLimits {
  return { ...defaultInstanceLimits, ...checkedNumbers(options, instanceRules) }
}

/** @throws TypeError that names the option. */
export function slotLimitsOf(options: Partial<SlotLimits>): SlotLimits {
  return { ...defaultSlotLimits, ...checkedNumbers(options, slotRules) }
}
