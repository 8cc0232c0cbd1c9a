import { lstat, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type DiscoveredPlugin, type InspectOptions, inspectPlugin } from './discovery.js'

/** A file may change once more within the same tick of the file system's clock, in ms. */
const settledMs = 2000

interface Kept {
  plugin: DiscoveredPlugin
  stamp: string
}

/** Caches inspections of unchanged folders: a host with a dashboard lists its plugins all the time. */
export class InspectionCache {
  readonly #kept = new Map<string, Kept>()

  /** As `inspectPlugin`. Invalid plugins are inspected each time: too many causes could have changed. */
  readonly inspect = async (
    dir: string,
    options: InspectOptions = {},
    roots: readonly string[] = [dir],
  ): Promise<DiscoveredPlugin | undefined> => {
    // Another file may have become the source.
    if (options.preferSource) return inspectPlugin(dir, options, roots)
    const key = JSON.stringify([dir, options.package, ...roots])
    const kept = this.#kept.get(key)
    if (kept && (await stampOf(dir, kept.plugin.entryFile)) === kept.stamp)
      return structuredClone(kept.plugin)
    this.#kept.delete(key)
    const begun = Date.now()
    const plugin = await inspectPlugin(dir, options, roots)
    if (!plugin?.valid) return plugin
    const stamp = await stampOf(dir, plugin.entryFile, begun)
    if (stamp !== undefined) this.#kept.set(key, { plugin: structuredClone(plugin), stamp })
    return plugin
  }
}

/** Identifies the state of a folder, its manifest and its entry; undefined if one is missing, or too new at `now` to be sure. */
async function stampOf(
  dir: string,
  entryFile = dir,
  now = Number.POSITIVE_INFINITY,
): Promise<string | undefined> {
  try {
    const [folder, manifest, entry] = await Promise.all([
      lstat(dir),
      stat(join(dir, 'manifest.json')),
      stat(entryFile),
    ])
    const { size, mtimeMs, ctimeMs } = manifest
    if (Math.max(mtimeMs, ctimeMs) + settledMs > now) return undefined
    const identities = [folder, manifest, entry].flatMap(({ dev, ino, mode }) => [dev, ino, mode])
    return [...identities, size, mtimeMs, ctimeMs].join(' ')
  } catch {
    return undefined
  }
}
