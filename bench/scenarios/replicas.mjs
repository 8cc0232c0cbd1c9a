import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { PluginHost } from '@appfactory/host'
import { percentile } from '../../scripts/lib/statistics.mjs'
import { callsPerSecond, elapsedMs } from '../measure.mjs'
import { startAll, stopAll, withContenders } from '../rounds.mjs'

const pluginsDir = fileURLToPath(new URL('../plugins', import.meta.url))

/** Processes that take one call at a time. They sleep, as those that wait for a GPU: two cores can't show four that compute. */
const replicas =
  (count, ms = 20) =>
  async () => {
    const host = new PluginHost({ pluginsDir })
    const llm = await host.load('slow_llm', { config: { ms }, replicas: count })
    return { call: (text) => llm.complete(text), stop: () => host.close() }
  }

/** What a balancer does that does not know who is busy. */
async function byChance() {
  const singles = await Promise.all(Array.from({ length: 4 }, () => replicas(1)()))
  return {
    call: (text) => singles[Math.floor(Math.random() * singles.length)].call(text),
    stop: () => Promise.all(singles.map(({ stop }) => stop())),
  }
}

/** As many callers as there are processes: each finds a free one, if it is sent there. */
export const replicasScenario = {
  name: 'replicas',
  title: 'replicas: calls of 20 ms, 4 in flight',
  unit: 'calls/s',
  base: 'one process',
  targets: [
    { of: '4 replicas', against: 'one process', atLeast: 3.8 },
    { of: '4 replicas', against: '4 by chance', atLeast: 1.2 },
  ],
  open: withContenders(
    { 'one process': replicas(1), '4 replicas': replicas(4), '4 by chance': byChance },
    ({ call }) => callsPerSecond(call, 4),
  ),
}

/** What is left of the ideal, which is four timers, where calls are short. */
export const shortCalls = {
  group: 'replicas',
  name: 'replicas-short',
  title: 'replicas: calls of 5 ms, 4 in flight',
  unit: 'calls/s',
  units: { '4 replicas, p99': 'ms' },
  base: 'timers of 5 ms',
  targets: [
    { of: '4 replicas', against: 'timers of 5 ms', atLeast: 0.9 },
    { of: '4 replicas, p99', atMost: 2.5 * 5 },
  ],
  open: async () => {
    const started = await startAll({ four: replicas(4, 5) })
    const { call } = started.four
    const waits = []
    const timed = async (text) => waits.push(await elapsedMs(() => call(text)))
    return {
      measures: {
        'timers of 5 ms': () => callsPerSecond(() => delay(5), 4),
        '4 replicas': () => callsPerSecond(call, 4),
        '4 replicas, p99': async () => {
          waits.length = 0
          await callsPerSecond(timed, 4)
          return percentile(waits, 0.99)
        },
      },
      close: () => stopAll(started),
    }
  },
}
