import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { TTSContract } from '@appfactory/sdk'
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { PluginHost } from '../src/index.js'
import { instrument } from '../src/opentelemetry.js'
import { temporaryFolder, ttsPlugin, writePlugin } from './fixtures/plugins.js'

const exporter = new InMemorySpanExporter()
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
afterAll(() => context.disable())

const members = `
async getVoices() { throw new PluginError('TTS_VOICE_NOT_FOUND', 'secret') }
async *synthesizeStream() { yield encodeWav(new Int16Array(8), { sampleRate: 8000 }) }
`

test('calls and streams are spans of the active one, until instrument() is undone', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'speaker', ttsPlugin(members))
  await using host = new PluginHost({ pluginsDir: root })
  const speaker = await host.load<TTSContract>('speaker')
  const tracer = provider.getTracer('test')
  const stop = instrument({ tracerProvider: provider })
  const inSpan = async (name: string, work: () => Promise<unknown>): Promise<string> => {
    const span = tracer.startSpan(name)
    await context.with(trace.setSpan(context.active(), span), work).catch(() => {})
    return span.spanContext().spanId
  }
  // At once: each call has the parent of its own caller.
  const parents = await Promise.all([
    inSpan('one', () => speaker.synthesize('secret')),
    inSpan('two', () => speaker.getVoices()),
    inSpan('three', async () => {
      for await (const _piece of speaker.synthesizeStream('secret'));
    }),
  ])
  stop()
  await speaker.synthesize('not told')

  const spans = exporter.getFinishedSpans()
  const byMethod = (method: string) =>
    spans.filter(({ attributes }) => attributes['rpc.method'] === `tts/${method}`)
  const all = ['synthesize', 'get_voices', 'synthesize_stream'].flatMap(byMethod)
  expect(spans).toHaveLength(3)
  expect(all.map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual(parents)
  for (const span of all) {
    expect(span).toMatchObject({ name: 'appfactory.call', kind: SpanKind.CLIENT })
    expect(span.attributes).toMatchObject({
      ...{ 'rpc.system.name': 'jsonrpc', 'jsonrpc.protocol.version': '2.0', 'appfactory.plugin': 'speaker' },
    })
  }
  expect(all.map(({ status }) => status.code)).toEqual([
    ...[SpanStatusCode.UNSET, SpanStatusCode.ERROR, SpanStatusCode.UNSET],
  ])
  expect(all[1]?.attributes).toMatchObject({
    ...{ 'error.type': 'TTS_VOICE_NOT_FOUND', 'rpc.response.status_code': '1001' },
  })
  expect(all[2]?.attributes['appfactory.kind']).toBe('stream')
  expect(
    JSON.stringify(all.map(({ attributes, status, events }) => [attributes, status, events])),
  ).not.toContain('secret')
})

test('loads, swaps and crashes are told on channels of their own', async () => {
  const seen: unknown[] = []
  for (const name of ['load', 'swap', 'crash']) {
    const listen = (message: unknown): void => void seen.push([name, message])
    subscribe(`appfactory.${name}`, listen)
    onTestFinished(() => void unsubscribe(`appfactory.${name}`, listen))
  }
  const root = temporaryFolder()
  writePlugin(root, 'fragile', ttsPlugin('async getVoices() { process.exit(3) }'))
  await using host = new PluginHost({ pluginsDir: root })
  await expect(host.load('nobody')).rejects.toThrow()
  const fragile = await host.load<TTSContract>('fragile')
  await host.swap('fragile', 'fragile')
  await expect(host.swap('fragile', 'nobody')).rejects.toThrow()
  await expect(fragile.getVoices()).rejects.toThrow()
  const durationMs = expect.any(Number)
  await expect
    .poll(() => seen)
    .toEqual([
      [
        'load',
        {
          plugin: 'nobody',
          contract: undefined,
          durationMs,
          errorCode: -32000,
          errorName: 'PLUGIN_NOT_FOUND',
        },
      ],
      ['load', { plugin: 'fragile', contract: 'tts', durationMs }],
      ['swap', { plugin: 'fragile', replacement: 'fragile', durationMs }],
      ['crash', { plugin: 'fragile' }],
    ])
})
