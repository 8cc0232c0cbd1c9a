import { existsSync, realpathSync } from 'node:fs'
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Manifest } from '@appfactory/sdk'
import { describeThrown, systemCodeOf } from '@appfactory/sdk/internal'
import semver from 'semver'
import { dependencyMissing, installFailed, packageFileUnreadable, startFailed } from '../errors.js'
import { SharedWork } from '../shared-work.js'
import { isShortage } from '../shortage.js'
import { readSmallFile } from '../small-file.js'
import { runInstallation } from './install.js'
import { findPackage, maxPackageBytes, packageVersion } from './packages.js'

/** One entry of a manifest's `dependencies`. */
interface Dependency {
  name: string
  /** Semver range; `*` where none is given. */
  range: string
}

export interface DependencyOptions {
  /** Install missing packages. */
  install: boolean
  /** Run install scripts and settings of the packages and of the plugin's folder. */
  allowScripts: boolean
  /** Of one installation. */
  timeoutMs: number
}

/** A package manager, its arguments for adding packages, and those for not running their code. */
interface PackageManager {
  lockfile: string
  /** A further test, if the lockfile alone does not identify it. */
  isMeant?: (dir: string) => Promise<boolean>
  command: string
  install: readonly string[]
  add: readonly string[]
  noScripts: { args: readonly string[]; env?: Readonly<Record<string, string>> }
}

// Yarn's settings may name a file to run instead of Yarn. Yarn 1 reads the first variable; later versions have an argument.
const yarnEnvironment = { YARN_IGNORE_SCRIPTS: 'true', YARN_IGNORE_PATH: '1' }

const npm: PackageManager = {
  lockfile: 'package-lock.json',
  command: 'npm',
  install: ['install'],
  add: ['install', '--save'],
  // The plugin's .npmrc may name another program as git.
  noScripts: { args: ['--ignore-scripts', '--git=git'] },
}

const usualWords = { install: ['install'], add: ['add'] }

/** The first one with a lockfile in the folder is used; npm if there is none. */
const packageManagers: readonly PackageManager[] = [
  {
    ...usualWords,
    lockfile: 'pnpm-lock.yaml',
    command: 'pnpm',
    noScripts: { args: ['--ignore-scripts', '--ignore-pnpmfile'] },
  },
  {
    ...usualWords,
    lockfile: 'yarn.lock',
    command: 'yarn',
    isMeant: isModernYarn,
    noScripts: { args: ['--mode=skip-build'], env: yarnEnvironment },
  },
  {
    ...usualWords,
    lockfile: 'yarn.lock',
    command: 'yarn',
    noScripts: { args: ['--ignore-scripts'], env: yarnEnvironment },
  },
  { ...usualWords, lockfile: 'bun.lock', command: 'bun', noScripts: { args: ['--ignore-scripts'] } },
  { ...usualWords, lockfile: 'bun.lockb', command: 'bun', noScripts: { args: ['--ignore-scripts'] } },
  npm,
]

/** Longest lockfile that is read, in bytes. */
const maxLockfileBytes = 16 * 1024 * 1024

/** By the real path of the folder. */
const installations = new SharedWork<void>()

/**
 * Makes sure that the npm packages a plugin declares resolve from its folder, in the declared range.
 *
 * @throws PluginError DEPENDENCY_MISSING, naming each and the command; with `install`, only if that fails. An abort ends the
 *   installation. PLUGIN_LOAD_FAILED if the system temporarily lacks files or processes.
 */
export async function checkDependencies(
  dir: string,
  manifest: Manifest,
  options: DependencyOptions,
  signal: AbortSignal,
): Promise<void> {
  try {
    const missing = await missingDependencies(dir, manifest)
    if (missing.length === 0) return
    const manager = await packageManagerOf(dir)
    const args = await installArguments(dir, manifest.name, missing, manager)
    const command = lineOf(manager.command, args)
    if (!options.install) throw dependencyMissing(manifest.name, missing.map(explain), command, dir)
    await installations.join(
      realpathSync(dir),
      (abandoned) => install(dir, manifest, { ...manager, args }, options, abandoned),
      signal,
    )
  } catch (error) {
    if (!isShortage(error)) throw error
    throw startFailed(manifest.name, `could not be started (${describeThrown(error).message})`, '', true)
  }
}

/** Installs, and restores the folder after a failure. */
async function install(
  dir: string,
  manifest: Manifest,
  { command, args: plainArgs, lockfile, noScripts }: PackageManager & { args: readonly string[] },
  { allowScripts, timeoutMs }: DependencyOptions,
  signal: AbortSignal,
): Promise<void> {
  const args = allowScripts ? plainArgs : [...plainArgs, ...noScripts.args]
  const env = allowScripts ? {} : (noScripts.env ?? {})
  const line = lineOf(command, args)
  await orRestore(dir, lockfile, async () => {
    const run = { plugin: manifest.name, command, args, cwd: dir, env, timeoutMs, signal }
    const failure = await runInstallation(run)
    if (isShortage(failure?.cause)) throw failure?.cause
    if (failure) throw installFailed(manifest.name, line, failure.reason)
    const still = await missingDependencies(dir, manifest)
    if (still.length > 0)
      throw installFailed(
        manifest.name,
        line,
        `is done, but ${still.map(explain).join(', ')} is still missing`,
      )
  })
}

