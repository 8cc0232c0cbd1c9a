import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type JsonSchema, type Manifest, PluginError } from '@appfactory/sdk'
import { configInvalid, parseJson, systemCodeOf } from '@appfactory/sdk/wire'
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormatsModule from 'ajv-formats'
import { reasonOf } from './discovery.js'
import { environmentKey } from './environment.js'

export type Config = Record<string, unknown>

// The package is CommonJS whose types promise a callable default; at run time it is one level deeper.
const addFormats = addFormatsModule.default

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

/**
 * The configuration that a plugin gets: `config`, with the schema's defaults under it.
 *
 * @throws PluginError CONFIG_INVALID, naming each path; MANIFEST_INVALID where the schema itself is wrong.
 */
export function completeConfig(plugin: string, schema: JsonSchema | undefined, config: Config): Config {
  if (schema) validate(plugin, schema, config)
  return config
}

async function readConfigFile(file: string): Promise<Config> {
  let value: unknown
  try {
    value = parseJson(await readFile(file, 'utf8'))
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return {}
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

/** Checks `config` and fills in the schema's defaults, in place. */
function validate(plugin: string, schema: JsonSchema, config: Config): void {
  const check = compile(plugin, schema)
  if (matches(plugin, check, config)) return
  throw configInvalid(
    plugin,
    (check.errors ?? []).map((error) => ({ path: pathOf(error), message: messageOf(error) })),
  )
}

function matches(plugin: string, check: ValidateFunction, config: Config): boolean {
  try {
    return check(config) === true
  } catch (error) {
    throw new PluginError(
      'MANIFEST_INVALID',
      `config_schema of plugin "${plugin}" can’t be used: ${reasonOf(error)}`,
      { plugin },
    )
  }
}

/** @throws PluginError MANIFEST_INVALID where `schema` is no JSON Schema (draft-07 or 2020-12). */
export function compile(plugin: string, schema: JsonSchema): ValidateFunction {
  const isDraft7 = typeof schema['$schema'] === 'string' && schema['$schema'].includes('draft-07')
  const options = {
    allErrors: true,
    useDefaults: true,
    ownProperties: true,
    strict: false,
    logger: false,
  } as const
  const ajv = isDraft7 ? new Ajv(options) : new Ajv2020(options)
  addFormats(ajv)
  try {
    const check = ajv.compile(schema)
    if ('$async' in check) throw new Error('$async schemas are not supported')
    return check
  } catch (error) {
    throw new PluginError(
      'MANIFEST_INVALID',
      `config_schema of plugin "${plugin}" is no JSON Schema: ${reasonOf(error)}`,
      { plugin },
    )
  }
}

function pathOf({ instancePath, keyword, params }: ErrorObject): string {
  const missing = keyword === 'required' ? [(params as { missingProperty: string }).missingProperty] : []
  const extra =
    keyword === 'additionalProperties' ? [(params as { additionalProperty: string }).additionalProperty] : []
  return [...instancePath.split('/').slice(1), ...missing, ...extra].join('.')
}

function messageOf({ keyword, params, message = 'is not valid' }: ErrorObject): string {
  if (keyword === 'required') return 'is required'
  if (keyword === 'additionalProperties') return 'is not known'
  if (keyword === 'enum')
    return `must be one of ${JSON.stringify((params as { allowedValues: unknown[] }).allowedValues)}`
  return message
}

function isObject(value: unknown): value is Config {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
