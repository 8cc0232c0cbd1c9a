import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { styleText } from 'node:util'
import { isPluginError } from '@appfactory/sdk'
import { describeThrown, systemCodeOf } from '@appfactory/sdk/internal'
import { visible } from '../logs/visible.js'
import type { Settings } from './resolve.js'
import type { StopSignals } from './stop-signals.js'
import { UsageError } from './usage-error.js'

/** Exit codes of the command, as documented; after a signal, `StopSignals` has the code. */
export const exitCodes = { done: 0, failure: 1, usage: 2 } as const

/** The streams and signals of a command. */
export interface Streams {
  out: Writable
  error: Writable
  /** Aborted with the error when `out` can't be written any more. */
  gone: AbortSignal
  stop: StopSignals
  /** How long pending output may wait for its reader after the command, in ms. */
  flushMs: number
}

/** Options that all commands with a host share. */
export interface CommonOptions {
  pluginsDir: string[]
  configDir: string
  json: boolean
  /** What holds: the command line, the configuration file and the defaults together. */
  settings: Settings
  /** Reads the configuration file again. */
  readSettings(): Promise<Settings>
}

/** Text for a person, with a line end. */
export function print({ out }: Streams, text: string): void {
  write(out, `${text}\n`)
}

/** JSON for a program. */
export function printJson({ out }: Streams, value: unknown): void {
  out.write(`${JSON.stringify(value, null, 2)}\n`)
}

/** Writes text for a person. Escape sequences in text of others are shown, so that a terminal does not obey them. */
export function write(stream: Writable, text: string): void {
  stream.write(isTerminal(stream) ? visible(text).replaceAll(ownEscape, '\u001b') : text)
}

/** Resolves when the stream has drained, or at an abort. */
export async function roomIn({ out }: Streams, signal: AbortSignal): Promise<void> {
  if (out.writableNeedDrain && !signal.aborted) await once(out, 'drain', { signal }).catch(() => {})
}

/** A secret placeholder for the escape characters of our own colours. */
const ownEscape = randomUUID()

/** Colours, on a terminal only. For `print` and `write`. */
export function paint(stream: Writable, format: Parameters<typeof styleText>[0], text: string): string {
  if (!isTerminal(stream) || process.env['NO_COLOR']) return text
  const [before = '', after = ''] = styleText(format, '|', { validateStream: false }).split('|')
  return [before, after].map((code) => code.replaceAll('\u001b', ownEscape)).join(text)
}

/** Lines of a table; each column is as wide as its widest cell. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

export function isTerminal(stream: Writable): boolean {
  return 'isTTY' in stream && stream.isTTY === true
}

/** Reports an error, for a person or as JSON, and returns the exit code. */
export function fail(streams: Streams, error: unknown, json: boolean): number {
  const usage = error instanceof UsageError || describeThrown(error).name === 'YError'
  const { code, message, data } = describe(error)
  if (json) printJson(streams, { error: { code, message, ...(data === undefined ? {} : { data }) } })
  else complain(streams, `${message}${usage ? '\nTry appfactory-host --help' : ''}`)
  return usage ? exitCodes.usage : exitCodes.failure
}

/** Tells a person something on stderr. */
export function tell({ error: stderr }: Pick<Streams, 'error'>, message: string): void {
  write(stderr, `appfactory-host: ${message}\n`)
}

/** Reports an error on stderr. */
export function complain({ error: stderr }: Pick<Streams, 'error'>, message: string): void {
  write(stderr, `${paint(stderr, 'red', 'appfactory-host:')} ${message}\n`)
}

function describe(error: unknown): { code: number | null; message: string; data?: unknown } {
  if (isPluginError(error)) {
    const { code, codeName, message, data } = error
    return { code, message: codeName ? `${message} (${codeName})` : message, data }
  }
  return { code: null, message: describeThrown(error).message }
}

/** Whether a stream can't be written because its reader has exited, as `head` does. */
export function isReaderGone(error: unknown): boolean {
  return ['EPIPE', 'ECONNRESET', 'EOF'].includes(systemCodeOf(error) ?? '')
}
