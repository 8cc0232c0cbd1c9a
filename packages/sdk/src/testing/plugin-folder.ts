import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { checkManifest, type Manifest } from '../manifest.js'

const extensions = ['', '.js', '.mjs', '.cjs', '.ts', '.mts', '/index.js', '/index.ts']

/** The nearest folder with a manifest.json, from `from` (a file or folder) upwards. */
export function pluginFolderAbove(from: string): string | undefined {
  for (let dir = resolve(from); ; dir = dirname(dir)) {
    if (existsSync(join(dir, 'manifest.json'))) return dir
    if (dirname(dir) === dir) return undefined
  }
}

export function pathOf(dir: string | URL): string {
  return resolve(typeof dir === 'string' ? dir : fileURLToPath(dir.href))
}

/** @throws Error where the manifest is missing or not valid. */
export function readManifest(dir: string): Manifest {
  const file = join(dir, 'manifest.json')
  const check = checkManifest(JSON.parse(readFileSync(file, 'utf8')))
  if (check.valid) return check.manifest
  throw new Error(`${file} is not valid: ${check.errors.join('; ')}`)
}

/** The file that the manifest's `entry_point` names. */
export function entryFileOf(dir: string, { entry_point }: Manifest): string {
  const wanted = join(dir, entry_point)
  const found = extensions
    .map((extension) => wanted + extension)
    .find((file) => /\.\w+$/.test(file) && existsSync(file))
  if (found) return found
  throw new Error(`${wanted} does not exist; build the plugin first, or correct entry_point in its manifest`)
}

/**
 * Imports a module of `@appfactory/host` as the tested project resolves it: the SDK does not depend on the host.
 *
 * @param from Files or folders of the project.
 * @throws Error where it is not installed, saying how to.
 */
export async function importHost<Module>(name: string, from: readonly string[]): Promise<Module> {
  for (const place of from) {
    const file = tryResolve(name, place)
    if (file) return (await import(/* @vite-ignore */ pathToFileURL(file).href)) as Module
  }
  throw new Error(
    'Running a plugin in a process of its own needs @appfactory/host: npm install --save-dev @appfactory/host',
  )
}

function tryResolve(name: string, place: string): string | undefined {
  try {
    return createRequire(join(place, 'package.json')).resolve(name)
  } catch {
    return undefined
  }
}
