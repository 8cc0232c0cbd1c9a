import { nameValue } from '@appfactory/sdk/internal'
import type { FallbackGiven } from '../fallback/options.js'
import type { HostOptions } from '../host.js'
import { type LogLevel, logLevels } from '../logs/levels.js'
import type { PluginSettings } from '../plugin-settings.js'
import { type ConfigFile, readConfigFile } from './config-file.js'
import { loadSettings, type Setting } from './settings.js'
import { UsageError } from './usage-error.js'

/** A setting that holds, and where it comes from: a flag, the path of a file, or `default`. */
export interface Holding {
  key: string
  value: unknown
  origin: string
}

/** What holds for a command. */
export interface Settings {
  host: HostOptions
  /** Plugins to load at start-up, each with how many processes it is to have, where that is said. */
  load: ReadonlyMap<string, number | undefined>
  autoLoad: boolean
  /** To make at start-up. */
  fallbacks: readonly FallbackGiven[]
  /** Options of the gateway, by their names. */
  gateway: Readonly<Record<string, unknown>>
  /** How the cluster is reached, and what this node is in it, by the names of the settings. */
  cluster: Readonly<Record<string, unknown>>
  /** Where metrics and probes are served; without a port, nowhere. */
  metrics: { port: number | undefined; address: string }
  /** The file that was read, if there was one. */
  file: string | undefined
  holdings: readonly Holding[]
}

/** The keys of settings that are none of the host. */
const served = new Set(loadSettings.map(({ key }) => key))

/** What `--log-level` says: a level for all, and levels of plugins. */
interface GivenLevels {
  all: LogLevel | undefined
  byPlugin: Readonly<Record<string, LogLevel>>
}

/**
 * What holds: a flag wins over the file, the file over the default.
 *
 * @param args The arguments of the command line, by their flags.
 * @param table The settings that the command takes.
 * @throws UsageError for a wrong value, or a file that can't be read.
 */
export async function resolveSettings(
  args: Readonly<Record<string, unknown>>,
  table: readonly Setting[],
): Promise<Settings> {
  const file = await readConfigFile(fileOf(args['config']))
  const levels = levelsOf(args['log-level'])
  const holdings = table.map((setting) => holdingOf(setting, args, levels, file))
  const plugins = withLevels(file.plugins, levels.byPlugin)
  const byKey = new Map(holdings.map(({ key, value }) => [key, value]))
  return {
    host: { ...optionsOf(holdings), plugins },
    load: new Map(textsOf(byKey.get('load')).map(loadOf)),
    autoLoad: byKey.get('autoLoad') === true,
    fallbacks: file.fallbacks,
    gateway: groupOf(holdings, 'gateway'),
    cluster: groupOf(holdings, 'cluster'),
    metrics: metricsOf(byKey),
    file: file.path,
    holdings: [
      ...holdings,
      ...(byKey.has('load') ? fallbackHoldings(file) : []),
      ...pluginHoldings(file, levels),
    ],
  }
}

/** Whether a value of `--config` is a plugin's configuration, and not the name of a file. */
export function isConfiguration(value: string): boolean {
  return value.trimStart().startsWith('{')
}

/** `tts_flite=4` */
function loadOf(text: string): [plugin: string, replicas: number | undefined] {
  const [plugin = '', replicas] = text.split('=')
  return [plugin, replicas === undefined ? undefined : Number(replicas)]
}

function metricsOf(values: ReadonlyMap<string, unknown>): Settings['metrics'] {
  const [port, address] = [values.get('metricsPort'), values.get('metricsHost')]
  return { port: port === undefined ? undefined : Number(port), address: String(address) }
}

function fileOf(given: unknown): string | undefined {
  const files = textsOf(given).filter((value) => !isConfiguration(value))
  if (files.length > 1) throw new UsageError('--config names only one file')
  return files[0]
}

function holdingOf(
  setting: Setting,
  args: Readonly<Record<string, unknown>>,
  levels: GivenLevels,
  file: ConfigFile,
): Holding {
  const { key, flag } = setting
  const given = key === 'logLevel' ? levels.all : read(setting, args[flag])
  if (given !== undefined) return { key, value: given, origin: `--${flag}` }
  if (file.path !== undefined && file.values.has(key))
    return { key, value: listed(setting, file.values.get(key)), origin: file.path }
  return { key, value: setting.default, origin: 'default' }
}

/** A value of the command line. */
function read({ kind, flag, takes, fits }: Setting, given: unknown): unknown {
  if (given === undefined) return undefined
  const text = String(given)
  const value = kind === 'number' ? numberOf(text) : kind === 'map' ? mapOf(textsOf(given)) : given
  if (fits(value)) return value
  throw new UsageError(`--${flag} takes ${takes}, not ${text.slice(0, 40)}`)
}

