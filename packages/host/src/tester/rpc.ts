import type { IncomingMessage, ServerResponse } from 'node:http'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { PluginError } from '@appfactory/sdk'
import { Peer } from '@appfactory/sdk/internal'
import { roomIn } from '../process/backpressure.js'
import type { Served } from '../server/served.js'
import { runTesterMethod, type TesterMethods } from './methods.js'

/** Longest body, in bytes: a message and the pieces of its input. */
export const maxBodyBytes = 64 * 1024 * 1024

/**
 * Answers a POST: its body has the messages that a client would write to `appfactory-host` (a request and the pieces of its input,
 * one JSON message a line), the response those that the client would read. A browser that disconnects cancels its calls.
 */
export function answerCalls(
  { served, methods }: { served: Served; methods: TesterMethods },
  request: IncomingMessage,
  response: ServerResponse,
): void {
  response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  const client = {
    served,
    room: roomIn(response),
    subscribe: () => {},
    shutDown: () => {},
    openBytes: () => ({ token: null }),
    arrival: {},
    fallbacks: { add: () => {} },
  }
  const peer: Peer = new Peer({
    input: request,
    output: response,
    maxBatch: 0,
    maxMessageBytes: maxBodyBytes,
    handle: (call) => runTesterMethod(methods, { ...client, call }),
    onEnd: () => void finish(),
  })
  response.once('close', () => peer.close(new PluginError('REQUEST_CANCELLED', 'The page was closed')))

  async function finish(): Promise<void> {
    await peer.idle()
    // The last answer is written in the same turn.
    await nextTurn()
    peer.flush()
    response.end()
  }
}
