import { once } from 'node:events'
import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { type HostOptions, PluginHost, type PluginSystem } from '@appfactory/host'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { type Gateway, type ServeOptions, serveGateway } from '../src/index.js'

const pluginsDir = fileURLToPath(new URL('plugins', import.meta.url))

/** A host with the plugins of this folder; gone when the caller says so. */
export async function startHost(names: readonly string[], options: HostOptions = {}): Promise<PluginHost> {
  const host = new PluginHost({ pluginsDir, projectDir: false, ...options })
  await Promise.all(names.map((name) => host.load(name)))
  return host
}

/** What the tests of a file, or of a `describe`, share. */
export interface Served {
  readonly host: PluginHost
  readonly gateway: Gateway
}

/** A host with plugins, and a gateway in front of it, from before the first test until after the last one. */
export function serveAll(
  names: readonly string[],
  options: ServeOptions = {},
  hostOptions: HostOptions = {},
): Served {
  let host: PluginHost | undefined
  let gateway: Gateway | undefined
  beforeAll(async () => {
    host = await startHost(names, hostOptions)
    gateway = await serveGateway(host, { port: 0, ...options })
  })
  afterAll(async () => {
    await gateway?.close()
    await host?.close({ force: true })
  })
  return {
    get host() {
      return begun(host)
    },
    get gateway() {
      return begun(gateway)
    },
  }
}

function begun<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('It has not begun yet')
  return value
}

/** A gateway on any free port, gone after the test. */
export async function serve(host: PluginSystem, options: ServeOptions = {}): Promise<Gateway> {
  const gateway = await serveGateway(host, { port: 0, limits: { drainTimeoutMs: 1 }, ...options })
  onTestFinished(() => gateway.close())
  return gateway
}

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

export interface Sent {
  method?: string
  path?: string
  headers?: OutgoingHttpHeaders
  body?: string | Buffer
}

/** Sends a request as it is, without what a browser or fetch would add. */
export function send(
  port: number,
  { method = 'GET', path = '/', headers = {}, body }: Sent,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path, headers }, (response) => {
      const { statusCode: status = 0, headers: received } = response
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', () => resolve({ status, headers: received, body: text })).on('error', reject)
    })
    sent.on('error', reject)
    if (body === undefined && headers['content-length'] !== undefined) sent.flushHeaders()
    else sent.end(body)
  })
}

/** Posts a value as JSON. */
export function post(
  port: number,
  path: string,
  value: unknown,
  headers: OutgoingHttpHeaders = {},
): Promise<Answer> {
  const body = typeof value === 'string' || Buffer.isBuffer(value) ? value : JSON.stringify(value)
  return send(port, {
    method: 'POST',
    path,
    headers: { 'content-type': 'application/json', ...headers },
    body,
  })
}

/** Asks `tool_llm` with one message. */
export function chat(port: number, content: string, more: object = {}): Promise<Answer> {
  const messages = [{ role: 'user', content }]
  return post(port, '/v1/chat/completions', { model: 'tool_llm', messages, ...more })
}

/** What an answer with JSON holds. */
export function json({ body }: Answer): Record<string, unknown> {
  const value: Record<string, unknown> = JSON.parse(body)
  return value
}

/** The text of an answer of chat/completions. */
export function textIn(answer: Answer): string {
  const { choices } = json(answer) as { choices?: { message: { content: string } }[] }
  return choices?.[0]?.message.content ?? answer.body
}

/** The data of each event of a stream. */
export function eventsIn({ body }: Pick<Answer, 'body'>): string[] {
  return body.split('\n\n').flatMap((event) => {
    const lines = event.split('\n').filter((line) => line.startsWith('data: '))
    return lines.map((line) => line.slice('data: '.length))
  })
}

/** Sends bytes as they are, and gives what comes back until the server closes, or `until` has come. */
export async function sendRaw(port: number, text: string, until = /never/): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let received = ''
  socket.on('data', (chunk) => {
    received += String(chunk)
  })
  socket.on('error', () => {})
  const closed = once(socket, 'close')
  socket.write(text)
  while (!until.test(received) && !socket.destroyed)
    await Promise.race([closed, once(socket, 'data').catch(() => {})])
  socket.destroy()
  return received
}
