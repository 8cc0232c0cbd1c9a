import { type Span, SpanKind, SpanStatusCode, type TracerProvider, trace } from '@opentelemetry/api'
import { type CallTrace, callChannel } from './traces.js'
import { hostVersion } from './version.js'

/**
 * Makes a span `appfactory.call` of each call and stream of all hosts in this process. Its parent is the span that is active where
 * the call is made; its attributes are those of OpenTelemetry's conventions for JSON-RPC. Neither arguments nor results nor
 * messages of errors are in it. Needs the package `@opentelemetry/api`.
 *
 * @param options `tracerProvider`: default: the one that is registered globally.
 * @returns What ends it. Calls that are under way then make no span.
 * @example
 * import { instrument } from '@appfactory/host/opentelemetry'
 * const stop = instrument()
 */
export function instrument({ tracerProvider = trace }: { tracerProvider?: TracerProvider } = {}): () => void {
  const tracer = tracerProvider.getTracer('@appfactory/host', hostVersion)
  const spans = new WeakMap<CallTrace, Span>()
  const listeners = {
    start: (call: CallTrace): void => {
      spans.set(
        call,
        tracer.startSpan('appfactory.call', { kind: SpanKind.CLIENT, attributes: attributesOf(call) }),
      )
    },
    asyncEnd: (call: CallTrace): void => {
      const span = spans.get(call)
      if (span) endSpan(span, call)
    },
  }
  callChannel.start.subscribe(listeners.start as Listener)
  callChannel.asyncEnd.subscribe(listeners.asyncEnd as Listener)
  return () => {
    callChannel.start.unsubscribe(listeners.start as Listener)
    callChannel.asyncEnd.unsubscribe(listeners.asyncEnd as Listener)
  }
}

type Listener = (call: unknown) => void

function attributesOf({ plugin, method, contract, kind }: CallTrace): Record<string, string> {
  return {
    'rpc.system.name': 'jsonrpc',
    'jsonrpc.protocol.version': '2.0',
    'rpc.method': contract === undefined ? method : `${contract}/${method}`,
    'appfactory.plugin': plugin,
    'appfactory.kind': kind,
  }
}

function endSpan(span: Span, { outcome, errorCode, errorName }: CallTrace): void {
  if (outcome !== undefined) span.setAttribute('appfactory.outcome', outcome)
  if (outcome === 'failed') {
    span.setAttribute('error.type', errorName ?? 'Error')
    if (errorCode !== undefined) span.setAttribute('rpc.response.status_code', String(errorCode))
    span.setStatus({ code: SpanStatusCode.ERROR })
  }
  span.end()
}
