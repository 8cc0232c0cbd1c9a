import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Manifest } from '@appfactory/sdk'
import { execa } from 'execa'
import semver from 'semver'
import { dependencyMissing, installFailed } from './messages.js'
import { findPackage, packageVersion } from './packages.js'

/** One entry of a manifest's `dependencies`. */
interface Dependency {
  name: string
  /** Semver range; `*` where none is given. */
  range: string
}

/** The package manager that a lockfile names, and the words with which it adds packages. */
const packageManagers = [
  { lockfile: 'pnpm-lock.yaml', command: 'pnpm', install: ['install'], add: ['add'] },
  { lockfile: 'yarn.lock', command: 'yarn', install: ['install'], add: ['add'] },
  { lockfile: 'bun.lock', command: 'bun', install: ['install'], add: ['add'] },
  { lockfile: 'bun.lockb', command: 'bun', install: ['install'], add: ['add'] },
  { lockfile: 'package-lock.json', command: 'npm', install: ['install'], add: ['install', '--save'] },
] as const

type PackageManager = (typeof packageManagers)[number]

/**
 * Makes sure that the npm packages a plugin declares resolve from its folder, in the declared range.
 *
 * @throws PluginError DEPENDENCY_MISSING, naming each and the command; with `install`, only where that fails. An abort ends the
 *   installation.
 */
export async function checkDependencies(
  dir: string,
  manifest: Manifest,
  install: boolean,
  signal?: AbortSignal,
): Promise<void> {
  const missing = missingDependencies(dir, manifest)
  if (missing.length === 0) return
  const manager = packageManagerOf(dir)
  const args = installArguments(dir, missing, manager)
  const command = [manager.command, ...args.map(quoteForPeople)].join(' ')
  if (!install) throw dependencyMissing(manifest.name, missing.map(explain), command, dir)
  await orRestore(dir, manager, async () => {
    await runInstall(dir, manifest.name, manager, args, command, signal)
    const still = missingDependencies(dir, manifest)
    if (still.length > 0)
      throw installFailed(
        manifest.name,
        command,
        `done, but ${still.map(explain).join(', ')} is still missing`,
      )
  })
}

interface Missing extends Dependency {
  /** The version that is there; undefined where there is none. */
  found: string | undefined
}

function missingDependencies(dir: string, { dependencies }: Manifest): Missing[] {
  return dependencies
    .map(parseDependency)
    .map((dependency) => ({ ...dependency, found: installedVersion(dir, dependency.name) }))
    .filter(({ found, range }) => found === undefined || !inRange(found, range))
}

/** `zod@^4`, `zod>=4` and `@scope/name` to name and range. */
export function parseDependency(text: string): Dependency {
  const [, name = text, range = ''] = /^(@?[^@\s<>=^~]+)\s*@?\s*(.*)$/.exec(text) ?? []
  return { name, range: range.trim() === '' ? '*' : range.trim() }
}

function inRange(version: string, range: string): boolean {
  // A tag (`latest`) or an address says nothing about versions: being there is enough.
  return semver.validRange(range) === null || semver.satisfies(version, range, { includePrerelease: true })
}

/** The version that an import from the plugin's folder would get. */
function installedVersion(dir: string, name: string): string | undefined {
  const folder = findPackage(dir, name)
  return folder && packageVersion(folder)
}

function packageManagerOf(dir: string): PackageManager {
  const named = packageManagers.find(({ lockfile }) => existsSync(join(dir, lockfile)))
  return named ?? packageManagers[packageManagers.length - 1] ?? packageManagers[0]
}

/** What the folder's own package.json declares is installed as it says; the rest is added to it. */
function installArguments(
  dir: string,
  missing: readonly Missing[],
  { install, add }: PackageManager,
): string[] {
  const declared = declaredDependencies(dir)
  if (missing.every(({ name }) => name in declared)) return [...install]
  return [...add, ...missing.map(({ name, range }) => (range === '*' ? name : `${name}@${range}`))]
}

function declaredDependencies(dir: string): Record<string, unknown> {
  const file = join(dir, 'package.json')
  if (!existsSync(file)) return {}
  return (
    (JSON.parse(readFileSync(file, 'utf8')) as { dependencies?: Record<string, unknown> }).dependencies ?? {}
  )
}

/** Runs the package manager, without a shell. */
async function runInstall(
  dir: string,
  name: string,
  { command }: PackageManager,
  args: readonly string[],
  line: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await execa(command, args, { cwd: dir, stdin: 'ignore', ...(signal && { cancelSignal: signal }) })
  } catch (error) {
    throw installFailed(name, line, failureOutput(error))
  }
}

/** Undoes what a failed installation has left behind: a package manager undoes its own `node_modules`. */
async function orRestore(
  dir: string,
  { lockfile }: PackageManager,
  install: () => Promise<void>,
): Promise<void> {
  const files = ['package.json', lockfile].map((file) => join(dir, file))
  const before = files.map((file) => (existsSync(file) ? readFileSync(file) : undefined))
  const modules = join(dir, 'node_modules')
  const hadModules = existsSync(modules)
  try {
    await install()
  } catch (error) {
    files.forEach((file, index) => {
      const content = before[index]
      if (content) writeFileSync(file, content)
      else rmSync(file, { force: true })
    })
    if (!hadModules) rmSync(modules, { recursive: true, force: true })
    throw error
  }
}

function failureOutput(error: unknown): string {
  const { stderr, shortMessage, message } = error as {
    stderr?: string
    shortMessage?: string
    message?: string
  }
  const lines = (stderr ?? '').split('\n').filter((line) => line.trim() !== '')
  return lines.slice(-5).join(' ') || shortMessage || message || 'nothing'
}

function explain({ name, range, found }: Missing): string {
  const wanted = range === '*' ? name : `${name}@${range}`
  return found ? `${wanted} (version ${found} is there)` : wanted
}

function quoteForPeople(word: string): string {
  return /[\s<>|&*]/.test(word) ? `"${word}"` : word
}
