import {
  type Cancellation,
  defaultMaxMessageBytes,
  nameValue,
  quoted,
  type TraceContext,
} from '@appfactory/sdk/internal'
import type { Config } from './config/config.js'
import { logFormats } from './logs/formats.js'
import { logLevels } from './logs/levels.js'
import {
  checkedNumbers,
  count,
  type NumberRule,
  repeats,
  replicaCount,
  size,
  time,
  wrongNumber,
} from './numbers.js'
import { advice, wrongPluginSettings } from './plugin-settings.js'
import type { Env } from './plugins/environment.js'
import type { Room } from './process/backpressure.js'
import type { TracedCall } from './traces.js'

/** Limits of one running plugin. Names ending in `Ms` are in ms; Infinity is never, and of a number that there is no limit. */
export interface InstanceLimits {
  /** Of an installation of missing dependencies. Default: 300,000 (5 minutes). */
  installTimeoutMs: number
  /** From the start of the process to the answer of the handshake. Default: 30,000. */
  startTimeoutMs: number
  /** The same for a plugin in Python, whose imports may take long. Default: 120,000 (2 minutes). */
  pythonStartTimeoutMs: number
  /** Of `initialize()`. Default: 30,000. */
  initializeTimeoutMs: number
  /** Of `shutdown()`. Default: 5,000. */
  shutdownTimeoutMs: number
  /** Of a health check. Default: 5,000. */
  healthTimeoutMs: number
  /** Of a call without a timeout of its own; for a stream, between two pieces. Default: 60,000. */
  callTimeoutMs: number
  /** How long a plugin's event loop may stand still before the plugin is killed. Default: 10,000. */
  unresponsiveTimeoutMs: number
  /** Of `captureState()` and `restoreState()`, each. Default: 10,000. */
  stateTimeoutMs: number
  /** Longest message either way, in bytes. A whole number. Default: 8,388,608 (8 MiB). */
  maxMessageBytes: number
  /** Longest state that a successor gets, with the bytes in it. A whole number. Default: 16,777,216 (16 MiB). */
  maxStateBytes: number
  /** Calls in flight at once, without streams. Default: 10,000. */
  maxCallsInFlight: number
  /** Streams that are open at once. Default: 1,000. */
  maxStreams: number
  /**
   * JavaScript's heap (`--max-old-space-size`), in MB (1,048,576 bytes). A whole number. It does not hold for plugins in Python.
   * Default: Node's own.
   */
  maxHeapMb?: number
}

export const defaultInstanceLimits: InstanceLimits = {
  installTimeoutMs: 300_000,
  startTimeoutMs: 30_000,
  pythonStartTimeoutMs: 120_000,
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
  /** Between two health checks. Default: 30,000. */
  healthIntervalMs: number
  /** How long unloading, and a swap that carries state over, wait for calls in flight. Default: 10,000. */
  drainTimeoutMs: number
  /** How long streams and sessions may stay with an instance that was replaced. Default: 60,000. */
  retireTimeoutMs: number
  /** Calls that wait while a plugin is started or swapped. Default: 10,000. */
  maxQueuedCalls: number
  /** Sessions that are open at once. Default: 1,000. */
  maxSessions: number
}

export const defaultSlotLimits: SlotLimits = {
  healthIntervalMs: 30_000,
  drainTimeoutMs: 10_000,
  retireTimeoutMs: 60_000,
  maxQueuedCalls: 10_000,
  maxSessions: 1000,
}

