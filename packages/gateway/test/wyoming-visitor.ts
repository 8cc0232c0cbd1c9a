import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { FrameReader, frameOf, type WyomingEvent } from '../src/wyoming/frames.js'

/** A client of the Wyoming protocol that says what it likes. */
export class WyomingVisitor {
  readonly socket: Socket
  readonly closed: Promise<unknown>
  readonly #frames = new FrameReader()
  readonly #events: WyomingEvent[] = []

  private constructor(socket: Socket) {
    this.socket = socket
    this.closed = once(socket, 'close').catch(() => {})
    socket.on('error', () => {})
    socket.on('data', (bytes) => this.#events.push(...this.#frames.push(bytes)))
  }

  static async enter(port: number | undefined): Promise<WyomingVisitor> {
    const visitor = new WyomingVisitor(connect(port ?? 0, '127.0.0.1'))
    onTestFinished(() => void visitor.socket.destroy())
    await once(visitor.socket, 'connect')
    return visitor
  }

  send(type: string, data: object = {}, payload?: Uint8Array): void {
    this.socket.write(frameOf(type, data, payload))
  }

  /** The next event; undefined where the connection ends before. */
  async next(): Promise<WyomingEvent | undefined> {
    while (this.#events.length === 0 && !this.socket.destroyed)
      await Promise.race([once(this.socket, 'data').catch(() => {}), this.closed])
    return this.#events.shift()
  }

  /** All events up to one of a type, or to the end. */
  async until(type: string): Promise<WyomingEvent[]> {
    const events: WyomingEvent[] = []
    for (let event = await this.next(); event; event = await this.next()) {
      events.push(event)
      if (event.type === type) break
    }
    return events
  }
}

/** The types of events, repeated ones once. */
export function typesOf(events: readonly WyomingEvent[]): string[] {
  const types = events.map(({ type }) => type)
  return types.filter((type, index) => type !== types[index - 1])
}
