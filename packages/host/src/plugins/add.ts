import { existsSync } from 'node:fs'
import {
  copyFile,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  rmdir,
  writeFile,
} from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { Manifest } from '@appfactory/sdk'
import { parseJson, systemCodeOf } from '@appfactory/sdk/internal'
import { addedInvalid, alreadyThere, notAPlugin, packageNotFetched, specRefused } from '../errors.js'
import { readSmallFile } from '../small-file.js'
import { missingDependencies } from './dependencies.js'
import { inspectPlugin } from './discovery.js'
import { isInside } from './entry.js'
import { type InstallFailure, runInstallation } from './install.js'
import { type Origin, originText, readOrigin, writeOrigin } from './origin.js'
import { isRegistrySpec, packageSpec } from './package-spec.js'

export interface AddOptions {
  /** The plugins folder; made where it is not there. */
  dir: string
  /** Replaces a plugin that is there. */
  force: boolean
  /** Runs install scripts. They are not limited by the plugin's permissions. */
  allowScripts: boolean
  /** Of one run of npm. */
  timeoutMs: number
  /** An abort ends it, and nothing is left behind. */
  signal: AbortSignal
  /** Told what is being done now. */
  onStep(step: string): void
}

export interface AddedPlugin {
  manifest: Manifest
  /** Absolute path of its folder. */
  path: string
  origin: Origin
  /** Whether another one was there. */
  replaced: boolean
}

/** Names that a plugin may have and a folder can't, or that are not looked into. */
const notFolders = /^(node_modules|con|prn|aux|nul|com\d|lpt\d)$/

const maxLockfileBytes = 64 * 1024 * 1024

/**
 * Puts an npm package, with its production dependencies, into a plugins folder: whole, or not at all. None of its code runs
 * unless `allowScripts`.
 *
 * @param given Name of a package, a folder or a tarball.
 * @throws PluginError INVALID_PARAMS, PLUGIN_NOT_FOUND, MANIFEST_MISSING, MANIFEST_INVALID or PLUGIN_ALREADY_LOADED.
 */
