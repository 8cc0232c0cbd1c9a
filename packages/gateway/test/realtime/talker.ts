import { once } from 'node:events'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { RealtimeClientEvent, RealtimeServerEvent } from 'openai/resources/realtime/realtime'
import { expect, onTestFinished } from 'vitest'
import { type ClientOptions, WebSocket } from 'ws'
import type { ZodType } from 'zod'

const library = createRequire(import.meta.url).resolve('@openai/agents-realtime')
const schemas: { realtimeServerEventSchema: ZodType } = await import(
  pathToFileURL(join(dirname(library), 'openaiRealtimeEvents.mjs')).href
)

type Type = RealtimeServerEvent['type']
type Of<Wanted extends Type> = Extract<RealtimeServerEvent, { type: Wanted }>
type Rest<Event> = Event extends { event_id: string } ? Omit<Event, 'event_id'> : never

/** A client of `/realtime` that checks each event with the schemas of OpenAI’s own client. */
export class Talker {
  readonly socket: WebSocket
  readonly events: RealtimeServerEvent[] = []
  readonly closed: Promise<{ code: number; reason: string }>
  #read = 0
  #wake: (() => void) | undefined

  constructor(
    port: number,
    query = '',
    options: ClientOptions & { protocols?: string[]; isBeta?: boolean } = {},
  ) {
    const { protocols = [], isBeta = false, ...rest } = options
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/v1/realtime${query}`, protocols, rest)
    this.socket.on('message', (data) => {
      const event: RealtimeServerEvent = JSON.parse(String(data))
      if (!isBeta) schemas.realtimeServerEventSchema.parse(event)
      expect(event).toMatchObject({ event_id: expect.stringMatching(/^event_/) })
      this.events.push(event)
      this.#wake?.()
    })
    this.closed = new Promise((resolve) => {
      this.socket.once('close', (code, reason) => {
        resolve({ code, reason: String(reason) })
        this.#wake?.()
      })
    })
    this.socket.on('error', () => {})
    onTestFinished(() => this.socket.terminate())
  }

  send(event: RealtimeClientEvent | Record<string, unknown> | string | Buffer): void {
    const text = typeof event === 'string' || Buffer.isBuffer(event) ? event : JSON.stringify(event)
    this.socket.send(text)
  }

  async opened(): Promise<this> {
    await this.next('session.created')
    return this
  }

  /** The next event of a type; those in front of it are passed over. */
  async next<Wanted extends Type>(type: Wanted): Promise<Of<Wanted>> {
    for (;;) {
      const event = this.events[this.#read]
      if (event) {
        this.#read++
        if (event.type === type) return event as Of<Wanted>
        continue
      }
      if (this.socket.readyState === WebSocket.CLOSED)
        throw new Error(`Closed before ${type}: ${JSON.stringify(this.events.slice(-3))}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Types of all events so far; those that repeat are named once. */
  get types(): string[] {
    return this.events.map(({ type }) => type).filter((type, index, all) => type !== all[index - 1])
  }

  /** The error that follows an event. */
  async errorOf(event: Parameters<Talker['send']>[0]): Promise<Rest<Of<'error'>>['error']> {
    this.send(event)
    return (await this.next('error')).error
  }

  append(sound: Uint8Array): void {
    this.send({ type: 'input_audio_buffer.append', audio: Buffer.from(sound).toString('base64') })
  }

  async close(): Promise<void> {
    this.socket.close()
    await once(this.socket, 'close')
  }
}

/** 16-bit samples of a tone. @param loudness From 0 to 1. */
export function tone(ms: number, loudness = 0.3, rate = 24_000): Buffer {
  const samples = Int16Array.from({ length: (rate * ms) / 1000 }, (_, index) =>
    Math.round(loudness * 0x7fff * Math.sin((2 * Math.PI * 440 * index) / rate)),
  )
  return Buffer.from(samples.buffer)
}
