import { once } from 'node:events'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describeThrown } from '@appfactory/sdk/internal'
import type { PluginHost } from '../host.js'
import { type GatewayFlags, gatewayOptions } from './gateway-options.js'
import { whyNotListening } from './listening.js'
import { type CommonOptions, complain, exitCodes, print, type Streams } from './output.js'
import { startServing } from './serve.js'
import { checkPort } from './tester.js'
import { UsageError } from './usage-error.js'

const packageName = '@appfactory/gateway'

/** What this command uses of the package, which depends on this one. */
interface GatewayModule {
  serveGateway(host: PluginHost, options: object): Promise<Served>
}

interface Served {
  url: string
  wyoming: readonly { port: number; plugin?: string }[]
  close(): Promise<void>
}

/** `appfactory-host gateway`: serves plugins over HTTP until it is interrupted. */
export async function gateway(streams: Streams, options: CommonOptions & GatewayFlags): Promise<number> {
  checkPort(options.port)
  const serveOptions = {
    ...(await gatewayOptions(options, process.env, options.settings)),
    onError: tellErrors(streams),
  }
  const { serveGateway } = await importGateway()
  const stop = streams.stop.takeOver()
  await using serving = await startServing(streams, options)
  const server = await serveGateway(serving.host, serveOptions).catch((error: unknown) => {
    if (error instanceof TypeError) throw new UsageError(error.message)
    throw new Error(whyNotListening(error, placeOf(error, options)), { cause: error })
  })
  // Requests wait for plugins that are loading.
  await serving.load()
  print(streams, welcome(server, options.wyomingAddress))
  if (!stop.aborted) await once(stop, 'abort')
  await server.close()
  return exitCodes.done
}

/** The package of the working directory's project, or the one beside this package. */
async function importGateway(): Promise<GatewayModule> {
  for (const from of [join(process.cwd(), 'package.json'), import.meta.url]) {
    const path = resolved(from)
    const loaded: unknown = path === undefined ? undefined : await import(pathToFileURL(path).href)
    if (isGatewayModule(loaded)) return loaded
  }
  throw new Error(
    `The gateway is a package of its own, which is not installed here. Install it: npm install ${packageName}`,
  )
}

function resolved(from: string): string | undefined {
  try {
    return createRequire(from).resolve(packageName)
  } catch {
    return undefined
  }
}

function isGatewayModule(loaded: unknown): loaded is GatewayModule {
  return typeof loaded === 'object' && loaded !== null && 'serveGateway' in loaded
}

function tellErrors(streams: Streams): (error: unknown, requestId: string) => void {
  return (error, requestId) => complain(streams, `${requestId}: ${describeThrown(error).message}`)
}

/** Which of its ports could not be opened. */
function placeOf(error: unknown, { port, host, wyomingAddress, wyoming = [] }: GatewayFlags) {
  const failed: unknown = error instanceof Error ? Reflect.get(error, 'port') : undefined
  const isWyoming = wyoming.some((each) => each.split('=').at(-1) === String(failed))
  return isWyoming && failed !== port
    ? {
        port: Number(failed),
        address: wyomingAddress,
        flags: { port: '--wyoming', address: '--wyoming-address' },
      }
    : { port, address: host, flags: { port: '--port', address: '--host' } }
}

/** The first line is for programs, the others are for people. */
function welcome({ url, wyoming }: Served, wyomingAddress: string): string {
  return [
    `Gateway: ${url}`,
    `  curl ${url}/models`,
    `  new OpenAI({ baseURL: '${url}', apiKey: 'none' })`,
    `  OPENAI_API_BASE_URL=${url}`,
    ...wyoming.map(
      ({ port, plugin = 'all plugins' }) => `  Home Assistant: ${wyomingAddress}, port ${port} (${plugin})`,
    ),
  ].join('\n')
}
