import type { Socket } from 'node:net'
import { maxTimerMs } from '@appfactory/sdk/internal'
import { failureOf, gatewayClosing, RequestError } from '../errors.js'
import { requestId, type Shared } from '../exchange.js'
import { drained } from '../send-bytes.js'
import { Dialogue } from './dialogue.js'
import { FrameReader, frameOf, type WyomingEvent } from './frames.js'
import type { Programs } from './programs.js'
import { Queue } from './queue.js'
import type { Talk } from './talk.js'

/** How many events that are no parts of a stream a client may send at once, and how many more each second. */
const mostAtOnce = 100
const mostEachSecond = 10

/** How long a client may take to read why it is disconnected, in ms. */
const lastWordsMs = 5000

/** One client of the Wyoming protocol. */
export class Connection implements Talk {
  readonly directory: Shared['directory']
  readonly programs: Programs
  selected: string | undefined
  readonly #settings: Shared['settings']
  readonly #socket: Socket
  readonly #frames = new FrameReader()
  readonly #inbox = new Queue<WyomingEvent>()
  readonly #dialogue = new Dialogue(this, (error) => this.#inbox.end({ error }))
  readonly #abort = new AbortController()
  /** The client is waited for, and not the other way round. */
  #isWaiting = true
  #isClosing = false
  #allowance = mostAtOnce
  #countedAt = performance.now()

  constructor(socket: Socket, { directory, settings }: Shared, programs: Programs) {
    this.directory = directory
    this.programs = programs
    this.#settings = settings
    this.#socket = socket
    socket.on('data', (bytes) => this.#receive(bytes))
    socket.on('end', () => this.#leave()).on('close', () => this.#leave())
    socket.on('error', () => {}).on('timeout', () => this.#endIfIdle())
    socket.setTimeout(Math.min(settings.limits.idleConnectionMs, maxTimerMs))
    void this.#serve()
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  async send(type: string, data?: object, payload?: Uint8Array): Promise<void> {
    if (this.#socket.destroyed) throw new Error('The client has gone')
    if (!this.#socket.write(frameOf(type, data, payload)))
      await drained(this.#socket, this.#settings.limits.unreadStreamMs)
  }

  report(error: unknown): void {
    this.#settings.onError(error, requestId())
  }

  /** Ends it when nothing is under way. */
  finish(): void {
    this.#isClosing = true
    if (this.#isWaiting && this.#dialogue.isIdle) this.#inbox.end()
  }

  /** Ends what is under way. */
  cancel(): void {
    this.#endWith(gatewayClosing())
  }

  /** Ends it without a word. */
  destroy(): void {
    this.#socket.destroy()
  }

  async #serve(): Promise<void> {
    try {
      for await (const event of this.#inbox) {
        this.#isWaiting = false
        this.#count(event)
        await this.#dialogue.take(event)
        this.#isWaiting = true
        if (this.#isClosing && this.#dialogue.isIdle) break
      }
    } catch (error) {
      await this.#tell(error)
    }
    this.#inbox.end()
    this.#abort.abort(new Error('The connection has ended'))
    // What the client still sends is thrown away: it could not read the last event otherwise.
    this.#socket.resume().end()
    const patience = setTimeout(() => this.#socket.destroy(), lastWordsMs)
    this.#socket.once('close', () => clearTimeout(patience))
  }

  #receive(bytes: Uint8Array): void {
    try {
      for (const event of this.#frames.push(bytes)) this.#inbox.push(event, event.bytes)
    } catch (error) {
      // What came before is answered.
      this.#inbox.end({ error })
    }
    const room = this.#inbox.room()
    if (!room) return
    this.#socket.pause()
    void room.then(() => this.#socket.resume())
  }

  /** Nothing is computed for who has gone. */
  #leave(): void {
    this.#abort.abort(new Error('The client has gone'))
    this.#inbox.end()
  }

  #endWith(reason: RequestError): void {
    this.#abort.abort(reason)
    this.#inbox.end({ error: reason })
  }

  #endIfIdle(): void {
    const { idleConnectionMs } = this.#settings.limits
    if (!this.#isWaiting) this.#socket.setTimeout(idleConnectionMs)
    else
      this.#endWith(new RequestError(408, `Nothing has come for ${idleConnectionMs} ms`, { code: 'timeout' }))
  }

  /** Refuses floods: each connection has its share. Parts of a stream are held up by room for them. */
  #count({ type }: WyomingEvent): void {
    if (type.endsWith('-chunk')) return
    const now = performance.now()
    const gained = ((now - this.#countedAt) / 1000) * mostEachSecond
    this.#countedAt = now
    this.#allowance = Math.min(mostAtOnce, this.#allowance + gained) - 1
    if (this.#allowance >= 0) return
    throw new RequestError(429, `A client may send ${mostEachSecond} events a second`, {
      code: 'too_many_events',
    })
  }

  /** Tells the client why it ends. Requests have no ids, so that no later one could be told from this. */
  async #tell(error: unknown): Promise<void> {
    const failure = failureOf(this.signal.aborted ? this.signal.reason : error)
    if (this.#socket.readableEnded || this.#socket.destroyed) return
    if (failure.status === 500) this.report(error)
    await this.send('error', { text: failure.message, code: failure.code }).catch(() => {})
  }
}
