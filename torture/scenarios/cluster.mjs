import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Cluster } from '@appfactory/cluster'
import { Blame } from '../blame.mjs'
import { Node } from '../cluster/node.mjs'
import { OtherCaller } from '../cluster/other-caller.mjs'
import { NatsServers } from '../cluster/servers.mjs'
import { talkNonsense } from '../cluster/stranger.mjs'
import { ClusterTraffic } from '../cluster/traffic.mjs'
import { callsBegun, writeTrial } from '../cluster/trial.mjs'
import { settles } from '../deadline.mjs'
import { heapAfterCollection } from '../memory.mjs'
import { milliseconds } from '../milliseconds.mjs'
import { describeProcess, leftIn } from '../processes.mjs'

export const description = 'every kind of fault against nodes, NATS servers, connections, plugins and callers'

const names = ['a', 'b', 'c']

/** Faults that end a node: never the first one, whose memory is watched. */
const fatal = new Set(['killNode', 'drainNode', 'killInSwap'])

/** The status of a node that has ended as it should after SIGTERM. */
const terminated = 143

/** How long it may take, in ms, until everything is well again after a fault. */
const recoveryLimitMs = 20_000

/** How long a process may be silent without being taken for dead, in ms, with room for a busy machine. */
const harmlessMs = 300

/** By when calls of a node that was killed, or that hangs, should have ended, in ms. */
const noticedMs = { kill: 300, freeze: 1000 }

export async function run({ seconds, callers, random, invariants, trace, faults }) {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'appfactory-torture-')))
  writeTrial(root)
  const world = await World.start({ root, callers, random, invariants, trace, faults })
  await world.rest()
  const before = await world.memory()
  let after = before
  const end = Date.now() + seconds * 1000
  while (Date.now() < end) {
    world.traffic.start()
    const nextRest = Math.min(end, Date.now() + 15_000)
    while (Date.now() < nextRest) {
      await world.fault()
      await delay(random.whole(0, 150))
    }
    await world.rest()
    after = await world.memory()
    for (const [index, what] of ['node a', 'the callers'].entries())
      invariants.check(
        after[index] <= before[index] * 1.1 + 2e6,
        `the memory of ${what} went from ${megabytes(before[index])} to ${megabytes(after[index])}`,
      )
  }
  await world.stop()
  world.report(before, after)
  const left = await leftIn(root, 3000)
  invariants.check(left.length === 0, `processes are left: ${left.map(describeProcess)}`)
  console.log(`processes left: ${left.length}`)
  if (invariants.broken.length === 0) rmSync(root, { recursive: true, force: true })
  else console.log(`what nodes wrote: ${root}`)
}

class World {
  #root
  #random
  #invariants
  #trace
  /** Names of the faults that there are to be. */
  #chosen
  #blame = new Blame()
  #faults = new Map()
  #nodes = new Map()
  #servers
  #cluster
  #other

  static async start(options) {
    const world = new World(options)
    await world.#start(options.callers)
    return world
  }

