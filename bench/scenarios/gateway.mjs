import { percentile } from '../../scripts/lib/statistics.mjs'
import { startBareHttp, startGateway, startServed } from '../contenders/http.mjs'
import { callsPerSecond, elapsedMs, medianLatency } from '../measure.mjs'
import { startAll, stopAll } from '../rounds.mjs'

const group = 'gateway'
const warmUpCalls = 8000
const idleStreams = 1000
const starts = { gateway: startGateway, bare: startBareHttp }

/** The gateway beside node:http without anything behind it, and beside the calls of the host that it makes. */
export const gatewayScenarios = [
  latency(),
  calls(),
  chunks(),
  first(),
  words(),
  starting(),
  memory(),
  idle(),
  leaving(),
]

function latency() {
  return {
    group,
    name: 'gateway-latency',
    title: 'gateway: one chat at a time, p50',
    unit: 'µs',
    targets: [{ of: 'chat', against: 'host.call and 2 echoes', atMost: 1 }],
    open: opened(({ gateway, bare }) => ({
      'node:http echo': () => medianLatency(bare.chat),
      'host.call': () => gateway.ask('callLatency'),
      'host.call and 2 echoes': async () =>
        (await gateway.ask('callLatency')) + 2 * (await medianLatency(bare.chat)),
      chat: () => medianLatency(gateway.chat),
    })),
  }
}

function calls() {
  return {
    group,
    name: 'gateway-calls',
    title: 'gateway: chats on 64 connections',
    unit: 'chats/s',
    base: 'node:http echo',
    targets: [{ of: 'chat', against: 'node:http echo', atLeast: 0.5 }],
    open: opened(({ gateway, bare }) => ({
      'node:http echo': () => callsPerSecond(bare.chat, 64),
      chat: () => callsPerSecond(gateway.chat, 64),
    })),
  }
}

function chunks() {
  return {
    group,
    name: 'gateway-chunks',
    title: 'gateway: events of streams',
    unit: 'events/s',
    targets: [
      { of: 'chat, 1 stream', against: 'bare events, 1 stream', atLeast: 0.35 },
      { of: 'chat, 16 streams', against: 'bare events, 16 streams', atLeast: 0.35 },
    ],
    open: opened(({ gateway, bare }) => ({
      'bare events, 1 stream': () => eventsPerSecond(bare, 1, 32_000),
      'chat, 1 stream': () => eventsPerSecond(gateway, 1, 32_000),
      'bare events, 16 streams': () => eventsPerSecond(bare, 16, 2000),
      'chat, 16 streams': () => eventsPerSecond(gateway, 16, 2000),
    })),
  }
}

function first() {
  return {
    group,
    name: 'gateway-first',
    title: 'gateway: first event, p50',
    unit: 'ms',
    targets: [{ of: 'chat', against: 'host.stream', difference: true, atMost: 1.5 }],
    open: opened(({ gateway }) => ({
      'host.stream': () => gateway.ask('firstPiece'),
      chat: () => firstEvent(gateway),
    })),
  }
}

function words() {
  return {
    group,
    name: 'gateway-words',
    title: 'gateway: from a piece of sound to its word over a WebSocket, p50',
    unit: 'ms',
    targets: [{ of: 'realtime', against: 'transcribeStream', difference: true, atMost: 5 }],
    open: opened(({ gateway }) => ({
      transcribeStream: () => gateway.ask('firstWord'),
      realtime: () => firstWord(gateway),
    })),
  }
}

function starting() {
  return {
    group,
    name: 'gateway-start',
    title: 'gateway: from the start of a process until it serves a plugin',
    unit: 'ms',
    targets: [{ of: 'gateway', against: 'host', difference: true, atMost: 80 }],
    open: async () => ({
      measures: {
        host: () => servedFor('host', ({ startMs }) => startMs),
        gateway: () => servedFor('gateway', ({ startMs }) => startMs),
      },
      close: async () => {},
    }),
  }
}

function memory() {
  return {
    group,
    name: 'gateway-memory',
    title: 'gateway: memory of a process that serves a plugin (RSS)',
    unit: 'MB',
    targets: [{ of: 'gateway', against: 'host', difference: true, atMost: 20 }],
    open: async () => ({
      measures: {
        host: () => servedFor('host', ({ ask }) => ask('megabytes')),
        gateway: () => servedFor('gateway', ({ ask }) => ask('megabytes')),
      },
      close: async () => {},
    }),
  }
}

function idle() {
  return {
    group,
    name: 'gateway-idle',
    title: `gateway: memory of each of ${idleStreams} streams that wait (RSS)`,
    unit: 'KB',
    targets: [{ of: 'stream', atMost: 40 }],
    open: async () => ({
      measures: { stream: () => servedFor('gateway', kilobytesOfStream) },
      close: async () => {},
    }),
  }
}

function leaving() {
  return {
    group,
    name: 'gateway-leave',
    title: 'gateway: from a client that goes until its plugin is told, p99',
    unit: 'ms',
    targets: [{ of: 'plugin', atMost: 50 }],
    open: async () => ({
      measures: { plugin: () => servedFor('gateway', leaveMs) },
      close: async () => {},
    }),
  }
}

async function leaveMs({ idleStream, aborts }) {
  const times = []
  while (times.length < 200) {
    const stream = await idleStream()
    const gone = Number(process.hrtime.bigint()) / 1e6
    stream.destroy()
    let seen = []
    while (seen.length === 0) seen = await aborts()
    times.push(seen[0] - gone)
  }
  return percentile(times, 0.99)
}

/** What is read of a process that was started for it. */
async function servedFor(what, read) {
  const begun = performance.now()
  const served = await startServed(what)
  try {
    return await read({ ...served, startMs: performance.now() - begun })
  } finally {
    await served.stop()
  }
}

async function kilobytesOfStream({ ask, chat, idleStream }) {
  // The heap grows with the first calls, whatever stays open.
  await callsPerSecond(chat, 50)
  const before = await ask('megabytes')
  const streams = []
  while (streams.length < idleStreams)
    streams.push(...(await Promise.all(Array.from({ length: 50 }, idleStream))))
  const after = await ask('megabytes')
  for (const stream of streams) stream.destroy()
  return ((after - before) * 1000) / idleStreams
}

function opened(measuresOf) {
  return async () => {
    const started = await startAll(starts)
    await Promise.all(Object.values(started).map(warmUp))
    return { measures: measuresOf(started), close: () => stopAll(started) }
  }
}

/** What a round measures is less than it takes until all of it is compiled. */
async function warmUp({ chat }) {
  let left = warmUpCalls
  const keepCalling = async () => {
    while (left-- > 0) await chat()
  }
  await Promise.all(Array.from({ length: 64 }, keepCalling))
}

async function eventsPerSecond({ events }, streams, count) {
  let got = 0
  const ms = await elapsedMs(async () => {
    const each = await Promise.all(Array.from({ length: streams }, () => events(count)))
    got = each.reduce((sum, one) => sum + one, 0)
  })
  if (got < streams * count) throw new Error(`${got} events came, not ${streams * count}`)
  return got / (ms / 1000)
}

async function firstWord({ openEars }) {
  const ears = await openEars()
  const times = []
  for (let count = 0; count < 300; count++) times.push(await elapsedMs(ears.hear))
  ears.close()
  return percentile(times, 0.5)
}

async function firstEvent({ firstEvent: begin }) {
  const times = []
  for (let count = 0; count < 300; count++) {
    let readRest
    times.push(
      await elapsedMs(async () => {
        readRest = await begin()
      }),
    )
    await readRest()
  }
  return percentile(times, 0.5)
}
