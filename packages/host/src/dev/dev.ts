import { existsSync, readdirSync, realpathSync, type Stats } from 'node:fs'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { type FSWatcher, watch } from 'chokidar'
import type { PluginHost } from '../host.js'
import { discoverPlugins, inspectPlugin } from '../plugins/discovery.js'
import { isInside } from '../plugins/entry.js'
import type { DevelopmentEvent } from './events.js'
import { importedFiles } from './imports.js'
import { fingerprint, Reloader } from './reloader.js'

/** What to watch, and who is told. */
export interface WatchOptions {
  /** A plugin's own folder, or a folder of plugins. */
  dir: string
  /** The host's folder of `<plugin>.json` files: a change there counts too. */
  configDir?: string
  /** Called for each event of a watched plugin. */
  onEvent(event: DevelopmentEvent): void
}

/** Plugins that are being watched. */
export interface PluginWatch extends AsyncDisposable {
  /** Stops watching; resolves when no load is running. The plugins stay loaded. */
  close(): Promise<void>
}

/** Files whose change may change a plugin, unlike its output, such as sound and logs. */
const sourceFiles = /\.([cm]?[jt]sx?|py|json|node|wasm)$|[\\/]requirements[^\\/]*\.txt$/
/** JSON files that count even if no code imports them; others may be a plugin's data. */
const settings = /^(manifest|package|tsconfig.*)\.json$/
const notWatched = new Set(['node_modules', 'logs', 'out', '__pycache__', 'venv'])

/** How long to wait after a save: editors write in several steps. */
const settleMs = 50
/** How often to check that the folders are still the watched ones, in ms. */
const lookMs = 1000

/** The plugins folder that a host needs for `dir`, which is a plugin or a folder of plugins. */
export function pluginsDirOf(dir: string): string {
  return isPlugin(resolve(dir)) ? dirname(realpathSync(dir)) : resolve(dir)
}

/**
 * Loads the plugins in `dir`, and swaps each for itself when its source is saved: a new process with the state of the previous
 * one. If it fails to start, the previous one goes on serving. Resolves when all are loading.
 *
 * @param host Made with `preferSource`, so that TypeScript runs without a build.
 * @example await using watching = await watchPlugins(host, { dir: './plugins', onEvent: console.error })
 */
export async function watchPlugins(host: PluginHost, options: WatchOptions): Promise<PluginWatch> {
  const watching = new Watch(host, options)
  try {
    await watching.open()
    return watching
  } catch (error) {
    await watching.close()
    throw error
  }
}

class Watch implements PluginWatch {
  readonly #host: PluginHost
  readonly #options: WatchOptions
  readonly #dir: string
  readonly #configDir: string | undefined
  readonly #isSingle: boolean
  readonly #reloaders = new Map<string, Reloader>()
  /** The folder of each plugin, with symlinks resolved. */
  readonly #realFolders = new Map<string, string>()
  /** The files that the code of each plugin imports, by their real paths. */
  readonly #imports = new Map<string, Set<string>>()
  /** The folders of plugins at the last check. */
  #folders = new Map<string, string>()
  /** The folders that are watched recursively. */
  #roots: string[] = []
  #watcher: FSWatcher | undefined
  #look: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined

  constructor(host: PluginHost, options: WatchOptions) {
    this.#host = host
    this.#options = options
    // A symlink to a plugin may have another name than the plugin.
    this.#dir = isPlugin(options.dir) ? realpathSync(options.dir) : resolve(options.dir)
    this.#configDir = options.configDir === undefined ? undefined : resolve(options.configDir)
    this.#isSingle = isPlugin(this.#dir)
  }

