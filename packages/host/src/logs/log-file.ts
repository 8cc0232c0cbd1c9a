import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createStream, type RotatingFileStream } from 'rotating-file-stream'

/** Number of older files that are kept besides the current one. */
const keptFiles = 5
const maxFileSize = '10M'

/** How much may wait for the disk, in characters. Beyond this, lines are dropped and counted. */
const maxWaiting = 1_048_576

/**
 * A file of lines, rotated at 10 MB. Lines that arrive while the disk is busy are written in one piece. A plugin that logs more
 * than the disk takes loses lines and does not fill the memory.
 */
export class LogFile {
  readonly #dir: string
  readonly #file: string
  readonly #onError: (error: Error) => void
  readonly #droppedLine: (count: number) => string
  #stream: RotatingFileStream
  /** Identifies the current file in the file system. */
  #opened: Promise<number | undefined> = Promise.resolve(undefined)
  #isRotating = false
  #waiting: string[] = []
  #waitingLength = 0
  #dropped = 0
  #writing = false

  /** @param dropped The line that tells of lines that were dropped. Default: JSON. */
  constructor(dir: string, file: string, onError: (error: Error) => void, dropped = droppedLine) {
    this.#dir = dir
    this.#file = file
    this.#onError = onError
    this.#droppedLine = dropped
    this.#stream = this.#open()
  }

  /** Continues in a new file if the current one was moved or removed: writing to it would not fail. */
  async look(): Promise<void> {
    const [opened, now] = await Promise.all([this.#opened, inodeOf(join(this.#dir, this.#file))])
    if (opened === undefined || opened === now || this.#isRotating || this.#stream.destroyed) return
    const moved = this.#stream
    this.#stream = this.#open()
    this.#writing = false
    moved.end()
    this.#flush()
  }

  #open(): RotatingFileStream {
    const stream = createStream(
      (index) => (index === null || Number(index) === 0 ? this.#file : `${this.#file}.${String(index)}`),
      // Plugins may log user data, so only this user may read it.
      { path: this.#dir, size: maxFileSize, rotate: keptFiles, mode: 0o600 },
    )
    stream.on('error', this.#onError)
    stream.on('rotation', () => {
      this.#isRotating = true
    })
    stream.on('open', () => {
      this.#isRotating = false
      this.#opened = inodeOf(join(this.#dir, this.#file))
    })
    return stream
  }

  /** @param line Includes its line end. */
  write(line: string): void {
    if (this.#stream.destroyed) return
    if (this.#waitingLength + line.length > maxWaiting) {
      this.#dropped += 1
      return
    }
    this.#waiting.push(line)
    this.#waitingLength += line.length
    if (!this.#writing) this.#flush()
  }

  /** Resolves once all lines are written or have failed. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => resolve()
      this.#stream.once('error', done)
      if (!this.#stream.destroyed) this.#stream.write(this.#take())
      this.#stream.end(done)
    })
  }

  #flush(): void {
    const text = this.#take()
    this.#writing = text !== ''
    const stream = this.#stream
    if (this.#writing)
      stream.write(text, () => {
        if (stream === this.#stream) this.#flush()
      })
  }

  #take(): string {
    if (this.#dropped > 0) this.#waiting.push(this.#droppedLine(this.#dropped))
    const text = this.#waiting.join('')
    this.#waiting = []
    this.#waitingLength = 0
    this.#dropped = 0
    return text
  }
}

async function inodeOf(file: string): Promise<number | undefined> {
  const stats = await stat(file).catch(() => undefined)
  return stats?.ino
}

function droppedLine(dropped: number): string {
  const msg = `${dropped} lines were dropped: they came faster than they could be written`
  return `${JSON.stringify({ level: 'WARNING', time: new Date().toISOString(), dropped, msg })}\n`
}
