import { type ErrorName, isPluginError, PluginError } from '@appfactory/sdk'
import {
  cancelledBy,
  closest,
  describeThrown,
  isAnswer,
  listed,
  quoted,
  shortened,
} from '@appfactory/sdk/wire'
import type { RestartPolicy } from './options.js'

// The wording of the host's errors: what happened, to which plugin, and what to do next.

/** Whether an error is of that code and of the host's own: a plugin may throw any code, and means what it throws. */
export function isHostError(error: unknown, code: ErrorName): error is PluginError {
  return isPluginError(error) && error.codeName === code && !isAnswer(error)
}

/** What an error, or anything else that was thrown, says. */
export function reasonOf(error: unknown): string {
  return describeThrown(error).message
}

export function pluginNotFound(name: string, known: readonly string[]): PluginError {
  const meant = closest(name, known)
  const hint = meant
    ? `; did you mean "${meant}"?`
    : known.length > 0
      ? `; there is ${listed(known)}`
      : '; the plugins folders are empty'
  return new PluginError('PLUGIN_NOT_FOUND', `There is no plugin ${quoted(name)}${hint}`, {
    plugin: shortened(name),
  })
}

export function hostClosed(): PluginError {
  return new PluginError('PLUGIN_NOT_READY', 'The host is closed')
}

/** With the reason that the caller gave, where `signal` was aborted. */
export function requestCancelled(signal?: AbortSignal): PluginError {
  return signal?.aborted
    ? cancelledBy(signal)
    : new PluginError('REQUEST_CANCELLED', 'The request was cancelled')
}

export function pluginNotLoaded(name: string): PluginError {
  return new PluginError(
    'PLUGIN_NOT_READY',
    `Plugin "${name}" is not loaded. Load it first: plugin/load {"name": "${name}"}`,
    { plugin: name },
  )
}

export function pluginAlreadyLoaded(name: string): PluginError {
  return new PluginError(
    'PLUGIN_ALREADY_LOADED',
    `Plugin "${name}" is loaded already. Unload it first to load it with another configuration`,
    { plugin: name },
  )
}

export function pluginCrashed(name: string, how: string, stderr: string): PluginError {
  return new PluginError(
    'PLUGIN_CRASHED',
    `The process of plugin "${name}" ${how}. It is restarted; try again`,
    { plugin: name, exit: how, stderr },
  )
}

export function pluginQuarantined(name: string, policy: RestartPolicy): PluginError {
  const { maxCrashes, windowMs, retryQuarantinedMs } = policy
  const times = `${maxCrashes} times${inMinutes(windowMs)}`
  const next = Number.isFinite(retryQuarantinedMs)
    ? `is tried again${inMinutes(retryQuarantinedMs)} only`
    : 'is not tried again'
  return new PluginError(
    'PLUGIN_QUARANTINED',
    `Plugin "${name}" crashed ${times} and ${next}. Mend it, then swap it for itself, or unload and load it`,
    { plugin: name, retry_ms: retryQuarantinedMs },
  )
}

function inMinutes(ms: number): string {
  return Number.isFinite(ms) ? ` in ${ms / 60_000} minutes` : ''
}

/** A limit is an option of the host: its name says which to raise. */
export function exhausted(name: string, limit: string, value: number): PluginError {
  return new PluginError(
    'RESOURCE_EXHAUSTED',
    `Plugin "${name}": ${limit} (${value}) is reached. Wait for calls to end, or raise ${limit}`,
    { plugin: name, limit, value },
  )
}

export function notIdempotent(name: string, method: string): PluginError {
  return new PluginError(
    'INVALID_PARAMS',
    `Plugin "${name}": retry is only for methods that the contract marks idempotent, and ${shortened(method)} is not`,
    { plugin: name, method: shortened(method) },
  )
}

export function noSession(name: string, id: string): PluginError {
  return new PluginError(
    'INVALID_PARAMS',
    `Plugin "${name}": session_id: there is no session ${quoted(id)} (any more). Begin another`,
    { plugin: name, issues: [{ path: 'session_id', message: 'there is no such session' }] },
  )
}

export function noSessionId(name: string, method: string): PluginError {
  return new PluginError(
    'CONTRACT_MISMATCH',
    `Plugin "${name}": the answer of ${method} has no session_id that is a string`,
    { plugin: name, method, issues: [{ path: 'session_id', message: 'must be a string' }] },
  )
}

/** What is in flight goes on. */
export function notDrained(name: string, timeoutMs: number): PluginError {
  return new PluginError(
    'CALL_TIMEOUT',
    `Plugin "${name}" still had calls in flight after ${timeoutMs} ms; they go on. Try again when it has less to do, or raise drainTimeoutMs`,
    { plugin: name, timeout_ms: timeoutMs },
  )
}

