import { existsSync, realpathSync } from 'node:fs'
import { devNull } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import type { Manifest } from '@appfactory/sdk'
import { type NodeProgram, ownNode } from '../process/node.js'

/** Node's permissions, by their names in a manifest's `permissions`. */
const flagOf: Record<string, string> = {
  fs_read: '--allow-fs-read',
  fs_write: '--allow-fs-write',
  child_process: '--allow-child-process',
  worker: '--allow-worker',
  addons: '--allow-addons',
  wasi: '--allow-wasi',
  network: '--allow-net',
}

/**
 * Node's flags for the permissions of a manifest: `["network", "fs_read:./models"]`, or
 * `{"network": true, "fs_read": ["./models"]}`. A manifest without `permissions` gets none of them and is not limited.
 */
export function permissionFlags(
  permissions: Manifest['permissions'],
  dir: string,
  codeFiles: readonly string[],
  provideSdk: boolean,
  node: NodeProgram = ownNode,
): string[] {
  const isKnownToNode = (flag: string): boolean => node.flags.has(flag)
  const permissionFlag = ['--permission', '--experimental-permission'].find(isKnownToNode)
  if (permissions === undefined || permissionFlag === undefined) return []
  const asked = askedFor(permissions).flatMap(([name, value]) => {
    const flag = flagOf[name]
    if (flag === undefined || !isKnownToNode(flag)) return []
    if (!takesPath(name)) return [flag]
    const paths = value === undefined ? ['*'] : formsOf(resolve(dir, value))
    return paths.map((path) => `${flag}=${path}`)
  })
  const needed = codeFolders(dir, codeFiles).map((folder) => `--allow-fs-read=${folder}`)
  // The stdin of a plugin's process.
  if (process.platform !== 'win32') needed.push(`--allow-fs-read=${devNull}`)
  // Node 20 needs a worker to resolve the SDK for a plugin without its own.
  if (provideSdk && !node.registersHooks) needed.push('--allow-worker')
  return [permissionFlag, '--disable-warning=ExperimentalWarning', ...needed, ...asked]
}

/** Unknown names in `permissions`. */
export function unknownPermissions(permissions: Manifest['permissions']): string[] {
  return askedFor(permissions ?? []).flatMap(([name]) => (Object.hasOwn(flagOf, name) ? [] : [name]))
}

/** Names in `permissions` with a path that Node can't limit: the whole permission is granted. */
export function unlimitedPermissions(permissions: Manifest['permissions']): string[] {
  return askedFor(permissions ?? []).flatMap(([name, value]) =>
    Object.hasOwn(flagOf, name) && !takesPath(name) && value !== undefined ? [name] : [],
  )
}

const takesPath = (name: string): boolean => name.startsWith('fs_')

/**
 * Node compares paths as text, so each path is allowed as written and with symlinks resolved. A path that does not exist yet may
 * become a file or a folder.
 */
function formsOf(path: string): string[] {
  return [...new Set([path, withoutLinks(path)])].flatMap((form) =>
    existsSync(form) ? [form] : [form, join(form, '*')],
  )
}

/** The real path, also of a path that does not exist yet. */
function withoutLinks(path: string): string {
  if (existsSync(path)) return realpathSync(path)
  return dirname(path) === path ? path : join(withoutLinks(dirname(path)), basename(path))
}

/** Each permission, once for each path. */
function askedFor(permissions: NonNullable<Manifest['permissions']>): [string, string | undefined][] {
  if (Array.isArray(permissions)) {
    return permissions.map((permission) => {
      const [name = '', ...path] = permission.split(':')
      return [name, path.length > 0 ? path.join(':') : undefined]
    })
  }
  return Object.entries(permissions).flatMap(([name, value]): [string, string | undefined][] => {
    if (Array.isArray(value)) return value.map((path) => [name, path])
    if (typeof value === 'string') return [[name, value]]
    return value ? [[name, undefined]] : []
  })
}

/** The folders with the code of the plugin, of its packages and of the SDK. */
function codeFolders(dir: string, codeFiles: readonly string[]): string[] {
  const folders = [dir, realpathSync(dir), ...codeFiles.map((file) => packageOf(realpathSync(file)))]
  for (let folder = realpathSync(dir); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'node_modules'))) folders.push(join(folder, 'node_modules'))
    if (dirname(folder) === folder) return [...new Set(folders)]
  }
}

function packageOf(file: string): string {
  let folder = dirname(file)
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) folder = dirname(folder)
  return folder
}
