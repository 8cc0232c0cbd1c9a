import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isPluginError } from '@appfactory/sdk'
import { describeThrown } from '@appfactory/sdk/internal'
import type { Catalogue } from '../catalogue.js'
import { isHostError } from '../errors.js'
import { internalsOf, type PluginHost } from '../host.js'
import { inspectPlugin } from '../plugins/discovery.js'
import { ownNode } from '../process/node.js'
import type { DevelopmentEvent } from './events.js'

export interface ReloaderOptions {
  host: PluginHost
  name: string
  dir: string
  /** How long to wait after a save. */
  settleMs: number
  /** Runs before each attempt: resolves to further files to watch. */
  prepare(): Promise<readonly string[]>
  onEvent(event: DevelopmentEvent): void
}

/** A swap with state needs calls in flight to finish: if they did not, it is retried. */
const retryMs = 1000

/** Keeps one plugin up to date with its files, one attempt at a time. */
export class Reloader {
  readonly #options: ReloaderOptions
  /** Files that were saved since the last attempt began. */
  #saved = new Set<string>()
  #savedAt = 0
  #timer: NodeJS.Timeout | undefined
  #attempt: Promise<void> | undefined
  /** Files that were saved since the last success. */
  readonly #suspects = new Set<string>()
  /** Fingerprints of the files at the start of the last attempt. */
  readonly #contents = new Map<string, string>()
  /** Whether the last attempt succeeded: then unchanged files need no further attempt. */
  #isUpToDate = false
  #lastFailure = ''
  #closed = false

  constructor(options: ReloaderOptions) {
    this.#options = options
  }

  /** A file was saved; more may follow. */
  changed(file: string): void {
    if (this.#closed) return
    if (this.#saved.size === 0) this.#savedAt = performance.now()
    this.#saved.add(file)
    this.#schedule(this.#options.settleMs)
  }

  /** Loads the plugin for the first time. Resolves when it is loading. */
  async load(files: readonly string[]): Promise<void> {
    const begun = performance.now()
    const remembered = this.#remember([this.#options.dir, ...files]).then(() => this.#prepare())
    this.#begin(remembered.then(() => this.#try([], begun)))
    await remembered
  }

  async #prepare(): Promise<void> {
    await this.#remember(await this.#options.prepare())
  }

  /** Checks all known files: some may have changed unnoticed. */
  recheck(): void {
    for (const file of this.#contents.keys()) this.changed(file)
  }

  /** Saves during an attempt are handled after it. */
  #begin(attempt: Promise<void>): void {
    this.#attempt = attempt.finally(() => {
      this.#attempt = undefined
      if (this.#saved.size > 0) this.#schedule(this.#options.settleMs)
    })
  }

  /** Loads the plugin, or swaps it for itself, if a file has changed. */
  async #reload(files: readonly string[], begun: number): Promise<void> {
    const hasChanged = await this.#remember([this.#options.dir, ...files])
    if (!hasChanged && this.#isUpToDate) return
    await this.#prepare()
    await this.#try(files, begun)
  }

  /** Returns whether any of the files has changed since the last time. */
  async #remember(files: readonly string[]): Promise<boolean> {
    const contents = await Promise.all(files.map(fingerprint))
    const changed = files.filter((file, index) => this.#contents.get(file) !== contents[index])
    for (const [index, file] of files.entries()) this.#contents.set(file, contents[index] ?? '')
    return changed.length > 0
  }

  /** Whether files were saved since the attempt began, also where the watcher has not reported it yet. */
  async #isOutdated(): Promise<boolean> {
    for (const [file, content] of this.#contents)
      if ((await fingerprint(file)) !== content) this.changed(file)
    return this.#saved.size > 0
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#attempt
  }

  get #catalogue(): Catalogue {
    return internalsOf(this.#options.host).catalogue
  }

  #schedule(delayMs: number): void {
    clearTimeout(this.#timer)
    if (this.#closed || this.#attempt) return
    this.#timer = setTimeout(() => {
      const files = [...this.#saved]
      this.#saved.clear()
      this.#begin(this.#reload(files, this.#savedAt))
    }, delayMs)
  }

