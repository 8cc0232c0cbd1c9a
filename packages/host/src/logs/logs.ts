import { mkdirSync, statSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { systemCodeOf } from '@appfactory/sdk/wire'
import { pino } from 'pino'
import { reasonOf } from '../errors.js'
import { LogFile } from './log-file.js'

/** Levels as the command line and the log files name them, quietest last. */
export const logLevels = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'] as const

export type LogLevel = (typeof logLevels)[number]

const pinoLevels = {
  DEBUG: 'debug',
  INFO: 'info',
  WARNING: 'warn',
  ERROR: 'error',
  CRITICAL: 'fatal',
} as const

/** What one plugin may have in `plugins.log`, in characters: a quarter of a file. What it says beyond goes to a file of its own. */
const maxShare = 2_500_000

/** What stands around a message in its line, in characters or so. */
const lineOverhead = 90

/** How often it is looked whether folder and files are still those that were opened, in ms: writing to a removed file is no error. */
const lookMs = 2000

/**
 * The log files: `plugins.log` for what plugins say, `launcher.log` for what the host does. One JSON object a line,
 * rotated at 10 MB. Who says much has a file of its own, so that nobody's history is pushed out by others. A folder that can't be written is told once on stderr; the host goes on.
 */
export class Logs {
  readonly #level: LogLevel
  readonly #files: LogFile[] = []
  readonly #dir: string | undefined
  readonly #plugins: pino.Logger | undefined
  /** What each plugin has said in the file of all, in characters. */
  readonly #shares = new Map<string, number>()
  /** Files of those that have said more than their share. */
  readonly #own = new Map<string, pino.Logger | undefined>()
  readonly #launcher: pino.Logger | undefined
  readonly #look: NodeJS.Timeout | undefined
  #complained = false

  /** Without a folder nothing is written. */
  constructor(dir: string | undefined, level: LogLevel) {
    this.#level = level
    this.#dir = dir
    if (dir === undefined) return
    this.#plugins = this.#open(dir, 'plugins.log')
    this.#launcher = this.#open(dir, 'launcher.log')
    this.#look = this.#watch(dir)
  }

  /** Whether lines of this level are wanted. */
  wants(level: LogLevel): boolean {
    return logLevels.indexOf(level) >= logLevels.indexOf(this.#level)
  }

  plugin(plugin: string, level: LogLevel, message: string): void {
    this.#fileFor(plugin, message.length)?.[pinoLevels[level]]({ plugin }, message)
  }

  /** Where a plugin's next line goes. */
  #fileFor(plugin: string, length: number): pino.Logger | undefined {
    if (this.#dir === undefined || this.#own.has(plugin)) return this.#own.get(plugin)
    const share = (this.#shares.get(plugin) ?? 0) + length + lineOverhead
    this.#shares.set(plugin, share)
    if (share <= maxShare) return this.#plugins
    const file = `plugins.${plugin}.log`
    this.#plugins?.warn({ plugin }, `${plugin} says much: what it says from now on is in ${file}`)
    this.#own.set(plugin, this.#open(this.#dir, file))
    return this.#own.get(plugin)
  }

  launcher(level: LogLevel, message: string, details: Record<string, unknown> = {}): void {
    this.#launcher?.[pinoLevels[level]](details, message)
  }

  async close(): Promise<void> {
    clearInterval(this.#look)
    await Promise.all(this.#files.splice(0).map((file) => file.close()))
  }

  #open(dir: string, file: string): pino.Logger | undefined {
    try {
      makeFolder(dir)
      const stream = new LogFile(dir, file, (error) => this.#complain(dir, error))
      this.#files.push(stream)
      return pino(
        {
          level: pinoLevels[this.#level],
          base: null,
          timestamp: pino.stdTimeFunctions.isoTime,
          formatters: { level: (label) => ({ level: nameOf(label) }) },
        },
        stream,
      )
    } catch (error) {
      this.#complain(dir, error)
      return undefined
    }
  }

  /** Complains once the folder is gone, or another one in its place. */
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
      `appfactory-host: logs can't be written to ${dir}: ${reasonOf(error)}. Going on without.\n`,
    )
  }
}

/** Only this user may look into it. Node's own way of making the folders above it never ends below /proc. */
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

function nameOf(pinoLevel: string): LogLevel {
  return logLevels.find((level) => pinoLevels[level] === pinoLevel) ?? 'INFO'
}
