import type { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { format } from 'node:util'
import { openBytePipe } from '../wire/byte-pipe.js'

/** Log levels as systemd writes them before a line on stderr: `<6>message`. */
const consoleLevels = { debug: 7, log: 6, info: 6, warn: 4, error: 3 } as const

/**
 * Keeps stdout for the protocol. From here on `process.stdout` is stderr, and `console.*` writes lines there that begin
 * with their level, so that nothing a plugin prints can be taken for a message. Returns the real stdout.
 */
export function guardStdout(): Writable {
  const protocol = process.stdout
  writeBlocking(protocol)
  writeBlocking(process.stderr)
  Object.defineProperty(process, 'stdout', {
    configurable: true,
    enumerable: true,
    get: () => process.stderr,
  })
  for (const [method, level] of Object.entries(consoleLevels)) {
    Reflect.set(console, method, (...args: unknown[]) => writeLog(level, format(...args)))
  }
  return protocol
}

/** A pipe that the host has left open for this process. Throws where there is none. */
export function openPipe(fd: number): Socket {
  const pipe = openBytePipe({ fd })
  writeBlocking(pipe)
  return pipe
}

/** Else a large reply, or the last words, would be cut off where the plugin calls process.exit() right after. */
function writeBlocking(stream: Writable): void {
  Reflect.get(stream, '_handle')?.setBlocking?.(true)
}

function writeLog(level: number, text: string): void {
  const lines = text.split('\n').map((line) => `<${level}>${line}\n`)
  process.stderr.write(lines.join(''))
}
