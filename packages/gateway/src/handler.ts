import type { IncomingMessage, ServerResponse } from 'node:http'
import type { PluginHost } from '@appfactory/host'
import { maxTimerMs } from '@appfactory/sdk/internal'
import { failureOf, gatewayClosing, RequestError } from './errors.js'
import { Exchange, type Shared } from './exchange.js'
import { Gate } from './gate.js'
import { Directory } from './models.js'
import { StoredResponses } from './openai/stored-responses.js'
import { type GatewayOptions, type Settings, settingsOf } from './options.js'
import { type Route, routesAt } from './routes.js'

/** How long clients of cancelled requests may take to read that they are. */
const lastWordsMs = 500

/** Answers requests of node:http. */
export interface GatewayHandler {
  (request: IncomingMessage, response: ServerResponse): void
  /** Waits for requests under way, at most `limits.drainTimeoutMs`, then cancels them. New ones get 503. The host goes on. */
  close(): Promise<void>
}

/**
 * Makes what answers the requests of a node:http server of your own, as `serveGateway` does. The timeouts of connections are the
 * server's then.
 *
 * @throws TypeError that names the option.
 * @example
 * const handler = gatewayHandler(host, { keys: [process.env.MY_KEY] })
 * createServer(handler).listen(8080, '127.0.0.1')
 */
export function gatewayHandler(host: PluginHost, options: GatewayOptions = {}): GatewayHandler {
  const requests = new Requests(host, settingsOf(options))
  return Object.assign(
    (request: IncomingMessage, response: ServerResponse): void => requests.answer(request, response),
    { close: () => requests.close() },
  )
}

/** The requests of one gateway. */
export class Requests {
  readonly settings: Settings
  readonly #shared: Shared
  readonly #gate: Gate
  readonly #underWay = new Set<Exchange>()
  #isClosing = false
  #onIdle: (() => void) | undefined

  constructor(host: PluginHost, settings: Settings) {
    this.settings = settings
    const stored = new StoredResponses(settings.limits)
    this.#shared = { settings, directory: new Directory(host, settings), stored }
    this.#gate = new Gate(settings)
  }

  /** @param continueFirst The client waits for `100 Continue` before it sends its body. */
  answer(request: IncomingMessage, response: ServerResponse, continueFirst = false): void {
    const exchange = new Exchange(this.#shared, request, response, continueFirst)
    this.#underWay.add(exchange)
    response.once('close', () => this.#ended(exchange))
    void this.#answer(exchange)
  }

  async close(): Promise<void> {
    this.#isClosing = true
    await this.#idle(this.settings.limits.drainTimeoutMs)
    for (const exchange of this.#underWay) exchange.close()
    // Their clients are to read why.
    await this.#idle(lastWordsMs)
    this.#shared.directory.close()
    this.#shared.stored.clear()
  }

  async #answer(exchange: Exchange): Promise<void> {
    try {
      if (this.#isClosing) throw gatewayClosing()
      await this.#route(exchange)?.answer(exchange)
    } catch (error) {
      this.#fail(exchange, error)
    }
  }

  /** What answers a request that may be answered; undefined where it has its answer. @throws RequestError. */
  #route(exchange: Exchange): Route | undefined {
    const { request, path } = exchange
    this.#gate.refuseForeign(request)
    if (this.#gate.allowPage(exchange)) return undefined
    const found = routesAt(path)
    const method = request.method === 'HEAD' ? 'GET' : request.method
    const route = found.find((each) => each.method === method)
    if (this.#needsKey(route)) exchange.key = this.#gate.refuseStranger(request)
    if (route) return route
    throw found.length === 0 ? noSuchRoute(request) : wrongMethod(request, found)
  }

  #needsKey(route: Route | undefined): boolean {
    const { needsKey = true } = route ?? {}
    return needsKey === 'listing' ? !this.settings.publicListings : needsKey
  }

  #fail(exchange: Exchange, error: unknown): void {
    // The client has gone: nobody reads an answer.
    const isOver = exchange.response.destroyed
    exchange.cancel(new Error('The request has failed'))
    if (isOver) return
    const failure = failureOf(error)
    if (failure.status === 500) this.settings.onError(error, exchange.id)
    exchange.sendFailure(failure)
  }

  #ended(exchange: Exchange): void {
    this.#underWay.delete(exchange)
    if (this.#underWay.size === 0) this.#onIdle?.()
  }

  /** Resolves when no request is under way, or the time for that is up. */
  async #idle(ms: number): Promise<void> {
    if (this.#underWay.size === 0) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.min(ms, maxTimerMs))
      this.#onIdle = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
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
