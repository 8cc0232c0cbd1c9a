import { type DestinationStream, pino } from 'pino'
import type { LogFormat } from './formats.js'
import { type LogLevel, logLevels } from './levels.js'
import { visible } from './visible.js'

/** Writes one line. */
export type WriteLine = (level: LogLevel, details: Readonly<Record<string, unknown>>, message: string) => void

const pinoLevels = {
  DEBUG: 'debug',
  INFO: 'info',
  WARNING: 'warn',
  ERROR: 'error',
  CRITICAL: 'fatal',
} as const

/** What writes lines of a format to a stream. */
export function lineWriter(format: LogFormat, stream: DestinationStream): WriteLine {
  if (format === 'text') return (level, details, message) => stream.write(textLine(level, details, message))
  const logger = pino(
    {
      level: pinoLevels.DEBUG,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: nameOf(label) }) },
    },
    stream,
  )
  return (level, details, message) => logger[pinoLevels[level]](details, message)
}

/** `2026-01-31T12:00:00.000Z WARNING tts_flite: message key=value`. Further lines of a message are indented: none passes for a line. */
function textLine(
  level: LogLevel,
  { plugin, ...details }: Readonly<Record<string, unknown>>,
  message: string,
): string {
  const fields = Object.entries(details)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}=${wordOf(value)}`)
  const from = plugin === undefined ? '' : `${String(plugin)}: `
  const text = visible(`${from}${message}${fields.join('')}`).replaceAll('\n', '\n    ')
  return `${new Date().toISOString()} ${level.padEnd(8)} ${text}\n`
}

function wordOf(value: unknown): string {
  return typeof value === 'string' && /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value)
}

function nameOf(pinoLevel: string): LogLevel {
  return logLevels.find((level) => pinoLevels[level] === pinoLevel) ?? 'INFO'
}
