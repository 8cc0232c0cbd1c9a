import { isPluginError, PluginError } from '@appfactory/sdk'
import { listed, quoted, shortened } from '@appfactory/sdk/internal'
import { reasonOf } from '../errors.js'

// The wording of errors of fallbacks: what happened, and what to do next.

/** A plugin that was tried, and how that ended. */
export interface FailedAttempt {
  plugin: string
  error: unknown
}

/** Of a call that no plugin has answered: with the code of the last one. */
export function allFailed(name: string, failed: readonly FailedAttempt[]): PluginError {
  const attempts = failed.map(({ plugin, error }) => ({
    plugin,
    ...(isPluginError(error) ? { code: error.code, name: error.codeName ?? null } : {}),
    message: shortened(reasonOf(error), 500),
  }))
  const last = failed.at(-1)?.error
  const code = isPluginError(last) ? last.code : 'INTERNAL_ERROR'
  const reasons = attempts.map(({ plugin, message }) => `${plugin}: ${message}`)
  const data = isPluginError(last) ? Object(last.data) : {}
  return new PluginError(
    code,
    `Fallback "${name}": none of ${attempts.length} plugins could answer. ${reasons.join('; ')}`,
    { ...data, fallback: name, attempts },
    { cause: last },
  )
}

export function noneLoaded(name: string, plugins: readonly string[]): PluginError {
  return new PluginError(
    'PLUGIN_NOT_READY',
    `Fallback "${name}": none of its plugins is loaded. Load one of them: ${listed(plugins)}`,
    { plugin: name, plugins },
  )
}

/** A name stands for one thing. @param what Has it already: `a plugin`. */
export function nameTaken(name: string, what: string): PluginError {
  return new PluginError(
    'PLUGIN_ALREADY_LOADED',
    `${quoted(name)} is the name of ${what} already. Give the fallback another name`,
    { plugin: shortened(name) },
  )
}

/** Taken away as soon as it was made. */
export function fallbackGone(name: string): PluginError {
  return new PluginError('PLUGIN_NOT_FOUND', `Fallback ${quoted(name)} has been unloaded. Make it again`, {
    plugin: shortened(name),
  })
}

export function fallbackOfFallback(name: string, inner: string): PluginError {
  return new PluginError(
    'INVALID_PARAMS',
    `Fallback "${name}": "${inner}" is a fallback itself. Name its plugins instead`,
    { plugin: name, issues: [{ path: 'plugins', message: `"${inner}" is a fallback` }] },
  )
}

/** The plugins of a fallback must be of one contract. */
export function contractsDiffer(
  name: string,
  [first, contract]: readonly [string, string],
  [other, otherContract]: readonly [string, string],
): PluginError {
  return new PluginError(
    'CONTRACT_MISMATCH',
    `Fallback "${name}": "${first}" is of contract ${quoted(contract)}, and "${other}" of ${quoted(otherContract)}. Name plugins of one contract`,
    { plugin: other, contract: shortened(otherContract), expected: shortened(contract) },
  )
}

/** A plugin that has said nothing where there was something to say. */
export function mute(plugin: string): PluginError {
  return new PluginError('TTS_SYNTHESIS_FAILED', `Plugin "${plugin}" has answered without a sound`, {
    plugin,
  })
}