  async #try(files: readonly string[], begun: number): Promise<void> {
    const { host, name, dir, onEvent } = this.#options
    onEvent({ type: 'changed', plugin: name })
    try {
      if (existsSync(join(dir, 'manifest.json'))) await this.#loadOrSwap(begun)
      else if (this.#catalogue.isLoaded(name)) {
        await host.unload(name)
        onEvent({ type: 'unloaded', plugin: name })
      }
      this.#lastFailure = ''
      this.#isUpToDate = true
      this.#suspects.clear()
    } catch (error) {
      this.#isUpToDate = false
      for (const file of files) this.#suspects.add(file)
      await this.#fail(error)
    }
  }

  async #loadOrSwap(begun: number): Promise<void> {
    const { host, name, onEvent } = this.#options
    if (this.#catalogue.isLoaded(name)) {
      const { newVersion, statePreserved } = await host.swap(name, name)
      const durationMs = performance.now() - begun
      onEvent({ type: 'reloaded', plugin: name, version: newVersion, durationMs, statePreserved })
    } else {
      await host.load(name)
      const { version } = await this.#catalogue.summary(name)
      const durationMs = performance.now() - begun
      onEvent({ type: 'loaded', plugin: name, version: version ?? '', durationMs })
    }
  }

  async #fail(error: unknown): Promise<void> {
    const { host, name, dir, onEvent } = this.#options
    if (isPassing(error)) this.#retryLater()
    const cause = rootOf(error)
    const place = knownPlace(cause) ?? (await placeOfSyntaxError(cause, dir, this.#suspects))
    // An incomplete save may be the cause: the next attempt will show.
    if (internalsOf(host).isClosed() || this.#saved.size > 0 || (await this.#isOutdated())) return
    const failure = `${place}: ${describeThrown(cause).message}`
    const repeated = failure === this.#lastFailure
    this.#lastFailure = failure
    onEvent({
      type: 'failed',
      plugin: name,
      serving: this.#catalogue.isLoaded(name),
      repeated,
      error: cause,
      place,
    })
  }

  #retryLater(): void {
    setTimeout(() => {
      for (const file of this.#suspects) this.changed(file)
    }, retryMs).unref()
  }
}

/** Longest file that is compared by content, in bytes. */
const maxComparedBytes = 16 * 1024 * 1024

/** A fingerprint of a file's content; for a folder, of its identity. */
export async function fingerprint(path: string): Promise<string> {
  try {
    const stats = await stat(path)
    const { dev, ino, birthtimeMs, mtimeMs, size } = stats
    if (stats.isDirectory()) return `folder ${dev} ${ino} ${birthtimeMs}`
    if (!stats.isFile() || size > maxComparedBytes) return `${size} ${mtimeMs}`
    return createHash('sha1')
      .update(await readFile(path))
      .digest('hex')
  } catch {
    return 'none'
  }
}

/** Whether the source is not at fault: calls in flight did not finish in time. */
function isPassing(error: unknown): boolean {
  if (!isHostError(error, 'HOTSWAP_FAILED')) return false
  return Reflect.get(Object(error.data), 'step') === 'drain'
}

/** The cause of a failed swap, which is more specific. */
function rootOf(error: unknown): unknown {
  return isHostError(error, 'HOTSWAP_FAILED') ? (error.cause ?? error) : error
}

function knownPlace(error: unknown): string | undefined {
  const place: unknown = isPluginError(error) ? Reflect.get(Object(error.data), 'place') : undefined
  return typeof place === 'string' ? place : undefined
}

/** Finds the place of a syntax error: Node reports it with `--check`, but not on import. */
async function placeOfSyntaxError(
  error: unknown,
  dir: string,
  suspects: Iterable<string>,
): Promise<string | undefined> {
  if (!isPluginError(error) || error.codeName !== 'PLUGIN_LOAD_FAILED') return undefined
  const { entryFile = '' } = (await inspectPlugin(dir, { preferSource: true })) ?? {}
  const files = [...new Set([...suspects, entryFile])]
  for (const file of files.filter((path) => /\.[cm]?js$/.test(path) && existsSync(path))) {
    const said = await checkSyntax(file)
    const [, line] = /^.*:(\d+)$/m.exec(said) ?? []
    if (line !== undefined) return `${file}:${line}`
  }
  return undefined
}

function checkSyntax(file: string): Promise<string> {
  return new Promise((done) => {
    const options = { timeout: 5000, env: { ...process.env, ...ownNode.env } }
    execFile(ownNode.file, ['--check', file], options, (_, __, stderr) => done(stderr))
  })
}
