import { fileURLToPath } from 'node:url'
import { PluginHost } from '@appfactory/host'
import { callsPerSecond } from '../measure.mjs'
import { withContenders } from '../rounds.mjs'

const pluginsDir = fileURLToPath(new URL('../plugins', import.meta.url))

/** Processes that take one call of 20 ms at a time. They sleep: two cores can't show four that compute. */
const replicas = (count) => async () => {
  const host = new PluginHost({ pluginsDir })
  const llm = await host.load('slow_llm', { replicas: count })
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
