import { Readable, type Writable } from 'node:stream'
import { format } from 'node:util'
import { makeBlocking } from './pipe.js'

/** Log levels as systemd writes them before a line on stderr: `<6>message`. */
const consoleLevels = { debug: 7, log: 6, info: 6, warn: 4, error: 3 } as const

/**
 * Keeps stdout for the protocol. From here on `process.stdout` is stderr, and `console.*` writes lines there that begin
 * with their level, so that nothing a plugin prints can be taken for a message.
 */
export function guardStdout(): void {
  makeBlocking(process.stderr)
  keepOpen(process.stderr)
  define('stdout', () => process.stderr)
  for (const [method, level] of Object.entries(consoleLevels)) {
    Reflect.set(console, method, (...args: unknown[]) => writeLog(level, format(...args)))
  }
}

/** The log stays open until the process ends, whoever ends it, or closes its descriptor: what can't be written is lost. */
function keepOpen(log: Writable): void {
  log.on('error', () => {})
  Reflect.set(log, 'end', (...args: unknown[]): Writable => {
    const [chunk, encoding] = args.filter((arg) => typeof arg !== 'function')
    const done = args.find((arg) => typeof arg === 'function')
    if (chunk !== undefined && chunk !== null) Reflect.apply(log.write, log, [chunk, encoding])
    if (done) process.nextTick(done)
    return log
  })
}

/** Keeps stdin for the protocol: from here on `process.stdin` is empty. */
export function guardStdin(): void {
  let empty: EmptyInput | undefined
  define('stdin', () => {
    empty ??= new EmptyInput()
    return empty
  })
}

/** An empty stdin, which ends at once. */
class EmptyInput extends Readable {
  readonly fd = 0

  override _read(): void {
    this.push(null)
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }
}

function define(name: 'stdin' | 'stdout', get: () => unknown): void {
  Object.defineProperty(process, name, { configurable: true, enumerable: true, get })
}

function writeLog(level: number, text: string): void {
  const lines = text.split('\n').map((line) => `<${level}>${line}\n`)
  try {
    process.stderr.write(lines.join(''))
  } catch {
    // The author's own write(). Node's console ignores that too.
  }
}
