import type { TTSContract } from '@appfactory/sdk'
import { expect, test } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { serveMetrics } from '../../src/metrics/index.js'
import { temporaryFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'
import { parsePrometheus } from './prometheus-parser.js'

const members = `
async *synthesizeStream(text) {
  for (const word of text.split(' ')) {
    if (word === 'fail') throw new PluginError('TTS_SYNTHESIS_FAILED', 'no')
    yield encodeWav(new Int16Array(80), { sampleRate: 8000 })
  }
}
`

test('an embedded host counts calls and streams, whichever way they come', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'speaker', ttsPlugin(members))
  await using host = new PluginHost({ pluginsDir: root })
  const speaker = await host.load<TTSContract>('speaker')
  const counted = (): number[] => [host.status().requestsProcessed, host.status().errors]

  await speaker.synthesize('one')
  await host.call('speaker', 'get_voices')
  expect(counted()).toEqual([2, 0])

  for await (const _piece of speaker.synthesizeStream('one two'));
  for await (const _piece of host.stream('speaker', 'synthesize_stream', { text: 'one two' }));
  expect(counted()).toEqual([4, 0])

  // Left and cancelled by who asked: no errors.
  for await (const _piece of speaker.synthesizeStream('one two')) break
  await expect(speaker.getVoices({ signal: AbortSignal.abort() })).rejects.toThrow()
  expect(counted()).toEqual([6, 0])

  // Failed in the plugin, in its options, and before any plugin is asked.
  const failed = async (pieces: AsyncIterable<unknown>): Promise<void> => {
    for await (const _piece of pieces);
  }
  await expect(failed(speaker.synthesizeStream('one fail'))).rejects.toThrow()
  await expect(failed(host.stream('speaker', 'synthesize_stream', { text: 'fail' }))).rejects.toThrow()
  await expect(failed(host.stream('nobody', 'synthesize_stream'))).rejects.toThrow()
  await expect(speaker.synthesize('x', undefined, { pitch: 'high' as never })).rejects.toThrow()
  await expect(host.call('speaker', 'unknown')).rejects.toThrow()
  expect(counted()).toEqual([11, 5])

  expect((await speaker.health()).details).toMatchObject({
    ...{ calls_answered: 4, calls_failed: 3, calls_cancelled: 2, calls_in_flight: 0, open_streams: 0 },
  })
  const samples = parsePrometheus(host.metrics())
  const ended = (method: string): (number | undefined)[] =>
    ['answered', 'failed', 'cancelled'].map((outcome) =>
      samples.get(`appfactory_calls_total{plugin="speaker",method="${method}",outcome="${outcome}"}`),
    )
  expect(ended('synthesize')).toEqual([1, 0, 0])
  expect(ended('get_voices')).toEqual([1, 0, 1])
  expect(ended('synthesize_stream')).toEqual([2, 2, 1])
  expect(ended('other')).toEqual([0, 1, 0])
  expect(samples.get('appfactory_requests_total')).toBe(11)
  expect(samples.get('appfactory_request_errors_total')).toBe(5)
  expect(samples.get('appfactory_plugin_memory_bytes{plugin="speaker"}')).toBeGreaterThan(10_000_000)
  expect(samples.get('appfactory_plugin_status{plugin="speaker",status="READY"}')).toBe(1)

  expect(String(host.status().uptimeSeconds)).toMatch(/^\d+(\.\d{1,3})?$/)
})

test('crashes, restarts, swaps, noise and log lines are counted for as long as the host runs', async () => {
  const root = temporaryFolder()
  const troubled = `async getVoices() { process.stdout.write('noise\\n'); console.error('a line'); return [] }
async synthesize() { process.exit(3) }`
  writePlugin(root, 'troubled', ttsPlugin(troubled))
  writePlugin(root, 'unfit', ttsPlugin(`healthCheck() { return { status: 'ERROR' } }`))
  await using host = new PluginHost({ pluginsDir: root, restart: { firstDelayMs: 1 } })
  const plugin = await host.load<TTSContract>('troubled')
  await plugin.getVoices()
  await expect(plugin.synthesize('x')).rejects.toMatchObject({ codeName: 'PLUGIN_CRASHED' })
  await plugin.getVoices()
  await host.swap('troubled', 'troubled')
  await expect(host.swap('troubled', 'unfit')).rejects.toThrow()
  const metricOf = (name: string, more = ''): number | undefined =>
    parsePrometheus(host.metrics()).get(`appfactory_${name}{plugin="troubled"${more}}`)
  expect(metricOf('plugin_crashes_total')).toBe(1)
  expect(metricOf('plugin_restarts_total')).toBe(1)
  expect(metricOf('plugin_swaps_total', ',outcome="succeeded"')).toBe(1)
  expect(metricOf('plugin_swaps_total', ',outcome="failed"')).toBe(1)
  await expect.poll(() => metricOf('plugin_log_lines_total', ',level="WARNING"')).toBeGreaterThanOrEqual(2)
  expect(metricOf('calls_total', ',method="synthesize",outcome="failed"')).toBe(1)
  // A name that nothing has leaves nothing behind.
  await expect(host.load('nobody')).rejects.toThrow()
  expect(host.metrics()).not.toContain('nobody')
})

test('metrics and probes of an embedded host are served: ready once its plugins are loaded, and while they restart', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'fragile', ttsPlugin('async synthesize() { process.exit(3) }'))
  await using host = new PluginHost({
    pluginsDir: root,
    restart: { firstDelayMs: 1e8, maxDelayMs: 1e8, maxCrashes: 2 },
  })
  await using server = await serveMetrics(host, { port: 0, plugins: ['fragile'] })
  const ask = async (path: string): Promise<Response> => fetch(`${server.url}${path}`)
  const obstacles = async (): Promise<unknown> =>
    ((await (await ask('/readyz')).json()) as { reasons: unknown }).reasons
  expect(await obstacles()).toEqual([{ plugin: 'fragile', reason: 'it is not loaded' }])
  const fragile = await host.load<TTSContract>('fragile')
  expect(await obstacles()).toEqual([])
  await expect(fragile.synthesize('x')).rejects.toThrow()
  expect([host.active('tts'), await obstacles()]).toEqual([undefined, []])
  await host.unload('fragile')
  expect(await obstacles()).toEqual([{ plugin: 'fragile', reason: 'it is not loaded' }])
  expect(await (await ask('/metrics')).text()).toContain(
    'appfactory_plugin_crashes_total{plugin="fragile"} 1',
  )
  await host.close()
  expect(await obstacles()).toEqual([{ reason: 'the host is shutting down' }])
  expect((await ask('/healthz')).status).toBe(200)
})
