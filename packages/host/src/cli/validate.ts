import { existsSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { compile } from '../config.js'
import { type DiscoveredPlugin, discoverPlugins, inspectPlugin } from '../discovery.js'
import { manifestMissing } from '../messages.js'
import { type CommonOptions, exitCodes, paint, print, printJson, type Streams } from './output.js'
import { UsageError } from './usage-error.js'

/** `appfactory-host validate DIR`: checks one plugin, or each of a folder of plugins. */
export async function validate(
  streams: Streams,
  { dir, json }: CommonOptions & { dir: string },
): Promise<number> {
  const plugins = (await find(resolve(dir))).map(withSchemaCheck)
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
  const { plugins } = await discoverPlugins([dir])
  if (plugins.length === 0) throw manifestMissing(dir)
  return plugins
}

/** Whether the configuration's schema is one: too slow a check for every discovery. */
function withSchemaCheck(plugin: DiscoveredPlugin): DiscoveredPlugin {
  if (!plugin.manifest?.config_schema) return plugin
  try {
    compile(plugin.name, plugin.manifest.config_schema)
    return plugin
  } catch (error) {
    return {
      ...plugin,
      valid: false,
      errors: [...plugin.errors, error instanceof Error ? error.message : String(error)],
    }
  }
}

function report(streams: Streams, { name, dir, valid, errors, warnings }: DiscoveredPlugin): void {
  const verdict = valid ? paint(streams.out, 'green', 'valid') : paint(streams.out, 'red', 'not valid')
  print(streams, `${name}: ${verdict}`)
  for (const error of errors) print(streams, `  error    ${join(basename(dir), 'manifest.json')}: ${error}`)
  for (const warning of warnings)
    print(streams, `  warning  ${join(basename(dir), 'manifest.json')}: ${warning}`)
}
