import { mkdirSync, statSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { systemCodeOf, toSnakeCase } from '@appfactory/sdk/internal'
import { reasonOf } from '../errors.js'
import { rounded } from '../numbers.js'
import type { LogFormat } from './formats.js'
import { type LogLevel, logLevels } from './levels.js'
import { lineWriter, type WriteLine } from './line.js'
import { LogFile } from './log-file.js'
import { StderrLines } from './stderr-lines.js'

/** A plugin's share of `plugins.log`, in characters: a quarter of a file. Further lines go to its own file. */
const maxShare = 2_500_000

/** Approximate length of a line without its message, in characters. */
const lineOverhead = 90

/** How often to check that folder and files are still the opened ones, in ms: writing to a removed file does not fail. */
const lookMs = 2000

/** The least level that is logged, of everything and of some plugins. */
export interface LogLevels {
  all: LogLevel
  byPlugin: ReadonlyMap<string, LogLevel | undefined>
}

/**
 * The log files: `plugins.log` for the plugins' output, `launcher.log` for the host's actions. Or both on stderr. Files are
 * rotated at 10 MB. A verbose plugin gets its own file, so that it does not displace the history of others. If the folder can't be written,
 * that is reported once on stderr, and the host goes on.
 */
export class Logs {
  #levels: LogLevels
  readonly #format: LogFormat
  readonly #files: LogFile[] = []
  /** Undefined: there are no files. */
  readonly #dir: string | undefined
  readonly #stderr: StderrLines | undefined
  readonly #plugins: WriteLine | undefined
  /** How much each plugin has logged to the shared file, in characters. */
  readonly #shares = new Map<string, number>()
  /** Files of plugins that exceeded their share. */
  readonly #own = new Map<string, WriteLine | undefined>()
  readonly #launcher: WriteLine | undefined
  readonly #look: NodeJS.Timeout | undefined
  #complained = false

  /** @param dir The folder; `-`: stderr. Without one, nothing is written. */
  constructor(dir: string | undefined, levels: LogLevels, format: LogFormat = 'json') {
    this.#levels = levels
    this.#format = format
    if (dir === '-') {
      this.#stderr = new StderrLines((dropped) => this.launcher('WARNING', droppedWords, { dropped }))
      this.#plugins = lineWriter(format, this.#stderr)
      this.#launcher = this.#plugins
    }
    if (dir === undefined || dir === '-') return
    this.#dir = dir
    this.#plugins = this.#open(dir, 'plugins.log')
    this.#launcher = this.#open(dir, 'launcher.log')
    this.#look = this.#watch(dir)
  }

  /** Whether lines of this level are logged: those of a plugin, or the host's own. */
  wants(level: LogLevel, plugin = ''): boolean {
    const least = this.#levels.byPlugin.get(plugin) ?? this.#levels.all
    return logLevels.indexOf(level) >= logLevels.indexOf(least)
  }

  /** From now on, lines of these levels are logged. */
  set levels(levels: LogLevels) {
    this.#levels = levels
  }

  /** A line of a plugin; whether it is wanted is for the caller to ask. */
  plugin(plugin: string, level: LogLevel, message: string, where: { place?: number } = {}): void {
    this.#writerFor(plugin, message.length)?.(level, { plugin, ...where }, message)
  }

  /** Where a plugin's next line goes. */
  #writerFor(plugin: string, length: number): WriteLine | undefined {
    if (this.#dir === undefined) return this.#plugins
    if (this.#own.has(plugin)) return this.#own.get(plugin)
    const share = (this.#shares.get(plugin) ?? 0) + length + lineOverhead
    this.#shares.set(plugin, share)
    if (share <= maxShare) return this.#plugins
    const file = `plugins.${plugin}.log`
    this.#plugins?.('WARNING', { plugin }, `${plugin} logs a lot: its further lines are in ${file}`)
    this.#own.set(plugin, this.#open(this.#dir, file))
    return this.#own.get(plugin)
  }

  /** A line of the host; its details are in snake_case in the log, and numbers are rounded. */
  launcher(level: LogLevel, message: string, details: Readonly<Record<string, unknown>> = {}): void {
    if (this.#launcher && this.wants(level)) this.#launcher(level, fieldsOf(details), message)
  }

  async close(): Promise<void> {
    clearInterval(this.#look)
    await Promise.all([...this.#files.splice(0), this.#stderr].map((lines) => lines?.close()))
  }

  #open(dir: string, file: string): WriteLine | undefined {
    try {
      makeFolder(dir)
      const dropped = this.#format === 'text' ? droppedText : undefined
      const stream = new LogFile(dir, file, (error) => this.#complain(dir, error), dropped)
      this.#files.push(stream)
      return lineWriter(this.#format, stream)
    } catch (error) {
      this.#complain(dir, error)
      return undefined
    }
  }

  /** Warns once if the folder was removed or replaced. */
  #watch(dir: string): NodeJS.Timeout {
    const opened = stat(dir).catch(() => undefined)
    const look = async (): Promise<void> => {
      const [before, now] = await Promise.all([opened, stat(dir)])
      if (before !== undefined && before.ino !== now.ino) throw new Error('the folder was replaced')
      await Promise.all(this.#files.map((file) => file.look()))
    }
    return setInterval(() => void look().catch((error) => this.#complain(dir, error)), lookMs).unref()
  }

  #complain(dir: string, error: unknown): void {
    clearInterval(this.#look)
    if (this.#complained) return
    this.#complained = true
    process.stderr.write(
      `appfactory-host: logs can't be written to ${dir}: ${reasonOf(error)}. Going on without logs.\n`,
    )
  }
}

/** Only this user may read it. Not `recursive`: Node's mkdir never returns below /proc. */
function makeFolder(dir: string): void {
  try {
    mkdirSync(dir, { mode: 0o700 })
  } catch (error) {
    if (statSync(dir, { throwIfNoEntry: false })?.isDirectory()) return
    if (systemCodeOf(error) !== 'ENOENT' || dirname(dir) === dir) throw error
    makeFolder(dirname(dir))
    mkdirSync(dir, { mode: 0o700 })
  }
}

const droppedWords = 'lines were dropped: they came faster than they could be written'

function droppedText(count: number): string {
  return `${new Date().toISOString()} WARNING  ${droppedWords} dropped=${count}\n`
}

/** A `message` would stand beside the line's own. */
function fieldsOf(details: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(details).map(([key, value]) => [
      key === 'message' ? 'reason' : toSnakeCase(key),
      typeof value === 'number' ? rounded(value) : value,
    ]),
  )
}
