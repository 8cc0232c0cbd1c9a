import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { PluginHost } from '@appfactory/host'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { gatewayHandler } from '../src/index.js'
import { chat, eventsIn, json, send, serve, startHost, textIn } from './visitor.js'

let host: PluginHost
beforeAll(async () => {
  host = await startHost(['tool_llm', 'tone_tts', 'echo_stt'], {
    restart: { firstDelayMs: 1, maxCrashes: 100 },
  })
})
afterAll(() => host.close({ force: true }))

/** Sends a request, and leaves it to the test what becomes of the connection. */
async function begin(port: number, content: string, more: object = {}): Promise<Socket> {
  const body = JSON.stringify({ model: 'tool_llm', messages: [{ role: 'user', content }], ...more })
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  const type = 'Content-Type: application/json'
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
  return socket
}

/** A server of the test’s own, on any free port. */
async function listen(server: Server): Promise<AddressInfo> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return server.address() as AddressInfo
}

/** What the plugin has counted. */
async function counted(port: number, what: '/aborts' | '/made'): Promise<number> {
  return Number(textIn(await chat(port, what)))
}

const paced = { stream: true, messages: [{ role: 'user', content: '/paced 20 40' }] }

/** Resolves when the answer has begun. */
function ask(port: number, path: 'chat/completions' | 'audio/speech', more: object): Promise<Response> {
  const speech = { model: 'tone_tts', response_format: 'pcm', stream_format: 'sse' }
  const common = path === 'audio/speech' ? speech : { model: 'tool_llm' }
  return fetch(`http://127.0.0.1:${port}/v1/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...common, ...more }),
  })
}

async function figures(plugin = 'tool_llm'): Promise<Record<string, unknown>> {
  return (await host.health(plugin)).details ?? {}
}

/** How many connections this process has, of clients and of gateways. */
function sockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
}

describe('a client that goes', () => {
  it.each([
    ['in a stream', '/paced 1000 20', { stream: true }, /"1 "/],
    ['before the first piece', '/hang', { stream: true }, undefined],
    ['without a stream', '/hang', {}, undefined],
  ])('%s: its call is cancelled in the plugin', async (_when, content, more, until) => {
    const { port } = await serve(host)
    const before = await counted(port, '/aborts')
    const client = await begin(port, content, more)
    let text = ''
    client.on('data', (chunk) => {
      text += String(chunk)
    })
    if (until) await expect.poll(() => text).toMatch(until)
    else await expect.poll(() => figures()).toMatchObject({ waiting: 1 })
    client.destroy()
    await expect.poll(() => counted(port, '/aborts')).toBe(before + 1)
  })

  it('during an upload: the plugin hears nothing of it', async () => {
    const { port } = await serve(host)
    const client = connect(port, '127.0.0.1')
    const type = 'Content-Type: multipart/form-data; boundary=x\r\nExpect: 100-continue'
    client.write(
      `POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\n${type}\r\nContent-Length: 9000\r\n\r\n`,
    )
    await once(client, 'data')
    client.write('--x\r\nContent-Disposition: form-data; name="model"\r\n\r\necho_stt\r\n--x')
    const before = await figures('echo_stt')
    client.destroy()
    await once(client, 'close')
    expect(textIn(await chat(port, 'next'))).toBe('next')
    const counted = ['calls_answered', 'calls_failed', 'calls_cancelled', 'calls_in_flight', 'open_streams']
    const after = await figures('echo_stt')
    for (const name of counted) expect([name, after[name]]).toEqual([name, before[name]])
    expect(after['calls_answered']).toEqual(expect.any(Number))
  })

  it('a thousand times leaves nothing behind', async () => {
    const { port } = await serve(host)
    const before = await counted(port, '/aborts')
    const open = sockets()
    for (let round = 1; round <= 4; round++) {
      const clients = await Promise.all(
        Array.from({ length: 250 }, () => begin(port, '/first', { stream: true })),
      )
      await Promise.all(clients.map((client) => once(client, 'data')))
      for (const client of clients) client.destroy()
      await expect.poll(() => counted(port, '/aborts')).toBe(before + round * 250)
    }
    expect(await figures()).toMatchObject({ open_streams: 0, calls_in_flight: 0 })
    await expect.poll(sockets).toBeLessThanOrEqual(open)
  })
})

it('a client that sends nonsense behind its request gets no second answer in its stream', async () => {
  const { port } = await serve(host)
  const client = await begin(port, '/paced 1000 20', { stream: true })
  let text = ''
  client.on('data', (chunk) => {
    text += String(chunk)
  })
  await expect.poll(() => text).toContain('"1 "')
  const before = await counted(port, '/aborts')
  client.write('nonsense\r\n\r\n')
  await once(client, 'close')
  expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1)
  await expect.poll(() => counted(port, '/aborts')).toBe(before + 1)
})

describe('a client that reads slowly', () => {
  it('holds up the plugin, which is 64 pieces ahead at most, and goes on where it was', async () => {
    let socket: Socket | undefined
    const handler = gatewayHandler(host)
    const { port } = await listen(createServer(handler).on('connection', (each) => (socket ??= each)))
    const client = await begin(port, '/endless', { stream: true })
    client.pause()
    let last = -1
    // The plugin stands still when all that is between it and the client is full.
    await expect
      .poll(async () => {
        const made = await counted(port, '/made')
        const stands = made === last && made > 0
        last = made
        return stands
      })
      .toBe(true)
    const [, event = ''] = eventsIn(await chat(port, '/sizes 1000', { stream: true }))
    // With a blank line, and a little for what HTTP puts around each write.
    const sent = (socket?.bytesWritten ?? 0) / (`data: ${event}`.length + 3)
    expect(sent).toBeGreaterThan(0)
    // 16 are gathered for one write.
    expect(last - sent).toBeLessThanOrEqual(64 + 20)
    client.resume()
    await expect.poll(() => counted(port, '/made')).toBeGreaterThan(last)
    client.destroy()
    await handler.close()
  })

  it('or not at all is disconnected', async () => {
    const { port } = await serve(host, { limits: { unreadStreamMs: 100 } })
    const client = await begin(port, '/endless', { stream: true })
    client.pause()
    await expect.poll(async () => (await figures())['open_streams']).toBe(1)
    await expect.poll(async () => (await figures())['open_streams']).toBe(0)
    client.destroy()
    expect(textIn(await chat(port, 'next'))).toBe('next')
  })
})

describe('plugins', () => {
  it('are swapped under 50 open streams, and no client notices', async () => {
    const { port } = await serve(host)
    const streams = Array.from({ length: 25 }, () => ask(port, 'chat/completions', paced))
    const spoken = Array.from({ length: 25 }, () => ask(port, 'audio/speech', { input: '/paced 20 40' }))
    // Each has had its first piece then.
    const open = await Promise.all([...streams, ...spoken])
    const swaps = ['tool_llm', 'tone_tts'].map((plugin) => host.swap(plugin, plugin))
    const meanwhile = Array.from({ length: 20 }, (_, index) => [
      chat(port, `call ${index}`),
      ask(port, 'audio/speech', { input: 'word' }),
    ])
    await Promise.all(swaps)
    expect(open.map(({ status }) => status)).toEqual(Array(50).fill(200))
    const bodies = await Promise.all(open.map((answer) => answer.text()))
    for (const body of bodies.slice(0, 25)) {
      expect(eventsIn({ body })).toHaveLength(23)
      expect(eventsIn({ body }).at(-1)).toBe('[DONE]')
    }
    for (const body of bodies.slice(25)) {
      expect(eventsIn({ body })).toHaveLength(21)
      expect(eventsIn({ body }).at(-1)).toContain('speech.audio.done')
    }
    expect((await Promise.all(meanwhile.flat())).map(({ status }) => status)).toEqual(Array(40).fill(200))
    expect(textIn(await chat(port, 'after'))).toBe('after')
  })

  it('that are killed end their streams with an error, and serve the next request', async () => {
    const { port } = await serve(host)
    const streams = Array.from({ length: 10 }, () => chat(port, '/paced 1000 20', { stream: true }))
    const spoken = Array.from({ length: 5 }, () => ask(port, 'audio/speech', { input: '/paced 1000 20' }))
    const calls = Array.from({ length: 5 }, () => chat(port, '/hang'))
    await expect
      .poll(async () => [await figures(), await figures('tone_tts')])
      .toMatchObject([{ open_streams: 10, calls_in_flight: 5 }, { open_streams: 5 }])
    for (const plugin of ['tool_llm', 'tone_tts'])
      process.kill(Number((await figures(plugin))['pid']), 'SIGKILL')
    for (const answer of await Promise.all(streams)) {
      expect(eventsIn(answer).at(-1) ?? answer.body).toContain('"code":"plugin_crashed"')
      expect(answer.body).not.toContain('[DONE]')
    }
    for (const answer of await Promise.all(spoken))
      expect(await answer.text()).toContain('"code":"plugin_crashed"')
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual(Array(5).fill(502))
    const next = await Promise.all(Array.from({ length: 20 }, () => chat(port, 'next')))
    for (const { status, headers } of next)
      if (status !== 200) expect([status, headers['retry-after']]).toEqual([503, expect.any(String)])
    await expect.poll(async () => textIn(await chat(port, 'next'))).toBe('next')
    expect((await ask(port, 'audio/speech', { input: 'next' })).status).toBe(200)
  })

  it('that crash end their streams with an error, and serve the next request', async () => {
    const { port } = await serve(host)
    const [call, stream] = await Promise.all([
      chat(port, '/crash'),
      chat(port, '/paced 1000 5', { stream: true }),
    ])
    expect(call.status).toBe(502)
    expect(json(call)).toMatchObject({ error: { type: 'server_error', code: 'plugin_crashed' } })
    expect(call.body).not.toMatch(/stack|\/tool_llm\//)
    const events = eventsIn(stream)
    expect(events.at(-1)).toContain('"code":"plugin_crashed"')
    expect(textIn(await chat(port, 'next'))).toBe('next')
  })

  it('that take too long: 504, and no client is to repeat it', async () => {
    const patient = await startHost(['tool_llm'], { callTimeoutMs: 300 })
    onTestFinished(() => patient.close({ force: true }))
    const { port } = await serve(patient)
    const [call, stream] = await Promise.all([chat(port, '/hang'), chat(port, '/hang', { stream: true })])
    for (const answer of [call, stream]) {
      expect(answer).toMatchObject({ status: 504, headers: { 'x-should-retry': 'false' } })
      expect(json(answer)).toMatchObject({ error: { code: 'timeout' } })
    }
  })

  it('that are unloaded are models no more, and again when they are loaded', async () => {
    const other = await startHost(['tool_llm'])
    onTestFinished(() => other.close({ force: true }))
    const { port } = await serve(other)
    expect(await chat(port, 'x')).toMatchObject({ status: 200 })
    await other.unload('tool_llm')
    expect(await chat(port, 'x')).toMatchObject({ status: 404 })
    expect(json(await send(port, { path: '/v1/models' }))).toEqual({ object: 'list', data: [] })
    await other.load('tool_llm')
    expect(textIn(await chat(port, 'back'))).toBe('back')
  })
})

describe('close()', () => {
  it('lets requests finish, refuses new ones, and leaves the host as it is', async () => {
    const gateway = await serve(host, { limits: { drainTimeoutMs: 20_000 } })
    const stream = chat(gateway.port, '/paced 10 20', { stream: true })
    await expect.poll(async () => (await figures())['open_streams']).toBe(1)
    await gateway.close()
    expect(eventsIn(await stream)).toHaveLength(13)
    await expect(chat(gateway.port, 'x')).rejects.toThrow()
    expect(host.status().pluginsLoaded).toBe(3)
    await gateway.close()
  })

  it('cancels what takes longer, with an error', async () => {
    const gateway = await serve(host, { limits: { drainTimeoutMs: 50 } })
    const before = await counted(gateway.port, '/aborts')
    const call = chat(gateway.port, '/hang')
    const stream = chat(gateway.port, '/paced 1000 20', { stream: true })
    await expect.poll(() => figures()).toMatchObject({ waiting: 2, calls_in_flight: 1, open_streams: 1 })
    const [answer, streamed] = await Promise.all([call, stream, gateway.close()])
    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
    expect(eventsIn(streamed).at(-1) ?? streamed.body).toContain('"code":"gateway_closing"')
    const { port } = await serve(host)
    await expect.poll(() => counted(port, '/aborts')).toBe(before + 2)
  })
})

describe('gatewayHandler()', () => {
  it('answers on a server of one’s own, until it is closed', async () => {
    const handler = gatewayHandler(host, { models: { alias: 'tool_llm' } })
    const others = (response: ServerResponse): unknown => response.end('own')
    const server = createServer((request, response) =>
      request.url === '/own' ? others(response) : handler(request, response),
    )
    const { port } = await listen(server)
    expect(textIn(await chat(port, 'hello', { model: 'alias' }))).toBe('hello')
    expect(await send(port, { path: '/own' })).toMatchObject({ body: 'own' })
    const listeners = host.listenerCount('status')
    await handler.close()
    expect(host.listenerCount('status')).toBe(listeners - 1)
    expect(await chat(port, 'hello')).toMatchObject({ status: 503 })
  })
})
