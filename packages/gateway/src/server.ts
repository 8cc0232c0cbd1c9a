import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http'
import { createServer as createTlsServer, Server as TlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createSecureContext } from 'node:tls'
import type { PluginSystem } from '@appfactory/host'
import { describeThrown, systemCodeOf } from '@appfactory/sdk/internal'
import { errorBody, RequestError } from './errors.js'
import { requestId } from './exchange.js'
import { Requests } from './handler.js'
import type { GatewayKey } from './keys.js'
import {
  type GatewayLimits,
  type ServeOptions,
  serveSettingsOf,
  settingsOf,
  type WyomingPort,
} from './options.js'
import type { WyomingServer } from './wyoming/server.js'

/** A gateway that is being served. */
export interface Gateway extends AsyncDisposable {
  readonly port: number
  /** What clients take as their base URL: http://127.0.0.1:8080/v1 */
  readonly url: string
  /** The ports for clients of the Wyoming protocol, in the order of the option. */
  readonly wyoming: readonly WyomingPort[]
  /** Waits for requests under way, at most `limits.drainTimeoutMs`, then ends them and the server. The host goes on. */
  close(): Promise<void>
  /**
   * Takes other keys from the next request on. A key that stays has used of its limits what it had used.
   *
   * @throws TypeError where one is wrong, or where there were keys and are none now: nothing has changed then.
   */
  setKeys(keys: readonly (string | GatewayKey)[]): void
}

/**
 * Serves the plugins of a host over OpenAI’s HTTP API: models, chat/completions, completions and lists of voices. Only this machine
 * can reach it by default.
 *
 * @throws TypeError that names an option, and what Node’s `listen()` does, such as an error with the code EADDRINUSE.
 * @example await using gateway = await serveGateway(host, { port: 8080, models: { 'gpt-4o-mini': 'llm_llama' } })
 */
export async function serveGateway(host: PluginSystem, options: ServeOptions = {}): Promise<Gateway> {
  const { port, address, wyoming, wyomingAddress, tls, rest } = serveSettingsOf(options)
  const requests = new Requests(host, settingsOf(rest))
  const server = makeServer(requests, tls)
  const voices = wyoming.length > 0 ? await wyomingServer(host, requests) : undefined
  try {
    server.listen(port, address)
    await once(server, 'listening')
    for (const each of wyoming) await voices?.listen(each, wyomingAddress)
  } catch (error) {
    await Promise.all([server.listening ? end(server, requests) : requests.close(), voices?.close()])
    throw error
  }
  // A client that can’t be accepted, for want of files say, is no reason to end.
  server.on('error', () => {})
  const bound = server.address() as AddressInfo
  const name = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => {
    closed ??= Promise.all([end(server, requests), voices?.close()]).then(() => {})
    return closed
  }
  return {
    port: bound.port,
    url: `${tls ? 'https' : 'http'}://${name}:${bound.port}/v1`,
    wyoming: voices?.ports ?? [],
    close,
    setKeys: (keys) => requests.settings.keys.replace(keys),
    [Symbol.asyncDispose]: close,
  }
}

/** Few need it. */
async function wyomingServer(host: PluginSystem, requests: Requests): Promise<WyomingServer> {
  const { WyomingServer } = await import('./wyoming/server.js')
  return new WyomingServer(host, requests.shared)
}

function makeServer(requests: Requests, tls: ServeOptions['tls']): Server | TlsServer {
  const { limits } = requests.settings
  const timeouts = {
    // Where it is missing, the gate says so.
    requireHostHeader: false,
    headersTimeout: timeout(limits.headersTimeoutMs),
    requestTimeout: timeout(limits.requestTimeoutMs),
    keepAliveTimeout: timeout(limits.idleConnectionMs),
    connectionsCheckingInterval: Math.ceil(Math.min(1000, ...patience(limits).map((ms) => ms / 4))),
  }
  const server = tls ? createTlsServer(tlsOptions(tls, timeouts)) : createServer(timeouts)
  if (Number.isFinite(limits.maxConnections)) server.maxConnections = limits.maxConnections
  server.on('request', (request, response) => requests.answer(request, response))
  // Without this, Node asks for the body before it is known who sends it.
  server.on('checkContinue', (request, response) => requests.answer(request, response, true))
  // Nobody has to know every expectation.
  server.on('checkExpectation', (request, response) => requests.answer(request, response))
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (request.headers.upgrade?.toLowerCase() === 'websocket') requests.upgrade(request, head)
    else answerPlainly(server, request, socket, head)
  })
  server.on('clientError', (error: Error, socket: Socket | Duplex) => {
    // In the middle of an answer, a second one would be taken for a part of it.
    if (requests.isAnswering(socket)) socket.destroy()
    else refuse(error, socket)
  })
  return server
}

/** Some clients offer HTTP/2 with each request, as Java’s does. What they ask is answered as if they had not. */
function answerPlainly(
  server: Server | TlsServer,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const { method, url, httpVersion, rawHeaders } = request
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let at = 0; at < rawHeaders.length; at += 2)
    if (!/^(upgrade|connection|http2-settings)$/i.test(rawHeaders[at] ?? ''))
      lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`)
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]))
  server.emit(server instanceof TlsServer ? 'secureConnection' : 'connection', socket)
}

/** @throws TypeError where the certificate and the key can’t be read, or don’t belong together. */
function tlsOptions<Options extends object>(
  tls: NonNullable<ServeOptions['tls']>,
  timeouts: Options,
): Options & typeof tls {
  const options = { ...timeouts, cert: tls.cert, key: tls.key }
  try {
    createSecureContext(options)
    return options
  } catch (error) {
    throw new TypeError(
      `tls (--tls-cert, --tls-key): ${describeThrown(error).message}. Give a certificate and its key in PEM`,
    )
  }
}

function patience({ headersTimeoutMs, requestTimeoutMs }: GatewayLimits): number[] {
  return [headersTimeoutMs, requestTimeoutMs]
}

/** Node takes 0 for never. */
function timeout(ms: number): number {
  return Number.isFinite(ms) ? ms : 0
}

/** Answers what is no request of HTTP, or has not come in time. */
function refuse(error: Error, socket: Socket | Duplex): void {
  if (!socket.writable || systemCodeOf(error) === 'ECONNRESET') return void socket.destroy()
  const failure = failureOfParser(systemCodeOf(error))
  const body = JSON.stringify(errorBody(failure))
  const head = [
    `HTTP/1.1 ${failure.status} ${STATUS_CODES[failure.status]}`,
    'content-type: application/json',
    `x-request-id: ${requestId()}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

function failureOfParser(code: string | undefined): RequestError {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new RequestError(408, 'The request came too slowly', { code: 'timeout' })
    case 'HPE_HEADER_OVERFLOW':
      return new RequestError(431, 'The headers are too long', { code: 'headers_too_large' })
    default:
      return new RequestError(400, 'This is no HTTP request', { code: 'invalid_http' })
  }
}

async function end(server: Server | TlsServer, requests: Requests): Promise<void> {
  const closed = once(server, 'close')
  // No connection is accepted from here on.
  server.close()
  await requests.close()
  server.closeAllConnections()
  await closed
}
