import { isUtf8 } from 'node:buffer'
import type { Writable } from 'node:stream'

/** Default limit of one message: 8 MiB. */
export const defaultMaxMessageBytes = 8 * 1024 * 1024

const lineFeed = 0x0a
const byteOrderMark = 0xfeff

/** Shorter parts of an unfinished line are joined as they come, since each that is kept costs hundreds of bytes. */
const smallPart = 1024
const joinedParts = 64 * 1024

/** Most lines that are kept for one write. */
const linesPerWrite = 16

interface LineHandlers {
  /** One line without its LF; where it is not UTF-8, its bytes. */
  onLine(line: string | Uint8Array): void
  /** A line passed the limit. The rest of it is skipped up to the next LF. */
  onOversize(): void
}

/**
 * Splits bytes into lines at LF. Chunks of an unfinished line are kept as they are and joined once, so that time is
 * linear in the line's length however finely it is cut.
 */
export class LineSplitter {
  #chunks: Uint8Array[] = []
  /** Where small parts are joined, and how much of it is in use. */
  #joint: Buffer | undefined
  #jointFilled = 0
  #bytes = 0
  #skipping = false
  readonly #handlers: LineHandlers
  /** Longest line, in bytes. */
  maxBytes: number

  constructor(handlers: LineHandlers, maxBytes: number = defaultMaxMessageBytes) {
    this.#handlers = handlers
    this.maxBytes = maxBytes
  }

  push(chunk: Uint8Array): void {
    let start = 0
    if (this.#bytes > 0 || this.#skipping) {
      const end = chunk.indexOf(lineFeed)
      this.#add(end === -1 ? chunk : chunk.subarray(0, end))
      if (end === -1) return
      this.#finishLine()
      start = end + 1
    }
    const last = chunk.lastIndexOf(lineFeed)
    if (last >= start) this.#wholeLines(chunk.subarray(start, last))
    const rest = Math.max(start, last + 1)
    if (rest < chunk.length) this.#add(chunk.subarray(rest))
  }

  /** The input has ended: a last line without LF counts. */
  end(): void {
    if (this.#bytes > 0) this.#finishLine()
  }

  /** Lines that lie in one chunk are decoded together. */
  #wholeLines(bytes: Uint8Array): void {
    if (bytes.length <= this.maxBytes && isUtf8(bytes)) {
      for (const line of textOf(bytes).split('\n')) this.#handlers.onLine(withoutMark(line))
      return
    }
    let start = 0
    for (let end = bytes.indexOf(lineFeed); end !== -1; end = bytes.indexOf(lineFeed, start)) {
      this.#add(bytes.subarray(start, end))
      this.#finishLine()
      start = end + 1
    }
    this.#add(bytes.subarray(start))
    this.#finishLine()
  }

  #add(part: Uint8Array): void {
    if (this.#skipping) return
    this.#bytes += part.length
    if (this.#bytes <= this.maxBytes) {
      this.#keep(part)
      return
    }
    this.#chunks = []
    this.#joint = undefined
    this.#skipping = true
    this.#handlers.onOversize()
  }

  #keep(part: Uint8Array): void {
    // The first part is the whole line, most often.
    if (this.#chunks.length === 0 || part.length >= smallPart) {
      this.#endJoint()
      this.#chunks.push(part)
      return
    }
    if (this.#joint && this.#jointFilled + part.length > joinedParts) this.#endJoint()
    this.#joint ??= Buffer.allocUnsafeSlow(joinedParts)
    this.#joint.set(part, this.#jointFilled)
    this.#jointFilled += part.length
  }

  #endJoint(): void {
    if (this.#joint) this.#chunks.push(this.#joint.subarray(0, this.#jointFilled))
    this.#joint = undefined
    this.#jointFilled = 0
  }

  #finishLine(): void {
    this.#endJoint()
    const [first] = this.#chunks
    const bytes = this.#chunks.length === 1 && first ? first : Buffer.concat(this.#chunks)
    const skipped = this.#skipping
    this.#chunks = []
    this.#bytes = 0
    this.#skipping = false
    if (!skipped) this.#handlers.onLine(isUtf8(bytes) ? withoutMark(textOf(bytes)) : bytes)
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
}

function withoutMark(line: string): string {
  return line.charCodeAt(0) === byteOrderMark ? line.slice(1) : line
}

/** Writes lines: the first ones of a turn of the event loop at once, those that follow together at its end, or in rows. */
export class LineWriter {
  #pending: string[] = []
  #caughtUp: Promise<void> | undefined
  #closed = false
  /** Whether lines have gone out in this turn. */
  #hasWritten = false
  readonly #output: Writable

  constructor(output: Writable) {
    this.#output = output
    output.once('close', () => this.close())
  }

  write(line: string): void {
    if (this.#closed) return
    if (this.#pending.length === 0 && !this.#hasWritten) process.nextTick(this.#flushSoon)
    this.#pending.push(line)
    // The other process can begin with these while this one makes the next.
    if (this.#pending.length === linesPerWrite) this.flush()
  }

  readonly #flushSoon = (): void => this.flush()

  /** Hands everything to the operating system's pipe, or to Node's buffer before it. */
  flush(): void {
    if (this.#pending.length === 0 || this.#closed) return
    const text = `${this.#pending.join('\n')}\n`
    this.#pending = []
    this.#output.write(text)
    if (this.#hasWritten) return
    this.#hasWritten = true
    setImmediate(this.#endTurn)
  }

  readonly #endTurn = (): void => {
    this.#hasWritten = false
    this.flush()
  }

  /** Bytes that the stream has taken and the system has not. */
  get unsentBytes(): number {
    return this.#output.writableLength
  }

  /** Resolves when the reader has caught up; undefined when it has already. All who wait share one promise. */
  caughtUp(): Promise<void> | undefined {
    if (this.#closed || !this.#output.writableNeedDrain) return undefined
    this.#caughtUp ??= new Promise((resolve) => {
      const done = (): void => {
        this.#caughtUp = undefined
        this.#output.off('drain', done)
        this.#output.off('close', done)
        resolve()
      }
      this.#output.on('drain', done)
      this.#output.on('close', done)
    })
    return this.#caughtUp
  }

  close(): void {
    this.#closed = true
    this.#pending = []
  }
}
