import type { Readable, Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { PluginError } from '@appfactory/sdk'
import { maxTimerMs } from '@appfactory/sdk/internal'
import { hostShuttingDown } from '../errors.js'
import { streamLink } from '../link/stream-link.js'
import type { PluginSystem } from '../plugin-system.js'
import { aborted } from '../waiting.js'
import { Client } from './client.js'
import { servedOf } from './served.js'

export interface ServerOptions {
  input: Readable
  output: Writable
  /** Process requests one at a time, in order. */
  sequential: boolean
  /** Ends the server early, for example after a signal of the operating system. */
  stop: AbortSignal
}

/** Minimum time for a client to read the last answers, whatever the timeout of `shutdown` is. */
const minimalFlushMs = 250

/**
 * Serves one client, the only one: newline-delimited JSON-RPC 2.0. Resolves when the client has closed its end or sent `shutdown`, calls in
 * flight have finished, and what is served is closed.
 *
 * @returns How long pending output may still wait for the client to read it, in ms.
 */
export async function serveStdio(
  system: PluginSystem,
  { input, output, sequential, stop }: ServerOptions,
): Promise<number> {
  const served = servedOf(system)
  const link = streamLink({ input, output })
  const ended = new AbortController()
  const gone = new AbortController()
  let shutdownMs: number | undefined
  let shutdownAt = Number.POSITIVE_INFINITY
  const client = new Client(served, {
    ...{ link, sequential, rights: 'all', isOnly: true },
    onEnd: () => ended.abort(),
    onGone: () => gone.abort(),
    onShutDown: (timeoutMs) => {
      shutdownMs = timeoutMs
      shutdownAt = performance.now() + timeoutMs
      client.refuse(hostShuttingDown())
      ended.abort()
    },
  })
  const hurry = AbortSignal.any([stop, gone.signal])
  await Promise.race([aborted(ended.signal), aborted(hurry)])
  const finished = await Promise.race([
    client.idle().then(() => true),
    aborted(hurry).then(() => false),
    ...(shutdownMs === undefined ? [] : [delay(Math.min(shutdownMs, maxTimerMs), false)]),
  ])
  client.flush()
  await served.close(!finished)
  client.close(new PluginError('REQUEST_CANCELLED', 'The host is shutting down'))
  return Math.max(shutdownAt - performance.now(), minimalFlushMs)
}
