import { chmodSync, closeSync, openSync, statSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { reasonOf } from '../errors.js'
import { LogFile } from '../logs/log-file.js'
import type { WireLine } from './wire.js'

/** A file of messages, one a line. It is a log file: bounded, rotated, and it loses lines rather than hold the host up. */
export class TraceFile {
  readonly #file: LogFile
  #complained = false

  /** @throws TypeError where it can't be written. */
  constructor(path: string) {
    const file = resolve(path)
    prepare(file)
    this.#file = new LogFile(dirname(file), basename(file), (error) => this.#complain(file, error))
  }

  write(line: WireLine): void {
    this.#file.write(`${JSON.stringify(line)}\n`)
  }

  /** Resolves once all lines are written or have failed. */
  close(): Promise<void> {
    return this.#file.close()
  }

  #complain(file: string, error: Error): void {
    if (this.#complained) return
    this.#complained = true
    process.stderr.write(
      `appfactory-host: ${file} can't be written: ${reasonOf(error)}. Going on without the trace.\n`,
    )
  }
}

/** What it holds is for this user only, also where the file was there before. */
function prepare(file: string): void {
  try {
    // To open a named pipe would wait for its reader.
    if (statSync(file, { throwIfNoEntry: false })?.isFile() === false) throw new Error('it is no file')
    closeSync(openSync(file, 'a', 0o600))
    chmodSync(file, 0o600)
  } catch (error) {
    throw new TypeError(
      `traceWire: ${file} can't be written: ${reasonOf(error)}. Name a file in a folder that is there`,
    )
  }
}
