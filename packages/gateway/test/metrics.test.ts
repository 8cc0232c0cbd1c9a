import { tracingChannel } from 'node:diagnostics_channel'
import type { CallTrace, PluginHost } from '@appfactory/host'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { chat, post, send, serve, startHost } from './visitor.js'

let host: PluginHost
beforeAll(async () => {
  host = await startHost(['tool_llm', 'own_things'])
})
afterAll(() => host.close({ force: true }))

async function metricsOf(port: number): Promise<string> {
  const answer = await send(port, { path: '/metrics' })
  expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
  return answer.body
}

const requests = (route: string, status: number, plugin: string, count: number): string =>
  `appfactory_gateway_requests_total{route="${route}",status="${status}",plugin="${plugin}"} ${count}\n`

it('tells requests by route, status and plugin, and the host’s metrics', async () => {
  const { port } = await serve(host, { metrics: true, models: { alias: 'tool_llm' } })
  await chat(port, 'x')
  await chat(port, 'x', { model: 'alias', stream: true })
  await post(port, '/v1/plugins/own_things/nothing', {})
  await expect.poll(() => metricsOf(port)).toContain(requests('/chat/completions', 200, 'tool_llm', 2))
  const text = await metricsOf(port)
  expect(text).toContain(requests('/plugins/{plugin}/{method}', 200, 'own_things', 1))
  expect(text).toContain('appfactory_gateway_requests_in_flight 1\n')
  expect(text).toContain('appfactory_gateway_first_byte_seconds_count{route="/chat/completions"} 2\n')
  expect(text).toMatch(/appfactory_gateway_sent_bytes_total\{route="\/chat\/completions"\} \d{3,}\n/)
  expect(text).toMatch(/appfactory_calls_total\{plugin="tool_llm",method="chat",outcome="answered"\} \d+\n/)
})

it('makes no label of what a client has written', async () => {
  const { port } = await serve(host, { metrics: true })
  await chat(port, 'x', { model: 'chosen-by-client' })
  for (const path of ['/chosen-by-client', '/v1/models/chosen-by-client', '/v1/plugins/chosen-by-client'])
    await send(port, { path })
  await expect.poll(() => metricsOf(port)).toContain(requests('/plugins/{plugin}', 404, '', 1))
  const text = await metricsOf(port)
  expect(text).toContain(requests('other', 404, '', 1))
  expect(text).not.toContain('chosen')
})

it('needs an option, and a key unless another one says otherwise', async () => {
  const status = async (options: object): Promise<number> =>
    (await send((await serve(host, options)).port, { path: '/metrics' })).status
  expect(await status({})).toBe(404)
  expect(await status({ metrics: true, keys: ['one'] })).toBe(401)
  expect(await status({ metrics: true, keys: ['one'], publicMetrics: true })).toBe(200)
  expect(await status({ keys: ['one'], publicMetrics: true })).toBe(401)
})

it('lets the calls of a request belong to its span', async () => {
  const seen: unknown[] = []
  const { start } = tracingChannel<object, CallTrace>('appfactory.call')
  const listen = (call: unknown): void => {
    const { method, context } = call as CallTrace
    if (method === 'chat') seen.push(context)
  }
  start.subscribe(listen)
  onTestFinished(() => void start.unsubscribe(listen))
  const { port } = await serve(host, {})
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  const body = { model: 'tool_llm', messages: [{ role: 'user', content: 'x' }] }
  const ask = (headers: object) => post(port, '/v1/chat/completions', body, { ...headers })
  const answers = [await ask({ traceparent, tracestate: 'a=1' }), await ask({ traceparent: 'nonsense' })]
  expect(answers.map(({ status }) => status)).toEqual([200, 200])
  expect(seen).toEqual([{ traceparent, tracestate: 'a=1' }, undefined])
})
