import { type ErrorName, isPluginError, PluginError } from '@appfactory/sdk'
import {
  cancelledBy,
  closest,
  describeThrown,
  isAnswer,
  listed,
  markAnswer,
  quoted,
  shortened,
} from '@appfactory/sdk/internal'
import type { RestartPolicy } from './options.js'

// The wording of the host's errors: what happened, to which plugin, and what to do next.

/** Whether the host itself made an error, with that code: a plugin may throw any code. */
export function isHostError(error: unknown, code: ErrorName): error is PluginError {
  return isPluginError(error) && error.codeName === code && !isAnswer(error)
}

/** The message of an error, or of anything else that was thrown. */
export function reasonOf(error: unknown): string {
  return describeThrown(error).message
}

export function pluginNotFound(name: string, known: readonly string[]): PluginError {
  const meant = closest(name, known)
  const hint = meant
    ? `Did you mean "${meant}"?`
    : known.length > 0
      ? `Available: ${listed(known)}`
      : 'The plugins folders are empty'
  return new PluginError('PLUGIN_NOT_FOUND', `Plugin ${quoted(name)} not found. ${hint}`, {
    plugin: shortened(name),
  })
}

export function hostClosed(): PluginError {
  return new PluginError('PLUGIN_NOT_READY', 'The host is closed')
}

export function hostShuttingDown(): PluginError {
  return new PluginError('PLUGIN_NOT_READY', 'The host is shutting down')
}

export function bytesNotOffered(areThere: boolean): PluginError {
  return new PluginError(
    'INVALID_REQUEST',
    areThere
      ? 'bytes/open: this connection has raw bytes already'
      : 'bytes/open: this connection carries no raw bytes. Send and take them as base64',
  )
}

export function tooManyCallers(limit: number): PluginError {
  return new PluginError(
    'RESOURCE_EXHAUSTED',
    `This host has ${limit} callers already. Close a connection, or raise the limit of callers`,
    { limit },
  )
}

export function unknownToken(): PluginError {
  return new PluginError(
    'INVALID_PARAMS',
    'bytes/attach: token: no connection waits for it. Ask for one with bytes/open, and use it once',
  )
}

export function connectionClosed(): PluginError {
  return new PluginError('REQUEST_CANCELLED', 'The connection to the host is closed')
}

/** With the caller's reason if `signal` was aborted. */
export function requestCancelled(signal?: AbortSignal): PluginError {
  return signal?.aborted
    ? cancelledBy(signal)
    : new PluginError('REQUEST_CANCELLED', 'The request was cancelled')
}

export function pluginNotLoaded(name: string): PluginError {
  return new PluginError('PLUGIN_NOT_READY', `Plugin "${name}" is not loaded. Load it first`, {
    plugin: name,
  })
}

export function pluginAlreadyLoaded(name: string): PluginError {
  return new PluginError(
    'PLUGIN_ALREADY_LOADED',
    `Plugin "${name}" is already loaded. To change its configuration, unload it first`,
    { plugin: name },
  )
}

export function pluginCrashed(name: string, how: string, stderr: string, place?: number): PluginError {
  return new PluginError(
    'PLUGIN_CRASHED',
    `The process of plugin "${name}" ${how}. It will be restarted; try again`,
    { plugin: name, exit: how, stderr, ...(place === undefined ? {} : { place }) },
  )
}

export function pluginQuarantined(name: string, policy: RestartPolicy): PluginError {
  const { maxCrashes, windowMs, retryQuarantinedMs } = policy
  const times = `${maxCrashes} times${inMinutes(windowMs)}`
  const next = Number.isFinite(retryQuarantinedMs)
    ? `will be retried${inMinutes(retryQuarantinedMs)}`
    : 'will not be retried'
  return new PluginError(
    'PLUGIN_QUARANTINED',
    `Plugin "${name}" crashed ${times} and ${next}. To retry now, fix it and reload it`,
    { plugin: name, retry_ms: retryQuarantinedMs },
  )
}

function inMinutes(ms: number): string {
  return Number.isFinite(ms) ? ` in ${ms / 60_000} minutes` : ''
}

/** `limit` is the option of the host to raise. `refused`: nothing was begun. */
export function exhausted(name: string, limit: string, value: number): PluginError {
  return new PluginError(
    'RESOURCE_EXHAUSTED',
    `Plugin "${name}": limit ${limit} (${value}) reached. Wait for calls to finish, or raise ${limit}`,
    { plugin: name, limit, value, refused: true },
  )
}

