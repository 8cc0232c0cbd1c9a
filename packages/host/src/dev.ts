import { existsSync, realpathSync } from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { type FSWatcher, watch } from 'chokidar'
import { discoverPlugins } from './discovery.js'
import type { PluginHost } from './host.js'
import { Reloader } from './reloader.js'

/** What became of a plugin that is watched. */
export type DevelopmentEvent =
  /** It is about to be loaded, for the first time or anew. */
  | { type: 'changed'; plugin: string }
  | { type: 'loaded'; plugin: string; version: string; durationMs: number }
  /** `durationMs` counts from the save. */
  | { type: 'reloaded'; plugin: string; version: string; durationMs: number; statePreserved: boolean }
  | { type: 'unloaded'; plugin: string }
  /** `serving`: the one before goes on. `repeated`: so did the last attempt, with the same error. */
  | {
      type: 'failed'
      plugin: string
      serving: boolean
      repeated: boolean
      error: unknown
      place: string | undefined
    }
  /** The operating system does not tell of changes. */
  | { type: 'watch_failed'; error: unknown }

export interface WatchOptions {
  /** A plugin's own folder, or a folder of plugins. */
  dir: string
  /** The host's folder of `<plugin>.json` files: a change there counts too. */
  configDir?: string
  onEvent(event: DevelopmentEvent): void
}

export interface PluginWatch extends AsyncDisposable {
  /** Resolves when nothing is being loaded any more. The plugins stay. */
  close(): Promise<void>
}

/** What a save may change in a plugin. What it writes itself, sound and logs, is something else. */
const sourceFiles = /\.([cm]?[jt]sx?|json|node|wasm)$/
const notWatched = new Set(['node_modules', 'logs', 'out'])

/** How long a save must be over before it counts: editors write in several steps. */
const settleMs = 50

/** The folder of plugins that a host needs to run what is in `dir`: a plugin, or plugins. */
export function pluginsDirOf(dir: string): string {
  return isPlugin(resolve(dir)) ? dirname(realpathSync(dir)) : resolve(dir)
}

/**
 * Loads the plugins in `dir`, and puts each in its own place anew when its source is saved: a new process, with the
 * state of the one before. What fails to start leaves the one before serving. Resolves when all are being loaded.
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
  #watcher: FSWatcher | undefined

  constructor(host: PluginHost, options: WatchOptions) {
    this.#host = host
    this.#options = options
    // A link to a plugin may have another name than the plugin.
    this.#dir = isPlugin(options.dir) ? realpathSync(options.dir) : resolve(options.dir)
    this.#configDir = options.configDir === undefined ? undefined : resolve(options.configDir)
    this.#isSingle = isPlugin(this.#dir)
  }

  async open(): Promise<void> {
    const watcher = watch([this.#dir, ...(this.#configDir === undefined ? [] : [this.#configDir])], {
      ignoreInitial: true,
      ignored: (path) => this.#isIgnored(path),
    })
    this.#watcher = watcher
    watcher.on('all', (_, path) => this.#changed(path))
    watcher.on('error', (error) => this.#options.onEvent({ type: 'watch_failed', error }))
    // What is saved from here on is noticed; so what is loaded is not older.
    await new Promise<void>((done) => watcher.once('ready', () => done()))
    for (const name of await this.#names()) this.#reloader(name).reload([])
  }

  async close(): Promise<void> {
    await this.#watcher?.close()
    await Promise.all([...this.#reloaders.values()].map((reloader) => reloader.close()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #names(): Promise<string[]> {
    if (this.#isSingle) return [basename(this.#dir)]
    const { plugins } = await discoverPlugins([this.#dir])
    return plugins.map(({ dir }) => basename(dir))
  }

  /** Folders that are not looked into at all. */
  #isIgnored(path: string): boolean {
    if (path === this.#configDir) return false
    const names = relative(this.#dir, path).split(sep)
    if (names[0] === '..') return false
    return names.some((name) => notWatched.has(name) || (name.startsWith('.') && name !== '.'))
  }

  #changed(path: string): void {
    const name = this.#pluginOf(path)
    if (name === undefined) return
    const dir = this.#isSingle ? this.#dir : join(this.#dir, name)
    const isThere = existsSync(join(dir, 'manifest.json'))
    // A folder becomes a plugin with its manifest; a plugin whose manifest has gone is unloaded.
    if (!isThere && !this.#reloaders.has(name)) return
    const isFolder = path === dir
    if (isFolder || isSource(dir, path)) this.#reloader(name).changed(path)
  }

  /** The plugin that a file belongs to. */
  #pluginOf(path: string): string | undefined {
    if (this.#configDir !== undefined && dirname(path) === this.#configDir) {
      const name = basename(path, '.json')
      if (this.#reloaders.has(name)) return name
    }
    const [first = '', ...rest] = relative(this.#dir, path).split(sep)
    if (first === '..' || first === '') return undefined
    if (this.#isSingle) return basename(this.#dir)
    return rest.length > 0 || this.#reloaders.has(first) ? first : undefined
  }

  #reloader(name: string): Reloader {
    const known = this.#reloaders.get(name)
    if (known) return known
    const dir = this.#isSingle ? this.#dir : join(this.#dir, name)
    const reloader = new Reloader({
      host: this.#host,
      name,
      dir,
      settleMs,
      onEvent: this.#options.onEvent,
    })
    this.#reloaders.set(name, reloader)
    return reloader
  }
}

/** Whether a change of that file may change what the plugin does. What is built counts only where it is what runs. */
function isSource(dir: string, path: string): boolean {
  const [first = ''] = relative(dir, path).split(sep)
  if (first === 'dist' && existsSync(join(dir, 'src', 'index.ts'))) return false
  return sourceFiles.test(path) || first === '..'
}

function isPlugin(dir: string): boolean {
  return existsSync(join(dir, 'manifest.json'))
}