function numberOf(text: string): number {
  return text.trim() === '' ? Number.NaN : Number(text)
}

/** `NAME=VALUE`; a name that is given several times has all its values. Undefined: one of them is no such pair. */
function mapOf(pairs: readonly string[]): Record<string, string | string[]> | undefined {
  const map: Record<string, string | string[]> = {}
  for (const pair of pairs) {
    const [, name = '', value = ''] = /^\s*([^=]+?)\s*=\s*(.*?)\s*$/s.exec(pair) ?? []
    if (value === '' || name === '__proto__') return undefined
    const before = Object.hasOwn(map, name) ? map[name] : undefined
    map[name] = before === undefined ? value : [...[before].flat(), value]
  }
  return map
}

/** A file may name one folder without an array. */
function listed({ default: preset }: Setting, value: unknown): unknown {
  return Array.isArray(preset) ? [value].flat() : value
}

/** `debug`, `INFO`, `tts_flite=DEBUG` */
function levelsOf(given: unknown): GivenLevels {
  const pairs = textsOf(given).map((text) => {
    const [name = '', plugin] = text.split('=', 2).reverse()
    const level = logLevels.find((known) => known === name.toUpperCase())
    if (level === undefined || plugin === '')
      throw new UsageError(
        `--log-level takes one of ${logLevels.join(', ')}, or PLUGIN=LEVEL, not ${nameValue(text)}`,
      )
    return [plugin, level] as const
  })
  const forAll = pairs.filter(([plugin]) => plugin === undefined)
  if (forAll.length > 1) throw new UsageError('--log-level may be given only once, besides PLUGIN=LEVEL')
  const forPlugins = pairs.flatMap(([plugin, level]) =>
    plugin === undefined ? [] : [[plugin, level] as const],
  )
  return { all: forAll[0]?.[1], byPlugin: Object.fromEntries(forPlugins) }
}

function withLevels(
  plugins: Readonly<Record<string, PluginSettings>>,
  levels: Readonly<Record<string, LogLevel>>,
): Record<string, PluginSettings> {
  const leveled = Object.entries(levels).map(
    ([plugin, logLevel]) => [plugin, { ...plugins[plugin], logLevel }] as const,
  )
  return { ...plugins, ...Object.fromEntries(leveled) }
}

/** The options of PluginHost; they were checked by the table that they come from. */
function optionsOf(holdings: readonly Holding[]): HostOptions {
  const given = holdings.filter(
    ({ key, value }) => !key.includes('.') && !served.has(key) && value !== undefined,
  )
  const options = Object.fromEntries(given.map(({ key, value }) => [key, value]))
  return { ...options, restart: groupOf(holdings, 'restart') }
}

/** What holds of a group of settings, by the names without the group’s. */
function groupOf(holdings: readonly Holding[], group: string): Record<string, unknown> {
  const given = holdings.filter(({ key, value }) => key.startsWith(`${group}.`) && value !== undefined)
  return Object.fromEntries(given.map(({ key, value }) => [key.slice(group.length + 1), value]))
}

/** Only names of a plugin's configuration and of its variables: values may be secrets. */
function pluginHoldings({ path = '', plugins }: ConfigFile, { byPlugin }: GivenLevels): Holding[] {
  const ofFile = Object.entries(plugins).flatMap(([plugin, { config, env, logLevel }]) => [
    ...held(`plugins.${plugin}.config`, config && Object.keys(config), path),
    ...held(`plugins.${plugin}.env`, env && namesOf(env), path),
    ...held(`plugins.${plugin}.logLevel`, byPlugin[plugin] ? undefined : logLevel, path),
  ])
  const ofFlags = Object.entries(byPlugin).flatMap(([plugin, level]) =>
    held(`plugins.${plugin}.logLevel`, level, '--log-level'),
  )
  return [...ofFile, ...ofFlags]
}

function fallbackHoldings({ path = '', fallbacks }: ConfigFile): Holding[] {
  return fallbacks.flatMap(({ name, plugins }) =>
    held(
      `fallbacks.${name}`,
      plugins.map(({ plugin }) => plugin),
      path,
    ),
  )
}

function held(key: string, value: unknown, origin: string): Holding[] {
  return value === undefined ? [] : [{ key, value, origin }]
}

function namesOf(env: NonNullable<PluginSettings['env']>): string[] {
  return Array.isArray(env) ? [...env] : Object.keys(env)
}

function textsOf(value: unknown): string[] {
  return value === undefined ? [] : [value].flat().map(String)
}
