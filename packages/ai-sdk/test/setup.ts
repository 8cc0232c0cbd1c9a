import { PluginHost } from '@appfactory/host'
import { afterAll, beforeAll } from 'vitest'
import { makeFolder } from '../../host/test/fixtures/plugins.js'
import { writePlugins } from './plugins.js'

// Warnings are looked at in results.
globalThis.AI_SDK_LOG_WARNINGS = false

/** A host with the plugins of these tests, for all tests of a file. */
export function hostOfTests(load: readonly string[]): { host(): PluginHost } {
  const folder = makeFolder()
  let host: PluginHost
  beforeAll(async () => {
    writePlugins(folder.path)
    host = new PluginHost({ pluginsDir: folder.path, projectDir: false, restart: { firstDelayMs: 1 } })
    await Promise.all(load.map((name) => host.load(name)))
  })
  afterAll(async () => {
    await host.close()
    folder.remove()
  })
  return { host: () => host }
}

/** What a plugin tells of itself. */
export async function detailsOf(host: PluginHost, plugin: string): Promise<Record<string, unknown>> {
  const { details = {} } = await host.health(plugin)
  return details
}

/** The last request that a language model has seen. */
export async function lastSeen(host: PluginHost, plugin = 'tool_llm'): Promise<unknown> {
  const { seen } = await detailsOf(host, plugin)
  return Array.isArray(seen) ? seen.at(-1) : undefined
}
