import { pino } from 'pino'

/** How much may wait for the reader of stderr, in bytes. Beyond this, lines are dropped and counted. */
const maxWaiting = 1_048_576

/** How long the last lines may wait for their reader, in ms. */
const closeMs = 1000

/** Lines on the host's stderr. A reader that is slow loses lines, and never holds up the host. */
export class StderrLines {
  readonly #stream = pino.destination({ fd: 2, sync: false, maxLength: maxWaiting })
  readonly #onDropped: (count: number) => void
  #dropped = 0

  /** @param onDropped Told before the next line how many were dropped. */
  constructor(onDropped: (count: number) => void) {
    this.#onDropped = onDropped
    this.#stream.on('drop', () => {
      this.#dropped += 1
    })
    // Nowhere is left to report it.
    this.#stream.on('error', () => {})
  }

  write(line: string): void {
    const dropped = this.#dropped
    this.#dropped = 0
    if (dropped > 0) this.#onDropped(dropped)
    this.#stream.write(line)
  }

  /** Resolves once all lines are written, or their time is over. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        this.#stream.destroy()
        resolve()
      }
      const timer = setTimeout(end, closeMs)
      this.#stream.flush(end)
    })
  }
}
