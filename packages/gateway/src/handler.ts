import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { PluginSystem } from '@appfactory/host'
import { withTrace } from '@appfactory/sdk'
import { maxTimerMs } from '@appfactory/sdk/internal'
import { failureOf, gatewayClosing, RequestError } from './errors.js'
import { Exchange, type Shared } from './exchange.js'
import { Gate } from './gate.js'
import type { GatewayKey } from './keys.js'
import { McpRoute } from './mcp/route.js'
import { GatewayMetrics } from './metrics.js'
import { Directory } from './models.js'
import { StoredAnswers, type StoredResponse } from './openai/stored-responses.js'
import { type GatewayOptions, type Settings, settingsOf } from './options.js'
import { keysInProtocols } from './realtime/protocols.js'
import type { RealtimeServer } from './realtime/serve.js'
import { type Route, routesAt } from './routes.js'

/** How long clients of cancelled requests may take to read that they are. */
const lastWordsMs = 500

/** Answers requests of node:http. */
export interface GatewayHandler {
  (request: IncomingMessage, response: ServerResponse): void
  /** For the event `upgrade` of the server: WebSockets. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Waits for requests under way, at most `limits.drainTimeoutMs`, then cancels them. New ones get 503. The host goes on. */
  close(): Promise<void>
  /** Takes other keys; see `Gateway.setKeys`. */
  setKeys(keys: readonly (string | GatewayKey)[]): void
}

/**
 * Makes what answers the requests of a node:http server of your own, as `serveGateway` does. The timeouts of connections are the
 * server's then.
 *
 * @throws TypeError that names the option.
 * @example
 * const handler = gatewayHandler(host, { keys: [process.env.MY_KEY] })
 * createServer(handler).on('upgrade', handler.upgrade).listen(8080, '127.0.0.1')
 */
export function gatewayHandler(host: PluginSystem, options: GatewayOptions = {}): GatewayHandler {
  const requests = new Requests(host, settingsOf(options))
  return Object.assign(
    (request: IncomingMessage, response: ServerResponse): void => requests.answer(request, response),
    {
      upgrade: (request: IncomingMessage, _socket: Duplex, head: Buffer) => requests.upgrade(request, head),
      close: () => requests.close(),
      setKeys: (keys: readonly (string | GatewayKey)[]) => requests.settings.keys.replace(keys),
    },
  )
}

/** The requests of one gateway. */
export class Requests {
  readonly settings: Settings
  readonly shared: Shared
  readonly #gate: Gate
  readonly #underWay = new Set<Exchange>()
  #isClosing = false
  #onIdle: (() => void) | undefined
  #realtime: RealtimeServer | undefined

  constructor(host: PluginSystem, settings: Settings) {
    this.settings = settings
    const directory = new Directory(host, settings).open()
    const metrics = settings.metrics ? new GatewayMetrics(host) : undefined
    const stored = new StoredAnswers<StoredResponse>(settings.limits)
    this.shared = {
      ...{ settings, directory, metrics, stored },
      transcripts: new StoredAnswers(settings.limits),
      counting: new Set(),
      mcp: new McpRoute(directory, settings),
    }
    this.#gate = new Gate(settings)
  }

