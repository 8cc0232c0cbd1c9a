import { PluginError } from '@appfactory/sdk'
import {
  creditOf,
  type IncomingCall,
  isInputMarker,
  type OutgoingStream,
  shortened,
  traceContextOf,
} from '@appfactory/sdk/internal'
import { z } from 'zod'
import type { Room } from '../process/backpressure.js'
import type { CallerSessions } from './caller-sessions.js'
import type { Served } from './served.js'

/** Who calls a plugin. */
export interface CallContext {
  served: Served
  call: IncomingCall
  /** Whether the client keeps up. */
  room: Room
  /** Notes the sessions that the client opens, if they are to be closed when it goes. */
  sessions?: CallerSessions | undefined
  /** Where the call has arrived. */
  arrival: { readonly node?: string | undefined }
}

/** How a call asks for its pieces. */
export const streamOption = z.union([z.boolean(), z.strictObject({ credit: z.int().min(1) })]).optional()

/** The parameters of `plugin/call`. */
export const callParams = z.strictObject({
  plugin: z.string(),
  method: z.string(),
  args: z.record(z.string(), z.unknown()).optional(),
  /** In ms. */
  timeout: z.number().positive().optional(),
  retry: z.int().nonnegative().optional(),
  stream: streamOption,
  fallback: z.union([z.boolean(), z.literal('restart')]).optional(),
  /** A traceparent that is none is passed over, as W3C's Trace Context wants it. */
  trace: z.looseObject({ traceparent: z.string(), tracestate: z.string().optional() }).optional(),
})

export type PluginCall = z.infer<typeof callParams>

/**
 * The usual form of `plugin/call`, without options or with a timeout, recognised by hand for speed. Zod checks the others and words
 * their errors.
 */
export function isPlainCall(params: object): params is PluginCall {
  const { plugin, method, args, timeout } = params as Partial<PluginCall>
  if (typeof plugin !== 'string' || typeof method !== 'string') return false
  const hasTimeout = typeof timeout === 'number' && timeout > 0 && timeout < Number.POSITIVE_INFINITY
  const count = Object.keys(params).length - (hasTimeout ? 1 : 0)
  if (args === undefined) return count === 2
  return count === 3 && typeof args === 'object' && args !== null && !Array.isArray(args)
}

/** Calls a method of a plugin for a client; its pieces go to the client as they come where it asks for a stream. */
export function callPlugin(
  { served: { calls }, arrival, call, room, sessions }: CallContext,
  {
    plugin,
    method: name,
    args: given = {},
    stream,
    timeout: timeoutMs,
    retry,
    fallback,
    trace: told,
  }: PluginCall,
): Promise<unknown> {
  // One argument may follow piece by piece, as `$/input` notifications.
  const streamed = Object.keys(given).find((key) => isInputMarker(given[key]))
  const input = streamed === undefined ? undefined : { name: streamed, items: call.input }
  const trace = told && traceContextOf(told)
  const options = { timeoutMs, retry, fallback, cancellation: call, room, input, trace, arrival }
  if (!stream) {
    const answer = calls.call(plugin, name, given, options)
    return sessions
      ? sessions.watch(answer, { plugin, method: name, args: given, cancellation: call })
      : answer
  }
  const credit = stream === true ? undefined : creditOf(stream.credit)
  const outgoing = call.openStream(credit ?? Number.POSITIVE_INFINITY)
  return sendPieces(calls.stream(plugin, name, given, { ...options, credit }), outgoing)
}

async function sendPieces(
  pieces: AsyncIterable<unknown>,
  outgoing: OutgoingStream,
): Promise<{ pieces: number }> {
  for await (const piece of pieces) await outgoing.send(piece)
  return { pieces: outgoing.count }
}

export function invalidParams(
  name: string,
  reason: string,
  issues?: readonly { path: string; message: string }[],
): PluginError {
  return new PluginError('INVALID_PARAMS', `${shortened(name)}: ${reason}`, issues ? { issues } : undefined)
}
