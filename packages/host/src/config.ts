import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Manifest, PluginError } from '@appfactory/sdk'
import { parseJson } from '@appfactory/sdk/wire'
import { reasonOf } from './discovery.js'
import { environmentKey } from './environment.js'

export type Config = Record<string, unknown>

/** What is said of a plugin's configuration before its schema is known. */
export interface GivenConfig {
  config: Config
  /** What `$env` says in the configuration file and in what the caller gave: variables for the plugin's process. */
  grants: unknown[]
}

/**
 * The manifest's `default_config`, under `<configDir>/<plugin>.json`, under what the caller gave. A manifest grants
 * itself nothing.
 *
 * @throws PluginError CONFIG_INVALID where the file can't be read.
 */
export async function readConfig(manifest: Manifest, configDir: string, given: Config): Promise<GivenConfig> {
  const file = await readConfigFile(join(configDir, `${manifest.name}.json`))
  const config = [manifest.default_config ?? {}, file, given].reduce(merge, {})
  delete config[environmentKey]
  return { config, grants: [file[environmentKey], given[environmentKey]] }
}

async function readConfigFile(file: string): Promise<Config> {
  let value: unknown
  try {
    value = parseJson(await readFile(file, 'utf8'))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {}
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
    merged[key] = isObject(below) && isObject(value) ? merge(below, value) : structuredClone(value)
  }
  return merged
}

function isObject(value: unknown): value is Config {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
