import { once } from 'node:events'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describeThrown } from '@appfactory/sdk/internal'
import type { PluginHost } from '../host.js'
import { gatewayOptions, readKeys } from './gateway-options.js'
import { whyNotListening } from './listening.js'
import { type CommonOptions, complain, exitCodes, print, type Streams } from './output.js'
import { startServing } from './serve.js'
import { UsageError } from './usage-error.js'

const packageName = '@appfactory/gateway'

/** What this command uses of the package, which depends on this one. */
interface GatewayModule {
  serveGateway(host: PluginHost, options: object): Promise<Server>
}

interface Server {
  url: string
  setKeys(keys: readonly unknown[]): void
  close(): Promise<void>
}

/** `appfactory-host gateway`: serves plugins over HTTP until it is interrupted. */
export async function gateway(streams: Streams, options: CommonOptions): Promise<number> {
  const { gateway: values } = options.settings
  const serveOptions = { ...(await gatewayOptions(values, process.env)), onError: tellErrors(streams) }
  const { serveGateway } = await importGateway()
  const stop = streams.stop.takeOver()
  let server: Server | undefined
  const takeKeys = async (): Promise<void> => server?.setKeys(await readKeys(values['keyFile'], process.env))
  await using serving = await startServing(streams, options, takeKeys)
  server = await serveGateway(serving.host, serveOptions).catch((error: unknown) => {
    if (error instanceof TypeError) throw new UsageError(error.message)
    const [port, address] = [Number(values['port']), String(values['address'])]
    const flags = { port: '--port', address: '--host' }
    throw new Error(whyNotListening(error, { port, address, flags }), { cause: error })
  })
  // Requests wait for plugins that are loading.
  await serving.load()
  print(streams, welcome(server.url))
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

function tellErrors(streams: Streams): (error: unknown, requestId: string, keyName?: string) => void {
  return (error, requestId, keyName) => {
    const who = keyName === undefined ? requestId : `${requestId} of ${keyName}`
    complain(streams, `${who}: ${describeThrown(error).message}`)
  }
}

/** The first line is for programs, the others are for people. */
function welcome(url: string): string {
  return [
    `Gateway: ${url}`,
    `  curl ${url}/models`,
    `  new OpenAI({ baseURL: '${url}', apiKey: 'none' })`,
    `  OPENAI_API_BASE_URL=${url}`,
  ].join('\n')
}