/** The error that a plugin has answered with. Only its host says that a call was refused, which another one may then take. */
export function answeredBy(error: unknown): unknown {
  if (!isPluginError(error) || !isAnswer(error)) return error
  const { code, message, data } = error
  if (typeof data !== 'object' || data === null || !('refused' in data)) return error
  const { refused: _claimed, ...rest } = data
  return markAnswer(new PluginError(code, message, rest))
}

/** A client has not read so much of what it was answered. `data.limit` is in bytes. */
export function answersUnread(bytes: number, limit: number): PluginError {
  return new PluginError(
    'RESOURCE_EXHAUSTED',
    `${bytes} bytes of answers wait to be read by this client; the limit is ${limit}. Read them, and make fewer calls at once`,
    { limit, value: bytes },
  )
}

/** A client of several called what only those may call that run the host. */
export function callForbidden(method: string, allowed: readonly string[]): PluginError {
  return new PluginError(
    'CALL_FORBIDDEN',
    `This connection may not call ${quoted(method)}. It may call ${allowed.join(', ')}`,
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
    `Plugin "${name}": session_id: unknown or closed session ${quoted(id)}. Start a new one`,
    { plugin: name, issues: [{ path: 'session_id', message: 'unknown or closed session' }] },
  )
}

export function noSessionId(name: string, method: string): PluginError {
  return new PluginError(
    'CONTRACT_MISMATCH',
    `Plugin "${name}": the result of ${method} has no session_id of type string`,
    { plugin: name, method, issues: [{ path: 'session_id', message: 'must be a string' }] },
  )
}

export function otherContract(name: string, contract: string, expected: string): PluginError {
  return new PluginError(
    'CONTRACT_MISMATCH',
    `Plugin "${name}" is of contract ${quoted(contract)}, not ${quoted(expected)}. Name a plugin of contract ${quoted(expected)}, or ask for the contract ${quoted(contract)}`,
    { plugin: name, contract: shortened(contract), expected },
  )
}

/** The plugin has another version of the contract. */
export function methodsMissing(name: string, contract: string, methods: readonly string[]): PluginError {
  return new PluginError(
    'CONTRACT_MISMATCH',
    `Plugin "${name}" lacks ${listed(methods)} of contract ${quoted(contract)}. Update the plugin, or use the version of the contract that it was written for`,
    { plugin: name, contract, expected: contract, methods },
  )
}

/** A handle has no such method. */
export function noSuchMethod(
  name: string,
  contract: string,
  method: string,
  methods: readonly string[],
): PluginError {
  const meant = closest(method, methods)
  const hint = meant === undefined ? `It has ${listed(methods)}` : `Did you mean ${meant}?`
  return new PluginError(
    'METHOD_NOT_FOUND',
    `Plugin "${name}" of contract ${quoted(contract)} has no method ${shortened(method)}. ${hint}`,
    { plugin: name, method: shortened(method), methods },
  )
}

