import { call } from '../api/rpc.js'
import type { JsonObject, Plugin } from '../api/types.js'
import { configDefaults } from '../form/schema.js'
import { useKept } from '../parts/use-kept.js'
import { manifestOf, refreshPlugins } from './plugins.js'

/** What plugins were loaded with by this page, by path. */
const loaded = new Map<string, JsonObject>()

/** The configuration that a plugin is to be loaded with, as its form has it. */
export function useConfig(plugin: Plugin): [JsonObject, (config: JsonObject) => void] {
  const manifest = manifestOf(plugin)
  return useKept(`config ${plugin.path}`, () =>
    configDefaults(manifest?.config_schema ?? {}, manifest?.default_config),
  )
}

/** What a plugin was loaded with; undefined where this page does not know. */
export function loadedConfigOf({ path }: Plugin): JsonObject | undefined {
  return loaded.get(path)
}

export async function loadPlugin({ name, path }: Plugin, config: JsonObject): Promise<void> {
  await call('plugin/load', { name, config })
  loaded.set(path, config)
  await refreshPlugins()
}

export async function unloadPlugin({ name, path }: Plugin): Promise<void> {
  await call('plugin/unload', { name })
  loaded.delete(path)
  await refreshPlugins()
}
