import { PluginError } from '@appfactory/sdk'
import { closest } from '@appfactory/sdk/wire'

// The wording of the host's errors: what happened, to which plugin, and what to do next.

export function pluginNotFound(name: string, known: readonly string[]): PluginError {
  const meant = closest(name, known)
  const hint = meant
    ? `; did you mean "${meant}"?`
    : known.length > 0
      ? `; there is ${known.join(', ')}`
      : '; the plugins folders are empty'
  return new PluginError('PLUGIN_NOT_FOUND', `There is no plugin "${name}"${hint}`, { plugin: name })
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

export function pluginQuarantined(name: string, crashes: number, minutes: number): PluginError {
  return new PluginError(
    'PLUGIN_QUARANTINED',
    `Plugin "${name}" crashed ${crashes} times in ${minutes} minutes and is not restarted any more. Mend it, then unload and load it`,
    { plugin: name },
  )
}

export function pluginStopping(name: string): PluginError {
  return new PluginError('PLUGIN_NOT_READY', `Plugin "${name}" is being unloaded`, { plugin: name })
}

export function manifestMissing(dir: string): PluginError {
  return new PluginError('MANIFEST_MISSING', `${dir} has no manifest.json. Add one, or name another folder`, {
    path: dir,
  })
}

export function manifestInvalid(name: string, dir: string, errors: readonly string[]): PluginError {
  return new PluginError(
    'MANIFEST_INVALID',
    `Plugin "${name}" (${dir}) can’t be loaded: ${errors.join('; ')}`,
    { plugin: name, errors },
  )
}

export function noActivePlugin(contract: string, candidates: readonly string[]): PluginError {
  const hint =
    candidates.length > 0
      ? `Load one: ${candidates.join(', ')}`
      : `No plugin in the plugins folders provides it`
  return new PluginError(
    'CONTRACT_NOT_FOUND',
    `No loaded plugin provides the contract "${contract}". ${hint}`,
    { contract },
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

export function installFailed(name: string, command: string, output: string): PluginError {
  return new PluginError(
    'DEPENDENCY_MISSING',
    `The dependencies of plugin "${name}" could not be installed; its folder is as it was. ${command} said: ${output}`,
    { plugin: name, command },
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

export function startFailed(name: string, how: string, stderr: string): PluginError {
  const reason =
    stderr.trim() === '' ? '' : `; it last said: ${stderr.trim().split('\n').slice(-3).join(' ')}`
  return new PluginError(
    'PLUGIN_LOAD_FAILED',
    `The process of plugin "${name}" ${how} before it was ready${reason}`,
    { plugin: name, stderr },
  )
}

export function callTimeout(name: string, what: string, timeoutMs: number): PluginError {
  return new PluginError(
    'CALL_TIMEOUT',
    `Plugin "${name}": ${what} took longer than ${timeoutMs} ms and was cancelled. Give it a longer timeout, or a smaller request`,
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
