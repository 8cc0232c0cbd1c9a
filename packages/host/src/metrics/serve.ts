import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isLocalName, isLoopback } from '../http/names.js'
import { closeServer } from '../http/server.js'
import { prometheusType } from './prometheus.js'
import type { Obstacle } from './readiness.js'

export interface MetricsSource {
  /** Prometheus' text. */
  metrics(): string
  /** Why the host is not ready. */
  obstacles(): readonly Obstacle[]
}

/** Metrics and probes that are being served. */
export interface MetricsServer extends AsyncDisposable {
  readonly port: number
  /** Of the server, without a path. */
  readonly url: string
}

interface ServerOptions {
  /** 0: any. */
  port: number
  address: string
  /** How long a client may take to ask, to read the answer, and to ask again, in ms. Default: 5,000. */
  patienceMs?: number
}

/** How many clients there may be at once. */
const mostClients = 32
const maxHeaderBytes = 8192

/** The text is made again only after this many times the time that it took: it costs the host 5 % of its time at most. */
const restFactor = 20

interface Answer {
  status: number
  type: string
  body: string
}

/**
 * Serves `/metrics`, `/healthz` and `/readyz`.
 *
 * @throws What `listen()` does, such as an error with the code EADDRINUSE.
 */
export async function startServer(
  source: MetricsSource,
  { port, address, patienceMs = 5000 }: ServerOptions,
): Promise<MetricsServer> {
  const server = createServer({
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: patienceMs,
    requestTimeout: patienceMs,
    keepAliveTimeout: patienceMs,
    connectionsCheckingInterval: patienceMs / 5,
  })
  server.maxConnections = mostClients
  server.timeout = patienceMs
  server.listen(port, address)
  await once(server, 'listening')
  // A client that can't be accepted, for want of files say, is no reason to end the host.
  server.on('error', () => {})
  const bound = server.address() as AddressInfo
  const routes = routesOf(source)
  const isLocal = isLoopback(bound.address)
  server.on('request', (request, response) => send(request, response, answerTo(request, routes, isLocal)))
  const name = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address
  return {
    port: bound.port,
    url: `http://${name}:${bound.port}`,
    [Symbol.asyncDispose]: () => closeServer(server),
  }
}

function routesOf(source: MetricsSource): ReadonlyMap<string, () => Answer> {
  const metrics = withRests(() => source.metrics())
  return new Map([
    ['/metrics', () => ({ status: 200, type: prometheusType, body: metrics() })],
    ['/healthz', () => text(200, 'ok')],
    ['/readyz', () => readiness(source.obstacles())],
  ])
}

function readiness(reasons: readonly Obstacle[]): Answer {
  const ready = reasons.length === 0
  return {
    status: ready ? 200 : 503,
    type: 'application/json; charset=utf-8',
    body: `${JSON.stringify({ ready, reasons })}\n`,
  }
}

function answerTo(
  { method = '', url = '', headers: { host } }: IncomingMessage,
  routes: ReadonlyMap<string, () => Answer>,
  isLocal: boolean,
): Answer {
  // A page of another site may have had its own name resolved to this machine. Only browsers do that, and they always send it.
  if (isLocal && host !== undefined && !isLocalName(host))
    return text(403, 'This server is for this machine: ask for it by 127.0.0.1 or localhost')
  const route = routes.get(url.split('?')[0] ?? '')
  if (!route) return text(404, `Not found; there are ${[...routes.keys()].join(', ')}`)
  if (method !== 'GET' && method !== 'HEAD') return text(405, 'Only GET is allowed')
  return route()
}

function send(request: IncomingMessage, response: ServerResponse, { status, type, body }: Answer): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(status === 405 ? { allow: 'GET, HEAD' } : {}),
    // Nobody waits for a body that is not wanted.
    ...(request.method === 'GET' || request.method === 'HEAD' ? {} : { connection: 'close' }),
  })
  response.end(body)
}

function text(status: number, body: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body: `${body}\n` }
}

/** Makes a text anew, unless it has just been made. */
export function withRests(make: () => string): () => string {
  let made = ''
  let nextAt = Number.NEGATIVE_INFINITY
  return () => {
    const begun = performance.now()
    if (begun < nextAt) return made
    made = make()
    const ended = performance.now()
    nextAt = ended + restFactor * (ended - begun)
    return made
  }
}