export const instanceRules: Record<keyof InstanceLimits, NumberRule> = {
  installTimeoutMs: time,
  startTimeoutMs: time,
  pythonStartTimeoutMs: time,
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

export const slotRules: Record<keyof SlotLimits, NumberRule> = {
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

/** When a plugin that crashed is started again. Times in ms; Infinity is never, and of a number that there is no limit. */
export interface RestartPolicy {
  /** The longest wait before the first restart; it doubles with each crash. Default: 200. */
  firstDelayMs: number
  /** The longest wait of all. Default: 30,000. */
  maxDelayMs: number
  /** That many crashes within `windowMs` mean quarantine. Default: 5. */
  maxCrashes: number
  /** The time in which `maxCrashes` are counted. Default: 180,000 (3 minutes). */
  windowMs: number
  /** How long a quarantined plugin waits before one more try. Default: 300,000 (5 minutes). */
  retryQuarantinedMs: number
  /** How many health checks may fail in a row before the plugin is restarted. Default: 3. */
  maxMissedHealthChecks: number
}

export const defaultRestartPolicy: RestartPolicy = {
  firstDelayMs: 200,
  maxDelayMs: 30_000,
  maxCrashes: 5,
  windowMs: 180_000,
  retryQuarantinedMs: 300_000,
  maxMissedHealthChecks: 3,
}

export const restartRules: Record<keyof RestartPolicy, NumberRule> = {
  firstDelayMs: time,
  maxDelayMs: time,
  maxCrashes: count,
  windowMs: time,
  retryQuarantinedMs: time,
  maxMissedHealthChecks: count,
}

/** @throws TypeError that names the option. */
export function restartPolicyOf(options: Partial<RestartPolicy>): RestartPolicy {
  return { ...defaultRestartPolicy, ...checkedNumbers(options, restartRules, 'restart.') }
}

/** How a plugin is loaded. */
export interface LoadOptions {
  /** Laid over `config/<name>.json`, the manifest's `default_config` and the schema's defaults. Default: `{}`. */
  config?: Config | undefined
  /**
   * Variables that the plugin's process gets beside those that every plugin gets: names of the host's own, or names with
   * values. Default: none.
   */
  env?: Env | undefined
  /** An abort ends this load, and only this one. Nothing of it is left running. */
  signal?: AbortSignal | undefined
  /** How many processes of the plugin share its calls: a whole number from 1 to 64. `scale()` changes it later. Default: 1. */
  replicas?: number | undefined
}

/** How a plugin is swapped for another. */
export interface SwapOptions {
  /** The new plugin's. Default: that of the old one if both have the same name, else `{}`. */
  config?: Config | undefined
  /** As for `load`. Default: as for `config`. */
  env?: Env | undefined
  /** Whether the new plugin gets what `captureState()` of the old one returns. Default: true. */
  preserveState?: boolean | undefined
}

const callOptions: (keyof CallOptions)[] = ['timeoutMs', 'signal', 'retry', 'credit', 'fallback']

/** The options of each method of a host. */
const methodOptions = {
  load: ['config', 'env', 'signal', 'replicas'] satisfies (keyof LoadOptions)[],
  swap: ['config', 'env', 'preserveState'] satisfies (keyof SwapOptions)[],
  call: callOptions,
  stream: callOptions,
  list: ['includeInvalid'],
  describe: ['signal'],
  unload: ['force'],
  close: ['force'],
  reload: ['plugins', 'logLevel'],
} satisfies Record<string, readonly string[]>

/** Why a method of a host can't take these options, if it can't: one that it does not have, or no object. */
export function unknownOptionOf(method: keyof typeof methodOptions, options: object): TypeError | undefined {
  const known: readonly string[] = methodOptions[method]
  const name = `${method}()`
  if (typeof options !== 'object' || options === null) return notAnObject(name, options)
  for (const option of Object.keys(options)) {
    if (known.includes(option)) continue
    const settings = known.includes('config') ? "; a plugin's settings go into config" : ''
    return new TypeError(
      `${name} has no option ${quoted(option)}. Its options are ${known.join(', ')}${settings}`,
    )
  }
  return undefined
}

/** @throws TypeError that names the first option that the method of a host does not have. */
export function checkOptionNames(method: keyof typeof methodOptions, options: object): void {
  const wrong = unknownOptionOf(method, options)
  if (wrong) throw wrong
}

/** @throws TypeError where there can't be that many processes of a plugin. */
export function checkReplicas(replicas: number): void {
  const wrong = wrongNumber({ replicas }, { replicas: replicaCount })
  if (wrong !== undefined) throw new TypeError(wrong)
}

function notAnObject(what: string, options: unknown): TypeError {
  return new TypeError(`${what} takes options as an object, not ${nameValue(options)}`)
}

const isFlag = (value: unknown): boolean => typeof value === 'boolean'
const isInspection = (value: unknown): boolean => isFlag(value) || value === 'break' || value === 'python'
const isText = (value: unknown): boolean => typeof value === 'string'

/** What the options of a host that are no numbers may be. */
export const kinds: Readonly<Record<string, { takes: string; fits(value: unknown): boolean }>> = {
  pluginsDir: {
    takes: 'a path or an array of paths',
    fits: (value) => isText(value) || (Array.isArray(value) && value.every(isText)),
  },
  configDir: { takes: 'a path', fits: isText },
  projectDir: { takes: 'a path or false', fits: (value) => isText(value) || value === false },
  logDir: { takes: 'a path', fits: isText },
  logLevel: {
    takes: `one of ${logLevels.join(', ')}`,
    fits: (value) => logLevels.some((level) => level === value),
  },
  inspect: {
    takes: 'true, false, "break", "python", or an object with one of these for each plugin',
    fits: (value) =>
      isInspection(value) ||
      (typeof value === 'object' && value !== null && Object.values(value).every(isInspection)),
  },
  traceWire: { takes: 'a path', fits: isText },
  logFormat: {
    takes: `one of ${logFormats.join(', ')}`,
    fits: (value) => logFormats.some((format) => format === value),
  },
  nodePath: { takes: 'a path that is not empty', fits: (value) => isText(value) && value !== '' },
  pythonPath: { takes: 'a path that is not empty', fits: (value) => isText(value) && value !== '' },
  preferSource: { takes: 'true or false', fits: isFlag },
  autoInstallDependencies: { takes: 'true or false', fits: isFlag },
  allowInstallScripts: { takes: 'true or false', fits: isFlag },
  restart: { takes: 'an object', fits: (value) => typeof value === 'object' && value !== null },
  plugins: {
    takes: 'an object of settings by plugin',
    fits: (value) => typeof value === 'object' && value !== null,
  },
}

const hostOptionNames = [...Object.keys(kinds), ...Object.keys(instanceRules), ...Object.keys(slotRules)]

/** @throws TypeError that names the option: one that there is not, or one that is no number. Numbers have rules of their own. */
export function checkHostOptions(options: object): void {
  if (typeof options !== 'object' || options === null) throw notAnObject('PluginHost', options)
  const unknown = Object.keys(options).find((name) => !hostOptionNames.includes(name))
  if (unknown !== undefined) {
    throw new TypeError(
      `PluginHost has no option ${quoted(unknown)}. ${advice(unknown, hostOptionNames, 'options')}`,
    )
  }
  for (const [name, { takes, fits }] of Object.entries(kinds)) {
    const value: unknown = Reflect.get(options, name)
    if (value !== undefined && !fits(value))
      throw new TypeError(`${name} takes ${takes}, not ${nameValue(value)}`)
  }
  const wrong = wrongPluginSettings(Reflect.get(options, 'plugins') ?? {})
  if (wrong !== undefined) throw new TypeError(wrong)
}

/** Arguments of a call by their wire names. */
export type WireArgs = Record<string, unknown>

/** Options of `host.call()` and `host.stream()`. A number that means nothing is a TypeError. */
export interface CallOptions {
  /**
   * In ms, above 0; Infinity: never. The call is then cancelled and fails with CALL_TIMEOUT. For a stream: time between two
   * pieces. Default: `callTimeoutMs` of the host.
   */
  timeoutMs?: number | undefined
  /** An abort cancels the call in the plugin; the call then fails with REQUEST_CANCELLED. */
  signal?: AbortSignal | undefined
  /** How often to call again where the plugin crashes meanwhile. Only for methods that the contract marks idempotent. Default: 0. */
  retry?: number | undefined
  /** Most pieces of a stream that the plugin makes before the reader has taken one. Default: 64; 8 where they are bytes. */
  credit?: number | undefined
  /**
   * Where the name is that of a fallback: `false`: only its first plugin is called. `restart`: a stream that fails behind its first
   * piece begins anew on the next plugin; the first piece of that has `restarted: true`. Default: true.
   */
  fallback?: boolean | 'restart' | undefined
}

/** Options of a call on its way through the host: those of its caller, and what only the host's own servers and handles give. */
export interface RoutedCallOptions extends CallOptions {
  /** Like `signal`, without an AbortController. */
  cancellation?: Cancellation | undefined
  /** Of the client that the call is made for: while it has none, the answers of the plugin that is called stay in their pipe. */
  room?: Room | undefined
  /** The argument that follows while the call runs, in the form of the wire. */
  input?: { name: string; items: AsyncIterable<unknown> } | undefined
  /** The span that the call belongs to. Default: the one that `withTrace()` has set. */
  trace?: TraceContext | undefined
  /** The call came from a client, over the wire: to that node, where this is one of a cluster. */
  arrival?: { readonly node?: string | undefined } | undefined
  /** How it is reported, on the way from who chooses a worker to the worker. */
  traced?: TracedCall | undefined
}

const callRules = { timeoutMs: time, retry: repeats, credit: size }

/** Why a call can't be made with these options, if it can't. */
export function wrongCallOption(options: CallOptions): TypeError | undefined {
  const { signal } = options
  if (signal !== undefined && typeof signal?.addEventListener !== 'function')
    return new TypeError(`signal takes an AbortSignal, not ${nameValue(signal)}`)
  const { fallback } = options
  if (fallback !== undefined && fallback !== 'restart' && typeof fallback !== 'boolean')
    return new TypeError(`fallback takes true, false or "restart", not ${nameValue(fallback)}`)
  if (options.timeoutMs === undefined && options.retry === undefined && options.credit === undefined)
    return undefined
  const wrong = wrongNumber(options, callRules)
  return wrong === undefined ? undefined : new TypeError(wrong)
}
