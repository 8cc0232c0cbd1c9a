import type { Readable, Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { PluginError } from '@appfactory/sdk'
import { maxTimerMs, Peer } from '@appfactory/sdk/internal'
import { internalsOf, type PluginHost } from '../host.js'
import { maxHeldBytes, readWithin, roomBelow, roomIn } from '../process/backpressure.js'
import { eventTypes } from './methods.js'
import { runServerMethod } from './run.js'
import { wireMembers } from './wire-form.js'

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

/** Methods that count themselves, where they call a plugin. */
const countedElsewhere = /^plugin\/call$|^(?!plugin\/|system\/|events\/)[^/]+\/[^/]+$/

/**
 * Serves one client: newline-delimited JSON-RPC 2.0. Resolves when the client has closed its end or sent `shutdown`, calls in
 * flight have finished, and all plugins are unloaded.
 *
 * @returns How long pending output may still wait for the client to read it, in ms.
 */
export async function serveStdio(
  host: PluginHost,
  { input, output, sequential, stop }: ServerOptions,
): Promise<number> {
  const internals = internalsOf(host)
  const subscribed = new Set<string>()
  const ended = new AbortController()
  const gone = new AbortController()
  const room = roomIn(output)
  let shutdownMs: number | undefined
  let shutdownAt = Number.POSITIVE_INFINITY
  let droppedEvents = 0
  const peer = new Peer({
    input,
    output,
    sequential,
    maxHeldBytes,
    handle: (call) => {
      if (shutdownMs !== undefined && call.method === 'plugin/load')
        throw new PluginError('PLUGIN_NOT_READY', 'The host is shutting down')
      const run = (): unknown => runServerMethod({ host, internals, call, room, subscribe, shutDown })
      return countedElsewhere.test(call.method) ? run() : internals.calls.requests.count(async () => run())
    },
    onEnd: () => ended.abort(),
    onGone: () => gone.abort(),
  })

  function subscribe(types: readonly string[] = eventTypes): void {
    for (const type of types) {
      if (subscribed.has(type)) continue
      subscribed.add(type)
      host.on(type as 'status', (details) => tell({ type, ...wireMembers(details) }))
    }
  }

  /** Under back-pressure, events are dropped and counted. */
  function tell(event: Record<string, unknown>): void {
    if (room()) droppedEvents += 1
    else {
      peer.notify('event', droppedEvents > 0 ? { ...event, events_dropped: droppedEvents } : event)
      droppedEvents = 0
    }
  }

  function shutDown(timeoutMs: number): void {
    shutdownMs = timeoutMs
    shutdownAt = performance.now() + timeoutMs
    ended.abort()
  }

  // Back-pressure: stop producing answers that the client does not read, and slow down a client that sends ahead.
  const backlog = roomBelow(() => peer.heldBytes + internals.calls.unsentBytes)
  readWithin(() => room() ?? backlog(), input)
  const hurry = AbortSignal.any([stop, gone.signal])
  await Promise.race([aborted(ended.signal), aborted(hurry)])
  const finished = await Promise.race([
    peer.idle().then(() => true),
    aborted(hurry).then(() => false),
    ...(shutdownMs === undefined ? [] : [delay(Math.min(shutdownMs, maxTimerMs), false)]),
  ])
  peer.flush()
  await host.close({ force: !finished })
  peer.close(new PluginError('REQUEST_CANCELLED', 'The host is shutting down'))
  return Math.max(shutdownAt - performance.now(), minimalFlushMs)
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
