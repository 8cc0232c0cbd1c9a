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

/** Lines of Python's after which a traceback, or the rest of one, follows. */
const tracebackBegins =
  /^(Traceback \(most recent call last\):|Exception in thread .*:|Exception ignored in.*|Fatal Python error: .*|(Current t|T)hread 0x\w+.* \(most recent call first\):)$/
/** The first line of a traceback whose other lines all begin with white space. */
const groupBegins = /^ *\+ Exception Group Traceback \(most recent call last\):$/
/** Between the tracebacks of one error and of the error that it came from. */
const tracebackGoesOn =
  /^(During handling of the above exception, another exception occurred|The above exception was the direct cause of the following exception):$/

/** An entry is logged in parts of this length, in characters. */
const longestEntry = 65_536

/** How long an entry may wait for its next line, in ms: one whose end is known by what follows, and one that is not complete. */
const pauseMs = { complete: 100, incomplete: 500 }

/** An entry that the next line may belong to. */
interface OpenEntry {
  mark: string
  lines: string[]
  length: number
  /** Whether it is a traceback without its last line. */
  isIncomplete: boolean
  /** Whether it is a traceback, perhaps with its last line. */
  isTraceback: boolean
  /** Whether its last line is empty. */
  endsBlank: boolean
}

/** Joins lines into entries of the log: a report of Node's or a traceback of Python's is one, wherever its parts were cut. */
export class Messages {
  /** Lines of what may be a report, or is one from its third line on. */
  #report: string[] = []
  #length = 0
  #open: OpenEntry | undefined

  /** How long what waits may wait for more, in ms. Undefined: nothing waits. */
  get pauseMs(): number | undefined {
    if (this.#report.length > 0 || this.#open?.isIncomplete) return pauseMs.incomplete
    return this.#open && pauseMs.complete
  }

  add(lines: readonly string[]): Message[] {
    const messages: Message[] = []
    for (const line of lines) {
      if (this.#report.length === 0 && !place.test(line)) {
        this.#addLine(line, messages)
        continue
      }
      this.#close(messages)
      this.#report.push(line)
      this.#length += line.length
      if (this.#isOver(line)) this.#endReport(messages)
    }
    return messages
  }

  /** What waited, as it is. */
  flush(): Message[] {
    const messages: Message[] = []
    this.#endReport(messages)
    this.#close(messages)
    return messages
  }

  #isOver(line: string): boolean {
    const isNone = this.#report.length === 3 && !mark.test(line)
    return isNone || version.test(line) || this.#length > longestEntry
  }

  #endReport(messages: Message[]): void {
    const lines = this.#report
    this.#report = []
    this.#length = 0
    const isReport = lines.length >= 3 && mark.test(lines[2] ?? '')
    if (isReport) messages.push({ level: 'ERROR', message: lines.join('\n').trimEnd() })
    else for (const line of lines) this.#addLine(line, messages)
  }

  #addLine(line: string, messages: Message[]): void {
    const [, level = '', marked] = /^<([0-7])>(.*)$/s.exec(line) ?? []
    const text = marked ?? line
    if (this.#open && this.#belongs(this.#open, level, text)) append(this.#open, text)
    else {
      this.#close(messages)
      if (text.trim() !== '') this.#open = opened(level, text)
    }
    if (this.#open && this.#open.length > longestEntry) this.#close(messages)
  }

  /** A line that begins with white space, as in a stack trace, belongs to the one before; a traceback has a last line that does not. */
  #belongs(open: OpenEntry, level: string, text: string): boolean {
    if (isContinued(text)) return true
    if (!open.isTraceback || level !== open.mark) return false
    return open.isIncomplete || tracebackGoesOn.test(text) || (open.endsBlank && tracebackBegins.test(text))
  }

  #close(messages: Message[]): void {
    const open = this.#open
    this.#open = undefined
    if (!open) return
    const level = open.mark === '' && open.isTraceback ? 'ERROR' : (levelOf[open.mark] ?? 'WARNING')
    messages.push({ level, message: open.lines.join('\n').trimEnd() })
  }
}

function opened(mark: string, text: string): OpenEntry {
  const isIncomplete = tracebackBegins.test(text)
  const isTraceback = isIncomplete || groupBegins.test(text)
  return { mark, lines: [text], length: text.length, isIncomplete, isTraceback, endsBlank: false }
}

function append(open: OpenEntry, text: string): void {
  open.lines.push(text)
  open.length += text.length + 1
  open.endsBlank = text.trim() === ''
  if (open.isTraceback && !isContinued(text))
    open.isIncomplete = tracebackBegins.test(text) || tracebackGoesOn.test(text)
}

/** Whether a line is empty, or begins with white space. */
function isContinued(text: string): boolean {
  return text === '' || (/^\s/.test(text) && !groupBegins.test(text))
}