  async open(): Promise<void> {
    // Watch before loading, so that no save in between is missed.
    await this.#watch()
    for (const name of await this.#names()) this.#reloader(name)
    const files = this.#watchedFiles()
    await Promise.all([...this.#reloaders].map(([name, reloader]) => reloader.load(files.get(name) ?? [])))
    this.#folders = await this.#lookAtFolders()
    this.#look = setInterval(() => {
      this.#looking ??= this.#findReplaced()
        .catch((error: unknown) => this.#options.onEvent({ type: 'watch_failed', error }))
        .finally(() => {
          this.#looking = undefined
        })
    }, lookMs).unref()
  }

  async close(): Promise<void> {
    clearInterval(this.#look)
    await this.#looking
    await this.#watcher?.close()
    await Promise.all([...this.#reloaders.values()].map((reloader) => reloader.close()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #watch(): Promise<void> {
    for (const name of this.#reloaders.keys()) this.#findFolder(name)
    this.#roots = [this.#dir, ...(this.#configDir === undefined ? [] : [this.#configDir]), ...this.#links()]
    const imported = [...this.#imports.values()].flatMap((files) => [...files])
    const watcher = watch([...this.#roots, ...imported.filter((file) => !this.#rootOf(file))], {
      ignoreInitial: true,
      // A symlink may lead to the whole disk.
      followSymlinks: false,
      ignored: (path, stats) => this.#isIgnored(path, stats),
    })
    this.#watcher = watcher
    watcher.on('all', (_, path) => this.#changed(path))
    watcher.on('error', (error) => this.#options.onEvent({ type: 'watch_failed', error }))
    await new Promise<void>((done) => watcher.once('ready', () => done()))
  }

  async #names(): Promise<string[]> {
    if (this.#isSingle) return [basename(this.#dir)]
    const { plugins } = await discoverPlugins({ dirs: [this.#dir] })
    return plugins.map(({ dir }) => basename(dir))
  }

  #folderOf(name: string): string {
    return this.#isSingle ? this.#dir : join(this.#dir, name)
  }

  #realFolder(name: string): string {
    return this.#realFolders.get(name) ?? this.#folderOf(name)
  }

  #findFolder(name: string): void {
    this.#realFolders.set(name, realPathOf(this.#folderOf(name)) ?? this.#folderOf(name))
  }

  /** The targets of plugins' folders that are symlinks. */
  #links(): string[] {
    if (this.#isSingle || !existsSync(this.#dir)) return []
    return readdirSync(this.#dir, { withFileTypes: true })
      .filter((entry) => entry.isSymbolicLink() && isPlugin(join(this.#dir, entry.name)))
      .map((entry) => realpathSync(join(this.#dir, entry.name)))
  }

  /** Relevant watched files, by plugin. */
  #watchedFiles(): Map<string, string[]> {
    const files = new Map<string, string[]>()
    for (const [dir, names] of Object.entries(this.#watcher?.getWatched() ?? {}))
      for (const path of names.map((name) => join(dir, name)))
        for (const plugin of this.#pluginsOf(path))
          if (this.#counts(plugin, this.#folderOf(plugin), path))
            files.set(plugin, [...(files.get(plugin) ?? []), path])
    return files
  }

  /** Whether a path is ignored completely. */
  #isIgnored(path: string, stats: Stats | undefined): boolean {
    if (stats?.isFile() && !sourceFiles.test(path)) return true
    const root = this.#rootOf(path)
    if (root === undefined || root === path) return false
    return relative(root, path)
      .split(sep)
      .some((name) => notWatched.has(name) || name.startsWith('.'))
  }

  /** The innermost watched folder. */
  #rootOf(path: string): string | undefined {
    return this.#roots
      .filter((root) => isInside(root, path))
      .sort((one, other) => other.length - one.length)[0]
  }

  #changed(path: string): void {
    for (const name of this.#pluginsOf(path)) {
      const dir = this.#folderOf(name)
      // A manifest makes a folder a plugin; a plugin whose manifest was removed is unloaded.
      if (!isPlugin(dir) && !this.#reloaders.has(name)) continue
      if (path === dir || this.#counts(name, dir, path)) this.#reloader(name).changed(path)
    }
  }

  /** The plugins that a file belongs to. */
  #pluginsOf(path: string): string[] {
    const names = [...this.#reloaders.keys()].filter((name) => this.#isPartOf(name, path))
    const [first = '', ...rest] = relative(this.#dir, path).split(sep)
    if (first === '..' || first === '' || isAbsolute(first)) return names
    const own = this.#isSingle ? basename(this.#dir) : first
    return rest.length > 0 || this.#isSingle || this.#reloaders.has(own)
      ? [...new Set([...names, own])]
      : names
  }

  /** As above, for a file that may lie outside of the plugins folder. */
  #isPartOf(name: string, path: string): boolean {
    if (this.#configDir !== undefined && path === join(this.#configDir, `${name}.json`)) return true
    if (this.#imports.get(name)?.has(path)) return true
    return isInside(this.#realFolder(name), path)
  }

  /** Whether a change of that file may change the plugin. Built files count only if they are what runs. */
  #counts(name: string, dir: string, path: string): boolean {
    if (this.#imports.get(name)?.has(realPathOf(path) ?? path)) return true
    const real = this.#realFolder(name)
    const inside = isInside(real, path) ? relative(real, path) : relative(dir, path)
    const [first = ''] = inside.split(sep)
    if (first === 'dist' && existsSync(join(dir, 'src', 'index.ts'))) return false
    if (first === '..') return true
    return sourceFiles.test(path) && (!path.endsWith('.json') || settings.test(basename(path)))
  }

  #reloader(name: string): Reloader {
    const known = this.#reloaders.get(name)
    if (known) return known
    const dir = this.#folderOf(name)
    const reloader = new Reloader({
      host: this.#host,
      name,
      dir,
      settleMs,
      prepare: () => this.#followImports(name, dir),
      onEvent: this.#options.onEvent,
    })
    this.#reloaders.set(name, reloader)
    this.#findFolder(name)
    return reloader
  }

  /** Also watches files outside of its folder that the plugin imports. */
  async #followImports(name: string, dir: string): Promise<string[]> {
    const { entryFile } = (await inspectPlugin(dir, { preferSource: true }).catch(() => undefined)) ?? {}
    // While the manifest is broken, the imports are unknown.
    if (entryFile === undefined) return []
    const files = await importedFiles(entryFile)
    const before = this.#imports.get(name)
    this.#imports.set(name, files)
    const added = [...files].filter((file) => !before?.has(file))
    this.#watcher?.add(added.filter((file) => this.#rootOf(file) === undefined))
    return added
  }

  async #lookAtFolders(): Promise<Map<string, string>> {
    const dirs = [this.#dir, ...[...this.#reloaders.keys()].map((name) => this.#folderOf(name))]
    const prints = await Promise.all(dirs.map(fingerprint))
    return new Map(dirs.map((dir, index) => [dir, prints[index] ?? '']))
  }

  /** Detects replaced folders, which a watcher misses. */
  async #findReplaced(): Promise<void> {
    const before = this.#folders
    this.#folders = await this.#lookAtFolders()
    const isReplaced = [...this.#folders].some(([dir, print]) => (before.get(dir) ?? print) !== print)
    if (!isReplaced) return
    // Watchers of one path share what watches it, which would still be the folder of before. What is saved between is found below.
    await this.#watcher?.close()
    await this.#watch()
    for (const name of await this.#names().catch(() => []))
      if (!this.#reloaders.has(name)) this.#reloader(name).changed(this.#folderOf(name))
    const files = this.#watchedFiles()
    for (const [name, reloader] of this.#reloaders) {
      reloader.recheck()
      for (const path of [this.#folderOf(name), ...(files.get(name) ?? [])]) this.#changed(path)
    }
  }
}

function realPathOf(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return undefined
  }
}

function isPlugin(dir: string): boolean {
  return existsSync(join(dir, 'manifest.json'))
}
