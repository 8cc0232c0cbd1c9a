import { AsyncLocalStorage } from 'node:async_hooks'

/** Which span of which trace a call belongs to, as W3C's Trace Context writes it. */
export interface TraceContext {
  /** `00-<id of the trace>-<id of the span>-<flags>`, in hexadecimal digits. */
  traceparent: string
  /** What tracing systems add to it. */
  tracestate?: string | undefined
}

/** One storage for all copies of the SDK in a process. Made for the first trace: without any, promises cost nothing more. */
const storageSymbol: unique symbol = Symbol.for('appfactory.traces') as never
const holder = globalThis as { [storageSymbol]?: AsyncLocalStorage<TraceContext> }

/**
 * Lets the calls that `work` makes belong to a trace: those of hosts and clusters, on their way to the plugin. What is no
 * `traceparent` is passed over, as W3C wants it. For applications without OpenTelemetry; with it, `instrument()` does the same.
 *
 * @param trace The headers of a request, or a `TraceContext`.
 * @example await withTrace(request.headers, () => tts.synthesize('Hello'))
 */
export function withTrace<Result>(
  trace: TraceContext | Readonly<Record<string, unknown>>,
  work: () => Result,
): Result {
  const context = traceContextOf(trace)
  if (!context) return work()
  holder[storageSymbol] ??= new AsyncLocalStorage()
  return holder[storageSymbol].run(context, work)
}

/** The trace that what runs now belongs to. Undefined: none that is known. */
export function activeTrace(): TraceContext | undefined {
  return holder[storageSymbol]?.getStore()
}

/** Versions after 00 may have more behind a hyphen. An id is not all zeros. */
const form = /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(?:$|-)/

/** Longer ones are dropped, as W3C allows it. */
const maxStateLength = 512

/** What came from outside, where it is a trace; undefined for what is none. */
export function traceContextOf(given: object): TraceContext | undefined {
  const [traceparent, tracestate]: unknown[] = ['traceparent', 'tracestate'].map((name) =>
    Reflect.get(given, name),
  )
  if (typeof traceparent !== 'string' || !idsOf(traceparent)) return undefined
  const hasState = typeof tracestate === 'string' && tracestate !== '' && tracestate.length <= maxStateLength
  return hasState ? { traceparent, tracestate } : { traceparent }
}

/** The parts of a `traceparent`; undefined for what is none. */
export function idsOf(
  traceparent: string,
): { traceId: string; spanId: string; traceFlags: number } | undefined {
  const [whole, version, traceId = '', spanId = '', flags = ''] = form.exec(traceparent.slice(0, 56)) ?? []
  if (whole === undefined || (version === '00' && traceparent.length !== 55)) return undefined
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) }
}
