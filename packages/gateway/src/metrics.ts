import type { PluginSystem } from '@appfactory/host'
import {
  Durations,
  type Family,
  histogramSamples,
  prometheusText,
  prometheusType,
  withRests,
} from '@appfactory/host/internal'
import type { Exchange } from './exchange.js'

/** The requests of one route. */
class RouteFigures {
  readonly firstBytes = new Durations()
  bytes = 0
  /** By status and plugin. */
  readonly answers = new Map<string, { status: number; plugin: string; count: number }>()

  add(status: number, plugin: string): void {
    const key = `${status} ${plugin}`
    const known = this.answers.get(key)
    if (known) known.count += 1
    else this.answers.set(key, { status, plugin, count: 1 })
  }
}

/** What is counted of a gateway. Labels are routes, statuses and names of loaded plugins: no client can make up new ones. */
export class GatewayMetrics {
  #inFlight = 0
  readonly #routes = new Map<string, RouteFigures>()
  readonly #text: () => string

  constructor(host: PluginSystem) {
    this.#text = withRests(() => host.metrics() + prometheusText(this.#families()))
  }

  /** Counts a request until its answer is over. */
  watch(exchange: Exchange): void {
    const { request, response } = exchange
    const begun = performance.now()
    const bytesBefore = request.socket.bytesWritten
    this.#inFlight += 1
    response.once('close', () => {
      this.#inFlight -= 1
      const figures = this.#of(exchange.route ?? 'other')
      // A client that went before the answer has no status.
      figures.add(response.headersSent ? response.statusCode : 499, exchange.plugin ?? '')
      figures.bytes += request.socket.bytesWritten - bytesBefore
      if (exchange.answeredAt !== undefined) figures.firstBytes.add(exchange.answeredAt - begun)
    })
  }

  /** `GET /metrics`: the host’s metrics too. */
  send(exchange: Exchange): void {
    const text = this.#text()
    const length = Buffer.byteLength(text)
    exchange.writeHead(200, {
      'content-type': prometheusType,
      'content-length': length,
      'cache-control': 'no-store',
    })
    exchange.response.end(text)
  }

  #of(route: string): RouteFigures {
    const figures = this.#routes.get(route) ?? new RouteFigures()
    this.#routes.set(route, figures)
    return figures
  }

  #families(): Family[] {
    const routes = [...this.#routes]
    return [
      {
        name: 'appfactory_gateway_requests_total',
        type: 'counter',
        help: 'Requests that have ended, by the plugin that answered. 499: the client went before the answer.',
        samples: routes.flatMap(([route, { answers }]) =>
          [...answers.values()].map(({ status, plugin, count }) => ({
            labels: [
              ['route', route],
              ['status', String(status)],
              ['plugin', plugin],
            ],
            value: count,
          })),
        ),
      },
      {
        name: 'appfactory_gateway_requests_in_flight',
        type: 'gauge',
        help: 'Requests that are being answered, this one included.',
        samples: [{ labels: [], value: this.#inFlight }],
      },
      {
        name: 'appfactory_gateway_first_byte_seconds',
        type: 'histogram',
        help: 'How long it took until an answer began.',
        samples: routes.flatMap(([route, { firstBytes }]) =>
          histogramSamples([['route', route]], firstBytes),
        ),
      },
      {
        name: 'appfactory_gateway_sent_bytes_total',
        type: 'counter',
        help: 'Bytes that were sent, with their headers.',
        samples: routes.map(([route, { bytes }]) => ({ labels: [['route', route]], value: bytes })),
      },
    ]
  }
}