export function stateTimeout(name: string, what: string, timeoutMs: number): PluginError {
  return new PluginError(
    'CALL_TIMEOUT',
    `Plugin "${name}": ${what} took longer than ${timeoutMs} ms. Keep the state small, or raise stateTimeoutMs`,
    { plugin: name, timeout_ms: timeoutMs },
  )
}

export interface FailedSwap {
  plugin: string
  replacement: string
  step: string
  cause: unknown
  rollbackPerformed: boolean
  /** Whether an instance of the old plugin was running. */
  hadInstance: boolean
}

/** Nothing has changed for callers: the old plugin serves. */
export function swapFailed(failure: FailedSwap): PluginError {
  return swapError('HOTSWAP_FAILED', failure, `"${failure.plugin}" goes on serving`)
}

/** Nothing was begun. */
export function swapUnderWay(plugin: string, replacement: string): PluginError {
  const cause = new PluginError('PLUGIN_NOT_READY', 'another swap of it is under way; wait for its end')
  return swapFailed({
    plugin,
    replacement,
    step: 'start',
    cause,
    rollbackPerformed: false,
    hadInstance: true,
  })
}

/** The new plugin serves, or will when it has been restarted: there is no way back. */
export function swapNotUndone(failure: FailedSwap): PluginError {
  const reason = failure.hadInstance
    ? `it had answered calls already, so that "${failure.plugin}" could not come back`
    : `there was no running "${failure.plugin}" to come back`
  return swapError('HOTSWAP_ROLLBACK_FAILED', failure, `${reason}; it is restarted`)
}

function swapError(
  code: 'HOTSWAP_FAILED' | 'HOTSWAP_ROLLBACK_FAILED',
  { plugin, replacement, step, cause, rollbackPerformed }: FailedSwap,
  consequence: string,
): PluginError {
  const { message } = describeThrown(cause)
  const known = isPluginError(cause) ? { code: cause.code, name: cause.codeName ?? null } : {}
  return new PluginError(
    code,
    `"${replacement}" could not take the place of "${plugin}" (step "${step}"): ${message}; ${consequence}`,
    {
      step,
      old_plugin: plugin,
      new_plugin: replacement,
      rollback_performed: rollbackPerformed,
      cause: { ...known, message },
    },
    { cause },
  )
}

export function pluginStopping(name: string): PluginError {
  return new PluginError('PLUGIN_NOT_READY', `Plugin "${name}" is being unloaded`, { plugin: name })
}

export function pluginReplaced(name: string, successor: string): PluginError {
  return new PluginError(
    'PLUGIN_NOT_READY',
    `Plugin "${name}" was swapped for "${successor}". Unload that one`,
    { plugin: name, successor },
  )
}

export function outsidePlugins(dir: string, roots: readonly string[]): PluginError {
  return new PluginError(
    'PLUGIN_NOT_FOUND',
    `${shortened(dir, 1000)} is no folder inside ${listed(roots)}. Name one that is`,
    { path: shortened(dir, 1000) },
  )
}

export function manifestMissing(dir: string): PluginError {
  return new PluginError('MANIFEST_MISSING', `${dir} has no manifest.json. Add one, or name another folder`, {
    path: dir,
  })
}

export function manifestInvalid(name: string, dir: string, errors: readonly string[]): PluginError {
  return new PluginError(
    'MANIFEST_INVALID',
    `Plugin ${quoted(name)} (${dir}) can’t be loaded: ${errors.join('; ')}`,
    { plugin: shortened(name), errors },
  )
}

/** Nothing is wrong with it, as far as is known: another try may succeed. */
export function pluginUnreadable(name: string, path: string, reason: string): PluginError {
  return new PluginError(
    'PLUGIN_LOAD_FAILED',
    `Plugin ${quoted(name)}: ${path} can’t be read at the moment: ${reason}. Try again`,
    { plugin: shortened(name), path, transient: true },
  )
}

/** `reason` goes on after the name of the plugin. */
export function schemaUnusable(name: string, reason: string): PluginError {
  return new PluginError('MANIFEST_INVALID', `config_schema of plugin "${name}" ${shortened(reason, 1000)}`, {
    plugin: name,
  })
}

/** Its process was not asked to initialize. */
export function schemaTooSlow(name: string, step: 'compile' | 'check', deadlineMs: number): PluginError {
  const advice =
    'Look for a pattern that repeats what repeats already, such as (a+)+, and simplify config_schema'
  return step === 'compile'
    ? schemaUnusable(name, `took longer than ${deadlineMs} ms to be read. ${advice}`)
    : new PluginError(
        'CONFIG_INVALID',
        `Checking the configuration of plugin "${name}" against its config_schema took longer than ${deadlineMs} ms. ${advice}, or give a shorter value`,
        { plugin: name, timeout_ms: deadlineMs, issues: [] },
      )
}

