import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Manifest } from '@appfactory/sdk'
import { shortened } from '@appfactory/sdk/internal'
import { isShortage } from '../shortage.js'
import { findPackage } from './packages.js'

const extensions = ['', '.js', '.mjs', '.cjs', '.ts', '.mts']

/** What runs an entry point. */
export type RuntimeName = NonNullable<Manifest['runtime']>

/** What a manifest's `entry_point` names. */
export interface EntryFile {
  /** Its real path. */
  file: string
  runtime: RuntimeName
  /** What could be meant as well. */
  warning?: string
}

export type Entry = EntryFile | { error: string }

export interface EntryOptions {
  /**
   * Run `src/index.ts` without a build if a manifest names `dist/index.js`, and run TypeScript on any Node. Default: false.
   */
  preferSource?: boolean
}

/** What decides which file is taken. */
type EntryManifest = Pick<Manifest, 'entry_point' | 'runtime'>

/** A file that `entry_point` may mean. */
interface Candidate {
  runtime: RuntimeName
  path: string
}

/**
 * The file that a manifest's `entry_point` names, always inside the folder: with or without its extension, or for Python the path
 * of a module or package. Where the manifest has no `runtime`, a file for Node comes before one for Python.
 *
 * @throws Error of the system if the file disappears meanwhile or temporarily can't be read.
 */
export function resolveEntry(
  dir: string,
  { entry_point: entryPoint, runtime }: EntryManifest,
  { preferSource = false }: EntryOptions = {},
): Entry {
  if (!isInside(dir, resolve(dir, entryPoint)))
    return { error: `entry_point: ${shortened(entryPoint)} is outside the plugin's folder` }
  const candidates = [...nodeCandidates(dir, entryPoint, preferSource), ...pythonCandidates(dir, entryPoint)]
  const files = candidates.filter(({ path }) => isInside(dir, path) && isFile(path))
  const found = files.find((file) => runtime === undefined || file.runtime === runtime)
  if (!found) return { error: whyNone(dir, { entry_point: entryPoint, runtime }, files[0]) }
  const file = realpathSync(found.path)
  if (!isInside(realpathSync(dir), file))
    return { error: `entry_point: ${shortened(entryPoint)} is a symlink out of the plugin's folder` }
  if (isTypeScript(file) && !preferSource && !Reflect.get(process.features, 'typescript')) {
    return {
      error: `entry_point: this Node (${process.version}) does not run TypeScript; build the plugin and name the .js file`,
    }
  }
  const other = runtime === undefined && files.find((each) => each.runtime !== found.runtime)
  return {
    file,
    runtime: found.runtime,
    ...(other ? { warning: ambiguous(dir, entryPoint, found, other) } : {}),
  }
}

function nodeCandidates(dir: string, entryPoint: string, preferSource: boolean): Candidate[] {
  const wanted = resolve(dir, entryPoint)
  const paths = [
    ...(preferSource ? sourcesOf(dir, wanted) : []),
    ...extensions.map((extension) => wanted + extension),
    ...extensions.slice(1).map((extension) => join(wanted, `index${extension}`)),
  ]
  return paths.filter((path) => !isPython(path)).map((path) => ({ runtime: 'node', path }))
}

/** `main`, `main.py`, `src/main`, `src.main`, a package's folder, and each of them with `:Class` behind it. */
function pythonCandidates(dir: string, entryPoint: string): Candidate[] {
  const module = entryPoint.replace(/:[\p{L}_][\p{L}\p{N}_]*$/u, '')
  return pythonPaths(module).map((path) => ({ runtime: 'python', path: resolve(dir, path) }))
}

/** The files that a module may be, from the plugin's folder. */
function pythonPaths(module: string): string[] {
  if (isPython(module)) return [module]
  const dotted = /^[\p{L}_][\p{L}\p{N}_]*(\.[\p{L}_][\p{L}\p{N}_]*)+$/u.test(module)
  const path = dotted ? join(...module.split('.')) : module
  return [`${path}.py`, join(path, '__init__.py')]
}

/** Why there is no entry, though there may be a file for the other runtime. */
function whyNone(dir: string, { entry_point, runtime }: EntryManifest, other: Candidate | undefined): string {
  const name = shortened(entry_point)
  if (other) {
    const file = relative(dir, other.path)
    return `entry_point: ${name} is ${file}, which ${runtime} does not run; set runtime to "${other.runtime}", or leave it out`
  }
  if (runtime === 'node' || (runtime === undefined && !looksLikePython(dir, entry_point)))
    return `entry_point: ${name} does not exist; build the plugin first, or correct the path`
  const [, module = entry_point] = /^(.+):/.exec(entry_point) ?? []
  const paths = pythonPaths(module)
    .map((path) => shortened(path))
    .join(' or ')
  return `entry_point: ${name} does not exist: there is no ${paths} in ${dir}; correct the path`
}

/** Whether Python is what an author without an entry point most probably works with. */
function looksLikePython(dir: string, entryPoint: string): boolean {
  if (/\.py(:|$)|__init__/.test(entryPoint) || existsSync(join(dir, 'requirements.txt'))) return true
  return !existsSync(join(dir, 'package.json')) && readdirSync(dir).some(isPython)
}

function ambiguous(dir: string, entryPoint: string, taken: Candidate, other: Candidate): string {
  const [first, second] = [taken, other].map(({ path }) => relative(dir, path))
  return `entry_point: ${shortened(entryPoint)} may be ${first} or ${second}; ${first} is taken. Set runtime to "${taken.runtime}" or "${other.runtime}"`
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

function isPython(file: string): boolean {
  return /\.py$/.test(file)
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
