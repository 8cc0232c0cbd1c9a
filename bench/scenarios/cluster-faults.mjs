import { setTimeout as delay } from 'node:timers/promises'
import { startCluster, startNode } from '../contenders/cluster.mjs'
import { hasNats, startNatsServer, startThreeServers } from '../contenders/nats-server.mjs'

const callers = 64

/** What callers of a cluster see of faults: how many calls end otherwise than they should, and the longest wait. */
export const clusterFaultScenarios = hasNats
  ? [
      lost({ name: 'cluster-kill', what: 'SIGKILL', count: { few: 5, full: 100 }, atMostMs: 300 }),
      lost({ name: 'cluster-stop', what: 'SIGSTOP', count: { few: 3, full: 20 }, atMostMs: 1000 }),
      servers(),
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

/** A NATS server of three ends, each in turn, and comes back. */
function servers() {
  return scenario({
    name: 'cluster-servers',
    title: `cluster: SIGKILL of a NATS server of three under ${callers} callers`,
    targets: [
      { of: 'calls that end otherwise', atMost: 0 },
      { of: 'longest wait', atMost: 1000 },
    ],
    nodes: 2,
    startServers: startThreeServers,
    measure: ({ cluster, server }, isFull) =>
      whileCalling(cluster, async (allHaveCalled) => {
        for (let number = 0; number < (isFull ? 20 : 3); number++) {
          await server.kill(number % 3)
          await allHaveCalled()
          await server.restart(number % 3)
          // Until the others have found it again.
          await delay(1500)
        }
      }),
  })
}

/** A plugin is swapped on three nodes, one after the other, while 64 callers call it. */
function swap() {
  return scenario({
    name: 'cluster-swap',
    title: `cluster: rolling swap of 3 nodes under ${callers} callers`,
    targets: [{ of: 'calls that end otherwise', atMost: 0 }],
    nodes: 3,
    measure: ({ cluster }, isFull) =>
      whileCalling(cluster, async () => {
        for (let left = isFull ? 10 : 2; left > 0; left--) await cluster.swap('echo_llm', 'echo_llm')
      }),
  })
}

/** Every caller gets the answer to what it asked, and to nothing else. */
async function whileCalling(cluster, strike) {
  let isOver = false
  let wrong = 0
  let longest = 0
  const counts = Array.from({ length: callers }, () => 0)
  const keepCalling = async (_, caller) => {
    for (; !isOver; counts[caller] += 1) {
      const prompt = `${caller}/${counts[caller]}`
      const begun = performance.now()
      const answer = await cluster.call('echo_llm', 'complete', { prompt }).catch(({ codeName }) => codeName)
      longest = Math.max(longest, performance.now() - begun)
      if (answer?.text !== prompt) wrong += 1
    }
  }
  const allHaveCalled = async () => {
    const before = [...counts]
    // The call that was under way, and one more.
    while (counts.some((count, caller) => count < before[caller] + 2)) await delay(10)
  }
  const calling = Promise.all(Array.from({ length: callers }, keepCalling))
  await strike(allHaveCalled)
  isOver = true
  await calling
  return { 'calls that end otherwise': wrong, 'longest wait': longest }
}

/** Faults are counted in one go, without a warm-up and rounds. */
function scenario({ measure, nodes, startServers = startNatsServer, ...told }) {
  return {
    group: 'cluster',
    unit: 'ms',
    units: { 'calls that end otherwise': 'calls' },
    isCount: true,
    ...told,
    open: async ({ isFull }) => {
      const server = await startServers()
      const { url } = server
      const cluster = await startCluster(url, { nodes, load: ['echo_llm'] })
      let figures
      const figure = (name) => async () => {
        figures ??= measure({ ...cluster, url, server }, isFull)
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
