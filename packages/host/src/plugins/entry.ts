import { realpathSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { shortened } from '@appfactory/sdk/internal'
import { isShortage } from '../shortage.js'
import { findPackage } from './packages.js'

const extensions = ['', '.js', '.mjs', '.cjs', '.ts', '.mts']

export type Entry = { file: string } | { error: string }

export interface EntryOptions {
  /**
   * Run `src/index.ts` without a build if a manifest names `dist/index.js`, and run TypeScript on any Node. Default: false.
   */
  preferSource?: boolean
}

/**
 * The file that a manifest's `entry_point` names: with or without its extension, always inside the folder.
 *
 * @throws Error of the system if the file disappears meanwhile or temporarily can't be read.
 */
export function resolveEntry(
  dir: string,
  entryPoint: string,
  { preferSource = false }: EntryOptions = {},
): Entry {
  const wanted = resolve(dir, entryPoint)
  if (!isInside(dir, wanted))
    return { error: `entry_point: ${shortened(entryPoint)} is outside the plugin's folder` }
  const candidates = [
    ...extensions.map((extension) => wanted + extension),
    ...extensions.slice(1).map((extension) => join(wanted, `index${extension}`)),
  ]
  const found = [...(preferSource ? sourcesOf(dir, wanted) : []), ...candidates].find(isFile)
  if (!found)
    return {
      error: `entry_point: ${shortened(entryPoint)} does not exist; build the plugin first, or correct the path`,
    }
  const file = realpathSync(found)
  if (!isInside(realpathSync(dir), file))
    return { error: `entry_point: ${shortened(entryPoint)} is a symlink out of the plugin's folder` }
  if (isTypeScript(file) && !preferSource && !Reflect.get(process.features, 'typescript')) {
    return {
      error: `entry_point: this Node (${process.version}) does not run TypeScript; build the plugin and name the .js file`,
    }
  }
  return { file }
}

/** Possible sources of `dist/index.js`. */
function sourcesOf(dir: string, wanted: string): string[] {
  const path = relative(dir, wanted).split(sep)
  if (path.shift() !== 'dist') return []
  const source = join(dir, 'src', ...path)
  const bare = source.replace(/\.[cm]?js$/, '')
  return [`${bare}.ts`, `${bare}.mts`, join(bare, 'index.ts')]
}

function isFile(file: string): boolean {
  try {
    return statSync(file).isFile()
  } catch (error) {
    if (isShortage(error)) throw error
    return false
  }
}

export function isTypeScript(file: string): boolean {
  return /\.[cm]?ts$/.test(file)
}

export function isInside(dir: string, path: string): boolean {
  return path === dir || path.startsWith(dir.endsWith(sep) ? dir : dir + sep)
}

export interface Runtime {
  /** The runtime that runs a class in a process. */
  file: string
  /** Whether the plugin's folder has no SDK, so that the runtime must provide it. */
  provideSdk: boolean
}

/** The runtime of the SDK that the plugin's folder resolves; otherwise the host's own. */
export function resolveRuntime(dir: string): Runtime {
  const own = findPackage(dir, '@appfactory/sdk')
  if (own)
    return {
      file: createRequire(join(own, 'package.json')).resolve('@appfactory/sdk/runtime'),
      provideSdk: false,
    }
  return { file: fileURLToPath(import.meta.resolve('@appfactory/sdk/runtime')), provideSdk: true }
}

/** The module that imports TypeScript if Node can't. */
export function resolveJiti(): string {
  return import.meta.resolve('jiti')
}
