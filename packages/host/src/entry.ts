import { existsSync, realpathSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findPackage } from './packages.js'

const extensions = ['', '.js', '.mjs', '.cjs', '.ts', '.mts']

export type Entry = { file: string } | { error: string }

/** The file that a manifest's `entry_point` names: with or without its extension, always inside the folder. */
export function resolveEntry(dir: string, entryPoint: string): Entry {
  const wanted = resolve(dir, entryPoint)
  if (!isInside(dir, wanted)) return { error: `entry_point: ${entryPoint} is outside the plugin's folder` }
  const candidates = [
    ...extensions.map((extension) => wanted + extension),
    ...extensions.slice(1).map((extension) => join(wanted, `index${extension}`)),
  ]
  const found = candidates.find((file) => existsSync(file) && statSync(file).isFile())
  if (!found)
    return { error: `entry_point: ${entryPoint} does not exist; build the plugin first, or correct the path` }
  const file = realpathSync(found)
  if (!isInside(realpathSync(dir), file))
    return { error: `entry_point: ${entryPoint} is a link out of the plugin's folder` }
  if (/\.m?ts$/.test(file) && !Reflect.get(process.features, 'typescript')) {
    return {
      error: `entry_point: this Node (${process.version}) does not run TypeScript; build the plugin and name the .js file`,
    }
  }
  return { file }
}

export function isInside(dir: string, path: string): boolean {
  return path === dir || path.startsWith(dir.endsWith(sep) ? dir : dir + sep)
}

export interface Runtime {
  /** The file that makes a class a process. */
  file: string
  /** Whether the plugin's folder has no SDK, so that the runtime must provide it. */
  provideSdk: boolean
}

/** The runtime of the SDK that the plugin's own folder resolves; the host's own where there is none. */
export function resolveRuntime(dir: string): Runtime {
  const own = findPackage(dir, '@appfactory/sdk')
  if (own)
    return {
      file: createRequire(join(own, 'package.json')).resolve('@appfactory/sdk/runtime'),
      provideSdk: false,
    }
  return { file: fileURLToPath(import.meta.resolve('@appfactory/sdk/runtime')), provideSdk: true }
}
