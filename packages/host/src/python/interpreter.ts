import { existsSync, lstatSync, readlinkSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import type { Manifest } from '@appfactory/sdk'
import { isPluginError, type PluginError } from '@appfactory/sdk'
import { environmentBroken, pythonUnfit, pythonUnusable, reasonOf, requirementInvalid } from '../errors.js'
import { isInside } from '../plugins/entry.js'
import { pluginEnvironment } from '../plugins/environment.js'
import { filesInPath } from '../process/path.js'
import { askPython, type Candidate, type PythonAnswer } from './ask.js'
import { fits, parseSpecifiers } from './version.js'

/** A Python that can run a plugin. */
export interface PythonProgram extends PythonAnswer {
  /** Where it was found, for people: `the plugin’s .venv`. */
  source: string
}

export interface FindOptions {
  /** The plugin's folder. */
  dir: string
  /** The folders that hold plugins. */
  pluginsDirs: readonly string[]
  manifest: Manifest
  /** A file, or a name in PATH. Default: `$AF_PYTHON`, then as `findPython` says. */
  pythonPath?: string | undefined
  /** Whether the plugin's environment is passed over where it is unfit and made by the host, which makes it anew. Default: false. */
  install?: boolean
  signal: AbortSignal
}

/** The versions that can run plugins, newest first. */
const supportedMinors = [14, 13, 12, 11, 10, 9]
const supported = '>=3.9'

/** Written into environments that the host has made: it makes no other anew. */
export const markFile = 'made-by-appfactory'

/** The names of a plugin's virtual environment. */
const environmentNames = ['.venv', 'venv']

/** A place to look at. */
interface Place extends Candidate {
  source: string
  /** Whether a Python here that can't be used is an error, and not passed over. */
  isMeant: boolean
}

/**
 * The Python that runs a plugin. The first that there is of: `pythonPath`, `$AF_PYTHON`, the plugin's `.venv` or `venv`, the nearest
 * `.venv` up to the parent of the plugins folder, the environment that is active where the host was started, Pythons in PATH.
 *
 * @throws PluginError PLUGIN_LOAD_FAILED where none is there or fits, or where a named one or an environment is broken.
 */
export async function findPython(options: FindOptions): Promise<PythonProgram> {
  const { manifest, signal } = options
  const wanted = wantedVersions(manifest)
  const lookedAt: string[] = []
  for (const place of placesFor(options, wanted !== undefined)) {
    try {
      const answer = await askPython(place, signal)
      const misfit = misfitOf(answer.version, wanted)
      if (misfit === undefined) return { ...answer, source: place.source }
      const found = `${place.source} (${answer.file}) is Python ${answer.version}`
      if (place.isMeant) throw pythonUnfit(manifest.name, misfit, [found])
      lookedAt.push(found)
    } catch (error) {
      if (isPluginError(error)) throw error
      const reason = reasonOf(error)
      if (place.isMeant) throw unusable(manifest.name, place, reason)
      if (reason !== 'does not exist') lookedAt.push(`${place.source} ${reason}`)
    }
  }
  const needed = wanted === undefined ? supported : `${supported} and ${wanted.text}`
  throw pythonUnfit(manifest.name, needed, lookedAt)
}

/** The Python of the virtual environment in a folder, or undefined where there is no such folder. */
export function pythonOf(environment: string): string | undefined {
  if (!isThere(environment)) return undefined
  const files =
    process.platform === 'win32'
      ? [join(environment, 'Scripts', 'python.exe'), join(environment, 'python.exe')]
      : [join(environment, 'bin', 'python'), join(environment, 'bin', 'python3')]
  return files.find(existsSync) ?? files[0]
}

/** The plugin's own virtual environment; undefined where it has none. */
export function ownEnvironment(dir: string): string | undefined {
  return environmentNames.map((name) => join(dir, name)).find(isEnvironment)
}

/** A folder `venv` may be a package of the plugin; a file `.venv` belongs to other tools. */
function isEnvironment(path: string): boolean {
  if (!path.endsWith('.venv')) return existsSync(join(path, 'pyvenv.cfg'))
  return isThere(path) && statSync(path, { throwIfNoEntry: false })?.isFile() !== true
}

/** Whether there is anything of that name, also a link to nowhere. */
function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}

