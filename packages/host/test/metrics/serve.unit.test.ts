import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { afterEach, expect, test } from 'vitest'
import type { Obstacle } from '../../src/metrics/readiness.js'
import { type MetricsServer, type MetricsSource, startServer } from '../../src/metrics/serve.js'

const servers: MetricsServer[] = []
const sockets: Socket[] = []

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]()
})

async function serve(
  source: Partial<MetricsSource> = {},
  options: Partial<Parameters<typeof startServer>[1]> = {},
): Promise<MetricsServer> {
  const whole = { metrics: () => 'x 1\n', obstacles: () => [], ...source }
  const server = await startServer(whole, { port: 0, address: '127.0.0.1', ...options })
  servers.push(server)
  return server
}

interface Reply {
  status: number | undefined
  headers: IncomingMessage['headers']
  body: string
}

function ask(
  { port }: MetricsServer,
  path: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        body += part
      })
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body }))
    })
    sent.on('error', reject)
    sent.end()
  })
}

/** Sends text as it is; resolves to all that comes back until the connection is closed. */
async function send({ port }: MetricsServer, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  sockets.push(socket)
  let received = ''
  socket.setEncoding('utf8').on('data', (part: string) => {
    received += part
  })
  socket.on('error', () => {})
  socket.write(text)
  await once(socket, 'close')
  return received
}

test('metrics, the process and readiness each have a path', async () => {
  let obstacles: Obstacle[] = []
  const server = await serve({ obstacles: () => obstacles })
  expect(await ask(server, '/metrics?x=1')).toMatchObject({
    ...{ status: 200, body: 'x 1\n' },
    headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8', 'cache-control': 'no-store' },
  })
  expect(await ask(server, '/healthz')).toMatchObject({ status: 200, body: 'ok\n' })
  expect(await ask(server, '/readyz')).toMatchObject({ status: 200, body: '{"ready":true,"reasons":[]}\n' })
  obstacles = [{ plugin: 'one', reason: 'it is on fire' }]
  const unready = await ask(server, '/readyz')
  expect([unready.status, JSON.parse(unready.body)]).toEqual([503, { ready: false, reasons: obstacles }])
  expect(await ask(server, '/healthz')).toMatchObject({ status: 200 })
})

test('other paths are not found, other methods not allowed, and HEAD is GET without a body', async () => {
  const server = await serve()
  for (const path of ['/', '/metrics/', '//metrics', '/METRICS', '/%6detrics', '/__proto__'])
    expect((await ask(server, path)).status, path).toBe(404)
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE'])
    expect(await ask(server, '/metrics', { method })).toMatchObject({
      status: 405,
      headers: { allow: 'GET, HEAD' },
    })
  const [found, missing] = [await ask(server, '/metrics'), await ask(server, '/')]
  expect([found.headers.allow, missing.headers.allow]).toEqual([undefined, undefined])
  expect(missing.body).toContain('/metrics, /healthz, /readyz')
  const head = await ask(server, '/metrics', { method: 'HEAD' })
  expect(head).toMatchObject({ status: 200, body: '', headers: { 'content-length': '4' } })
})

test('a name of another site that leads to this machine is refused', async () => {
  const server = await serve()
  const statusFor = async (host: string): Promise<unknown> =>
    (await ask(server, '/metrics', { headers: { host } })).status
  for (const host of [
    'evil.example',
    'evil.example:9464',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    '10.0.0.1',
    '::1',
  ])
    expect(await statusFor(host), host).toBe(403)
  for (const host of ['localhost', 'LOCALHOST:1', '127.0.0.1', '127.8.8.8:80', '[::1]:9464'])
    expect(await statusFor(host), host).toBe(200)
  // Only programs can leave it out.
  expect(await send(server, 'GET /healthz HTTP/1.0\r\n\r\n')).toContain('200 OK')
})

test('one that is served to a network may be asked for by any name', async () => {
  const server = await serve({}, { address: '0.0.0.0' })
  expect((await ask(server, '/metrics', { headers: { host: 'metrics.example' } })).status).toBe(200)
})

test('it may be served on an address of IPv6', async ({ skip }) => {
  const hasIPv6 = Object.values(networkInterfaces()).some((all) =>
    all?.some(({ address }) => address === '::1'),
  )
  if (!hasIPv6) skip()
  const server = await serve({}, { address: '::1' })
  expect(server.url).toBe(`http://[::1]:${server.port}`)
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
})