/** Nothing is wrong with the plugin. */
export function checkerFailed(name: string, reason: string): PluginError {
  return new PluginError(
    'PLUGIN_LOAD_FAILED',
    `The configuration of plugin "${name}" could not be checked: ${reason}. Try again`,
    { plugin: name, transient: true },
  )
}

export function noActivePlugin(contract: string, candidates: readonly string[]): PluginError {
  const hint =
    candidates.length > 0 ? `Load one: ${listed(candidates)}` : `No plugin in the plugins folders provides it`
  return new PluginError(
    'CONTRACT_NOT_FOUND',
    `No loaded plugin provides the contract ${quoted(contract)}. ${hint}`,
    { contract: shortened(contract) },
  )
}

export function discoveryFailed(dir: string, reason: string): PluginError {
  return new PluginError(
    'DISCOVERY_FAILED',
    `The plugins folder ${dir} can’t be read: ${reason}. Check the path and its permissions`,
    { path: dir },
  )
}

export function dependencyMissing(
  name: string,
  missing: readonly string[],
  command: string,
  dir: string,
): PluginError {
  return new PluginError(
    'DEPENDENCY_MISSING',
    `Plugin "${name}" needs ${missing.join(', ')}. Run this in ${dir}: ${command}`,
    { plugin: name, missing, command },
  )
}

/** @param reason A clause whose subject is the command. */
export function installFailed(name: string, command: string, reason: string): PluginError {
  return new PluginError(
    'DEPENDENCY_MISSING',
    `The dependencies of plugin "${name}" could not be installed; its folder is as it was. ${command} ${reason}`,
    { plugin: name, command },
  )
}

export function packageFileUnreadable(
  name: string,
  missing: readonly string[],
  file: string,
  reason: string,
): PluginError {
  return new PluginError(
    'DEPENDENCY_MISSING',
    `Plugin "${name}" needs ${missing.join(', ')}, and ${file} can’t be used: ${reason}. Correct it first`,
    { plugin: name, missing, file },
  )
}

export function initializeTimeout(name: string, timeoutMs: number): PluginError {
  return new PluginError(
    'PLUGIN_INITIALIZE_FAILED',
    `Plugin "${name}" did not finish initialize() in ${timeoutMs} ms and was stopped. Load heavy things on first use, or raise initializeTimeoutMs`,
    { plugin: name, timeout_ms: timeoutMs },
  )
}

export function startTimeout(name: string, timeoutMs: number): PluginError {
  return new PluginError(
    'PLUGIN_LOAD_FAILED',
    `Plugin "${name}" did not answer the handshake in ${timeoutMs} ms and was stopped. Look for code that blocks while it is imported`,
    { plugin: name, timeout_ms: timeoutMs },
  )
}

/** `transient`: its code is not to blame, so that another try may succeed. */
export function startFailed(name: string, how: string, stderr: string, transient: boolean): PluginError {
  const reason =
    stderr.trim() === '' ? '' : `; it last said: ${stderr.trim().split('\n').slice(-3).join(' ')}`
  return new PluginError(
    'PLUGIN_LOAD_FAILED',
    `The process of plugin "${name}" ${how} before it was ready${reason}`,
    { plugin: name, exit: how, stderr, transient },
  )
}

export function callTimeout(name: string, what: string, timeoutMs: number): PluginError {
  return new PluginError(
    'CALL_TIMEOUT',
    `Plugin "${name}": ${shortened(what)} took longer than ${timeoutMs} ms and was cancelled. Give it a longer timeout, or a smaller request`,
    { plugin: name, timeout_ms: timeoutMs },
  )
}

export function initializeCrashed(name: string, how: string, stderr: string): PluginError {
  return new PluginError(
    'PLUGIN_INITIALIZE_FAILED',
    `The process of plugin "${name}" ${how} in initialize()`,
    { plugin: name, exit: how, stderr },
  )
}

export function initializeRefused(name: string): PluginError {
  return new PluginError(
    'PLUGIN_INITIALIZE_FAILED',
    `Plugin "${name}" could not be initialized: it answered false. Look for the reason in its log`,
    { plugin: name },
  )
}

export function shutdownFailed(name: string, reason: string): PluginError {
  return new PluginError(
    'PLUGIN_SHUTDOWN_FAILED',
    `shutdown() of plugin "${name}" failed: ${reason}; its process was stopped`,
    { plugin: name },
  )
}

export function healthCheckTimeout(name: string, timeoutMs: number): PluginError {
  return new PluginError(
    'HEALTH_CHECK_TIMEOUT',
    `Plugin "${name}" did not answer a health check in ${timeoutMs} ms. Look for code that blocks its event loop`,
    { plugin: name, timeout_ms: timeoutMs },
  )
}

export function linesDropped(lines: number): string {
  return `${lines} more lines are not here: the plugin says more than a host logs of one. Let it log less`
}
