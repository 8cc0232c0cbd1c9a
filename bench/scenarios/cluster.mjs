import { percentile } from '../../scripts/lib/statistics.mjs'
import { startCluster, startDeaf } from '../contenders/cluster.mjs'
import { start as command } from '../contenders/command.mjs'
import { startBare, startBase64, startLink } from '../contenders/nats.mjs'
import { hasNats, startNatsServer, withNats } from '../contenders/nats-server.mjs'
import { callsPerSecond, elapsedMs, medianLatency } from '../measure.mjs'
import { mapValues } from '../ratios.mjs'
import { whole } from './audio.mjs'
import { piecesPerSecond } from './pieces.mjs'
import { idle, streaming } from './ping.mjs'

const group = 'cluster'
const bare = 'bare nc.request()'
const stdio = 'appfactory-host on stdio'
const node = 'node over NATS'

/** A node of a cluster beside what lies beneath it: NATS alone, and the same host on stdio. Left out where there is no NATS server. */
export const clusterScenarios = hasNats
  ? [calls(), latency(), pieces(), bytes(), behind(), nodes(), deaf()]
  : []

function calls() {
  return {
    group,
    name: 'cluster-calls',
    title: 'cluster: calls, 64 in flight',
    unit: 'calls/s',
    base: bare,
    targets: [
      { of: node, against: bare, atLeast: 1.1 },
      { of: node, against: stdio, atLeast: 0.6 },
      { of: 'link alone', against: bare, atLeast: 2.5 },
    ],
    open: withNats(
      { [bare]: startBare, 'link alone': startLink, [stdio]: () => command(), [node]: startCluster },
      (started) =>
        mapValues(
          started,
          ({ call }) =>
            () =>
              callsPerSecond(call, 64),
        ),
    ),
  }
}

function latency() {
  return {
    group,
    name: 'cluster-latency',
    title: 'cluster: one call at a time, p50',
    unit: 'µs',
    base: bare,
    targets: [{ of: node, against: bare, atMost: 2 }],
    open: withNats({ [bare]: startBare, [stdio]: () => command(), [node]: startCluster }, (started) =>
      mapValues(
        started,
        ({ call }) =>
          () =>
            medianLatency(call),
      ),
    ),
  }
}

function pieces() {
  const count = 20_000
  return {
    group,
    name: 'cluster-pieces',
    title: 'cluster: streamed pieces of text, credit 64',
    unit: 'pieces/s',
    base: stdio,
    targets: [{ of: node, against: stdio, atLeast: 0.7 }],
    open: withNats({ [stdio]: () => command(), [node]: startCluster }, (started) =>
      mapValues(
        started,
        ({ pieces: read }) =>
          () =>
            piecesPerSecond(count, () => read(count, 64)),
      ),
    ),
  }
}

/** A message of 1 MiB needs a server that takes more than they do by default; a link needs none. */
function bytes() {
  return {
    group,
    name: 'cluster-bytes',
    title: 'cluster: 1 MiB replies, 4 in flight',
    unit: 'replies/s',
    base: 'one NATS message',
    targets: [
      { of: node, against: 'one NATS message', atLeast: 0.4 },
      { of: node, against: 'base64 over the link', atLeast: 2 },
    ],
    open: withNats(
      {
        'one NATS message': startLargeMessages,
        [node]: startCluster,
        'base64 over the link': startBase64,
      },
      (started) => mapValues(started, (each) => () => callsPerSecond(() => whole(each.bytes), 4)),
    ),
  }
}

async function startLargeMessages() {
  const server = await startNatsServer({ config: 'max_payload: 8MB' })
  const { stop, ...started } = await startBare(server.url)
  return { ...started, stop: () => stop().finally(server.stop) }
}

function behind() {
  return {
    group,
    name: 'cluster-behind',
    title: 'cluster: a call behind 64 × 1 MiB of another plugin, p99',
    unit: 'ms',
    targets: [{ of: 'node, streaming', against: 'node, idle', atMost: 5 }],
    open: withNats({ node: startCluster }, ({ node: { call, bytes: audio } }) => ({
      'node, idle': () => idle(() => call('hello')),
      'node, streaming': () => streaming(() => call('hello'), audio),
    })),
  }
}

/** As many callers as nodes; a plugin sleeps for 20 ms, as one that waits for its GPU: two cores can't show nodes that compute. */
function nodes() {
  const counts = { '1 node': 1, '2 nodes': 2, '4 nodes': 4, '8 nodes': 8 }
  const starts = mapValues(
    counts,
    (count) => (url) => startCluster(url, { namespace: `nodes-${count}`, nodes: count, load: ['slow_llm'] }),
  )
  return {
    group,
    name: 'cluster-nodes',
    title: 'cluster: calls of 20 ms, as many callers as nodes',
    unit: 'calls/s of each node',
    base: '1 node',
    targets: [
      { of: '2 nodes', against: '1 node', atLeast: 0.95 },
      { of: '4 nodes', against: '1 node', atLeast: 0.95 },
      { of: '8 nodes', against: '1 node', atLeast: 0.9 },
    ],
    open: withNats(starts, (started) =>
      mapValues(
        started,
        ({ call }, name) =>
          async () =>
            (await callsPerSecond(call, counts[name])) / counts[name],
      ),
    ),
  }
}

/** A caller that has asked for more than anybody would read, and reads nothing; and 64 others of the same node. */
function deaf() {
  return {
    group,
    name: 'cluster-deaf',
    title: 'cluster: 64 callers beside one that never reads, p99',
    unit: 'ms',
    units: { 'node’s growth': 'MB' },
    targets: [
      { of: 'beside it', against: 'without it', atMost: 1.5 },
      { of: 'node’s growth', atMost: 32 },
    ],
    open: withNats({ node: startCluster }, ({ node: { call, memoryMb } }, url) => {
      let growth = 0
      return {
        'without it': () => slowest(call),
        'beside it': async () => {
          const before = memoryMb()
          const other = await startDeaf(url)
          const figure = await slowest(call)
          growth = memoryMb() - before
          await other.stop()
          return figure
        },
        'node’s growth': async () => growth,
      }
    }),
  }
}

async function slowest(call) {
  const waits = []
  await callsPerSecond(async (text) => waits.push(await elapsedMs(() => call(text))), 64)
  return percentile(waits, 0.99)
}