export async function addPlugin(given: string, options: AddOptions): Promise<AddedPlugin> {
  const spec = packageSpec(given)
  const dir = resolve(options.dir)
  const made = await mkdir(dir, { recursive: true })
  // In the plugins folder, so that its last step is a rename on one disk. Scans leave out what begins with a dot.
  const stage = await mkdtemp(join(dir, '.adding-'))
  try {
    return await new Addition(spec, dir, stage, options).run()
  } finally {
    await rm(stage, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
    await removeEmpty(dir, made)
  }
}

/** One package on its way into a plugins folder. */
class Addition {
  readonly #spec: string
  readonly #dir: string
  readonly #stage: string
  readonly #options: AddOptions

  constructor(spec: string, dir: string, stage: string, options: AddOptions) {
    this.#spec = spec
    this.#dir = dir
    this.#stage = stage
    this.#options = options
  }

  async run(): Promise<AddedPlugin> {
    await writeFile(join(this.#stage, 'package.json'), '{ "private": true }')
    // Npm looks for the settings of a project where it installs.
    if (existsSync('.npmrc')) await copyFile('.npmrc', join(this.#stage, '.npmrc'))
    this.#options.onStep(`fetching ${this.#spec}`)
    await this.#install([this.#spec], 'hoisted')
    const [packageName] = await this.#installed()
    if (packageName === undefined) throw packageNotFetched(this.#spec, 'installed nothing')
    const name = await this.#pluginName(packageName)
    const origin = await this.#origin(packageName)
    await this.#installNamed(packageName)
    const staged = await this.#gather(packageName, name)
    const manifest = await this.#checkedManifest(staged)
    await writeOrigin(staged, origin)
    const path = join(this.#dir, name)
    const replaced = await this.#putInPlace(staged, path)
    return { manifest, path, origin, replaced }
  }

  get #modules(): string {
    return join(this.#stage, 'node_modules')
  }

  async #install(specs: readonly string[], strategy: 'hoisted' | 'nested'): Promise<void> {
    const { allowScripts, timeoutMs, signal } = this.#options
    const args = [
      ...['install', '--prefix=.', '--save', '--package-lock', '--omit=dev', '--install-links'],
      ...[`--install-strategy=${strategy}`, '--no-audit', '--no-fund'],
      // A setting may name another program as git.
      ...(allowScripts ? [] : ['--ignore-scripts', '--git=git']),
      ...['--', ...specs],
    ]
    // Settings of a registry may refer to any variable; scripts get none of the secrets.
    const env = allowScripts ? {} : variables()
    const failure = await runInstallation({
      ...{ plugin: this.#spec, command: 'npm', args, cwd: this.#stage, env, timeoutMs, signal },
    })
    signal.throwIfAborted()
    if (failure) throw packageNotFetched(this.#spec, reasonOfNpm(failure))
  }

  /** The packages that npm was asked for, and has noted. */
  async #installed(): Promise<string[]> {
    const file = await readFile(join(this.#stage, 'package.json'), 'utf8')
    const { dependencies = {} }: { dependencies?: object } = JSON.parse(file)
    return Object.keys(dependencies)
  }

  /** The name of the plugin, by its manifest: that of its folder. */
  async #pluginName(packageName: string): Promise<string> {
    const found = await inspectPlugin(join(this.#modules, packageName))
    if (!found) throw notAPlugin(this.#spec, packageName)
    if (!found.manifest) throw addedInvalid(this.#spec, found.name, found.errors)
    const { name } = found.manifest
    if (notFolders.test(name))
      throw addedInvalid(this.#spec, name, [`name: "${name}" can’t be the name of a plugin’s folder`])
    await this.#refuseIfThere(name)
    return name
  }

  async #refuseIfThere(name: string): Promise<void> {
    const path = join(this.#dir, name)
    if (await isSameFolder(this.#spec, path))
      throw specRefused(this.#spec, 'is the folder that it would replace: it is a plugin there already')
    if (this.#options.force || !(await isThere(path))) return
    throw alreadyThere(this.#spec, name, path, originText(await readOrigin(path)))
  }

  async #origin(packageName: string): Promise<Origin> {
    const lock = parseJson(await readSmallFile(join(this.#stage, 'package-lock.json'), maxLockfileBytes))
    const { packages = {} } = lock as { packages?: Record<string, { version?: string; integrity?: string }> }
    const { version = '', integrity = null } = packages[`node_modules/${packageName}`] ?? {}
    return { spec: this.#spec, package: packageName, version, integrity, date: new Date().toISOString() }
  }

  /** Installs the packages that the manifest names and package.json does not. */
  async #installNamed(packageName: string): Promise<void> {
    const dir = join(this.#modules, packageName)
    const manifest = (await inspectPlugin(dir))?.manifest
    // What a plugin in Python needs is installed where it runs: an environment can't be moved.
    if (!manifest || manifest.runtime === 'python') return
    const missing = await missingDependencies(dir, manifest)
    if (missing.length === 0) return
    const specs = missing.map(({ name, range }) => (range === '*' ? name : `${name}@${range}`))
    const odd = specs.find((spec) => !isRegistrySpec(spec))
    if (odd !== undefined)
      throw specRefused(odd, `is among the dependencies of ${manifest.name}, and names no package`)
    this.#options.onStep(`installing ${specs.join(', ')}`)
    await this.#install(specs, 'hoisted')
  }

  /** Moves the packages that npm has put beside the plugin into it. Returns its folder. */
  async #gather(packageName: string, name: string): Promise<string> {
    const own = join(this.#modules, packageName, 'node_modules')
    const besides = await this.#besides(packageName)
    // It brings another version along than the packages beside it need.
    if (besides.some((one) => !one.startsWith('.bin') && existsSync(join(own, one)))) {
      const further = (await this.#installed()).filter((one) => one !== packageName)
      await rm(this.#modules, { recursive: true })
      await rm(join(this.#stage, 'package-lock.json'))
      await this.#install([this.#spec, ...further], 'nested')
    }
    for (const one of await this.#besides(packageName)) {
      const target = join(own, one)
      if (existsSync(target)) continue
      await mkdir(dirname(target), { recursive: true })
      await rename(join(this.#modules, one), target)
    }
    const staged = join(this.#stage, name)
    await rename(join(this.#modules, packageName), staged)
    return staged
  }

  /** What lies beside the plugin in node_modules: `zod`, `@scope/name`, `.bin/command`. */
  async #besides(packageName: string): Promise<string[]> {
    const names = await readdir(this.#modules)
    const all = await Promise.all(
      names.map(async (name) => {
        if (!name.startsWith('@') && name !== '.bin') return name.startsWith('.') ? [] : [name]
        return (await readdir(join(this.#modules, name))).map((inner) => `${name}/${inner}`)
      }),
    )
    return all.flat().filter((name) => name !== packageName)
  }

  async #checkedManifest(staged: string): Promise<Manifest> {
    const plugin = await inspectPlugin(staged)
    if (plugin?.valid) return plugin.manifest
    throw addedInvalid(this.#spec, basename(staged), plugin?.errors ?? ['its folder is gone'])
  }

  /** Returns whether another one was there, which is kept until the new one has its place. */
  async #putInPlace(staged: string, target: string): Promise<boolean> {
    this.#options.signal.throwIfAborted()
    await this.#refuseIfThere(basename(target))
    const replaced = await isThere(target)
    const kept = join(this.#stage, '.replaced')
    if (replaced) await rename(target, kept)
    try {
      await rename(staged, target)
    } catch (error) {
      if (replaced) await rename(kept, target)
      throw error
    }
    return replaced
  }
}

/** Whether both are one folder, or one lies in the other, symlinks followed. */
async function isSameFolder(spec: string, path: string): Promise<boolean> {
  const [from, to] = await Promise.all([spec, path].map((one) => realpath(one).catch(() => undefined)))
  if (from === undefined || to === undefined || !(await lstat(from)).isDirectory()) return false
  return isInside(to, from) || isInside(from, to)
}

/** Whether there is anything of that name, also a symlink to nowhere. */
async function isThere(path: string): Promise<boolean> {
  const stats = await lstat(path).catch((error: unknown) => {
    if (systemCodeOf(error) === 'ENOENT') return undefined
    throw error
  })
  return stats !== undefined
}

/** Removes the folders from `dir` up to `made`, as far as they are empty. */
async function removeEmpty(dir: string, made: string | undefined): Promise<void> {
  for (let folder = dir; made !== undefined && folder.length >= made.length; folder = dirname(folder))
    await rmdir(folder).catch(() => {})
}

function variables(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}

/** What a person needs of what npm says. */
const noise = /^(A complete log|404\s*$|404 (Note that|tarball)|Note that|code |\s*$)/
const shownLines = 4

function reasonOfNpm({ reason, said = '' }: InstallFailure): string {
  const lines = said.split('\n').flatMap((line) => /^npm (?:error|ERR!) ?(.*)$/.exec(line)?.[1] ?? [])
  const telling = lines.filter((line) => !noise.test(line)).map((line) => line.trim())
  if (telling.length === 0) return reason
  const [, code] = /^npm (?:error|ERR!) code (\S+)/m.exec(said) ?? []
  return `failed${code === undefined ? '' : ` with ${code}`}: ${telling.slice(0, shownLines).join('; ')}`
}
