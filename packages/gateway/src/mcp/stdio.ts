import type { Readable, Writable } from 'node:stream'
import type { PluginSystem } from '@appfactory/host'
import type { Server } from '@modelcontextprotocol/server'
import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio'
import { Directory } from '../models.js'
import { settingsOf } from '../options.js'
import { type McpSource, mcpServer, onToolsChanged } from './server.js'

/** Longest message, in bytes: one with a file as base64. */
const mostMessageBytes = 64 * 1024 * 1024

/** How plugins are served to one client of MCP. */
export interface McpStdioOptions {
  input: Readable
  output: Writable
  /** Folder whose files the client may name as arguments. Default: none. */
  root?: string | undefined
  /** Ends it. */
  signal: AbortSignal
  /** Told of what the server could not foresee, and of calls that failed. */
  onError(error: unknown): void
}

/** Serves the plugins of a host to one client of MCP on streams. Resolves when the client, or the signal, has ended it. */
export async function serveMcp(host: PluginSystem, options: McpStdioOptions): Promise<void> {
  const { input, output, root, signal, onError } = options
  const directory = new Directory(host, settingsOf({}))
  const source: McpSource = { directory, root, onError }
  const servers = new Set<Server>()
  const transport = new StdioServerTransport(input, output, { maxBufferSize: mostMessageBytes })
  const ended = new Promise<void>((resolve) => {
    input.once('close', resolve).once('end', resolve)
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  const serving = serveStdio(
    () => {
      const server = mcpServer(source)
      servers.add(server)
      return server
    },
    { transport, onerror: onError },
  )
  const stopListening = onToolsChanged(source, () => {
    // One that only looked what there is may have no client any more.
    for (const server of servers) server.sendToolListChanged().catch(() => servers.delete(server))
  })
  await ended
  stopListening()
  await serving.close()
  directory.close()
}
