import { existsSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { specRefused } from '../errors.js'

/** A name, and a version, range or tag: none of its characters means anything to a shell within quotation marks. */
const registrySpec = /^(@[a-z0-9~-][\w.~-]*\/)?[a-z0-9~][\w.~-]*(@[\w.^~<>=|*+ -]+)?$/i

const longestSpec = 1000

/** Whether npm looks for that package in its registry. */
export function isRegistrySpec(spec: string): boolean {
  return spec.length <= longestSpec && registrySpec.test(spec)
}

/**
 * What npm is asked for: an npm package as it is named, a folder or a tarball by its absolute path. What is there on disk is
 * meant before a package of the same name.
 *
 * @throws PluginError INVALID_PARAMS.
 */
export function packageSpec(spec: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: no path has them.
  if (spec === '' || spec.startsWith('-') || spec.length > longestSpec || /[\u0000-\u001f]/.test(spec))
    throw specRefused(spec, 'names no package')
  const path = resolve(spec)
  const stats = statSync(path, { throwIfNoEntry: false })
  if (!stats) {
    if (isRegistrySpec(spec) && !/\.t(ar\.)?gz$/.test(spec)) return spec
    throw specRefused(spec, 'is not there, and is no name of a package')
  }
  if (stats.isDirectory()) {
    if (existsSync(join(path, 'package.json'))) return path
    throw specRefused(spec, 'is a folder without a package.json, which npm needs')
  }
  if (stats.isFile() && /\.(tgz|tar\.gz|tar)$/i.test(path)) return path
  throw specRefused(spec, 'is no tarball as npm pack makes it')
}
