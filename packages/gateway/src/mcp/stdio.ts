import { once } from 'node:events'
import { PassThrough, type Readable, type Writable } from 'node:stream'
import { setImmediate as nextTurn, setTimeout as rest } from 'node:timers/promises'
import type { PluginSystem } from '@appfactory/host'
import type { Server } from '@modelcontextprotocol/server'
import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio'
import { Directory } from '../models.js'
import { settingsOf } from '../options.js'
import { AnsweredTransport } from './answered.js'
import { type McpSource, mcpServer, onToolsChanged } from './server.js'

/** Longest message, in bytes: one with a file as base64. */
const mostMessageBytes = 64 * 1024 * 1024

/** How long requests under way may take when the client has sent its last one, in ms. */
const lastAnswersMs = 30_000

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

/**
 * Serves the plugins of a host to one client of MCP on streams. Resolves when the client, or the signal, has ended it. What was asked
 * for before the end of the input is still answered.
 */
export async function serveMcp(host: PluginSystem, options: McpStdioOptions): Promise<void> {
  const { input, output, root, signal, onError } = options
  const directory = new Directory(host, settingsOf({}))
  const source: McpSource = { directory, root, onError }
  const servers = new Set<Server>()
  // Its end stays here: the transport would drop what is under way.
  const messages = input.pipe(new PassThrough(), { end: false })
  const lines = new StdioServerTransport(messages, output, { maxBufferSize: mostMessageBytes })
  const transport = new AnsweredTransport(lines)
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
  await Promise.race([lastAnswer(input, messages, transport), aborted(signal)])
  stopListening()
  await serving.close()
  directory.close()
}

/** Resolves when the client has sent all that it wanted, and has its answers. */
async function lastAnswer(input: Readable, messages: Readable, transport: AnsweredTransport): Promise<void> {
  await Promise.race([once(input, 'end'), once(input, 'close')]).catch(() => {})
  while (messages.readableLength > 0) await nextTurn()
  const time = new AbortController()
  await Promise.race([transport.idle(), rest(lastAnswersMs, undefined, time).catch(() => {})])
  time.abort()
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}
