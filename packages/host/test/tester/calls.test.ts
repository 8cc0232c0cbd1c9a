import { once } from 'node:events'
import { request } from 'node:http'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { Histogram } from '../../src/tester/histogram.js'
import { ttsPlugin, writePlugin } from '../fixtures/plugins.js'
import { enter, rpc, startTester } from './visitor.js'

const endless = `
  async *synthesizeStream(text, voice, { signal }) {
    signal.addEventListener('abort', () => console.log('aborted'))
    for (let at = 0; ; at++) { await new Promise((resolve) => setTimeout(resolve, 10)); yield await this.synthesize('x') }
  }`

test('a page that goes away cancels its call in the plugin', async () => {
  const { tester, host, root } = await startTester()
  writePlugin(join(root, 'plugins'), 'endless', ttsPlugin(endless))
  await host.load('endless')
  const logged = vi.fn()
  host.on('log', ({ message }) => logged(message))
  const headers = await enter(tester)
  const body = `${JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'plugin/call',
    params: { plugin: 'endless', method: 'synthesize_stream', args: { text: 'x' }, stream: true },
  })}\n`
  const sent = request({ host: '127.0.0.1', port: tester.port, method: 'POST', path: '/rpc', headers })
  sent.setHeader('content-length', body.length)
  sent.end(body)
  const [response] = await once(sent, 'response')
  await once(response, 'data')
  sent.destroy()
  await vi.waitFor(() => expect(logged).toHaveBeenCalledWith('aborted'), 10_000)
  expect(await host.call('endless', 'get_voices')).toHaveLength(1)
})

const stubborn = `
  async getVoiceInfo() { await new Promise((resolve) => setTimeout(resolve, 60_000)) }
  async synthesize(text, voice, { signal }) {
    console.log('begun')
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    throw signal.reason
  }`

test('a cancelled call is answered with what has become of it in the plugin', async () => {
  const { tester, host, root } = await startTester()
  writePlugin(join(root, 'plugins'), 'stubborn', ttsPlugin(stubborn))
  await host.load('stubborn', { config: { mood: 'calm' } })
  const headers = await enter(tester)
  const cancel = (key: string) => rpc(tester, headers, 'call/cancel', { key })
  const cancelled = async (method: string, args: object) => {
    const key = `key of a call: ${method}`
    const answer = rpc(tester, headers, 'plugin/call', { plugin: 'stubborn', method, args, key })
    await vi.waitFor(async () => expect(await cancel(key)).toMatchObject([{ result: true }]))
    return answer
  }
  const [stopped] = await cancelled('synthesize', { text: 'x' })
  expect(stopped).toMatchObject({ error: { code: -32800 } })
  expect(stopped).not.toHaveProperty('error.data')
  expect(await cancelled('get_voice_info', { voice_id: 'x' })).toMatchObject([
    { error: { code: -32800, data: { still_working: true } } },
  ])
  expect(await cancel('nobody has this key')).toMatchObject([{ result: false }])
  expect(await rpc(tester, headers, 'plugin/config', { name: 'stubborn' })).toMatchObject([
    { result: { mood: 'calm' } },
  ])
  expect(await rpc(tester, headers, 'plugin/config', { name: 'one' })).toMatchObject([{ error: {} }])
})

test('plugin/describe names the argument that may come piece by piece', async () => {
  const { tester } = await startTester()
  const [answer] = await rpc(tester, await enter(tester), 'plugin/describe', { name: 'one' })
  const { methods } = { ...(answer?.['result'] as { methods: { name: string; input: string | null }[] }) }
  expect(methods.find(({ name }) => name === 'synthesize_stream')?.input).toBe('text')
  expect(methods.find(({ name }) => name === 'synthesize')?.input).toBeNull()
})

test('a load run counts every call, and a swap in the middle loses none', async () => {
  const { tester, host } = await startTester()
  await host.load('one')
  const headers = await enter(tester)
  const plan = { plugin: 'one', method: 'synthesize', args: { text: 'hi' }, callers: 4, seconds: 2 }
  const messages = await rpc(tester, headers, 'load/run', { ...plan, swap_to: 'two' })
  const last = messages.at(-1)?.['result'] as Record<string, number>
  expect(messages.length).toBeGreaterThan(3)
  expect(last).toMatchObject({
    lost: 0,
    in_flight: 0,
    errors: {},
    done: true,
    swap: { state: 'done', to: 'two' },
  })
  expect(last['answered']).toBe(last['calls'])
  expect(last['answered']).toBeGreaterThan(10)
  expect(host.active('tts')).toBe('two')
})

