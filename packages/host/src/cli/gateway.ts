import { once } from 'node:events'
import { describeThrown } from '@appfactory/sdk/internal'
import type { PluginHost } from '../host.js'
import { type GatewayFlags, gatewayOptions } from './gateway-options.js'
import { importGateway } from './gateway-package.js'
import { whyNotListening } from './listening.js'
import { type CommonOptions, complain, exitCodes, print, type Streams } from './output.js'
import { startServing } from './serve.js'
import { checkPort } from './tester.js'
import { UsageError } from './usage-error.js'

/** What this command uses of the package, which depends on this one. */
interface GatewayModule {
  serveGateway(host: PluginHost, options: object): Promise<{ url: string; close(): Promise<void> }>
}

/** `appfactory-host gateway`: serves plugins over HTTP until it is interrupted. */
export async function gateway(streams: Streams, options: CommonOptions & GatewayFlags): Promise<number> {
  const { port, host: address } = options
  checkPort(port)
  const serveOptions = { ...(await gatewayOptions(options, process.env)), onError: tellErrors(streams) }
  const { serveGateway } = await importGateway('', isGatewayModule)
  const stop = streams.stop.takeOver()
  await using serving = await startServing(streams, options)
  const server = await serveGateway(serving.host, serveOptions).catch((error: unknown) => {
    if (error instanceof TypeError) throw new UsageError(error.message)
    const flags = { port: '--port', address: '--host' }
    throw new Error(whyNotListening(error, { port, address, flags }), { cause: error })
  })
  // Requests wait for plugins that are loading.
  await serving.load()
  print(streams, welcome(server.url, options.mcp))
  if (!stop.aborted) await once(stop, 'abort')
  await server.close()
  return exitCodes.done
}

function isGatewayModule(loaded: unknown): loaded is GatewayModule {
  return typeof loaded === 'object' && loaded !== null && 'serveGateway' in loaded
}

function tellErrors(streams: Streams): (error: unknown, requestId: string) => void {
  return (error, requestId) => complain(streams, `${requestId}: ${describeThrown(error).message}`)
}

/** The first line is for programs, the others are for people. */
function welcome(url: string, mcp: boolean): string {
  return [
    `Gateway: ${url}`,
    `  curl ${url}/models`,
    `  new OpenAI({ baseURL: '${url}', apiKey: 'none' })`,
    `  OPENAI_API_BASE_URL=${url}`,
    ...(mcp ? [`  MCP: ${url.replace(/\/v1$/, '/mcp')}`] : []),
  ].join('\n')
}
