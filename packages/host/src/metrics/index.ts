/// <reference types="node" preserve="true" />
import type { PluginHost } from '../host.js'
import { Readiness } from './readiness.js'
import { type MetricsServer, startServer } from './serve.js'

export type { MetricsServer } from './serve.js'

export interface MetricsOptions {
  /** Default: 9464. 0: any free port. */
  port?: number
  /** Default: 127.0.0.1, which is for this machine only. 0.0.0.0 is for all networks, where anybody may read the metrics. */
  address?: string
  /** Names of plugins that have to be loaded for the host to be ready. Default: none. */
  plugins?: readonly string[]
}

/**
 * Serves a host's metrics and probes over HTTP, as `appfactory-host --metrics-port` does: `/metrics` in Prometheus' text format,
 * `/healthz` (the process is alive) and `/readyz` (the plugins are loaded, and none has failed for good or is in quarantine).
 *
 * @throws What Node's `listen()` does, such as an error with the code EADDRINUSE.
 * @example
 * import { serveMetrics } from '@appfactory/host/metrics'
 * await using metrics = await serveMetrics(host, { port: 9464, plugins: ['tts_flite'] })
 */
export function serveMetrics(
  host: PluginHost,
  { port = 9464, address = '127.0.0.1', plugins = [] }: MetricsOptions = {},
): Promise<MetricsServer> {
  const readiness = new Readiness(host)
  for (const plugin of plugins) readiness.require(plugin)
  readiness.started()
  const source = { metrics: () => host.metrics(), obstacles: () => readiness.obstacles() }
  return startServer(source, { port, address })
}
