import { tracingChannel } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import {
  type Attributes,
  type Context,
  context,
  createTraceState,
  isSpanContextValid,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import { activeTrace, idsOf, type TraceContext } from './trace-context.js'
import type { Trace } from './traced.js'

/** What is published on the channels below, as far as spans are made of it. */
interface Told extends Trace {
  readonly plugin: string
  readonly method: string
  readonly contract?: string | undefined
  readonly kind: 'call' | 'stream'
  /** Of an attempt: the call that it is one of. */
  readonly call?: Told
  /** Of an attempt: which one, from 1. */
  readonly attempt?: number
  readonly served?: boolean
  readonly node?: string | undefined
  readonly place?: number | undefined
  readonly version?: string | undefined
}

/** The channels, and what a span of each is to whoever waits for it. */
const spanKinds = {
  'appfactory.call': (told: Told) => (told.served ? SpanKind.SERVER : SpanKind.CLIENT),
  'appfactory.attempt': () => SpanKind.CLIENT,
  'appfactory.method': () => SpanKind.SERVER,
} as const

/**
 * Makes spans of OpenTelemetry in this process: `appfactory.call` of each call and stream of hosts and clusters, `appfactory.attempt`
 * of each attempt of a call that may have several, and in a plugin's process `appfactory.method` of each call of its methods. The
 * parent is the span that is active where the call is made, or the one that came with it over the wire; the call takes its own along. The
 * attributes are those of OpenTelemetry's conventions for JSON-RPC. Neither arguments nor results nor messages of errors are in them.
 * Needs the package `@opentelemetry/api`.
 *
 * @param options `tracerProvider`: default: the one that is registered globally.
 * @returns What ends it. Calls that are under way then make no span.
 * @example
 * import { instrument } from '@appfactory/sdk/opentelemetry'
 * const stop = instrument()
 */
export function instrument({ tracerProvider = trace }: { tracerProvider?: TracerProvider } = {}): () => void {
  const tracer = tracerProvider.getTracer('@appfactory/sdk', sdkVersion())
  const spans = new WeakMap<Trace, Span>()
  const ends = Object.entries(spanKinds).map(([name, kindOf]) => {
    const { start, asyncEnd } = tracingChannel<object, Told>(name)
    const onStart = (message: unknown): void => {
      const told = message as Told
      const options = { kind: kindOf(told), attributes: attributesOf(told) }
      const span = tracer.startSpan(name, options, parentOf(told, spans))
      spans.set(told, span)
      told.context = traceContextOf(span) ?? told.context
    }
    const onEnd = (message: unknown): void => {
      const span = spans.get(message as Told)
      if (span) endSpan(span, message as Told)
    }
    start.subscribe(onStart)
    asyncEnd.subscribe(onEnd)
    return () => {
      start.unsubscribe(onStart)
      asyncEnd.unsubscribe(onEnd)
    }
  })
  return () => {
    for (const end of ends) end()
  }
}

/** What came with a call comes first. Of what is active here, OpenTelemetry's span does, unless it is of another trace. */
function parentOf({ call, parent }: Told, spans: WeakMap<Trace, Span>): Context {
  const active = context.active()
  const own = call && spans.get(call)
  if (own) return trace.setSpan(active, own)
  const given = parent ?? givenHere(active)
  const ids = given && idsOf(given.traceparent)
  if (!ids) return active
  const { tracestate } = given
  const traceState = tracestate === undefined ? {} : { traceState: createTraceState(tracestate) }
  return trace.setSpanContext(active, { ...ids, ...traceState, isRemote: true })
}

function givenHere(active: Context): TraceContext | undefined {
  const given = activeTrace()
  const span = trace.getSpanContext(active)
  return given && span?.traceId === idsOf(given.traceparent)?.traceId ? undefined : given
}

/** What goes along with a call that has a span. Undefined: there is no provider, and the span is none. */
function traceContextOf(span: Span): TraceContext | undefined {
  const spanContext = span.spanContext()
  if (!isSpanContextValid(spanContext)) return undefined
  const { traceId, spanId, traceFlags, traceState } = spanContext
  const traceparent = `00-${traceId}-${spanId}-${(traceFlags & 0xff).toString(16).padStart(2, '0')}`
  const tracestate = traceState?.serialize()
  return tracestate ? { traceparent, tracestate } : { traceparent }
}

function attributesOf({ plugin, method, contract, kind, attempt }: Told): Attributes {
  return {
    'rpc.system.name': 'jsonrpc',
    'jsonrpc.protocol.version': '2.0',
    'rpc.method': contract === undefined ? method : `${contract}/${method}`,
    'appfactory.plugin': plugin,
    'appfactory.kind': kind,
    ...(attempt === undefined ? {} : { 'appfactory.attempt': attempt }),
  }
}

/** Which worker had it is known at its end. */
function endSpan(span: Span, told: Told): void {
  const { outcome, errorCode, errorName, node, place, version } = told
  if (node !== undefined) span.setAttribute('appfactory.node', node)
  if (place !== undefined) span.setAttribute('appfactory.place', place)
  if (version !== undefined) span.setAttribute('appfactory.plugin.version', version)
  if (outcome !== undefined) span.setAttribute('appfactory.outcome', outcome)
  if (outcome === 'failed') {
    span.setAttribute('error.type', errorName ?? 'Error')
    if (errorCode !== undefined) span.setAttribute('rpc.response.status_code', String(errorCode))
    span.setStatus({ code: SpanStatusCode.ERROR })
  }
  span.end()
}

function sdkVersion(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
