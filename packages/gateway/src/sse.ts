import type { ServerResponse } from 'node:http'
import { maxTimerMs } from '@appfactory/sdk/internal'
import type { Exchange } from './exchange.js'
import type { GatewayLimits } from './options.js'

const headers = {
  'content-type': 'text/event-stream; charset=utf-8',
  // No proxy may compress the stream, or hold it back.
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
}

/** What is gathered before it is written, in characters: the pieces of one turn go in one write. */
const mostGathered = 16_384

/** Server-sent events as an answer. The pace is the reader's: who sends waits for `room()`. */
export class EventStream {
  readonly #response: ServerResponse
  readonly #limits: Pick<GatewayLimits, 'keepAliveMs' | 'unreadStreamMs'>
  #gathered = ''
  #isFull = false
  #flushing: NodeJS.Immediate | undefined
  #silence: NodeJS.Timeout | undefined
  /** What is sent when nothing else comes. */
  readonly #sign: () => string

  /** Sends the headers. @param idle An event that says nothing; without it, a comment does. */
  constructor(exchange: Exchange, idle?: () => string) {
    const { response, settings } = exchange
    const { limits, keepAlive } = settings
    // A comment without a blank line behind it: some clients take that for an event.
    this.#sign = keepAlive === 'chunk' && idle ? () => `data: ${idle()}\n\n` : () => ':\n'
    this.#response = response
    this.#limits = limits
    exchange.writeHead(200, headers)
    response.once('close', () => this.#stop())
    if (keepAlive !== 'off')
      this.#silence = setTimeout(() => this.#keepAlive(), Math.min(limits.keepAliveMs, maxTimerMs))
  }

  /**
   * Sends an event.
   *
   * @param data JSON, or `[DONE]`: without a line end.
   * @param name What some clients tell events apart by.
   */
  send(data: string, name?: string): void {
    if (name !== undefined) this.#gathered += `event: ${name}\n`
    this.#gathered += `data: ${data}\n\n`
    if (this.#gathered.length >= mostGathered) this.#flush()
    else this.#flushing ??= setImmediate(() => this.#flush())
  }

  /** A promise to wait for before more is sent; undefined: there is room now. */
  room(): Promise<void> | undefined {
    if (!this.#isFull || this.#response.destroyed) return undefined
    return new Promise((resolve) => {
      const stalled = setTimeout(
        () => this.#response.destroy(),
        Math.min(this.#limits.unreadStreamMs, maxTimerMs),
      )
      const go = (): void => {
        clearTimeout(stalled)
        this.#response.off('drain', go).off('close', go)
        this.#isFull = false
        resolve()
      }
      this.#response.on('drain', go).on('close', go)
    })
  }

  /** Ends the answer. */
  end(): void {
    this.#flush()
    this.#stop()
    this.#response.end()
  }

  #flush(): void {
    clearImmediate(this.#flushing)
    this.#flushing = undefined
    const text = this.#gathered
    this.#gathered = ''
    if (text === '' || this.#response.destroyed) return
    this.#isFull = !this.#response.write(text)
    this.#silence?.refresh()
  }

  #keepAlive(): void {
    if (!this.#isFull) this.#response.write(this.#sign())
    this.#silence?.refresh()
  }

  #stop(): void {
    clearImmediate(this.#flushing)
    clearTimeout(this.#silence)
    this.#silence = undefined
  }
}