test('a load run says which calls brought no result', async () => {
  const { tester, host, root } = await startTester()
  writePlugin(
    join(root, 'plugins'),
    'mute',
    ttsPlugin("synthesize() { throw new PluginError('TTS_SYNTHESIS_FAILED', 'mute') }"),
  )
  await host.load('mute')
  const plan = { plugin: 'mute', method: 'synthesize', args: { text: 'hi' }, callers: 2, seconds: 0.5 }
  const last = (await rpc(tester, await enter(tester), 'load/run', plan)).at(-1)?.['result']
  expect(last).toMatchObject({ answered: 0, first_error: 'mute', all: null })
  const { lost, errors } = last as { lost: number; errors: Record<string, number> }
  expect(lost).toBeGreaterThan(2)
  expect(errors).toEqual({ TTS_SYNTHESIS_FAILED: lost })
  const wrong = { ...plan, args: { text: 7 } }
  const refusing = (await rpc(tester, await enter(tester), 'load/run', wrong)).at(-1)?.['result']
  expect(refusing).toMatchObject({ answered: 0, lost: 0 })
  const { refused, errors: reasons } = refusing as { refused: number; errors: Record<string, number> }
  expect(reasons).toEqual({ INVALID_PARAMS: refused })
})

const streamed = {
  plugin: 'endless',
  method: 'synthesize_stream',
  args: { text: 'x' },
  callers: 3,
  seconds: 0.3,
}

test('a load run on endless streams ends with its seconds; what it cut off is cancelled, not lost', async () => {
  const { tester, host, root } = await startTester()
  writePlugin(join(root, 'plugins'), 'endless', ttsPlugin(endless))
  await host.load('endless')
  const last = (await rpc(tester, await enter(tester), 'load/run', streamed)).at(-1)?.['result']
  expect(last).toMatchObject({ answered: 0, lost: 0, in_flight: 0, cancelled: 3, errors: {}, done: true })
  await expect.poll(async () => (await host.health('endless')).details).toMatchObject({ open_streams: 0 })
})

test('a page that goes away ends its load run, and the streams of it in the plugin', async () => {
  const { tester, host, root } = await startTester()
  writePlugin(join(root, 'plugins'), 'endless', ttsPlugin(endless))
  await host.load('endless')
  const body = `${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'load/run', params: { ...streamed, seconds: 600 } })}\n`
  const sent = request({
    host: '127.0.0.1',
    port: tester.port,
    method: 'POST',
    path: '/rpc',
    headers: { ...(await enter(tester)), 'content-length': body.length },
  })
  sent.end(body)
  const openStreams = async (): Promise<unknown> => (await host.health('endless')).details?.['open_streams']
  await expect.poll(openStreams).toBe(3)
  sent.on('error', () => {}).destroy()
  await expect.poll(openStreams).toBe(0)
})

test('a plugin gets bytes that are longer than its longest message', async () => {
  const { tester, host, root } = await startTester()
  const ears = `
    import { STTContract } from '@appfactory/sdk'
    export default class extends STTContract {
      async initialize() {}
      async shutdown() {}
      async healthCheck() { return { status: this.status } }
      async transcribe(audio) { return String(audio.length) }
      async getLanguages() { return [] }
    }`
  writePlugin(join(root, 'plugins'), 'ears', ears, { contract: 'stt' })
  await host.load('ears')
  const size = 12 * 1024 * 1024
  const audio = Buffer.alloc(size, 7).toString('base64')
  const params = { plugin: 'ears', method: 'transcribe', args: { audio_b64: audio } }
  const headers = await enter(tester)
  expect(await rpc(tester, headers, 'plugin/call', params)).toMatchObject([
    { result: { text: String(size) } },
  ])
  const plan = { ...params, callers: 1, seconds: 0.1 }
  expect((await rpc(tester, headers, 'load/run', plan)).at(-1)).toMatchObject({ result: { lost: 0 } })
})

test('a page is told what was, and what happens from now on', async () => {
  const { tester, host } = await startTester()
  await host.load('one')
  const headers = await enter(tester)
  const sent = request({ host: '127.0.0.1', port: tester.port, path: '/events', headers })
  sent.end()
  const [response] = await once(sent, 'response')
  let told = ''
  response.setEncoding('utf8').on('data', (chunk: string) => {
    told += chunk
  })
  await vi.waitFor(() =>
    expect(told).toMatch(/^event: recorded\ndata: .*"plugin":"one","status":"READY".*\n\n/),
  )
  await vi.waitFor(() => expect(told).toContain('"calls_in_flight":0'), 10_000)
  expect(told).toContain('"event_loop_delay_ms"')
  await host.unload('one')
  await vi.waitFor(() => expect(told).toMatch(/\n\ndata: .*"plugin":"one","status":"STOPPED"/), 5000)
  sent.destroy()
})

test('a histogram’s percentiles are right to one per cent', () => {
  const histogram = new Histogram()
  for (let ms = 1; ms <= 1000; ms++) histogram.add(ms)
  const { p50_ms: p50 = 0, p95_ms: p95 = 0, p99_ms: p99 = 0, max_ms: max = 0 } = histogram.percentiles() ?? {}
  expect(Math.abs(p50 / 500 - 1)).toBeLessThan(0.01)
  expect(Math.abs(p95 / 950 - 1)).toBeLessThan(0.01)
  expect(Math.abs(p99 / 990 - 1)).toBeLessThan(0.01)
  expect(max).toBe(1000)
  expect(new Histogram().percentiles()).toBeNull()
})