  /** @param continueFirst The client waits for `100 Continue` before it sends its body. */
  answer(request: IncomingMessage, response: ServerResponse, continueFirst = false): void {
    const exchange = new Exchange(this.shared, request, response, continueFirst)
    this.#underWay.add(exchange)
    this.shared.metrics?.watch(exchange)
    response.once('close', () => this.#ended(exchange))
    void this.#answer(exchange)
  }

  /** Whether an answer has begun on a connection. */
  isAnswering(socket: Duplex): boolean {
    return [...this.#underWay].some(
      ({ request, response }) => request.socket === socket && response.headersSent,
    )
  }

  /** Answers a request for a WebSocket. @param head What came behind it already. */
  upgrade(request: IncomingMessage, head: Buffer): void {
    const { socket } = request
    // From here on, it is nobody else’s.
    socket.on('error', () => {})
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    response.assignSocket(socket)
    response.once('finish', () => socket.end())
    const exchange = new Exchange(this.shared, request, response, false)
    this.#underWay.add(exchange)
    socket.once('close', () => {
      exchange.cancel(new Error('The client has gone'))
      exchange.end()
      this.#ended(exchange)
    })
    void this.#upgrade(exchange, head)
  }

  async close(): Promise<void> {
    this.#isClosing = true
    this.#realtime?.finish()
    await this.#idle(this.settings.limits.drainTimeoutMs)
    await this.shared.mcp.close()
    for (const exchange of this.#underWay) exchange.close()
    this.#realtime?.close()
    // Their clients are to read why.
    await this.#idle(lastWordsMs)
    this.#realtime?.terminate()
    this.shared.directory.close()
    this.shared.stored.clear()
    this.shared.transcripts.clear()
  }

  async #upgrade(exchange: Exchange, head: Buffer): Promise<void> {
    try {
      if (this.#isClosing) throw gatewayClosing()
      const route = this.#route(exchange, keysInProtocols(exchange.request))
      if (!route?.isSocket) throw noSocket()
      const { RealtimeServer } = await import('./realtime/serve.js')
      this.#realtime ??= new RealtimeServer(this.settings.limits)
      if (exchange.response.destroyed || exchange.request.socket.destroyed) return
      exchange.response.detachSocket(exchange.request.socket)
      this.#realtime.accept(exchange, head)
    } catch (error) {
      this.#fail(exchange, error)
    }
  }

  async #answer(exchange: Exchange): Promise<void> {
    try {
      if (this.#isClosing) throw gatewayClosing()
      const route = this.#route(exchange)
      await withTrace(exchange.request.headers, async () => route?.answer(exchange))
    } catch (error) {
      this.#fail(exchange, error)
    }
  }

  /** What answers a request that may be answered; undefined where it has its answer. @throws RequestError. */
  #route(exchange: Exchange, keys: readonly string[] = []): Route | undefined {
    const { request, path } = exchange
    this.#gate.refuseForeign(request)
    if (this.#gate.allowPage(exchange)) return undefined
    const found = routesAt(path).filter(({ option }) => !option || this.settings[option])
    const method = request.method === 'HEAD' ? 'GET' : request.method
    const route = found.find((each) => each.method === method)
    exchange.route = route?.path
    if (route?.needsKey !== false) exchange.takeKey(this.#gate.keyOf(request, this.#needsKey(route), keys))
    exchange.takeFallback()
    if (route) return route
    throw found.length === 0 ? noSuchRoute(request) : wrongMethod(request, found)
  }

  #needsKey(route: Route | undefined): boolean {
    const { needsKey = true } = route ?? {}
    if (needsKey === 'metrics') return !this.settings.publicMetrics
    return needsKey === 'listing' ? !this.settings.publicListings : needsKey
  }

  #fail(exchange: Exchange, error: unknown): void {
    // The client has gone: nobody reads an answer.
    const isOver = exchange.response.destroyed
    exchange.cancel(new Error('The request has failed'))
    if (isOver) return
    const failure = failureOf(error, exchange.route)
    if (failure.status === 500) exchange.report(error)
    exchange.sendFailure(failure)
  }

  #ended(exchange: Exchange): void {
    this.#underWay.delete(exchange)
    if (this.#isIdle()) this.#onIdle?.()
  }

  #isIdle(): boolean {
    for (const { isStandby } of this.#underWay) if (!isStandby) return false
    return true
  }

  /** Resolves when no request is under way, or the time for that is up. */
  async #idle(ms: number): Promise<void> {
    if (this.#isIdle()) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.min(ms, maxTimerMs))
      this.#onIdle = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

function noSocket(): RequestError {
  return new RequestError(400, 'There is no WebSocket here. The only one is /v1/realtime', {
    code: 'not_found',
  })
}

function noSuchRoute({ method, url = '' }: IncomingMessage): RequestError {
  return new RequestError(404, `There is no ${method} ${url.slice(0, 100)}. The base URL ends in /v1`, {
    code: 'not_found',
  })
}

function wrongMethod({ method }: IncomingMessage, found: readonly Route[]): RequestError {
  const allowed = found.map((route) => route.method).join(', ')
  return new RequestError(405, `${method} is not allowed here, but ${allowed}`, {
    code: 'method_not_allowed',
    headers: { allow: allowed },
  })
}
