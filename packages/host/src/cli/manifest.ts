import { existsSync, statSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { JsonSchema } from '@appfactory/sdk'
import { manifestMissing } from '../errors.js'
import { inspectPlugin } from '../plugins/discovery.js'
import { readCodeSchema } from '../sources.js'
import { withKey } from './json-text.js'
import { type CommonOptions, exitCodes, print, printJson, type Streams } from './output.js'
import { UsageError } from './usage-error.js'

/** `appfactory-host manifest DIR`: writes `config_schema` from the schema in the plugin's code. */
export async function manifest(
  streams: Streams,
  { dir, check, json }: CommonOptions & { dir: string; check: boolean },
): Promise<number> {
  const folder = resolve(dir)
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new UsageError(`${folder} is not a folder`)
  const plugin = await inspectPlugin(folder)
  if (!plugin) throw manifestMissing(folder)
  const schema = await readCodeSchema(plugin)
  if (plugin.manifest?.runtime === 'python')
    throw new UsageError(`${plugin.name} is in Python, where code has no schema: write config_schema by hand`)
  if (!schema) {
    throw new UsageError(
      `The class of ${plugin.name} has no schema: give it a \`static readonly configSchema\` in Zod, or write config_schema by hand`,
    )
  }
  const changed = hasDrifted(plugin.manifest?.config_schema, schema)
  if (changed && !check) await writeSchema(join(folder, 'manifest.json'), schema)
  if (json)
    printJson(streams, { plugin: plugin.name, changed, written: changed && !check, config_schema: schema })
  else print(streams, `${plugin.name}: config_schema ${verdict(changed, check)}`)
  return changed && check ? exitCodes.failure : exitCodes.done
}

/** Whether a manifest differs from the code. */
export function hasDrifted(written: JsonSchema | undefined, schema: JsonSchema): boolean {
  // As JSON: members that are undefined disappear.
  return !isDeepStrictEqual(written, JSON.parse(JSON.stringify(schema)))
}

function verdict(changed: boolean, check: boolean): string {
  if (!changed) return 'is up to date'
  return check ? 'differs from the code; run appfactory-host manifest without --check' : 'written'
}

async function writeSchema(file: string, schema: JsonSchema): Promise<void> {
  await writeFile(file, withKey(await readFile(file, 'utf8'), 'config_schema', schema))
}
