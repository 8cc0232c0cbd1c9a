import { setTimeout as delay } from 'node:timers/promises'
import { Blame } from '../blame.mjs'
import { Client } from '../client.mjs'
import { hasPython, isPython, writePlugins } from '../plugins.mjs'
import { describeProcess, leftIn, processesIn } from '../processes.mjs'
import { Traffic } from '../traffic.mjs'

export const description = 'every kind of fault against appfactory-host under load'

/** Each slot has two plugins that take each other's place: of both languages, of Node alone, of Python alone. */
const slots = hasPython
  ? [
      ['stateful', 'stateful-python'],
      ['one', 'two'],
      ['one-python', 'two-python'],
    ]
  : [
      ['stateful1', 'stateful2'],
      ['one', 'two'],
      ['three', 'four'],
    ]

/** How long it may take, in ms, until there is one process for each plugin again. */
const processesLimitMs = 20_000

/** What the calls of a plugin may end with while its process ends, again and again, until it is mended. */
const crashed = [-32042, -32043]

/** What they may end with while it is not there, or has another name. */
const away = [-32000, -32001]

export async function run({ seconds, random, invariants, trace }) {
  if (!hasPython) console.log('there is no python3 in PATH: all plugins are in Node')
  const { root, remove } = writePlugins(slots.flat())
  const world = new World(root, random, invariants, trace)
  await world.loadAll()
  world.traffic.start()
  await delay(2000)
  await world.traffic.rest()
  const memoryBefore = await world.client.memory()
  let memoryAfter = memoryBefore
  const end = Date.now() + seconds * 1000
  while (Date.now() < end) {
    world.traffic.start()
    const nextRest = Math.min(end, Date.now() + 10_000)
    while (Date.now() < nextRest) {
      await world.fault()
      await delay(random.whole(0, 150))
    }
    await world.traffic.rest()
    memoryAfter = await world.client.memory()
    invariants.check(
      memoryAfter <= memoryBefore * 1.1 + 2e6,
      `the host’s memory went from ${megabytes(memoryBefore)} to ${megabytes(memoryAfter)}`,
    )
  }
  world.report(memoryBefore, memoryAfter)
  const status = await world.client.close()
  invariants.check(status === 0, `the host ended with status ${status}`)
  const left = await leftIn(root, 3000)
  invariants.check(left.length === 0, `processes ${left} are left`)
  console.log(`processes left: ${left.length}`)
  remove()
}

class World {
  #random
  #invariants
  #root
  #trace
  #blame = new Blame()
  #faults = new Map()
  /** The plugin that each slot has now. */
  #names = slots.map(([first]) => first)

  constructor(root, random, invariants, trace) {
    this.#root = root
    this.#random = random
    this.#invariants = invariants
    this.#trace = trace
    this.client = new Client(root)
    this.traffic = new Traffic({
      client: this.client,
      names: this.#names,
      blame: this.#blame,
      invariants,
      random,
    })
  }

