import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { FairReader } from '@appfactory/sdk/internal'
import type { LogLevel } from '../logs/levels.js'
import type { LogBudget } from '../logs/log-budget.js'
import { type Message, Messages } from './messages.js'

/** How much of a plugin's stderr is kept for a crash report, in characters. */
const tailLength = 8192

/** A line without an end is logged in parts of this length. */
const maxLineLength = 65_536

/** How long an entry may wait for all its lines, in ms. */
const longestWaitMs = 2000

/** Turns a plugin's stderr into log lines, and keeps the end of it. */
export class StderrLog {
  #tail = ''
  #rest = ''
  #droppedBefore = 0
  readonly #messages = new Messages()
  #waiting: NodeJS.Timeout | undefined
  /** Since when something waits, as `performance.now()` has it. */
  #waitsSince: number | undefined
  readonly #decoder = new StringDecoder('utf8')
  readonly #reader: FairReader
  readonly #budget: LogBudget
  readonly #log: (level: LogLevel, message: string) => void

  constructor(stderr: Readable, budget: LogBudget, log: (level: LogLevel, message: string) => void) {
    this.#budget = budget
    this.#log = log
    this.#reader = new FairReader(stderr, {
      take: (part) => this.#receive(this.#decoder.write(part)),
      end: () => this.#end(),
      worth: () => (this.#hasDroppedMore() ? 'dropped' : 'kept'),
    })
    stderr.on('error', () => {})
  }

  /** The last 8 KiB or so, without level marks. */
  get tail(): string {
    return this.#tail.slice(-tailLength).replace(/^<[0-7]>/gm, '')
  }

  /** Resolves when all input so far is logged. Later input is delayed only briefly. */
  caughtUp(): Promise<void> {
    this.#reader.hurry()
    return this.#reader.caughtUp().then(() => this.flush())
  }

  /** A last line without an end counts too. */
  #end(): void {
    this.#receive(this.#decoder.end())
    this.#logAll([this.#rest])
    this.#rest = ''
    this.flush()
  }

  #receive(text: string): void {
    this.#tail += text
    if (this.#tail.length > 2 * tailLength) this.#tail = this.#tail.slice(-tailLength)
    if (this.#budget.isUsedUp) {
      this.#skip(text)
      return
    }
    // What is kept of a long line is not copied for each part of it.
    const lines = text.split('\n')
    lines[0] = this.#rest + lines[0]
    this.#rest = lines.pop() ?? ''
    if (this.#rest.length > maxLineLength) {
      lines.push(this.#rest)
      this.#rest = ''
    }
    this.#logAll(lines)
  }

  #logAll(lines: readonly string[]): void {
    const messages = this.#messages.add(lines)
    if (messages.length > 0) this.#waitsSince = undefined
    this.#write(messages)
    clearTimeout(this.#waiting)
    const { pauseMs } = this.#messages
    if (pauseMs === undefined) return
    this.#waitsSince ??= performance.now()
    const leftMs = this.#waitsSince + longestWaitMs - performance.now()
    if (leftMs <= 0) this.flush()
    else this.#waiting = setTimeout(() => this.flush(), Math.min(pauseMs, leftMs)).unref()
  }

  /** Logs what waits for its next line: the plugin goes on to something else. */
  flush(): void {
    clearTimeout(this.#waiting)
    this.#waitsSince = undefined
    this.#write(this.#messages.flush())
  }

  #write(messages: readonly Message[]): void {
    for (const { level, message } of messages)
      if (this.#budget.take(message.length)) this.#log(level, message)
  }

  /** Drops the lines that end in `text`. The beginning of the next one is kept. */
  #skip(text: string): void {
    let lines = 0
    let start = 0
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', start)) {
      lines += 1
      start = end + 1
    }
    this.#budget.drop(lines)
    if (lines > 0) this.#rest = text.slice(start)
    else if (this.#rest.length < maxLineLength) this.#rest += text
    if (this.#rest.length > maxLineLength) this.#rest = this.#rest.slice(0, maxLineLength)
  }

  /** Whether lines were dropped since the last query. */
  #hasDroppedMore(): boolean {
    const hasMore = this.#budget.dropped > this.#droppedBefore
    this.#droppedBefore = this.#budget.dropped
    return hasMore
  }
}
