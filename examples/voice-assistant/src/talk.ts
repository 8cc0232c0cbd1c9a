// `npm run talk`: a page on which you speak with three plugins, and hear them answer. `--voice NAME` and `--ears NAME` choose those that
// speak and listen, `--port N` the port.
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type GatewayHandler, gatewayHandler } from '@appfactory/gateway'
import { PluginHost } from '@appfactory/host'
import { isPluginError } from '@appfactory/sdk'
import { loadEngines, warmUp } from './engines.js'

const files = new Map(
  ['index.html', 'page.css', 'page.js', 'speaker.js', 'picture.js', 'microphone.js'].map((name) => [
    name === 'index.html' ? '/' : `/${name}`,
    new URL(`../page/${name}`, import.meta.url),
  ]),
)

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
}

const pageHeaders = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
}

try {
  await talk()
} catch (error) {
  // What a person can put right: an option, a port in use, a plugin that is not there.
  if (!isPluginError(error) && !(error instanceof Error && 'code' in error)) throw error
  console.error(error.message)
  process.exitCode = 1
}

async function talk(): Promise<void> {
  const { voice, ears, port } = readOptions(process.argv.slice(2))
  await using host = new PluginHost({ pluginsDir: fileURLToPath(new URL('../../plugins', import.meta.url)) })
  const stopped = Promise.race(['SIGINT', 'SIGTERM'].map((signal) => once(process, signal)))
  const [engines] = await Promise.all([
    loadEngines(host, { voice, ears, question: '' }),
    host.load('vad_fvad'),
  ])
  await warmUp(engines)
  const server = createServer()
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const { port: bound } = server.address() as AddressInfo
  // Only the page itself may use the gateway.
  const cors = [`http://127.0.0.1:${bound}`, `http://localhost:${bound}`]
  const handler = gatewayHandler(host, { realtimeEars: ears, realtimeVoice: voice, cors })
  server.on('request', (request, response) => void answer(handler, request, response))
  server.on('upgrade', handler.upgrade)
  console.log(`Talk: http://127.0.0.1:${bound}/`)
  await stopped
  await handler.close()
  server.close()
  server.closeAllConnections()
}

/** @throws TypeError for an option that it does not know, or one without its value. */
function readOptions(given: readonly string[]): { voice: string; ears: string; port: number } {
  const { values } = parseArgs({
    args: [...given],
    options: {
      voice: { type: 'string', default: 'tts_flite' },
      ears: { type: 'string', default: 'stt_pocketsphinx' },
      port: { type: 'string', default: '8090' },
    },
  })
  return { ...values, port: Number(values.port) }
}

async function answer(
  handler: GatewayHandler,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const file = files.get((request.url ?? '').split('?', 1)[0] ?? '')
  if (!file || request.method !== 'GET') return handler(request, response)
  response.writeHead(200, { ...pageHeaders, 'content-type': types[extname(file.pathname)] })
  response.end(await readFile(file))
}
