import { once } from 'node:events'
import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { serveTester, type Tester } from '../../src/tester/serve.js'
import { temporaryFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

/** A tester of a host with the plugins `one` and `two`. */
export async function startTester(): Promise<{ tester: Tester; host: PluginHost; root: string }> {
  const root = temporaryFolder()
  writePlugin(join(root, 'plugins'), 'one', ttsPlugin())
  writePlugin(join(root, 'plugins'), 'two', ttsPlugin(), { version: '2.0.0' })
  writePlugin(join(root, 'elsewhere'), 'outside', ttsPlugin())
  const host = new PluginHost({ pluginsDir: join(root, 'plugins'), configDir: join(root, 'config') })
  const tester = await serveTester(host)
  onTestFinished(async () => {
    await tester.close()
    await host.close({ force: true })
  })
  return { tester, host, root }
}

/** Sends a request as it is, without what a browser or fetch would add. Resolves with the headers of an endless answer. */
export function send(
  port: number,
  { method = 'GET', path = '/', headers = {}, body }: Sent,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path, headers }, (response) => {
      const { statusCode: status = 0, headers: received } = response
      let text = ''
      const answer = (): void => resolve({ status, headers: received, body: text })
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', answer).on('error', () => answer())
      if (received['content-type'] !== 'text/event-stream') return
      answer()
      response.destroy()
    })
    sent.on('error', reject)
    if (body === undefined && headers['content-length'] !== undefined) sent.flushHeaders()
    else sent.end(body)
  })
}

export interface Sent {
  method?: string
  path?: string
  headers?: OutgoingHttpHeaders
  body?: string
}

/** Sends bytes as they are, and gives what comes back until the server closes, or `until` has come. */
export async function sendRaw(port: number, text: string, until: RegExp): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let received = ''
  socket.on('data', (chunk) => {
    received += String(chunk)
  })
  const closed = once(socket, 'close')
  socket.write(text)
  const has = (): boolean => until.test(received)
  while (!has() && !socket.destroyed) await Promise.race([closed, once(socket, 'data').catch(() => {})])
  socket.destroy()
  return received
}

/** Opens the URL of a tester, and gives the headers that its page sends from then on. */
export async function enter(tester: Tester): Promise<Record<string, string>> {
  const { pathname, search, origin } = new URL(tester.issueUrl())
  const { headers } = await send(tester.port, { path: `${pathname}${search}` })
  const [cookie = ''] = headers['set-cookie'] ?? []
  return { cookie: cookie.split(';')[0] ?? '', origin, 'sec-fetch-site': 'same-origin' }
}

/** Calls a method as the page does; the messages of the answer. */
export async function rpc(
  tester: Tester,
  headers: Record<string, string>,
  method: string,
  params: object,
): Promise<Record<string, unknown>[]> {
  const body = `${JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })}\n`
  const length = { 'content-length': String(Buffer.byteLength(body)) }
  const answer = await send(tester.port, {
    method: 'POST',
    path: '/rpc',
    headers: { ...headers, ...length },
    body,
  })
  return answer.body
    .split('\n')
    .filter((line) => line !== '')
    .map((line): Record<string, unknown> => JSON.parse(line))
}