export interface Missing extends Dependency {
  /** The installed version; undefined if there is none. */
  found: string | undefined
}

/** The packages that a manifest names and that an import from the plugin's folder would not get. */
export async function missingDependencies(dir: string, { dependencies }: Manifest): Promise<Missing[]> {
  const all = dependencies.map(parseDependency).map(async (dependency) => ({
    ...dependency,
    found: await installedVersion(dir, dependency.name),
  }))
  return (await Promise.all(all)).filter(({ found, range }) => found === undefined || !inRange(found, range))
}

/** `zod@^4`, `zod>=4` and `@scope/name` to name and range. */
export function parseDependency(text: string): Dependency {
  const [, name = text, range = ''] = /^(@?[^@\s<>=^~]+)\s*@?\s*(.*)$/.exec(text) ?? []
  return { name, range: range.trim() === '' ? '*' : range.trim() }
}

function inRange(version: string, range: string): boolean {
  // A tag (`latest`) or an address has no range: an installed package is enough.
  return semver.validRange(range) === null || semver.satisfies(version, range, { includePrerelease: true })
}

/** The version that an import from the plugin's folder would get. */
async function installedVersion(dir: string, name: string): Promise<string | undefined> {
  const folder = findPackage(dir, name)
  return folder && packageVersion(folder)
}

async function packageManagerOf(dir: string): Promise<PackageManager> {
  for (const manager of packageManagers)
    if (existsSync(join(dir, manager.lockfile)) && ((await manager.isMeant?.(dir)) ?? true)) return manager
  return npm
}

/** Yarn 2 and later, by their settings or their lockfile. */
async function isModernYarn(dir: string): Promise<boolean> {
  if (existsSync(join(dir, '.yarnrc.yml'))) return true
  const lockfile = await readSmallFile(join(dir, 'yarn.lock'), maxLockfileBytes).catch(() => '')
  return /^__metadata:/m.test(lockfile)
}

/** Installs packages that the folder's package.json declares, and adds the others to it. */
async function installArguments(
  dir: string,
  plugin: string,
  missing: readonly Missing[],
  { install, add }: PackageManager,
): Promise<readonly string[]> {
  const file = join(dir, 'package.json')
  const declared = await declaredDependencies(file).catch((error: unknown) => {
    if (isShortage(error)) throw error
    throw packageFileUnreadable(plugin, missing.map(explain), file, describeThrown(error).message)
  })
  if (missing.every(({ name }) => declared.includes(name))) return install
  return [...add, ...missing.map(({ name, range }) => (range === '*' ? name : `${name}@${range}`))]
}

async function declaredDependencies(file: string): Promise<string[]> {
  const text = await readSmallFile(file, maxPackageBytes).catch((error: unknown) => {
    if (systemCodeOf(error) === 'ENOENT') return '{}'
    throw error
  })
  const value: unknown = JSON.parse(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error('it is not an object')
  return Object.keys(Object(Reflect.get(value, 'dependencies')))
}

/** Restores files after a failed installation: a package manager restores its own `node_modules`. */
async function orRestore(dir: string, lockfile: string, install: () => Promise<void>): Promise<void> {
  const files = ['package.json', lockfile].map((file) => join(dir, file))
  const before = await Promise.all(files.map(contentOf))
  const had = files.map((file) => existsSync(file))
  const modules = join(dir, 'node_modules')
  const hadModules = existsSync(modules)
  try {
    await install()
  } catch (error) {
    for (const [index, file] of files.entries()) {
      const content = before[index]
      if (content) await writeFile(file, content)
      else if (!had[index]) await rm(file, { force: true })
    }
    if (!hadModules) await rm(modules, { recursive: true, force: true })
    throw error
  }
}

/** The exact content; undefined if it is not a file. */
async function contentOf(file: string): Promise<Buffer | undefined> {
  const stats = await stat(file).catch(() => undefined)
  return stats?.isFile() ? readFile(file) : undefined
}

function explain({ name, range, found }: Missing): string {
  const wanted = range === '*' ? name : `${name}@${range}`
  return found ? `${wanted} (version ${found} is installed)` : wanted
}

function lineOf(command: string, args: readonly string[]): string {
  return [command, ...args.map(quoteForPeople)].join(' ')
}

function quoteForPeople(word: string): string {
  return /[\s<>|&*]/.test(word) ? `"${word}"` : word
}