function* placesFor(options: FindOptions, hasWish: boolean): Generator<Place> {
  const { pythonPath, dir, pluginsDirs, install = false } = options
  const named = pythonPath ?? process.env['AF_PYTHON']
  if (named !== undefined && named !== '') {
    yield {
      command: absolute(named),
      source: pythonPath === undefined ? '$AF_PYTHON' : 'pythonPath',
      isMeant: true,
    }
    return
  }
  const own = ownEnvironment(dir)
  if (own !== undefined)
    yield* environmentPlace(own, 'the plugin’s', !(install && existsSync(join(own, markFile))))
  for (const folder of foldersAbove(dir, pluginsDirs)) {
    const shared = join(folder, '.venv')
    if (isEnvironment(shared)) {
      yield* environmentPlace(shared, `the ${folder}`, true)
      break
    }
  }
  for (const name of ['VIRTUAL_ENV', 'CONDA_PREFIX']) {
    const active = process.env[name]
    const command = active === undefined || active === '' ? undefined : pythonOf(active)
    if (command !== undefined) yield { command, source: `$${name}`, isMeant: false }
  }
  yield* ambient(hasWish)
}

function* environmentPlace(path: string, whose: string, isMeant: boolean): Generator<Place> {
  const command = pythonOf(path)
  const name = path.endsWith('.venv') ? '.venv' : 'venv'
  const source = whose.startsWith('the plugin') ? `${whose} ${name}` : path
  // The plugin may have brought it along: it sees no more of the host than the plugin does.
  if (command !== undefined) yield { command, source, isMeant, env: pluginEnvironment('', {}) }
}

/** The folders above the plugin's, nearest first, up to the parent of the plugins folder that holds it. */
function* foldersAbove(dir: string, pluginsDirs: readonly string[]): Generator<string> {
  const holder = pluginsDirs.map((one) => resolve(one)).find((one) => isInside(one, resolve(dir)))
  if (holder === undefined) return
  const last = dirname(holder)
  for (let folder = dirname(resolve(dir)); ; folder = dirname(folder)) {
    yield folder
    if (folder === last || folder === dirname(folder)) return
  }
}

/** The Pythons that the system has. With a wish for versions, the newest that there is comes first. */
function* ambient(hasWish: boolean): Generator<Place> {
  const plain = process.platform === 'win32' ? [] : ['python3']
  const exact = process.platform === 'win32' ? [] : supportedMinors.map((minor) => `python3.${minor}`)
  const names = hasWish ? [...exact, ...plain, 'python'] : [...plain, 'python', ...exact]
  if (process.platform === 'win32')
    for (const minor of supportedMinors)
      yield { command: 'py', args: [`-3.${minor}`], source: `py -3.${minor}`, isMeant: false }
  for (const name of names)
    for (const command of filesInPath(name)) yield { command, source: `${name} in PATH`, isMeant: false }
}

/** A plugin runs in a folder of its own. */
function absolute(path: string): string {
  return /[\\/]/.test(path) && !isAbsolute(path) ? resolve(path) : path
}

interface Wanted {
  text: string
  /** The keys of the manifest that say so. */
  key: string
}

/** What the manifest says of versions: `engines.python`, and `python_requires` as older manifests have it. */
function wantedVersions(manifest: Manifest): Wanted | undefined {
  const older: unknown = manifest['python_requires']
  const wishes = [
    { key: 'engines.python', text: manifest.engines?.['python'] },
    { key: 'python_requires', text: typeof older === 'string' ? older : undefined },
  ].filter((wish): wish is Wanted => wish.text !== undefined && wish.text.trim() !== '')
  for (const { key, text } of wishes)
    if (parseSpecifiers(text) === undefined)
      throw requirementInvalid(manifest.name, `${key} of manifest.json`, text, 'such as >=3.10,<3.13')
  if (wishes.length === 0) return undefined
  return { key: wishes.map(({ key }) => key).join(' and '), text: wishes.map(({ text }) => text).join(', ') }
}

/** What it would have to fit, where it does not. */
function misfitOf(version: string, wanted: Wanted | undefined): string | undefined {
  if (!isSatisfied(version, supported)) return supported
  return wanted === undefined || isSatisfied(version, wanted.text)
    ? undefined
    : `${wanted.text} (${wanted.key})`
}

function isSatisfied(version: string, specifiers: string): boolean {
  return fits(version, parseSpecifiers(specifiers) ?? [])
}

function unusable(plugin: string, { command, source }: Place, reason: string): PluginError {
  if (source === 'pythonPath' || source === '$AF_PYTHON') return pythonUnusable(source, command, reason)
  return environmentBroken(plugin, dirname(dirname(command)), brokenLink(command) ?? `${command} ${reason}`)
}

/** `python` of an environment is a link to the Python that it was made with, which may be gone. */
function brokenLink(command: string): string | undefined {
  if (existsSync(command)) return undefined
  const target = lstatSync(command, { throwIfNoEntry: false })?.isSymbolicLink()
    ? readlinkSync(command)
    : undefined
  return target === undefined
    ? `it has no ${command}`
    : `${command} is a link to ${target}, which does not lead to a Python any more`
}