test('a client may ask again on its connection, but not after it has sent what nobody reads', async () => {
  const server = await serve()
  const asked = (method: string): string => `${method} /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n`
  const answers = await send(
    server,
    asked('GET') + asked('HEAD') + asked('GET') + asked('POST') + asked('GET'),
  )
  expect(answers.match(/^HTTP\/1\.1 \d+/gm)).toEqual([
    'HTTP/1.1 200',
    'HTTP/1.1 200',
    'HTTP/1.1 200',
    'HTTP/1.1 405',
  ])
})

test('a client that asks without pause does not have the text made each time', async () => {
  let made = 0
  const slow = (): string => {
    made += 1
    for (const begun = performance.now(); performance.now() - begun < 20; );
    return `x ${made}\n`
  }
  const server = await serve({ metrics: slow })
  const bodies = await Promise.all(
    Array.from({ length: 20 }, async () => (await ask(server, '/metrics')).body),
  )
  expect(new Set(bodies).size).toBe(made)
  expect(made).toBeLessThan(10)
  const last = made
  await expect.poll(async () => (await ask(server, '/metrics')).body).toBe(`x ${last + 1}\n`)
})

test('more clients than there may be are turned away, and others are served once there is room', async () => {
  const server = await serve()
  const waiting = Array.from({ length: 40 }, () => connect(server.port, '127.0.0.1'))
  sockets.push(...waiting)
  let closed = 0
  for (const socket of waiting) socket.on('error', () => {}).on('close', () => (closed += 1))
  await expect.poll(() => closed).toBeGreaterThanOrEqual(8)
  for (const socket of waiting) socket.destroy()
  await expect.poll(() => ask(server, '/healthz').catch(() => undefined)).toMatchObject({ status: 200 })
})

test('what is no request, or too long a one, is refused, and the server goes on', async () => {
  const server = await serve()
  expect(await send(server, 'nonsense\r\n\r\n')).toContain('400 Bad Request')
  expect(
    await send(server, `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(10_000)}\r\n\r\n`),
  ).toContain('431 ')
  const posted = await send(
    server,
    `POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\nx`,
  )
  expect(posted).toContain('405 Method Not Allowed')
  expect((await ask(server, '/healthz')).status).toBe(200)
})

test('a client that does not finish its question, or does not read the answer, is left', async () => {
  const large = 'x'.repeat(50_000_000)
  const server = await serve({ metrics: () => large }, { patienceMs: 100 })
  await send(server, 'GET /metrics HTTP/1.1\r\nHost: localhost\r\n')
  const slow = send(server, 'GET /metrics HTTP/1.1\r\nX: ')
  const trickle = setInterval(() => sockets.at(-1)?.write('x'), 20)
  // Where the machine is so busy that nothing trickles, its silence ends it, without a word. What trickles on after the answer
  // is reset, which may come before the answer is read.
  const left = await slow.catch((error: NodeJS.ErrnoException) => error.code)
  expect(left).toMatch(/^$|^HTTP\/1\.1 408 |^ECONNRESET$/)
  clearInterval(trickle)
  const deaf = connect(server.port, '127.0.0.1')
  sockets.push(deaf)
  deaf.on('error', () => {}).write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n')
  // Without reading, only a write tells that the other end is gone.
  const writing = setInterval(() => deaf.write('x'), 1000)
  await new Promise((resolve) => deaf.pause().once('close', resolve))
  clearInterval(writing)
  expect(deaf.bytesRead).toBeLessThan(large.length)
  expect((await ask(server, '/healthz')).status).toBe(200)
})

test('closing it does not wait for clients', async () => {
  const server = await serve()
  const socket = connect(server.port, '127.0.0.1')
  sockets.push(socket)
  socket.on('error', () => {}).write('GET /metrics HTTP/1.1\r\n')
  await once(socket, 'connect')
  const closed = new Promise((resolve) => socket.once('close', resolve))
  await servers.pop()?.[Symbol.asyncDispose]()
  await closed
  await expect(ask(server, '/healthz')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})

test('a port that is taken is an error with its code', async () => {
  const { port } = await serve()
  const source = { metrics: () => '', obstacles: () => [] }
  await expect(startServer(source, { port, address: '127.0.0.1' })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  })
})
