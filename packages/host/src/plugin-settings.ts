import { closest, listed, nameValue, quoted } from '@appfactory/sdk/internal'
import type { Config } from './config/config.js'
import { type LogLevel, logLevels } from './logs/levels.js'
import type { Env } from './plugins/environment.js'

/** What a plugin gets whoever loads it: the application, `--auto-load` or a client. */
export interface PluginSettings {
  /** Laid over `config/<name>.json`; the configuration of who loads the plugin is laid over it. Default: `{}`. */
  config?: Config | undefined
  /** As the option `env` of `load()`. Default: none. */
  env?: Env | undefined
  /** Minimum level of its log lines. Default: the host's `logLevel`. */
  logLevel?: LogLevel | undefined
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const rules: Record<keyof PluginSettings, { takes: string; fits(value: unknown): boolean }> = {
  config: { takes: 'an object, such as {"voice": "rms"}', fits: isObject },
  env: {
    takes: 'an array of names of variables, or an object of names and values',
    fits: (value) => {
      const items = Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [undefined]
      return items.every((item) => typeof item === 'string')
    },
  },
  logLevel: {
    takes: `one of ${logLevels.join(', ')}`,
    fits: (value) => logLevels.some((level) => level === value),
  },
}

/** What is wrong with the first of the settings by plugin; undefined: nothing is. */
export function wrongPluginSettings(plugins: unknown): string | undefined {
  if (!isObject(plugins)) return `plugins takes an object of settings by plugin, not ${nameValue(plugins)}`
  for (const [plugin, given] of Object.entries(plugins)) {
    const wrong = wrongSettings(`plugins.${plugin.slice(0, 100)}`, given)
    if (wrong !== undefined) return wrong
  }
  return undefined
}

function wrongSettings(place: string, given: unknown): string | undefined {
  const known = Object.keys(rules)
  if (!isObject(given)) return `${place} takes an object with ${listed(known)}, not ${nameValue(given)}`
  const unknown = Object.keys(given).find((key) => !known.includes(key))
  if (unknown !== undefined) return `${place} has no setting ${quoted(unknown)}. ${advice(unknown, known)}`
  for (const [key, { takes, fits }] of Object.entries(rules))
    if (given[key] !== undefined && !fits(given[key]))
      return `${place}.${key} takes ${takes}, not ${nameValue(given[key])}`
  return undefined
}

/** What may be meant by an unknown key, or all there are. */
export function advice(unknown: string, known: readonly string[], what = 'keys'): string {
  const meant = closest(unknown, known)
  return meant === undefined ? `Its ${what} are ${known.join(', ')}` : `Did you mean ${meant}?`
}
