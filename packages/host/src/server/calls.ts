import { PluginError } from '@appfactory/sdk'
import {
  creditOf,
  type IncomingCall,
  isInputMarker,
  type OutgoingStream,
  shortened,
} from '@appfactory/sdk/internal'
import type { HostInternals } from '../host.js'

/** The parameters of `plugin/call`. */
export interface PluginCall {
  plugin: string
  method: string
  args?: Record<string, unknown> | undefined
  stream?: boolean | { credit: number } | undefined
  /** In ms. */
  timeout?: number | undefined
  retry?: number | undefined
}

/** Calls a method of a plugin for a client; its pieces go to the client as they come where it asks for a stream. */
export function callPlugin(
  { internals, call }: { internals: HostInternals; call: IncomingCall },
  { plugin, method: name, args: given = {}, stream, timeout: timeoutMs, retry }: PluginCall,
): Promise<unknown> {
  // One argument may follow piece by piece, as `$/input` notifications.
  const streamed = Object.keys(given).find((key) => isInputMarker(given[key]))
  const input = streamed === undefined ? undefined : { name: streamed, items: call.input }
  const options = { timeoutMs, retry, cancellation: call, input }
  if (!stream) return internals.calls.call(plugin, name, given, options)
  const credit = stream === true ? undefined : creditOf(stream.credit)
  const outgoing = call.openStream(credit ?? Number.POSITIVE_INFINITY)
  return sendPieces(internals.calls.stream(plugin, name, given, { ...options, credit }), outgoing)
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