  constructor({ root, random, invariants, trace, faults = Object.keys(this.#kinds) }) {
    this.#chosen = faults
    this.#root = root
    this.#random = random
    this.#invariants = invariants
    this.#trace = trace
  }

  async #start(callers) {
    this.#servers = await NatsServers.start(this.#root)
    for (const name of names) this.#nodes.set(name, new Node(name, this.#root, this.#servers.urls))
    await Promise.all([...this.#nodes.values()].map((node) => node.start()))
    this.#cluster = await Cluster.connect({
      nats: this.#servers.urls,
      namespace: 'torture',
      caller: 'torture',
    })
    this.#cluster.on('warning', (text) => this.#invariants.check(false, `a warning: ${text}`))
    this.traffic = new ClusterTraffic({
      plugin: await this.#cluster.get('trial'),
      ...{ prefix: 'own', callers, random: this.#random, invariants: this.#invariants },
      excuses: (error, begunAt) => this.#excuses(error, begunAt),
    })
    const { urls } = this.#servers
    const common = { root: this.#root, random: this.#random, invariants: this.#invariants }
    this.#other = new OtherCaller({ urls, ...common })
    await this.#recovered()
    await this.#other.start()
    this.traffic.start()
    await delay(1000)
  }

  /** All calls end, and nodes have nothing to do for this caller any more. */
  async rest() {
    await this.traffic.rest()
    await this.#other.stop()
    await this.#idle()
    await this.#other.start()
  }

  /** Of the node that no fault ends, and of this process. */
  async memory() {
    return [await this.#nodes.get('a').memory(), heapAfterCollection()]
  }

  async stop() {
    await this.#other.stop()
    await this.#cluster.close()
    const statuses = await Promise.all([...this.#nodes.values()].map((node) => node.end('SIGTERM')))
    this.#invariants.check(
      statuses.every((status) => status === terminated),
      `nodes ended with ${statuses}`,
    )
    await this.#servers.stop()
  }

  report([nodeBefore, callersBefore], [nodeAfter, callersAfter]) {
    const { made, ended, failed, longestMs } = this.traffic
    const faults = [...this.#faults].sort(([a], [b]) => (a < b ? -1 : 1)).map((each) => each.join(' '))
    const total = [...this.#faults.values()].reduce((sum, count) => sum + count, 0)
    const begun = callsBegun(this.#root)
    const twice = [...begun].filter(([, count]) => count > 1)
    console.log(`faults injected: ${total} (${faults.join(', ')})`)
    console.log(
      `calls made: ${made}, ended: ${ended}, begun twice: ${twice.length}; those of other callers: ${this.#other.made}`,
    )
    console.log(
      `errors: ${[...failed].map((each) => each.join(' ')).join(', ') || 'none'}; longest ${milliseconds(longestMs)}`,
    )
    console.log(
      `memory of node a: ${megabytes(nodeBefore)} before, ${megabytes(nodeAfter)} after; of the callers: ${megabytes(callersBefore)}, ${megabytes(callersAfter)}`,
    )
    this.#invariants.check(made === ended, `${made - ended} calls have no end`)
    this.#invariants.check(
      twice.length === 0,
      `${twice.length} calls were begun more than once: ${twice.slice(0, 5)}`,
    )
  }

  /** One fault, and what must hold once it is over. */
  async fault() {
    const kind = this.#random.pick(this.#chosen)
    const name = this.#random.pick(fatal.has(kind) ? names.slice(1) : names)
    this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + 1)
    this.#invariants.context = `${kind}, node ${name}`
    if (this.#trace) console.log(`  ${this.#invariants.context}`)
    const begunAt = performance.now()
    const excused = await this.#kinds[kind](name)
    await this.#recovered()
    for (const fault of excused ?? []) this.#blame.end(fault)
    if (this.#trace)
      console.log(
        `    ${milliseconds(performance.now() - begunAt)}, longest call ${milliseconds(this.traffic.longestMs)}`,
      )
    this.traffic.longestMs = 0
  }

  /** What each fault does. Returns what it excuses. All chance is drawn before anything is awaited. */
  #kinds = {
    killNode: async (name) => {
      const excused = this.#excuse(name)
      const at = performance.now()
      await this.#nodes.get(name).end('SIGKILL')
      await this.#nodes.get(name).start()
      this.#notice(name, at, noticedMs.kill)
      return excused
    },
    freezeNode: async (name) => {
      const ms = this.#random.whole(20, 2500)
      const excused = ms < harmlessMs ? [] : this.#excuse(name)
      const at = performance.now()
      this.#nodes.get(name).signal('SIGSTOP')
      await delay(ms)
      this.#nodes.get(name).signal('SIGCONT')
      if (ms > noticedMs.freeze) this.#notice(name, at, noticedMs.freeze)
      return excused
    },
    drainNode: async (name) => {
      const status = await this.#nodes.get(name).end('SIGTERM')
      this.#invariants.check(status === terminated, `node ${name} drained and ended with ${status}`)
      await this.#nodes.get(name).start()
    },
    killServer: async () => {
      const server = this.#random.pick(this.#servers.servers)
      const ms = this.#random.whole(0, 1500)
      await server.kill()
      await delay(ms)
      await server.start()
    },
    killServers: async () => {
      const ms = this.#random.whole(0, 1500)
      await Promise.all(this.#servers.servers.map((server) => server.kill()))
      await delay(ms)
      await Promise.all(this.#servers.servers.map((server) => server.start()))
    },
    // Longer than links live without NATS. Once only: it takes as long as ten others.
    blackout: async () => {
      const ms = this.#random.whole(5500, 7000)
      if (this.#faults.get('blackout') > 1) return
      const excused = this.#excuse(...names)
      await Promise.all(this.#servers.servers.map((server) => server.kill()))
      await delay(ms)
      await Promise.all(this.#servers.servers.map((server) => server.start()))
      return excused
    },
    cutNode: async (name) => {
      const excused = this.#excuse(name)
      await this.#cut(`appfactory node ${name}`)
      return excused
    },
    cutCaller: () => this.#cut('appfactory caller torture'),
    stallNode: (name) => this.#stall(`appfactory node ${name}`, [name]),
    stallCaller: () => this.#stall('appfactory caller torture', names),
    delay: async () => {
      const [ms, takes] = [this.#random.whole(1, 100), this.#random.whole(300, 1000)]
      for (const connection of this.#servers.connections()) connection.delay(ms)
      await delay(takes)
      for (const connection of this.#servers.connections()) connection.delay(0)
    },
    swap: () => this.#mustSucceed('a swap', this.#cluster.swap('trial', 'trial')),
    killInSwap: async (name) => {
      const ms = this.#random.whole(0, 400)
      const excused = this.#excuse(name)
      const swapping = this.#cluster.swap('trial', 'trial').catch(({ data }) => {
        this.#invariants.check(data?.node === name, `a swap stopped at node ${data?.node}`)
      })
      await delay(ms)
      await this.#nodes.get(name).end('SIGKILL')
      this.#invariants.check(await settles(swapping), 'a swap has not ended')
      await this.#nodes.get(name).start()
      return excused
    },
    crash: async () => {
      const excused = this.#excuse('plugin')
      await this.traffic.work({ fault: this.#random.pick(['exit', 'throw', 'kill']), work: 20 })
      return excused
    },
    hang: () => this.traffic.work({ work: 30_000 }, { timeoutMs: 200, allowed: ['CALL_TIMEOUT'] }),
    flood: () => this.traffic.work({ fault: this.#random.pick(['noise', 'stderr', 'forged']) }),
    killCaller: async () => {
      await this.#other.kill()
      await this.#other.start()
    },
    freezeCaller: async () => {
      const ms = this.#random.whole(50, 2000)
      this.#other.signal('SIGSTOP')
      await delay(ms)
      this.#other.signal('SIGCONT')
    },
    stranger: (name) => talkNonsense(this.#servers.proxies[0].port, name, this.#random),
  }

  /** From now on, calls may end because of these: nodes, or the process of the plugin. */
  #excuse(...causes) {
    // A session is gone with what it was in: the next call of it finds none.
    const lost = this.#blame.begin('session', ['INVALID_PARAMS'])
    return [lost, ...causes.map((cause) => this.#blame.begin(cause, ['PLUGIN_CRASHED']))]
  }

  #excuses({ codeName, data }, begunAt) {
    const what = codeName === 'PLUGIN_CRASHED' ? 'plugin' : 'session'
    return this.#blame.excuses(data?.lost === undefined ? what : data.node, codeName, begunAt)
  }

  /** The last call that a node has failed should have failed by then. */
  #notice(name, at, limitMs) {
    const took = (this.traffic.failedAt.get(name) ?? at) - at
    this.#invariants.target(
      took <= limitMs,
      `calls of node ${name} ended after ${milliseconds(took)}, not ${limitMs} ms`,
    )
  }

  /** Resolves when the connection is gone: traffic brings it there. */
  async #cut(name) {
    const [bytes, way] = [this.#random.whole(1, 50_000), this.#random.whole(0, 1)]
    const cut = this.#servers.connections(name).map((connection) => connection.cutAfter(bytes, way))
    await Promise.all(cut)
  }

  async #stall(name, excused) {
    const ms = this.#random.whole(20, 2500)
    const faults = ms < harmlessMs ? [] : this.#excuse(...excused)
    for (const connection of this.#servers.connections(name)) connection.stall()
    await delay(ms)
    for (const connection of this.#servers.connections(name)) connection.resume()
    return faults
  }

  async #mustSucceed(what, promise) {
    await promise.catch((error) =>
      this.#invariants.check(false, `${what} ended with ${error} ${JSON.stringify(error.data)}`),
    )
  }

  /** Every node serves the plugin again. */
  async #recovered() {
    let told
    for (const end = Date.now() + recoveryLimitMs; Date.now() < end; await delay(20)) {
      const { details } = await this.#cluster.health('trial')
      told = details.nodes
      const ready = told
        ?.filter(({ status }) => status === 'READY' || status === 'BUSY')
        .map(({ node }) => node)
        .sort()
      if (ready?.join() === names.join()) return
    }
    this.#invariants.check(false, `not all nodes are ready again: ${JSON.stringify(told)}`)
  }

  /** Nothing is in flight on any node, and no session is open. */
  async #idle() {
    let told
    for (const end = Date.now() + recoveryLimitMs; Date.now() < end; await delay(50)) {
      const { details } = await this.#cluster.health('trial')
      told = details.nodes
      if (told.every((each) => each.calls_in_flight + each.open_streams + each.open_sessions === 0)) return
    }
    this.#invariants.check(false, `nodes work for nobody: ${JSON.stringify(told)}`)
  }
}

function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
