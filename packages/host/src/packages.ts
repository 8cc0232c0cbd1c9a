import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'

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

/** The version of a package, by its folder; undefined where its package.json is broken. */
export function packageVersion(folder: string): string | undefined {
  try {
    return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version?: string }).version
  } catch {
    return undefined
  }
}
