import { lstat, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type DiscoveredPlugin, inspectPlugin } from './discovery.js'
import type { EntryOptions } from './entry.js'

/** A file may change once more within the same tick of the file system's clock, in ms. */
const settledMs = 2000

interface Kept {
  plugin: DiscoveredPlugin
  stamp: string
}

/** What was found in folders, as long as they are as they were: a host that is watched lists its plugins again and again. */
export class InspectionCache {
  readonly #kept = new Map<string, Kept>()

  /** As `inspectPlugin`. What is not valid is looked at each time: there are more reasons for it than can be watched. */
  readonly inspect = async (
    dir: string,
    options: EntryOptions = {},
    roots: readonly string[] = [dir],
  ): Promise<DiscoveredPlugin | undefined> => {
    // Another file may become the source.
    if (options.preferSource) return inspectPlugin(dir, options, roots)
    const key = JSON.stringify([dir, ...roots])
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

/** Tells whether a folder, its manifest and its entry are the same; undefined where they are not there, or too new at `now` to tell. */
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
