import { hostVersion } from '@appfactory/host'
import { quoted } from '@appfactory/sdk/internal'
import {
  type CallToolResult,
  ProtocolError,
  ProtocolErrorCode,
  Server,
  type ServerContext,
} from '@modelcontextprotocol/server'
import type { Directory } from '../models.js'
import { checkedArgs } from '../rest/args.js'
import { withFilesRead } from './files.js'
import { callResult, failedResult, Pieces, textIn } from './results.js'
import { type PluginTool, pluginTools } from './tools.js'

/** What servers of MCP are made of. */
export interface McpSource {
  directory: Directory
  /** Folder whose files clients may name as arguments. Undefined: none. */
  root: string | undefined
  /** Told of what the server could not foresee. */
  onError(error: unknown): void
}

/** A server for one client: the methods of plugins as its tools. */
export function mcpServer(source: McpSource): Server {
  const server = new Server(
    { name: 'appfactory', title: 'App Factory', version: hostVersion },
    { capabilities: { tools: { listChanged: true } } },
  )
  const tools = (): Promise<PluginTool[]> => pluginTools(source.directory, source.root !== undefined)
  server.setRequestHandler('tools/list', async () => ({ tools: (await tools()).map(({ tool }) => tool) }))
  server.setRequestHandler('tools/call', async ({ params: { name, arguments: args = {} } }, context) => {
    const tool = (await tools()).find((each) => each.tool.name === name)
    if (!tool)
      throw new ProtocolError(
        ProtocolErrorCode.InvalidParams,
        `Unknown tool ${quoted(name)}. tools/list tells which there are: those of the loaded plugins`,
      )
    return callTool(source, tool, args, context)
  })
  return server
}

async function callTool(
  { directory: { host, mayFallBack: fallback }, root, onError }: McpSource,
  tool: PluginTool,
  given: Readonly<Record<string, unknown>>,
  context: ServerContext,
): Promise<CallToolResult> {
  const { plugin, method } = tool
  const options = { signal: context.mcpReq.signal, fallback }
  try {
    const args = await withFilesRead(checkedArgs({ ...given }), method.args, root)
    if (method.kind === 'call') return callResult(tool, await host.call(plugin, method.wire, args, options))
    return await collect(host.stream(plugin, method.wire, args, options), context)
  } catch (error) {
    onError(error)
    return failedResult(error)
  }
}

/** All pieces of a stream; who wants to know hears of each. */
async function collect(stream: AsyncIterable<unknown>, { mcpReq }: ServerContext): Promise<CallToolResult> {
  const progressToken = mcpReq._meta?.progressToken
  const pieces = new Pieces()
  for await (const piece of stream) {
    pieces.add(piece)
    if (progressToken === undefined) continue
    const message = textIn(piece)
    const params = { progressToken, progress: pieces.count, ...(message === undefined ? {} : { message }) }
    await mcpReq.notify({ method: 'notifications/progress', params })
  }
  return pieces.result()
}

/** Calls `tell` when there may be other tools. @returns What ends that. */
export function onToolsChanged({ directory: { host } }: McpSource, tell: () => void): () => void {
  const onStatus = ({ status, previous }: { status: string; previous: string }): void => {
    if (status === 'READY' || previous === 'READY') tell()
  }
  const onSwap = ({ step }: { step: string }): void => {
    if (step === 'confirm') tell()
  }
  host.on('status', onStatus).on('swap', onSwap)
  return () => void host.off('status', onStatus).off('swap', onSwap)
}
