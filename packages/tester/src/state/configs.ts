import { useEffect, useState } from 'preact/hooks'
import { call } from '../api/rpc.js'
import type { JsonObject, Plugin } from '../api/types.js'
import { configDefaults } from '../form/schema.js'
import { type Job, Jobs } from '../parts/job.js'
import { useKept } from '../parts/use-kept.js'
import { isRunning, manifestOf, refreshPlugins, starts } from './plugins.js'

/** Loads that are under way, and why the last ones failed: a plugin that starts is shown elsewhere on the page. */
const loads = new Jobs()

export function loadJobOf({ path }: Plugin): Job {
  return loads.of(path)
}

/** Loads a plugin. Its job has the error if that fails. */
export function startLoading(plugin: Plugin, config: JsonObject): void {
  void loadJobOf(plugin).run(async (signal) => {
    try {
      await call('plugin/load', { name: plugin.name, config }, { signal })
    } finally {
      await refreshPlugins()
    }
  })
}

export async function unloadPlugin({ name }: Plugin): Promise<void> {
  await call('plugin/unload', { name })
  await refreshPlugins()
}

/** The configuration that a plugin is to be loaded with, as its form has it. */
export function useConfig(plugin: Plugin): [JsonObject, (config: JsonObject) => void] {
  return useKept(`config ${plugin.path}`, () => defaultsOf(plugin))
}

/** What a plugin runs with if nobody gives it a configuration. */
export function defaultsOf(plugin: Plugin): JsonObject {
  const manifest = manifestOf(plugin)
  return configDefaults(manifest?.config_schema ?? {}, manifest?.default_config)
}

/** The configuration that a plugin runs with, whoever loaded it; undefined while nobody knows it. */
export function useRunningConfig(plugin: Plugin): JsonObject | undefined {
  const [answer, setAnswer] = useState<{ path: string; config: JsonObject | undefined }>()
  const { name, path } = plugin
  const isLoaded = plugin.valid && isRunning(plugin) && plugin.status !== 'INITIALIZING'
  const start = starts.value
  useEffect(() => {
    if (!isLoaded) return
    let isOld = false
    askRunningConfig(name).then(
      (config) => isOld || setAnswer({ path, config }),
      () => {},
    )
    return () => {
      isOld = true
    }
  }, [name, path, isLoaded, start])
  return isLoaded && answer?.path === path ? answer.config : undefined
}

/** @throws CallError where no plugin of that name is loaded. */
export async function askRunningConfig(name: string): Promise<JsonObject | undefined> {
  return (await call<JsonObject | null>('plugin/config', { name })) ?? undefined
}

/** What of a configuration its plugin would not have without being given it. */
export function withoutDefaults(plugin: Plugin, config: JsonObject): JsonObject {
  const defaults = defaultsOf(plugin)
  return Object.fromEntries(
    Object.entries(config).filter(
      ([name, value]) => JSON.stringify(value) !== JSON.stringify(defaults[name]),
    ),
  )
}
