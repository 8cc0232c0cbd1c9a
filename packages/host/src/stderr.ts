import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import type { LogLevel } from './logs.js'

/** What is kept of a plugin's stderr for a crash report, in characters. */
const tailLength = 8192

/** A line without an end is logged in parts of this length. */
const maxLineLength = 65_536

/** Levels of `<N>` before a line, as systemd's sd-daemon(3) has them. */
const levelOf: Record<string, LogLevel> = {
  0: 'CRITICAL',
  1: 'CRITICAL',
  2: 'CRITICAL',
  3: 'ERROR',
  4: 'WARNING',
  5: 'INFO',
  6: 'INFO',
  7: 'DEBUG',
}

/** Turns a plugin's stderr into log lines, and keeps the end of it. */
export class StderrLog {
  #tail = ''
  #rest = ''
  readonly #decoder = new StringDecoder('utf8')
  readonly #log: (level: LogLevel, message: string) => void

  constructor(stderr: Readable, log: (level: LogLevel, message: string) => void) {
    this.#log = log
    stderr.on('data', (chunk: Buffer) => this.#receive(this.#decoder.write(chunk)))
    stderr.once('end', () => this.#end())
    stderr.on('error', () => {})
  }

  /** The last 8 KiB or so, without level marks. */
  get tail(): string {
    return this.#tail.replace(/^<[0-7]>/gm, '')
  }

  /** A last line without an end counts too. */
  #end(): void {
    this.#receive(this.#decoder.end())
    for (const { level, message } of joinContinued([this.#rest])) this.#log(level, message)
  }

  #receive(text: string): void {
    this.#tail = (this.#tail + text).slice(-tailLength)
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    if (this.#rest.length > maxLineLength) {
      lines.push(this.#rest)
      this.#rest = ''
    }
    for (const { level, message } of joinContinued(lines)) this.#log(level, message)
  }
}

/** Lines to messages: one that begins with white space, as those of a stack trace do, belongs to the one before. */
function joinContinued(lines: readonly string[]): { level: LogLevel; message: string }[] {
  const messages: { level: LogLevel; message: string }[] = []
  for (const line of lines) {
    const [, mark = '', marked] = /^<([0-7])>(.*)$/s.exec(line) ?? []
    const text = marked ?? line
    const last = messages.at(-1)
    if (last && /^\s+\S/.test(text)) last.message += `\n${text}`
    else if (text.trim() !== '') messages.push({ level: levelOf[mark] ?? 'WARNING', message: text })
  }
  return messages
}
