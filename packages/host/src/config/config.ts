import { join } from 'node:path'
import { type Manifest, PluginError } from '@appfactory/sdk'
import { configInvalid, nameValue, parseJson, systemCodeOf } from '@appfactory/sdk/internal'
import { pluginUnreadable, reasonOf } from '../errors.js'
import type { PluginSettings } from '../plugin-settings.js'
import { type Env, environmentKey, type Grants } from '../plugins/environment.js'
import { isShortage } from '../shortage.js'
import { readSmallFile } from '../small-file.js'
import { withoutNulls } from './schema-defaults.js'

export type Config = Record<string, unknown>

/** A plugin's configuration before its schema is known. */
export interface GivenConfig {
  config: Config
  /** Variables for the plugin's process: `$env` of the configuration file, and the caller's `env`. */
  grants: Grants
}

/** Longest configuration file, in bytes: it must fit one message to the plugin. */
const maxConfigBytes = 8 * 1024 * 1024

/** A configuration may come from an application's users, who grant nothing. */
const noGrant = 'is for the configuration file only. Give variables in the option env'

/** No real configuration nests deeper; deeper ones would overflow recursive code. */
const maxDepth = 100

/**
 * Merges the manifest's `default_config`, `<configDir>/<plugin>.json`, the host's settings for the plugin and the caller's
 * configuration; later ones win. A manifest can't grant variables.
 *
 * @throws PluginError CONFIG_INVALID if the file can't be read; PLUGIN_LOAD_FAILED, `transient`, if that is temporary.
 */
export async function readConfig(
  manifest: Manifest,
  configDir: string,
  given: { settings: PluginSettings; config: Config; env: Env | undefined },
): Promise<GivenConfig> {
  const file = await readConfigFile(manifest.name, join(configDir, `${manifest.name}.json`))
  const { settings } = given
  const defaults = withoutNulls(manifest.config_schema, manifest.default_config ?? {})
  const config = [defaults, file, settings.config ?? {}, given.config].reduce(merge, {})
  delete config[environmentKey]
  return { config, grants: { operator: file[environmentKey], settings: settings.env, caller: given.env } }
}

/**
 * Copies a configuration from code as JSON, without undefined members.
 *
 * @throws PluginError CONFIG_INVALID if it is not an object, or has a value that JSON lacks, with the path.
 */
export function plainConfig(plugin: string, config: unknown): Config {
  if (!isPlainObject(config))
    throw configInvalid(plugin, [{ path: '', message: `must be an object, not ${nameValue(config)}` }])
  if (Object.hasOwn(config, environmentKey))
    throw configInvalid(plugin, [{ path: environmentKey, message: noGrant }])
  return plain({ plugin, path: [], around: [] }, config) as Config
}

/** The position of a value. */
interface Place {
  plugin: string
  path: readonly string[]
  /** The objects around it. */
  around: readonly object[]
}

function plain({ plugin, path, around }: Place, value: unknown): unknown {
  const refuse = (message: string): PluginError => configInvalid(plugin, [{ path: path.join('.'), message }])
  if (path.at(-1) === '__proto__') throw refuse('is not allowed as a name')
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return value
    throw refuse(`must be a finite number, not ${value}`)
  }
  if (typeof value !== 'object') throw refuse(`must be JSON, not ${nameValue(value)}`)
  if (around.includes(value)) throw refuse('is an object that it stands in itself')
  if (around.length >= maxDepth) throw refuse(`is nested deeper than ${maxDepth} levels`)
  const inside = (key: string): Place => ({ plugin, path: [...path, key], around: [...around, value] })
  const toJson: unknown = Reflect.get(value, 'toJSON')
  if (typeof toJson === 'function')
    return plain({ plugin, path, around: [...around, value] }, Reflect.apply(toJson, value, [path.at(-1)]))
  if (Array.isArray(value)) return value.map((item, index) => plain(inside(`${index}`), item ?? null))
  if (!isPlainObject(value)) throw refuse('must be JSON, not an object of a class such as Map or Uint8Array')
  const entries = Object.entries(value).filter(([, item]) => item !== undefined)
  return Object.fromEntries(entries.map(([key, item]) => [key, plain(inside(key), item)]))
}

async function readConfigFile(plugin: string, file: string): Promise<Config> {
  let value: unknown
  try {
    value = parseJson(await readSmallFile(file, maxConfigBytes))
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return {}
    if (isShortage(error)) throw pluginUnreadable(plugin, file, reasonOf(error))
    throw new PluginError('CONFIG_INVALID', `${file} can’t be read: ${reasonOf(error)}`, { path: file })
  }
  if (isObject(value)) return value
  throw new PluginError('CONFIG_INVALID', `${file} must hold a JSON object`, { path: file })
}

/** Objects are merged key by key; anything else, arrays included, is replaced. */
function merge(under: Config, over: Config): Config {
  const merged: Config = { ...under }
  for (const [key, value] of Object.entries(over)) {
    const below = Object.hasOwn(merged, key) ? merged[key] : undefined
    merged[key] = isObject(below) && isObject(value) ? merge(below, value) : copied(value)
  }
  return merged
}

/** A clone of each of thousands of numbers would take the host's thread for a second. */
function copied(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? structuredClone(value) : value
}

function isObject(value: unknown): value is Config {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether its own properties hold all its data: objects of any realm and of custom classes, but not a Map, for example. */
function isPlainObject(value: unknown): value is Config {
  return Object.prototype.toString.call(value) === '[object Object]'
}
