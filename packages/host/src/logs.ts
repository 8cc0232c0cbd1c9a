import { mkdirSync, statSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { systemCodeOf } from '@appfactory/sdk/wire'
import { pino } from 'pino'
import { reasonOf } from './discovery.js'
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

/** How often it is looked whether the folder is still the one that was opened, in ms: writing to a removed file is no error. */
const lookMs = 2000

/**
 * The log files: `plugins.log` for what plugins say, `launcher.log` for what the host does. One JSON object a line,
 * rotated at 10 MB. A folder that can't be written is told once on stderr; the host goes on.
 */
export class Logs {
  readonly #level: LogLevel
  readonly #files: LogFile[] = []
  readonly #plugins: pino.Logger | undefined
  readonly #launcher: pino.Logger | undefined
  readonly #look: NodeJS.Timeout | undefined
  #complained = false

  /** Without a folder nothing is written. */
  constructor(dir: string | undefined, level: LogLevel) {
    this.#level = level
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
    this.#plugins?.[pinoLevels[level]]({ plugin }, message)
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
