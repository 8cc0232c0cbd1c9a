import type { MetricsServer, MetricsSource } from '../metrics/serve.js'
import { whyNotListening } from './listening.js'
import { type Streams, tell } from './output.js'
import type { Settings } from './resolve.js'

/**
 * Serves metrics and probes, if they are wanted. A port that the system has chosen is reported on stderr.
 *
 * @throws Error where the port can't be listened on.
 */
export async function startMetrics(
  streams: Streams,
  source: MetricsSource,
  { port, address }: Settings['metrics'],
): Promise<MetricsServer | undefined> {
  if (port === undefined) return undefined
  // Loads the HTTP server on demand.
  const { startServer } = await import('../metrics/serve.js')
  const server = await startServer(source, { port, address }).catch((error: unknown) => {
    const flags = { port: '--metrics-port', address: '--metrics-host' }
    throw new Error(whyNotListening(error, { port, address, flags }), { cause: error })
  })
  if (port === 0) tell(streams, `metrics at ${server.url}/metrics`)
  return server
}
