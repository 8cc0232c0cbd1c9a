import { describeThrown } from '@appfactory/sdk/internal'
import type { PluginSystem } from '../plugin-system.js'
import { startSystem } from './front.js'
import { checkFolder } from './gateway-options.js'
import { importGateway } from './optional-packages.js'
import { type CommonOptions, complain, exitCodes, type Streams } from './output.js'
import { withStdoutTaken } from './serve.js'

/** What this command uses of the gateway’s package, which depends on this one. */
interface McpModule {
  serveMcp(host: PluginSystem, options: object): Promise<void>
}

/** `appfactory-host mcp`: serves plugins as tools to one client of MCP, on stdin and stdout. */
export async function mcp(
  streams: Streams,
  options: CommonOptions & { mcpRoot: string | undefined },
): Promise<number> {
  const root = options.mcpRoot
  await checkFolder('--mcp-root', root)
  const { serveMcp } = await importGateway('/mcp', isMcpModule)
  const signal = streams.stop.takeOver()
  const onError = (error: unknown): void => complain(streams, describeThrown(error).message)
  await using serving = await startSystem(streams, options)
  await withStdoutTaken(async (output) => {
    // Requests wait for plugins that are loading.
    await serving.load()
    await serveMcp(serving.host, { input: process.stdin, output, root, signal, onError })
  })
  return exitCodes.done
}

function isMcpModule(loaded: unknown): loaded is McpModule {
  return typeof loaded === 'object' && loaded !== null && 'serveMcp' in loaded
}
