import { realpathSync, statSync } from 'node:fs'
import { delimiter, dirname, isAbsolute, join } from 'node:path'

/** All programs of a name in PATH, the first one first: a shim that has no version set may hide one that works. */
export function filesInPath(name: string): string[] {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => isAbsolute(folder))
  const file = process.platform === 'win32' ? `${name}.exe` : name
  // The Microsoft Store's alias opens the store where no Python is installed.
  const real = folders.filter((folder) => !/[\\/]Microsoft[\\/]WindowsApps[\\/]?$/i.test(folder))
  const files = real.map((folder) => join(folder, file)).filter((path) => isRegularFile(path))
  // Where /bin is a link to /usr/bin, each would be asked and listed twice.
  const folderOf = (path: string): string => realpathSync(dirname(path))
  return [...new Map(files.toReversed().map((path) => [folderOf(path), path])).values()].toReversed()
}

function isRegularFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true
}
