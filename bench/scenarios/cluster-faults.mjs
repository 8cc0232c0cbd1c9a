import { setTimeout as delay } from 'node:timers/promises'
import { startCluster, startNode } from '../contenders/cluster.mjs'
import { hasNats, startNatsServer } from '../contenders/nats-server.mjs'

const callers = 64

/** What callers of a cluster see of faults: how many calls end otherwise than they should, and the longest wait. */
export const clusterFaultScenarios = hasNats
  ? [
      lost({ name: 'cluster-kill', what: 'SIGKILL', count: { few: 5, full: 100 }, atMostMs: 300 }),
      lost({ name: 'cluster-stop', what: 'SIGSTOP', count: { few: 3, full: 20 }, atMostMs: 1000 }),
      swap(),
    ]
  : []

/** A node goes that has 64 calls: each of them ends once, with PLUGIN_CRASHED. */
function lost({ name, what, count, atMostMs }) {
  return scenario({
    name,
    title: `cluster: ${what} of a node that has ${callers} calls`,
    targets: [
      { of: 'calls that end otherwise', atMost: 0 },
      { of: 'longest wait', atMost: atMostMs },
    ],
    nodes: 1,
    measure: async ({ cluster, started, url }, isFull) => {
      let [node] = Object.values(started)
      const waits = []
      let wrong = 0
      for (let left = isFull ? count.full : count.few; left > 0; left--) {
        const { codes, longest } = await callsLost(cluster, () => node.kill(what))
        wrong += codes.filter((code) => code !== 'PLUGIN_CRASHED').length
        waits.push(longest)
        node.kill('SIGKILL')
        node = await startNode({ url, namespace: 'bench', node: 'node-1', load: ['echo_llm'] })
        started['node-1'] = node
        await cluster.call('echo_llm', 'complete', { prompt: 'hello' })
      }
      return { 'calls that end otherwise': wrong, 'longest wait': Math.max(...waits) }
    },
  })
}

async function callsLost(cluster, strike) {
  let struck = 0
  let longest = 0
  const calls = Array.from({ length: callers }, () =>
    cluster.call('echo_llm', 'complete', { prompt: 'idle' }).then(
      () => 'an answer',
      ({ codeName }) => {
        longest = Math.max(longest, performance.now() - struck)
        return codeName
      },
    ),
  )
  const inFlight = () => cluster.nodes().flatMap(({ plugins }) => plugins.map((each) => each.inFlight))
  while (!inFlight().includes(callers)) await delay(20)
  struck = performance.now()
  strike()
  return { codes: await Promise.all(calls), longest }
}

/** A plugin is swapped on three nodes, one after the other, while 64 callers call it. */
function swap() {
  return scenario({
    name: 'cluster-swap',
    title: `cluster: rolling swap of 3 nodes under ${callers} callers`,
    targets: [{ of: 'calls that end otherwise', atMost: 0 }],
    nodes: 3,
    measure: async ({ cluster }, isFull) => {
      let isOver = false
      let wrong = 0
      let longest = 0
      const keepCalling = async (_, caller) => {
        for (let number = 0; !isOver; number++) {
          const prompt = `${caller}/${number}`
          const begun = performance.now()
          const answer = await cluster
            .call('echo_llm', 'complete', { prompt })
            .catch(({ codeName }) => codeName)
          longest = Math.max(longest, performance.now() - begun)
          if (answer?.text !== prompt) wrong += 1
        }
      }
      const calling = Promise.all(Array.from({ length: callers }, keepCalling))
      for (let left = isFull ? 10 : 2; left > 0; left--) await cluster.swap('echo_llm', 'echo_llm')
      isOver = true
      await calling
      return { 'calls that end otherwise': wrong, 'longest wait': longest }
    },
  })
}

/** Faults are counted in one go, without a warm-up and rounds. */
function scenario({ measure, nodes, ...told }) {
  return {
    group: 'cluster',
    unit: 'ms',
    units: { 'calls that end otherwise': 'calls' },
    isCount: true,
    ...told,
    open: async ({ isFull }) => {
      const server = await startNatsServer()
      const { url } = server
      const cluster = await startCluster(url, { nodes, load: ['echo_llm'] })
      let figures
      const figure = (name) => async () => {
        figures ??= measure({ ...cluster, url }, isFull)
        return (await figures)[name]
      }
      return {
        measures: {
          'calls that end otherwise': figure('calls that end otherwise'),
          'longest wait': figure('longest wait'),
        },
        close: () => cluster.stop().finally(server.stop),
      }
    },
  }
}
