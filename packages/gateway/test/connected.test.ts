import { join } from 'node:path'
import { connectHost, serveSocket } from '@appfactory/host'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../../host/test/fixtures/plugins.js'
import { serveGateway } from '../src/index.js'
import { json, post, send, serve, startHost } from './visitor.js'

it('serves a host at the other end of a connection as one of its own', async () => {
  await using host = await startHost(['tool_llm', 'wave_tts'])
  const path =
    process.platform === 'win32' ? `\\\\.\\pipe\\gateway-${process.pid}` : join(temporaryFolder(), 'host')
  await using _served = await serveSocket(host, { path })
  await using remote = await connectHost({ path })
  const { port } = await serve(remote, { mcp: true, metrics: true })
  const { data } = json(await send(port, { path: '/v1/models' }))
  expect((data as { id: string }[]).map(({ id }) => id)).toEqual(
    expect.arrayContaining(['tool_llm', 'wave_tts']),
  )
  const messages = [{ role: 'user', content: 'x' }]
  for (const stream of [false, true])
    expect((await post(port, '/v1/chat/completions', { model: 'tool_llm', messages, stream })).status).toBe(
      200,
    )
  // The active plugin of the contract.
  const speech = { model: 'tts-1', input: 'one two', response_format: 'pcm' }
  expect((await post(port, '/v1/audio/speech', speech)).status).toBe(200)
  await host.unload('wave_tts')
  await expect.poll(async () => (await post(port, '/v1/audio/speech', speech)).status).toBe(404)
  expect((await send(port, { path: '/metrics' })).body).toContain('appfactory_connection_requests_total')
  const client = new Client({ name: 'test', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${port}/mcp`)))
  expect((await client.listTools()).tools.map(({ name }) => name).join()).toContain('tool_llm')
  await client.close()
})

it('makes the fallback of an alias in that host, for each gateway its own, where it may', async () => {
  await using host = await startHost(['tool_llm', 'wave_tts', 'tone_tts'])
  const path = (name: string): string =>
    process.platform === 'win32'
      ? `\\\\.\\pipe\\gateway-${name}-${process.pid}`
      : join(temporaryFolder(), name)
  await using all = await serveSocket(host, { path: path('all'), rights: 'all' })
  await using some = await serveSocket(host, { path: path('some') })
  await using one = await connectHost({ path: all.path })
  await using other = await connectHost({ path: all.path })
  await using weak = await connectHost({ path: some.path })
  const models = { voice: 'wave_tts,tone_tts' }
  const gateways = await Promise.all(
    [one, other, weak].map((remote) => serveGateway(remote, { port: 0, models })),
  )
  const [first, second, third] = gateways.map(({ port }) => port)
  const speak = (port = 0) =>
    post(port, '/v1/audio/speech', { model: 'voice', input: 'Hi', response_format: 'pcm' })
  expect([(await speak(first)).status, (await speak(second)).status]).toEqual([200, 200])
  await host.unload('wave_tts')
  expect((await speak(first)).status).toBe(200)
  const refused = await speak(third)
  expect([refused.status, refused.body]).toEqual([501, expect.stringContaining('may not call')])
  // As if its process was killed.
  one.close()
  const fallbacks = async (): Promise<number> => (await host.list()).filter((each) => each.fallback).length
  await expect.poll(fallbacks).toBe(1)
  expect((await speak(second)).status).toBe(200)
  await Promise.all(gateways.map((gateway) => gateway.close()))
  await expect.poll(fallbacks).toBe(0)
})
