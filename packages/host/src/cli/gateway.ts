import { once } from 'node:events'
import { describeThrown } from '@appfactory/sdk/internal'
import type { PluginSystem } from '../plugin-system.js'
import { isOfCluster, startSystem } from './front.js'
import { gatewayOptions, type Loading, readKeys, type Values } from './gateway-options.js'
import { whyNotListening } from './listening.js'
import { importGateway } from './optional-packages.js'
import { type CommonOptions, complain, exitCodes, print, type Streams } from './output.js'
import type { Settings } from './resolve.js'
import { UsageError } from './usage-error.js'

/** What this command uses of the package, which depends on this one. */
interface GatewayModule {
  serveGateway(host: PluginSystem, options: object): Promise<Server>
}

interface Server {
  url: string
  wyoming: readonly { port: number; plugin?: string }[]
  setKeys(keys: readonly unknown[]): void
  close(): Promise<void>
}

/** `appfactory-host gateway`: serves plugins over HTTP until it is interrupted. */
export async function gateway(streams: Streams, options: CommonOptions): Promise<number> {
  const { gateway: values } = options.settings
  const serveOptions = {
    ...(await gatewayOptions(values, process.env, loadingOf(options.settings))),
    onError: tellErrors(streams),
  }
  const { serveGateway } = await importGateway('', isGatewayModule)
  const stop = streams.stop.takeOver()
  let server: Server | undefined
  const takeKeys = async (): Promise<void> => server?.setKeys(await readKeys(values['keyFile'], process.env))
  await using serving = await startSystem(streams, options, takeKeys)
  server = await serveGateway(serving.host, serveOptions).catch((error: unknown) => {
    if (error instanceof TypeError) throw new UsageError(error.message)
    throw new Error(whyNotListening(error, placeOf(error, values)), { cause: error })
  })
  // Requests wait for plugins that are loading.
  await serving.load()
  print(streams, welcome(server, values))
  if (!stop.aborted) await once(stop, 'abort')
  await server.close()
  return exitCodes.done
}

/** Nobody knows before it is asked what a cluster has loaded. */
function loadingOf(settings: Settings): Loading {
  return isOfCluster(settings) ? { load: new Map(), autoLoad: true } : settings
}

function isGatewayModule(loaded: unknown): loaded is GatewayModule {
  return typeof loaded === 'object' && loaded !== null && 'serveGateway' in loaded
}

function tellErrors(streams: Streams): (error: unknown, requestId: string, keyName?: string) => void {
  return (error, requestId, keyName) => {
    const who = keyName === undefined ? requestId : `${requestId} of ${keyName}`
    complain(streams, `${who}: ${describeThrown(error).message}`)
  }
}

/** Which of its ports could not be opened. */
function placeOf(error: unknown, { address, wyomingAddress, wyoming = [], ...values }: Values) {
  const failed: unknown = error instanceof Error ? Reflect.get(error, 'port') : undefined
  const port = Number(values['port'])
  const isWyoming = [wyoming].flat().some((each) => String(each).split('=').at(-1) === String(failed))
  return isWyoming && failed !== port
    ? {
        port: Number(failed),
        address: String(wyomingAddress),
        flags: { port: '--wyoming', address: '--wyoming-address' },
      }
    : { port, address: String(address), flags: { port: '--port', address: '--host' } }
}

/** The first line is for programs, the others are for people. */
function welcome({ url, wyoming }: Server, { wyomingAddress, mcp }: Values): string {
  return [
    `Gateway: ${url}`,
    `  curl ${url}/models`,
    `  new OpenAI({ baseURL: '${url}', apiKey: 'none' })`,
    `  OPENAI_API_BASE_URL=${url}`,
    ...(mcp ? [`  MCP: ${url.replace(/\/v1$/, '/mcp')}`] : []),
    ...wyoming.map(
      ({ port, plugin = 'all plugins' }) => `  Home Assistant: ${wyomingAddress}, port ${port} (${plugin})`,
    ),
  ].join('\n')
}
