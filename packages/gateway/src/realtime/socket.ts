import { randomUUID } from 'node:crypto'
import { maxTimerMs } from '@appfactory/sdk/internal'
import type { RealtimeServerEvent } from 'openai/resources/realtime/realtime'
import type { WebSocket } from 'ws'
import type { Failure } from '../errors.js'
import type { GatewayLimits } from '../options.js'

type Without<Event> = Event extends RealtimeServerEvent ? Omit<Event, 'event_id'> : never

/** An event that has no id yet. */
export type ServerEvent = Without<RealtimeServerEvent>

/** Bytes that may wait for a client before what makes more of them waits too. */
const mostUnsentBytes = 256 * 1024

/** What some events were called in the beta. */
const betaNames: Readonly<Record<string, string>> = {
  'conversation.item.added': 'conversation.item.created',
  'response.output_text.delta': 'response.text.delta',
  'response.output_text.done': 'response.text.done',
  'response.output_audio.delta': 'response.audio.delta',
  'response.output_audio.done': 'response.audio.done',
  'response.output_audio_transcript.delta': 'response.audio_transcript.delta',
  'response.output_audio_transcript.done': 'response.audio_transcript.done',
}

/** Sends events over a WebSocket, and looks whether the client is still there. */
export class EventSocket {
  readonly #socket: WebSocket
  readonly #limits: Pick<GatewayLimits, 'keepAliveMs' | 'unreadStreamMs'>
  readonly #isBeta: boolean
  readonly #pings: NodeJS.Timeout
  #isAnswered = true

  constructor(
    socket: WebSocket,
    limits: Pick<GatewayLimits, 'keepAliveMs' | 'unreadStreamMs'>,
    isBeta: boolean,
  ) {
    this.#socket = socket
    this.#limits = limits
    this.#isBeta = isBeta
    this.#pings = setInterval(() => this.#ping(), Math.min(limits.keepAliveMs, maxTimerMs))
    socket.on('pong', () => {
      this.#isAnswered = true
    })
    socket.once('close', () => clearInterval(this.#pings))
  }

  send(event: ServerEvent): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return
    const type = (this.#isBeta ? betaNames[event.type] : undefined) ?? event.type
    this.#socket.send(JSON.stringify({ ...event, type, event_id: idOf('event') }))
  }

  /** Tells what is wrong with an event of the client. @param eventId The client’s own. */
  sendFailure({ type, code, message, param }: Failure, eventId: string | undefined): void {
    this.send({ type: 'error', error: { type, code, message, param, event_id: eventId ?? null } })
  }

  /** Waits until the client has read most of what it was sent. One that reads nothing for too long is disconnected. */
  async room(): Promise<void> {
    const begun = performance.now()
    while (this.#socket.readyState === this.#socket.OPEN && this.#socket.bufferedAmount > mostUnsentBytes) {
      if (performance.now() - begun > this.#limits.unreadStreamMs) return this.#socket.terminate()
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  /** @param code Of RFC 6455, such as 1001. */
  close(code: number, reason: string): void {
    this.#socket.close(code, reason)
  }

  /** A client that is gone without a word is noticed at the second ping. */
  #ping(): void {
    // A socket that is not read brings no answers.
    if (!this.#isAnswered && !this.#socket.isPaused) this.#socket.terminate()
    else this.#socket.ping()
    this.#isAnswered = false
  }
}

/** An id that nothing else has: event_…, item_…, resp_… */
export function idOf(kind: 'event' | 'item' | 'resp' | 'sess' | 'conv' | 'call'): string {
  return `${kind}_${randomUUID().replaceAll('-', '').slice(0, 24)}`
}
