import type { MethodDescriptor } from '@appfactory/sdk'
import { quoted } from '@appfactory/sdk/internal'
import { RequestError, wireFailure } from '../errors.js'
import type { Exchange } from '../exchange.js'
import type { PluginDescription } from '../models.js'
import { sendStream } from '../stream.js'
import { answerForm, bytesOf } from './answer.js'
import { readArgs } from './args.js'

/** `GET /plugins` */
export async function listPlugins(exchange: Exchange): Promise<void> {
  const plugins = await exchange.directory.plugins()
  exchange.sendJson({ plugins: plugins.map(summaryBody) })
}

/** `GET /plugins/{plugin}` */
export async function describePlugin(exchange: Exchange): Promise<void> {
  const plugin = await pluginOf(exchange)
  const { name, version, description, methods } = plugin.contract
  exchange.sendJson({
    ...summaryBody({ ...plugin, contract: name }),
    contract: { name, version, description },
    methods: methods.map(methodBody),
  })
}

/** `POST /plugins/{plugin}/{method}`: calls a method by its wire name. */
export async function callMethod(exchange: Exchange): Promise<void> {
  const { directory, signal } = exchange
  const options = { signal, fallback: directory.mayFallBack }
  const plugin = await pluginOf(exchange)
  const method = methodOf(exchange, plugin)
  const form = answerForm(exchange.request.headers.accept, method)
  const args = await readArgs(exchange, method)
  if (form === 'events')
    return sendPieces(exchange, directory.host.stream(plugin.name, method.wire, args, options))
  const result = await directory.host.call(plugin.name, method.wire, args, options).catch(rethrow)
  if (form === 'json') return exchange.sendJson(result ?? null)
  const { bytes, type } = bytesOf(result)
  exchange.writeHead(200, {
    'content-type': type,
    'content-length': bytes.length,
    'cache-control': 'no-store',
  })
  exchange.response.end(bytes)
}

type Summary = Pick<PluginDescription, 'name' | 'version' | 'displayName' | 'description' | 'author'> &
  Pick<PluginDescription, 'status' | 'capabilities'> & { contract: string | null }

/** What clients may know of a plugin: nothing of its files, its configuration or its failures. */
function summaryBody(plugin: Summary): object {
  const { name, version, contract, displayName, description, author, status, capabilities } = plugin
  return { name, version, contract, display_name: displayName, description, author, status, capabilities }
}

function methodBody({ wire, description, kind, idempotent, args, result, piece }: MethodDescriptor): object {
  return { name: wire, description, kind, idempotent, args, result, piece }
}

/** The plugin that the path names. @throws RequestError 404. */
async function pluginOf(exchange: Exchange): Promise<PluginDescription> {
  const [, , name = ''] = exchange.path.split('/')
  const plugin = await exchange.directory.describe(name)
  exchange.plugin = plugin?.name
  if (plugin) return plugin
  throw new RequestError(
    404,
    `The plugin ${quoted(name)} does not exist, or is not loaded. GET /v1/plugins lists those that are`,
    { code: 'plugin_not_found' },
  )
}

/** The method that the path names. @throws RequestError 404. */
function methodOf({ path }: Exchange, { name, contract }: PluginDescription): MethodDescriptor {
  const [, , , wire = ''] = path.split('/')
  const method = contract.methods.find((each) => each.wire === wire)
  if (method) return method
  const known = contract.methods.map((each) => each.wire).join(', ')
  throw new RequestError(404, `Plugin ${quoted(name)} has no method ${quoted(wire)}. It has ${known}`, {
    code: 'method_not_found',
  })
}

/** Behind the last piece comes `[DONE]`, so that a stream that was cut is told from one that is over. */
function sendPieces(exchange: Exchange, pieces: AsyncIterable<unknown>): Promise<void> {
  return sendStream(exchange, explained(pieces), {
    begin() {},
    piece: (piece, send) => send(JSON.stringify(piece)),
    end: (send) => send('[DONE]'),
  })
}

async function* explained(pieces: AsyncIterable<unknown>): AsyncGenerator<unknown> {
  try {
    yield* pieces
  } catch (error) {
    rethrow(error)
  }
}

function rethrow(error: unknown): never {
  throw wireFailure(error)
}
