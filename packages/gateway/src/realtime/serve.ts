import { withTrace } from '@appfactory/sdk'
import { type WebSocket, WebSocketServer } from 'ws'
import { failureOf, RequestError } from '../errors.js'
import type { Exchange } from '../exchange.js'
import type { GatewayLimits } from '../options.js'
import { ModelNames } from './names.js'
import { isBetaClient } from './protocols.js'
import { RealtimeSession } from './session.js'
import { EventSocket } from './socket.js'

/** The WebSockets of a gateway, with a session each. */
export class RealtimeServer {
  readonly #limits: GatewayLimits
  readonly #server: WebSocketServer
  readonly #sockets = new Set<WebSocket>()
  readonly #sessions = new Set<RealtimeSession>()

  constructor(limits: GatewayLimits) {
    this.#limits = limits
    this.#server = new WebSocketServer({
      noServer: true,
      maxPayload: limits.maxFrameBytes,
      // The other protocols that clients offer are keys.
      handleProtocols: (offered) => (offered.has('realtime') ? 'realtime' : false),
    })
  }

  /** Makes a WebSocket of a request that may have one. */
  accept(exchange: Exchange, head: Buffer): void {
    const { request } = exchange
    this.#server.handleUpgrade(request, request.socket, head, (socket) => {
      this.#sockets.add(socket)
      // What is wrong with a frame closes the socket, with a code that tells it.
      socket.on('error', () => {})
      socket.once('close', () => this.#sockets.delete(socket))
      void withTrace(request.headers, () => this.#open(exchange, socket))
    })
  }

  /** Lets answers and transcripts that are under way finish. */
  finish(): void {
    for (const session of this.#sessions) session.finish()
  }

  /** Ends all sessions. */
  close(): void {
    for (const session of this.#sessions) session.close()
  }

  /** Ends sockets whose clients don’t close them. */
  terminate(): void {
    for (const socket of this.#sockets) socket.terminate()
  }

  async #open(exchange: Exchange, socket: WebSocket): Promise<void> {
    const isBeta = isBetaClient(exchange.request)
    try {
      if (this.#sockets.size > this.#limits.maxRealtimeSessions) throw tooMany(this.#limits)
      const names = new ModelNames(exchange)
      // What a client sends meanwhile waits.
      socket.pause()
      const settings = await names.initial()
      if (socket.readyState !== socket.OPEN) return
      const session = new RealtimeSession(exchange, socket, settings, names, isBeta)
      this.#sessions.add(session)
      socket.once('close', () => this.#sessions.delete(session))
      socket.resume()
    } catch (error) {
      const failure = failureOf(error)
      if (failure.status === 500) exchange.settings.onError(error, exchange.id)
      const events = new EventSocket(socket, this.#limits, isBeta)
      socket.resume()
      events.sendFailure(failure, undefined)
      events.close(failure.status === 503 ? 1013 : 1008, failure.code ?? 'error')
    }
  }
}

function tooMany({ maxRealtimeSessions }: GatewayLimits): RequestError {
  const message = `${maxRealtimeSessions} sessions are open (limits.maxRealtimeSessions). Close one, or try again later`
  return new RequestError(429, message, { code: 'rate_limit_exceeded' })
}