/** Calls in flight are not interrupted. */
export function notDrained(name: string, timeoutMs: number): PluginError {
  return new PluginError(
    'CALL_TIMEOUT',
    `Plugin "${name}" still had calls in flight after ${timeoutMs} ms (not interrupted). Try again when it has less to do, or raise drainTimeoutMs`,
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

/** Callers notice nothing: the old plugin serves. */
export function swapFailed(failure: FailedSwap): PluginError {
  return swapError('HOTSWAP_FAILED', failure, `"${failure.plugin}" goes on serving`)
}

/** No step was started. */
export function swapUnderWay(plugin: string, replacement: string): PluginError {
  const cause = new PluginError('PLUGIN_NOT_READY', 'another swap is in progress; wait until it finishes')
  return swapFailed({
    plugin,
    replacement,
    step: 'start',
    cause,
    rollbackPerformed: false,
    hadInstance: true,
  })
}

/** The new plugin serves, or will after its restart: a rollback is impossible. */
export function swapNotUndone(failure: FailedSwap): PluginError {
  const reason = failure.hadInstance
    ? `it had already answered calls, so "${failure.plugin}" could not be restored`
    : `no running "${failure.plugin}" was left to restore`
  return swapError('HOTSWAP_ROLLBACK_FAILED', failure, `${reason}; it will be restarted`)
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
    `"${replacement}" could not replace "${plugin}" (step "${step}"): ${message}; ${consequence}`,
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

/** Of a plugin that is to have several processes. */
export function replicasKeepState(name: string, replicas: number): PluginError {
  return new PluginError(
    'PLUGIN_LOAD_FAILED',
    `Plugin "${name}" keeps state (captureState), and can’t have ${replicas} replicas: each would have a state of its own. Load it with one, or allow that with "replicas": "independent" in its manifest.json`,
    { plugin: name, replicas },
  )
}

/** Of a state that is asked for, or given, as if there were one. */
export function severalStates(name: string, replicas: number): PluginError {
  return new PluginError(
    'HOTSWAP_FAILED',
    `Plugin "${name}" has ${replicas} replicas, each with a state of its own. Scale it to 1 first`,
    { plugin: name, replicas },
  )
}

export function pluginReplaced(name: string, successor: string): PluginError {
  return new PluginError(
    'PLUGIN_NOT_READY',
    `Plugin "${name}" was replaced by "${successor}". Unload that one instead`,
    { plugin: name, successor },
  )
}

export function outsidePlugins(dir: string, roots: readonly string[]): PluginError {
  return new PluginError(
    'PLUGIN_NOT_FOUND',
    `${shortened(dir, 1000)} is not inside a plugins folder (${listed(roots)})`,
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

const takes = 'Give the name of an npm package (tts_x, @me/tts-x@1.2), a folder, or a .tgz file'

/** @param reason A clause whose subject is the argument. */
export function specRefused(spec: string, reason: string): PluginError {
  return new PluginError('INVALID_PARAMS', `${quoted(spec)} ${reason}. ${takes}`, { spec: shortened(spec) })
}

/** @param reason A clause whose subject is npm. */
export function packageNotFetched(spec: string, reason: string): PluginError {
  return new PluginError('PLUGIN_NOT_FOUND', `${quoted(spec)} was not added: npm ${reason}`, {
    spec: shortened(spec),
  })
}

export function notAPlugin(spec: string, packageName: string): PluginError {
  return new PluginError(
    'MANIFEST_MISSING',
    `${quoted(spec)} was not added: the package ${packageName} is no plugin, it has no manifest.json. If it is yours, add manifest.json to "files" in its package.json`,
    { spec: shortened(spec), package: packageName },
  )
}

export function addedInvalid(spec: string, name: string, errors: readonly string[]): PluginError {
  return new PluginError('MANIFEST_INVALID', `${quoted(spec)} was not added: ${errors.join('; ')}`, {
    plugin: shortened(name),
    errors,
  })
}

/** @param origin Where the one that is there came from. */
export function alreadyThere(spec: string, name: string, path: string, origin: string): PluginError {
  return new PluginError(
    'PLUGIN_ALREADY_LOADED',
    `${quoted(spec)} was not added: ${path} is already there (${origin}). Replace it with --force`,
    { plugin: name, path },
  )
}

export function notRemoved(name: string, path: string, reason: string): PluginError {
  return new PluginError('PLUGIN_NOT_FOUND', `Plugin "${name}" was not removed: ${path} ${reason}`, {
    plugin: name,
    path,
  })
}

/** The plugin may be valid: another attempt may succeed. */
export function pluginUnreadable(name: string, path: string, reason: string): PluginError {
  return new PluginError(
    'PLUGIN_LOAD_FAILED',
    `Plugin ${quoted(name)}: ${path} can’t be read at the moment: ${reason}. Try again`,
    { plugin: shortened(name), path, transient: true },
  )
}

/** @param reason Continues the sentence after the plugin's name. */
export function schemaUnusable(name: string, reason: string): PluginError {
  return new PluginError('MANIFEST_INVALID', `config_schema of plugin "${name}" ${shortened(reason, 1000)}`, {
    plugin: name,
  })
}

/** The process was not initialized. */
export function schemaTooSlow(name: string, step: 'compile' | 'check', deadlineMs: number): PluginError {
  const advice = 'Look for nested repetitions in a pattern, such as (a+)+, and simplify config_schema'
  return step === 'compile'
    ? schemaUnusable(name, `took longer than ${deadlineMs} ms to be read. ${advice}`)
    : new PluginError(
        'CONFIG_INVALID',
        `Checking the configuration of plugin "${name}" against its config_schema took longer than ${deadlineMs} ms. ${advice}, or give a shorter value`,
        { plugin: name, timeout_ms: deadlineMs, issues: [] },
      )
}

/** The plugin may be valid. */
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
    `The dependencies of plugin "${name}" could not be installed; its folder is unchanged. ${command} ${reason}`,
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
    `Plugin "${name}" needs ${missing.join(', ')}, and ${file} can’t be used: ${reason}. Fix it first`,
    { plugin: name, missing, file },
  )
}

/** A file of requirements that can't be read. */
export function requirementsUnreadable(name: string, file: string, reason: string): PluginError {
  return new PluginError(
    'PLUGIN_LOAD_FAILED',
    `Plugin "${name}": ${file} can’t be used: ${reason}. Fix it first`,
    { plugin: name, file },
  )
}

/** @param requirement One that runs code when it is installed. */
export function runsCodeRefused(name: string, requirement: string): PluginError {
  return new PluginError(
    'DEPENDENCY_MISSING',
    `The dependencies of plugin "${name}" were not installed: ${quoted(requirement)} runs code when it is installed. Set allowInstallScripts to allow that, or install it yourself`,
    { plugin: name, requirement: shortened(requirement) },
  )
}

export function initializeTimeout(name: string, timeoutMs: number): PluginError {
  return new PluginError(
    'PLUGIN_INITIALIZE_FAILED',
    `Plugin "${name}" did not finish initialize() in ${timeoutMs} ms and was stopped. Load heavy resources on first use, or raise initializeTimeoutMs`,
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

/** @param transient The code is not at fault, so another attempt may succeed. */
export function startFailed(name: string, how: string, stderr: string, transient: boolean): PluginError {
  const reason = stderr.trim() === '' ? '' : `; last output: ${stderr.trim().split('\n').slice(-3).join(' ')}`
  return new PluginError(
    'PLUGIN_LOAD_FAILED',
    `The process of plugin "${name}" ${how} before it was ready${reason}`,
    { plugin: name, exit: how, stderr, transient },
  )
}

/** What a start fails with for what the plugin's process does. */
const startErrors = new Set<string | undefined>([
  'PLUGIN_LOAD_FAILED',
  'PLUGIN_INITIALIZE_FAILED',
  'CONTRACT_MISMATCH',
  'DEPENDENCY_MISSING',
  'PROTOCOL_VERSION_UNSUPPORTED',
])

/** An error of a start that also says which Python it was; any other error as it is. */
export function startedWith({ file, version }: { file: string; version: string }, error: unknown): unknown {
  if (!isPluginError(error) || isAnswer(error) || !startErrors.has(error.codeName)) return error
  const data = { ...Object(error.data), python: file, python_version: version }
  return new PluginError(
    error.code,
    `${error.message}. It was started with Python ${version}: ${file}`,
    data,
    {
      cause: error.cause,
    },
  )
}

export function nodeUnusable(file: string, reason: string): PluginError {
  return new PluginError(
    'PLUGIN_LOAD_FAILED',
    `nodePath: ${shortened(file)} ${reason}. Name the executable of Node, or leave nodePath out`,
    { node_path: shortened(file) },
  )
}

/** @param source What names it: an option, or a variable. */
export function pythonUnusable(source: string, file: string, reason: string): PluginError {
  return new PluginError(
    'PLUGIN_LOAD_FAILED',
    `${source}: ${shortened(file)} ${reason}. Name the executable of a Python, or leave ${source} out`,
    { python_path: shortened(file) },
  )
}

/** @param found What was looked at, each with its version or what is wrong with it. */
export function pythonUnfit(plugin: string, wanted: string, found: readonly string[]): PluginError {
  const looked = found.length === 0 ? 'No Python was found in PATH' : `Found: ${found.join('; ')}`
  return new PluginError(
    'PLUGIN_LOAD_FAILED',
    `Plugin "${plugin}" needs Python ${shortened(wanted)}. ${looked}. Install one that fits, or name it: pythonPath, --python-path or AF_PYTHON`,
    { plugin, wanted: shortened(wanted), found: [...found] },
  )
}

/** @param reason A sentence without its full stop. */
export function environmentBroken(plugin: string, path: string, reason: string): PluginError {
  return new PluginError(
    'PLUGIN_LOAD_FAILED',
    `Plugin "${plugin}": the virtual environment ${path} is broken: ${reason}. Delete that folder, and make it anew where plugins need it`,
    { plugin, environment: path },
  )
}

/** @param hint What a valid one looks like. */
export function requirementInvalid(plugin: string, where: string, text: string, hint: string): PluginError {
  return new PluginError(
    'PLUGIN_LOAD_FAILED',
    `Plugin "${plugin}": ${where}: ${quoted(text)} can’t be read. Write it as PEP 440 and PEP 508 say, ${hint}`,
    { plugin, requirement: shortened(text) },
  )
}

export function callTimeout(name: string, what: string, timeoutMs: number): PluginError {
  return new PluginError(
    'CALL_TIMEOUT',
    `Plugin "${name}": ${shortened(what)} took longer than ${timeoutMs} ms and was cancelled. Set a longer timeout, or send a smaller request`,
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
    `Plugin "${name}" could not be initialized: initialize() returned false. See its log for the reason`,
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

export function shutdownCrashed(name: string, how: string): PluginError {
  return new PluginError(
    'PLUGIN_SHUTDOWN_FAILED',
    `The process of plugin "${name}" ${how} in shutdown(), before that had finished`,
    { plugin: name, exit: how },
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
  return `${lines} more lines were dropped: the plugin exceeds its share of the log. Let it log less`
}
