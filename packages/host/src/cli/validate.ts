import { existsSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import type { JsonSchema } from '@appfactory/sdk'
import { SchemaChecker } from '../config/schema-checker.js'
import { manifestMissing, reasonOf } from '../errors.js'
import { type DiscoveredPlugin, discoverPlugins, inspectPlugin } from '../plugins/discovery.js'
import { readCodeSchema } from '../sources.js'
import { hasDrifted } from './manifest.js'
import { type CommonOptions, exitCodes, paint, print, printJson, type Streams } from './output.js'
import { UsageError } from './usage-error.js'

/** `appfactory-host validate DIR`: checks one plugin, or each of a folder of plugins. */
export async function validate(
  streams: Streams,
  { dir, json }: CommonOptions & { dir: string },
): Promise<number> {
  const found = await find(resolve(dir))
  await using checker = new SchemaChecker()
  const plugins = await Promise.all(
    found.map(async (plugin) => withDriftCheck(await withSchemaCheck(plugin, checker))),
  )
  if (json)
    printJson(
      streams,
      plugins.map(({ name, dir: path, valid, errors, warnings }) => ({
        name,
        path,
        valid,
        errors,
        warnings,
      })),
    )
  else for (const plugin of plugins) report(streams, plugin)
  return plugins.every(({ valid }) => valid) ? exitCodes.done : exitCodes.failure
}

async function find(dir: string): Promise<DiscoveredPlugin[]> {
  if (!existsSync(dir) || !statSync(dir).isDirectory()) throw new UsageError(`${dir} is not a folder`)
  const plugin = await inspectPlugin(dir)
  if (plugin) return [plugin]
  const { plugins } = await discoverPlugins({ dirs: [dir] })
  if (plugins.length === 0) throw manifestMissing(dir)
  return plugins
}

/** Checks that config_schema is a JSON Schema: too slow for every discovery. */
async function withSchemaCheck(plugin: DiscoveredPlugin, checker: SchemaChecker): Promise<DiscoveredPlugin> {
  if (!plugin.manifest?.config_schema) return plugin
  try {
    await checker.checkSchema(plugin.name, plugin.manifest.config_schema)
    return plugin
  } catch (error) {
    return { ...plugin, valid: false, errors: [...plugin.errors, reasonOf(error)] }
  }
}

/** Compares the schema in the manifest with the code's. Starts the plugin's process. */
async function withDriftCheck(plugin: DiscoveredPlugin): Promise<DiscoveredPlugin> {
  const written = plugin.manifest?.config_schema
  if (!plugin.valid || !written) return plugin
  const warning = await driftOf(plugin, written)
  return warning === undefined ? plugin : { ...plugin, warnings: [...plugin.warnings, warning] }
}

async function driftOf(plugin: DiscoveredPlugin, written: JsonSchema): Promise<string | undefined> {
  try {
    const schema = await readCodeSchema(plugin)
    if (!schema || !hasDrifted(written, schema)) return undefined
    return `config_schema: differs from the code; run appfactory-host manifest ${plugin.dir}`
  } catch (error) {
    return `config_schema: can’t be compared with the code: ${reasonOf(error)}`
  }
}

function report(streams: Streams, { name, dir, valid, errors, warnings }: DiscoveredPlugin): void {
  const verdict = valid ? paint(streams.out, 'green', 'valid') : paint(streams.out, 'red', 'invalid')
  print(streams, `${name}: ${verdict}`)
  for (const error of errors) print(streams, `  error    ${join(basename(dir), 'manifest.json')}: ${error}`)
  for (const warning of warnings)
    print(streams, `  warning  ${join(basename(dir), 'manifest.json')}: ${warning}`)
}
