import type { LogLevel } from '../logs/levels.js'

/** One entry of the log. */
export interface Message {
  level: LogLevel
  message: string
}

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

/** The first line of Node's report of an error that ends the process: `file:///plugins/a/index.js:7` */
const place = /^(?:file:\/\/|node:|\/|[A-Za-z]:\\)\S.*:\d+$/
/** Under the line of code that comes next. */
const mark = /^\s*\^+\s*$/
/** The last line of such a report. */
const version = /^Node\.js v\d/

/** A report is logged in parts of this length, in characters. */
const longestReport = 65_536

/** Joins lines into entries of the log: a report of Node's is one, wherever its parts were cut. */
export class Messages {
  /** Lines of what may be a report, or is one from its third line on. */
  #report: string[] = []
  #length = 0

  /** Whether lines wait for more of a report. */
  get isWaiting(): boolean {
    return this.#report.length > 0
  }

  add(lines: readonly string[]): Message[] {
    const messages: Message[] = []
    let plain: string[] = []
    for (const line of lines) {
      if (this.#report.length === 0 && !place.test(line)) {
        plain.push(line)
        continue
      }
      messages.push(...joinContinued(plain))
      plain = []
      this.#report.push(line)
      this.#length += line.length
      if (this.#isOver(line)) messages.push(...this.flush())
    }
    return [...messages, ...joinContinued(plain)]
  }

  /** What waited, as it is. */
  flush(): Message[] {
    const lines = this.#report
    this.#report = []
    this.#length = 0
    const isReport = lines.length >= 3 && mark.test(lines[2] ?? '')
    return isReport ? [{ level: 'ERROR', message: lines.join('\n').trimEnd() }] : joinContinued(lines)
  }

  #isOver(line: string): boolean {
    const isNone = this.#report.length === 3 && !mark.test(line)
    return isNone || version.test(line) || this.#length > longestReport
  }
}

/** A line that begins with white space, as in a stack trace, belongs to the one before. */
function joinContinued(lines: readonly string[]): Message[] {
  const messages: Message[] = []
  for (const line of lines) {
    const [, level = '', marked] = /^<([0-7])>(.*)$/s.exec(line) ?? []
    const text = marked ?? line
    const last = messages.at(-1)
    if (last && /^\s+\S/.test(text)) last.message += `\n${text}`
    else if (text.trim() !== '') messages.push({ level: levelOf[level] ?? 'WARNING', message: text })
  }
  return messages
}
