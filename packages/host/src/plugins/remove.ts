import { lstat, mkdtemp, rename, rm, unlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { namePattern } from '@appfactory/sdk/manifest'
import { notRemoved, pluginNotFound } from '../errors.js'
import { discoverPlugins, inspectPlugin } from './discovery.js'
import { type Origin, readOrigin } from './origin.js'

export interface RemovedPlugin {
  name: string
  path: string
  /** Undefined: nobody knows. */
  origin: Origin | undefined
}

/**
 * Removes a plugin from the first of these folders that has it: whole, or not at all. A symlink is removed, and what it leads
 * to stays. One that `add` did not put there is somebody's own work: it takes `force`.
 *
 * @throws PluginError PLUGIN_NOT_FOUND.
 */
export async function removePlugin(
  dirs: readonly string[],
  name: string,
  { force }: { force: boolean },
): Promise<RemovedPlugin> {
  for (const dir of dirs.map((one) => resolve(one))) {
    const path = join(dir, name)
    const stats = namePattern.test(name) ? await lstat(path).catch(() => undefined) : undefined
    if (!stats) continue
    if (stats.isSymbolicLink()) {
      await unlink(path)
      return { name, path, origin: undefined }
    }
    if (!(await inspectPlugin(path, {}, dirs)))
      throw notRemoved(name, path, 'is no plugin: it has no manifest.json')
    const origin = await readOrigin(path)
    if (!origin && !force)
      throw notRemoved(name, path, 'was not added by this command. To delete it all the same, use --force')
    await removeFolder(dir, path)
    return { name, path, origin }
  }
  const { plugins } = await discoverPlugins({ dirs })
  throw pluginNotFound(
    name,
    plugins.map((plugin) => plugin.name),
  )
}

/** Takes it away in one step, so that nobody finds half of it. */
async function removeFolder(dir: string, path: string): Promise<void> {
  const aside = await mkdtemp(join(dir, '.removing-'))
  try {
    await rename(path, join(aside, 'plugin'))
  } finally {
    await rm(aside, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
  }
}
