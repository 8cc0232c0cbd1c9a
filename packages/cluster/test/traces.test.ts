import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { instrument } from '@appfactory/host/opentelemetry'
import { type STTContract, TTSContract, withTrace } from '@appfactory/sdk'
import { context, SpanKind, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { ttsPlugin, writePlugin } from '../../host/test/fixtures/plugins.js'
import { listener } from '../../host/test/fixtures/swapping.js'
import { Cluster } from '../src/cluster.js'
import { describeWithNats, type NatsServer, startNatsServer } from './nats-server.js'
import { startNode } from './node-process.js'
import { temporaryFolder } from './temporary-folder.js'

/** A span, as every process of the test tells it. */
interface Told {
  name: string
  kind: SpanKind
  traceId: string
  id: string
  parent: string | undefined
  attributes: Record<string, unknown>
  isError: boolean
}

const require = createRequire(import.meta.url)
const fileOf = (name: string): string => JSON.stringify(pathToFileURL(require.resolve(name)).href)

/** What makes spans in a process of its own, and writes each of them to a file as a line. */
const tracing = (instrumenter: string, file: string): string => `
import { appendFileSync } from 'node:fs'
import otel from ${fileOf('@opentelemetry/sdk-trace-base')}
import { instrument } from ${JSON.stringify(instrumenter)}
const tell = ({ name, kind, attributes, status, parentSpanContext, spanContext }) => {
  const { traceId, spanId: id } = spanContext()
  const isError = status.code === 2
  const told = { name, kind, traceId, id, parent: parentSpanContext?.spanId, attributes, isError }
  appendFileSync(${JSON.stringify(file)}, JSON.stringify(told) + '\\n')
}
const onEnd = (span) => tell({ ...span, spanContext: () => span.spanContext() })
const spanProcessors = [{ onStart() {}, onEnd, async shutdown() {}, async forceFlush() {} }]
instrument({ tracerProvider: new otel.BasicTracerProvider({ spanProcessors }) })
`

const hostSpans = import.meta.resolve('@appfactory/host/opentelemetry')
const pluginSpans = import.meta.resolve('@appfactory/sdk/opentelemetry')

const members = `
  async getVoices() { return [{ id: this.trace?.traceparent ?? 'none', name: this.trace?.tracestate ?? '', language: 'en' }] }
  async synthesize(text, voiceId, { signal }) {
    if (text === 'fail') throw new PluginError('TTS_TEXT_TOO_LONG', 'secret')
    if (text === 'wait')
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    return encodeWav(new Int16Array(8), { sampleRate: 8000 })
  }
  async *synthesizeStream() {
    for (let at = 0; at < 3; at++) yield encodeWav(new Int16Array(8), { sampleRate: 8000 })
  }
`

describeWithNats('a trace over a cluster', () => {
  const folder = temporaryFolder()
  const ends: (() => unknown)[] = []
  const exporter = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  const tracer = provider.getTracer('test')
  let server: NatsServer
  let cluster: Cluster
  let stop = (): void => {}
  const file = (name: string): string => join(folder(), name)

  beforeAll(async () => {
    const plugins = file('plugins')
    mkdirSync(plugins)
    for (const [name, more] of [
      ['voice', {}],
      ['serial', { max_concurrency: 1 }],
    ] as const)
      writePlugin(plugins, name, tracing(pluginSpans, file('plugin.spans')) + ttsPlugin(members), more)
    writePlugin(plugins, 'ears', listener('heard'), { contract: 'stt' })
    writeFileSync(file('tracing.mjs'), tracing(hostSpans, file('node.spans')))
    server = await startNatsServer()
    const loads = ['--load', 'voice=2', '--load', 'serial', '--load', 'ears']
    const env = { ...process.env, NODE_OPTIONS: `--import ${pathToFileURL(file('tracing.mjs')).href}` }
    await startNode({
      ...{ cwd: folder(), nats: server.url, node: 'gpu-1', args: loads, env },
      atEnd: (end) => void ends.push(end),
    })
    cluster = await Cluster.connect({ nats: server.url, namespace: 'test' })
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
    stop = instrument({ tracerProvider: provider })
  })

  afterAll(async () => {
    stop()
    context.disable()
    await cluster?.close()
    await Promise.all(ends.map((end) => end()))
    await server?.[Symbol.asyncDispose]()
  })

  beforeEach(() => exporter.reset())

  /** Does it within a span; resolves to that. */
  async function inSpan(work: () => Promise<unknown>): Promise<{ traceId: string; spanId: string }> {
    const span = tracer.startSpan('application')
    await context.with(trace.setSpan(context.active(), span), work).catch(() => {})
    return span.spanContext()
  }

  /** All spans of a trace, once there are so many, each before those that it is the parent of. */
  async function spansOf(traceId: string, count: number): Promise<Told[]> {
    const find = (): Told[] =>
      [
        ...exporter.getFinishedSpans().map(toldOf),
        ...['node', 'plugin'].flatMap((name) => readSpans(file(`${name}.spans`))),
      ].filter((span) => span.traceId === traceId)
    await expect.poll(() => find().length).toBe(count)
    return find()
  }

  /** From the application down to the plugin: each one the parent of the next one. */
  const chain = (spans: readonly Told[], root: string): Told[] => {
    const next = spans.find(({ parent }) => parent === root)
    return next ? [next, ...chain(spans, next.id)] : []
  }

  const names = ['appfactory.call', 'appfactory.attempt', 'appfactory.call', 'appfactory.method']
  const kinds = [SpanKind.CLIENT, SpanKind.CLIENT, SpanKind.SERVER, SpanKind.SERVER]

  it('has the caller, each attempt, the node and the plugin in it', async () => {
    const tts = await cluster.get(TTSContract, 'voice')
    const { traceId, spanId } = await inSpan(() => tts.synthesize('secret'))
    const spans = chain(await spansOf(traceId, 4), spanId)
    expect(spans.map(({ name }) => name)).toEqual(names)
    expect(spans.map(({ kind }) => kind)).toEqual(kinds)
    const [call, attempt, served, method] = spans.map(({ attributes }) => attributes)
    const common = { 'rpc.method': 'tts/synthesize', 'appfactory.plugin': 'voice' }
    for (const each of [call, attempt, served, method])
      expect(each).toMatchObject({ ...common, 'appfactory.plugin.version': '1.0.0' })
    for (const each of [call, attempt, served]) expect(each?.['appfactory.node']).toBe('gpu-1')
    expect(attempt?.['appfactory.attempt']).toBe(1)
    expect([1, 2]).toContain(served?.['appfactory.place'])
    expect(JSON.stringify(spans)).not.toContain('secret')
  })

  it('has the error of a call once in each span, and never its text', async () => {
    const { traceId } = await inSpan(() => cluster.call('voice', 'synthesize', { text: 'fail' }))
    const spans = await spansOf(traceId, 4)
    expect(spans.map(({ isError, attributes }) => [isError, attributes['error.type']])).toEqual(
      Array(4).fill([true, 'TTS_TEXT_TOO_LONG']),
    )
    expect(JSON.stringify(spans)).not.toContain('secret')
  })

  it('goes along through a queue, with streams to their last piece, and through a session', async () => {
    await cluster.get('serial')
    const first = new AbortController()
    const waits = inSpan(() =>
      cluster.call('serial', 'synthesize', { text: 'wait' }, { signal: first.signal }),
    )
    const queued = inSpan(() => cluster.call('serial', 'get_voices'))
    await expect.poll(() => cluster.metrics()).toContain('appfactory_cluster_queued_calls 1')
    first.abort()
    const [cancelled, taken] = await Promise.all([waits, queued])
    const inQueue = chain(await spansOf(taken.traceId, 4), taken.spanId)
    expect(inQueue.map(({ attributes }) => attributes['rpc.method'])).toEqual(Array(4).fill('tts/get_voices'))
    for (const span of await spansOf(cancelled.traceId, 4))
      expect(span).toMatchObject({ isError: false, attributes: { 'appfactory.outcome': 'cancelled' } })
    const streamed = await inSpan(async () => {
      for await (const _piece of cluster.stream('voice', 'synthesize_stream', { text: 'x' }));
    })
    const stt = await cluster.get<STTContract>('ears')
    const session = await inSpan(async () => {
      const id = await stt.startStream()
      await stt.feedAudio(id, new Uint8Array(2))
      await stt.endStream(id)
    })
    expect((await spansOf(session.traceId, 9)).filter(({ name }) => name === 'appfactory.call')).toHaveLength(
      6,
    )
    const spans = chain(await spansOf(streamed.traceId, 4), streamed.spanId)
    expect(spans.map(({ attributes }) => attributes['appfactory.kind'])).toEqual(Array(4).fill('stream'))
  })

  it('is the one that an application without OpenTelemetry names, and reaches the plugin where nobody listens', async () => {
    stop()
    const traceId = 'f'.repeat(32)
    const headers = { traceparent: `00-${traceId}-${'1'.repeat(16)}-01`, tracestate: 'vendor=1' }
    const [voice] = (await withTrace(headers, () => cluster.call('voice', 'get_voices'))) as [
      { id: string; name: string },
    ]
    expect(voice.id).toMatch(new RegExp(`^00-${traceId}-(?!1{16})[0-9a-f]{16}-01$`))
    expect(voice.name).toBe('vendor=1')
    const [served, method] = chain(await spansOf(traceId, 2), '1'.repeat(16))
    expect([served?.name, method?.name]).toEqual(['appfactory.call', 'appfactory.method'])
    expect(voice.id).toContain(method?.id)
    const wrong = withTrace({ traceparent: '00-0-0-00' }, () => cluster.call('voice', 'get_voices'))
    expect(JSON.stringify(await wrong)).not.toContain('00-0-0')
  })
})

function toldOf(span: ReadableSpan): Told {
  const { name, kind, attributes, status, parentSpanContext } = span
  const { traceId, spanId: id } = span.spanContext()
  const isError = status.code === 2
  return { name, kind, traceId, id, parent: parentSpanContext?.spanId, attributes, isError }
}

function readSpans(file: string): Told[] {
  if (!existsSync(file)) return []
  // The last line may be half written.
  return readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Told)
}
