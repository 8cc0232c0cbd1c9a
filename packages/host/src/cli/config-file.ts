import { dirname, resolve } from 'node:path'
import { nameValue, parseJson, quoted, systemCodeOf } from '@appfactory/sdk/internal'
import { reasonOf } from '../errors.js'
import type { FallbackGiven } from '../fallback/options.js'
import { advice, type PluginSettings, wrongPluginSettings } from '../plugin-settings.js'
import { readSmallFile } from '../small-file.js'
import { clusterSettings } from './cluster-settings.js'
import { fallbacksIn } from './file-fallbacks.js'
import { gatewaySettings } from './gateway-settings.js'
import { jsonErrorPlace } from './json-error.js'
import { hostSettings, loadSettings, type Setting } from './settings.js'
import { UsageError } from './usage-error.js'

/** The file of the working directory that is read without `--config`. */
export const defaultFile = 'appfactory.config.json'

/** Longest file, in bytes. */
const maxBytes = 1024 * 1024

export interface ConfigFile {
  /** Absolute; undefined: there is none. */
  path: string | undefined
  /** By the keys of the settings: `restart.firstDelayMs`. */
  values: ReadonlyMap<string, unknown>
  plugins: Readonly<Record<string, PluginSettings>>
  fallbacks: readonly FallbackGiven[]
}

const all = [...hostSettings, ...loadSettings, ...gatewaySettings, ...clusterSettings]
const settings = new Map(all.map((setting) => [setting.key, setting]))
/** Keys whose values are objects of settings. */
const groups = ['restart', 'gateway', 'cluster'] as const
const topKeys = [
  ...[...settings.keys()].filter((key) => !key.includes('.')),
  ...groups,
  'plugins',
  'fallbacks',
]

/**
 * Reads the settings of a file.
 *
 * @param given What `--config` names. Without it: `appfactory.config.json`, if it is there.
 * @throws UsageError with the file, the key and what it takes.
 */
export async function readConfigFile(given: string | undefined): Promise<ConfigFile> {
  const path = resolve(given ?? defaultFile)
  const text = await readText(path, given)
  if (text === undefined) return { path: undefined, values: new Map(), plugins: {}, fallbacks: [] }
  const file = objectOf(path, parse(path, text))
  const { restart = {}, gateway = {}, cluster = {}, plugins = {}, fallbacks = {}, $schema: _, ...top } = file
  refuseUnknown(path, Object.keys(top), topKeys)
  const nested = Object.entries({ restart, gateway, cluster }).flatMap(([group, members]) =>
    membersOf(path, group, members),
  )
  const wrong = wrongPluginSettings(plugins)
  if (wrong !== undefined) throw new UsageError(`${path}: ${wrong}`)
  const values = [...Object.entries(top), ...nested].map(
    ([key, value]) => [key, checkedValue(path, key, value)] as const,
  )
  // They were just checked.
  return {
    path,
    values: new Map(values),
    plugins: plugins as Record<string, PluginSettings>,
    fallbacks: checkedFallbacks(path, fallbacks),
  }
}

function checkedFallbacks(path: string, value: unknown): FallbackGiven[] {
  try {
    return fallbacksIn(value)
  } catch (error) {
    throw new UsageError(`${path}: ${reasonOf(error)}`)
  }
}

/** The settings of a group, by their whole keys. */
function membersOf(path: string, group: string, value: unknown): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UsageError(`${path}: ${group} takes an object, not ${nameValue(value)}`)
  const members = Object.entries(value).map(([key, each]): [string, unknown] => [`${group}.${key}`, each])
  const known = [...settings.keys()].filter((key) => key.startsWith(`${group}.`))
  refuseUnknown(
    path,
    members.map(([key]) => key),
    known,
  )
  return members
}

/** Undefined: the file of the working directory is not there. */
async function readText(path: string, given: string | undefined): Promise<string | undefined> {
  try {
    return await readSmallFile(path, maxBytes)
  } catch (error) {
    const isMissing = systemCodeOf(error) === 'ENOENT'
    if (isMissing && given === undefined) return undefined
    const reason = isMissing ? `there is no such file${hint(given)}` : reasonOf(error)
    throw new UsageError(`${given === undefined ? '' : '--config '}${given ?? path}: ${reason}`)
  }
}

/** JSON that is no object was meant for the plugin, not as a name. */
function hint(given = ''): string {
  return /^\s*["[]/.test(given)
    ? `. The configuration of a plugin is a JSON object, such as --config '{"voice":"rms"}'`
    : ''
}

function parse(path: string, text: string): unknown {
  try {
    return parseJson(text)
  } catch (error) {
    if (isJson(text)) throw new UsageError(`${path}: ${reasonOf(error)}`)
    const { line, column } = jsonErrorPlace(text)
    throw new UsageError(`${path}:${line}:${column}: what stands here is not JSON`)
  }
}

/** Whether it parses, harm or not. */
function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function objectOf(path: string, value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  throw new UsageError(
    `${path} takes a JSON object, such as {"callTimeoutMs": 30000}, not ${nameValue(value)}`,
  )
}

function refuseUnknown(path: string, given: readonly string[], known: readonly string[]): void {
  const unknown = given.find((key) => !known.includes(key))
  if (unknown !== undefined)
    throw new UsageError(`${path}: unknown key ${quoted(unknown)}. ${advice(unknown, known)}`)
}

function checkedValue(path: string, key: string, given: unknown): unknown {
  const setting = settings.get(key)
  // JSON has no Infinity.
  const value = setting?.kind === 'number' && given === 'Infinity' ? Number.POSITIVE_INFINITY : given
  if (!setting?.fits(value))
    throw new UsageError(`${path}: ${key} takes ${takesIn(setting)}, not ${nameValue(given)}`)
  return setting.isPath ? pathsFrom(dirname(path), value) : value
}

function takesIn(setting: Setting | undefined): string {
  return setting?.takes.replace('Infinity', '"Infinity"') ?? ''
}

/** Paths of a file are relative to its folder. */
function pathsFrom(folder: string, value: unknown): unknown {
  const paths = [value].flat().map((path) => (path === '-' ? path : resolve(folder, String(path))))
  return Array.isArray(value) ? paths : paths[0]
}
