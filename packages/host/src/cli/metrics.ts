import { describeThrown, systemCodeOf } from '@appfactory/sdk/internal'
import type { MetricsServer, MetricsSource } from '../metrics/serve.js'
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
    throw new Error(whyNot(error, port, address), { cause: error })
  })
  if (port === 0) tell(streams, `metrics at ${server.url}/metrics`)
  return server
}

function whyNot(error: unknown, port: number, address: string): string {
  switch (systemCodeOf(error)) {
    case 'EADDRINUSE':
      return `Port ${port} on ${address} is in use; choose another --metrics-port, or 0 for any free port`
    case 'EACCES':
      return `Port ${port} on ${address} is not allowed for this user; choose a --metrics-port above 1023`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `--metrics-host ${address} is no address of this machine; 127.0.0.1 is for this machine only, 0.0.0.0 for all networks`
    default:
      return `Metrics can’t be served on ${address}, port ${port}: ${describeThrown(error).message}`
  }
}
