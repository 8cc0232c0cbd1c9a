import type { Writable } from 'node:stream'
import { styleText } from 'node:util'
import { isPluginError } from '@appfactory/sdk'
import { describeThrown } from '@appfactory/sdk/wire'
import { UsageError } from './usage-error.js'

/** Exit status of the command, as documented. */
export const exitCodes = { done: 0, failure: 1, usage: 2, interrupted: 130, terminated: 143 } as const

export interface Streams {
  out: Writable
  error: Writable
}

/** Options that all commands share. */
export interface CommonOptions {
  pluginsDir: string[]
  configDir: string
  logDir: string
  logLevel: 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR' | 'CRITICAL'
  autoInstallDeps: boolean
  allowInstallScripts: boolean
  json: boolean
}

export function print({ out }: Streams, text: string): void {
  out.write(`${text}\n`)
}

export function printJson(streams: Streams, value: unknown): void {
  print(streams, JSON.stringify(value, null, 2))
}

/** Says what went wrong, for a person or as JSON, and returns the exit status. */
export function fail(streams: Streams, error: unknown, json: boolean): number {
  const usage = error instanceof UsageError || describeThrown(error).name === 'YError'
  const { code, message, data } = describe(error)
  if (json) printJson(streams, { error: { code, message, ...(data === undefined ? {} : { data }) } })
  else
    streams.error.write(
      `${paint(streams.error, 'red', 'appfactory-host:')} ${message}\n${usage ? 'Try appfactory-host --help\n' : ''}`,
    )
  return usage ? exitCodes.usage : exitCodes.failure
}

function describe(error: unknown): { code: number | null; message: string; data?: unknown } {
  if (isPluginError(error)) {
    const { code, codeName, message, data } = error
    return { code, message: codeName ? `${message} (${codeName})` : message, data }
  }
  return { code: null, message: describeThrown(error).message }
}

/** Colours, on a terminal only. */
export function paint(stream: Writable, format: Parameters<typeof styleText>[0], text: string): string {
  const isTerminal = 'isTTY' in stream && stream.isTTY === true
  return isTerminal && !process.env['NO_COLOR'] ? styleText(format, text) : text
}