  async loadAll() {
    for (const name of this.#names) await this.#mustSucceed('plugin/load', { name })
  }

  report(memoryBefore, memoryAfter) {
    const { made, answered, failed, longestMs } = this.traffic
    const faults = [...this.#faults]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]) => `${name} ${count}`)
    const errors = [...failed].map(([code, count]) => `${code} ${count}`)
    console.log(`faults injected: ${this.#total} (${faults.join(', ')})`)
    console.log(
      `calls made: ${made}, answered: ${answered}, lost: ${made - answered}, answered twice: ${this.client.stray.length}`,
    )
    console.log(
      `of the answers, errors by code: ${errors.join(', ') || 'none'}; longest ${longestMs.toFixed(0)} ms`,
    )
    console.log(`memory of the host: ${megabytes(memoryBefore)} before, ${megabytes(memoryAfter)} after`)
    this.#invariants.check(made === answered, `${made - answered} calls were not answered`)
  }

  get #total() {
    return [...this.#faults.values()].reduce((sum, count) => sum + count, 0)
  }

  /** One fault, and what must hold once it is over. */
  async fault() {
    const name = this.#random.pick(Object.keys(this.#kinds))
    const slot = this.#random.whole(0, slots.length - 1)
    // Once only: it takes the host ten seconds to notice, and one of the two cores. In Python, the reader of the process
    // answers for a blocked loop until the calls time out.
    if (name === 'loop' && (this.#faults.has('loop') || isPython(this.#names[slot]))) return
    this.#faults.set(name, (this.#faults.get(name) ?? 0) + 1)
    this.#invariants.context = `fault ${this.#total}: ${name}, ${slots[slot].join('/')}`
    if (this.#trace) console.log(`  ${this.#invariants.context}`)
    const { excuses, inject } = this.#kinds[name]
    const fault = this.#blame.begin(slot, excuses)
    await inject(slot)
    await this.#checkLoaded(slot)
    await this.#checkAnswers(slot)
    this.#blame.end(fault)
    await this.#checkProcesses()
    this.#checkStray()
  }

  /** What each fault does, and which errors it excuses in the calls of its plugin. All chance is drawn before anything is looked at. */
  #kinds = {
    kill: {
      excuses: crashed,
      inject: async (slot) => {
        const { result } = await this.client.ask('plugin/health', { name: this.#names[slot] })
        if (result?.details.pid) tryKill(result.details.pid)
      },
    },
    crash: {
      excuses: crashed,
      inject: (slot) => this.traffic.complete(slot, { fault: this.#random.pick(['exit', 'throw', 'kill']) }),
    },
    hang: {
      excuses: [],
      inject: (slot) =>
        this.traffic.complete(slot, { work: 30_000 }, { params: { timeout: 200 }, allowed: [-32041] }),
    },
    loop: {
      excuses: crashed,
      inject: (slot) => this.traffic.complete(slot, { fault: 'loop' }),
    },
    noise: {
      excuses: [],
      inject: (slot) =>
        this.traffic.complete(slot, { fault: this.#random.pick(['noise', 'forged', 'stderr']) }),
    },
    flood: {
      excuses: [],
      inject: (slot) =>
        this.traffic.complete(slot, {
          flood: this.#random.pick(['noise', 'notifications', 'stderr']),
          work: this.#random.whole(200, 1000),
        }),
    },
    oversize: {
      excuses: crashed,
      inject: (slot) => this.traffic.complete(slot, { fault: 'oversize' }),
    },
    refuse: {
      excuses: [],
      inject: (slot) => this.traffic.complete(slot, { fault: 'refuse' }, { allowed: [-32603] }),
    },
    slowReader: {
      excuses: [],
      inject: () => this.client.stopReading(this.#random.whole(50, 500)),
    },
    corruptFrames: {
      excuses: [],
      inject: async () => {
        const before = this.client.complaints
        await this.client.write(
          '{"jsonrpc":"2.0","id":1,\n\u{1}\u{2}\n[]\n{"jsonrpc":"2.0","method":"ping"}\n"x"\n',
        )
        await this.client.ask('ping')
        const complaints = this.client.complaints - before
        this.#invariants.check(complaints === 4, `4 broken lines got ${complaints} answers`)
      },
    },
    swap: {
      excuses: away,
      inject: async (slot) => {
        const old = this.#names[slot]
        const next = slots[slot].find((name) => name !== old)
        await this.#mustSucceed('plugin/swap', { old, new: next })
        this.#names[slot] = next
      },
    },
    reload: {
      excuses: [],
      inject: async (slot) => {
        const name = this.#names[slot]
        await this.#mustSucceed('plugin/swap', { old: name, new: name })
      },
    },
    unload: {
      excuses: away,
      inject: async (slot) => {
        const name = this.#names[slot]
        await this.#mustSucceed('plugin/unload', { name, force: this.#random.next() < 0.5 })
        await this.#mustSucceed('plugin/load', { name })
      },
    },
    killInSwap: {
      excuses: crashed,
      inject: async (slot) => {
        const waitMs = this.#random.whole(0, 150)
        const which = this.#random.next()
        const name = this.#names[slot]
        const swapping = this.client.ask('plugin/swap', { old: name, new: name })
        await delay(waitMs)
        const pids = processesIn(`${this.#root}/${name}`)
        if (pids.length > 0) tryKill(pids[Math.floor(which * pids.length)])
        const { error } = await swapping
        this.#invariants.check(
          error === undefined || [-32020, -32021].includes(error.code),
          `a swap ended with ${JSON.stringify(error)}`,
        )
      },
    },
  }

  /** Of the two plugins of the slot, exactly the one that should be is loaded. */
  async #checkLoaded(slot) {
    const { result } = await this.client.ask('plugin/list')
    const loaded = result.filter(({ name, status }) => slots[slot].includes(name) && status !== 'UNLOADED')
    const names = loaded.map(({ name }) => name).join(' and ')
    this.#invariants.check(
      names === this.#names[slot],
      `${names || 'none'} is loaded, not ${this.#names[slot]}`,
    )
  }

  /** The plugin answers again; one in quarantine when it was brought back as an operator would. */
  async #checkAnswers(slot) {
    const name = this.#names[slot]
    const begunAt = performance.now()
    for (let tries = 1; ; tries++) {
      const { error } = await this.client.ask('plugin/call', { plugin: name, method: 'get_models' })
      if (!error) return
      if (tries > 5 || !this.#blame.excuses(slot, error.code, begunAt))
        return this.#invariants.check(false, `${name} does not come back: ${JSON.stringify(error)}`)
      if (error.code === -32043) await this.#mustSucceed('plugin/swap', { old: name, new: name })
    }
  }

  /** There is one process for each plugin, and no other. */
  async #checkProcesses() {
    for (const end = Date.now() + processesLimitMs; Date.now() < end; await delay(50))
      if (processesIn(this.#root).length === slots.length) return
    const pids = processesIn(this.#root)
    const { result } = await this.client.ask('plugin/health')
    const known = Object.values(result).map(({ details }) => details.pid)
    const unknown = pids.filter((pid) => !known.includes(pid)).map(describeProcess)
    this.#invariants.check(
      pids.length === slots.length,
      `${pids.length} processes for ${slots.length} plugins; nobody knows ${unknown.join(', ')}`,
    )
  }

  #checkStray() {
    const stray = this.client.stray.slice(0, 3)
    this.#invariants.check(stray.length === 0, `answers that nobody waits for: ${JSON.stringify(stray)}`)
  }

  async #mustSucceed(method, params) {
    const { error } = await this.client.ask(method, params)
    this.#invariants.check(
      error === undefined,
      `${method} ${JSON.stringify(params)} ended with ${JSON.stringify(error)}`,
    )
  }
}

function tryKill(pid) {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It was faster.
  }
}

function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
