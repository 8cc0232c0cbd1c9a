import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isShortage } from '../shortage.js'
import { readSmallFile } from '../small-file.js'

/** Longest package.json, in bytes. */
export const maxPackageBytes = 1024 * 1024

/**
 * The folder of an npm package that an import from `dir` would get; undefined where there is none. Looks where Node's
 * `import` looks: in `node_modules` of the folder and of those above it, but not in NODE_PATH.
 */
export function findPackage(dir: string, name: string): string | undefined {
  for (let folder = realpathSync(dir); ; folder = dirname(folder)) {
    const found = join(folder, 'node_modules', name)
    if (existsSync(join(found, 'package.json'))) return found
    if (folder === dirname(folder)) return undefined
  }
}

/**
 * The version of a package, by its folder; undefined if its package.json is broken.
 *
 * @throws Error of the system if it temporarily lacks a resource.
 */
export async function packageVersion(folder: string): Promise<string | undefined> {
  try {
    const { version }: { version?: unknown } = JSON.parse(
      await readSmallFile(join(folder, 'package.json'), maxPackageBytes),
    )
    return typeof version === 'string' ? version : undefined
  } catch (error) {
    if (isShortage(error)) throw error
    return undefined
  }
}
