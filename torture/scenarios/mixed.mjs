import { setTimeout as delay } from 'node:timers/promises'
import { Client } from '../client.mjs'
import { writePlugins } from '../plugins.mjs'
import { describeProcess, leftIn, processesIn } from '../processes.mjs'
import { Random } from '../random.mjs'

export const description = 'every kind of fault against appfactory-host under load'

/** Each slot has two plugins that take each other's place. */
const slots = [
  ['stateful1', 'stateful2'],
  ['one', 'two'],
  ['three', 'four'],
]

const callers = 24

/** The longest that any call may take, in ms: that of the host's own timeouts, and room for a busy machine. */
const answerLimitMs = 45_000

/** What a call may end with while plugins fail around it. Anything else is a defect. */
const expectedErrors = new Set([
  -32000, -32001, -32002, -32003, -32004, -32005, -32020, -32021, -32041, -32042, -32043, -32050, -32800,
])

export async function run({ seconds, random, invariants }) {
  const { root, remove } = writePlugins(slots.flat())
  const world = new World(root, random, invariants)
  await world.loadAll()
  world.startLoad()
  await delay(2000)
  await world.rest()
  const memoryBefore = await world.client.memory()
  world.startLoad()
  const end = Date.now() + seconds * 1000
  let nextRest = Date.now() + 10_000
  while (Date.now() < end) {
    await world.fault()
    await delay(random.whole(0, 150))
    if (Date.now() < nextRest) continue
    await world.rest()
    await world.checkProcesses()
    world.startLoad()
    nextRest = Date.now() + 10_000
  }
  await world.rest()
  await world.checkProcesses()
  const memoryAfter = await world.client.memory()
  world.report(memoryBefore, memoryAfter)
  invariants.check(
    memoryAfter <= memoryBefore * 1.1 + 2e6,
    `the host’s memory went from ${megabytes(memoryBefore)} to ${megabytes(memoryAfter)}`,
  )
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
  #loading = false
  #callers = []
  #pieces = new Map()
  #faults = new Map()
  #made = 0
  #answered = 0
  #failed = new Map()
  #longestMs = 0
  /** The plugin that each slot has now. */
  #names = slots.map(([first]) => first)

  constructor(root, random, invariants) {
    this.#root = root
    this.#random = random
    this.#invariants = invariants
    this.client = new Client(root)
    this.client.onPiece = ({ id, seq, value }) => this.#pieces.get(id)?.(seq, value)
  }

  async loadAll() {
    for (const name of this.#names) await this.client.ask('plugin/load', { name })
  }

  startLoad() {
    this.#loading = true
    // The load has chances of its own, so that a seed decides which faults come, and in which order.
    this.#callers = Array.from({ length: callers }, (_, index) =>
      this.#call(index, new Random(this.#made + index)),
    )
  }

  /** Lets every call end: none may be left unanswered. */
  async rest() {
    this.#loading = false
    const late = delay(answerLimitMs, 'late', { ref: false })
    const outcome = await Promise.race([Promise.all(this.#callers), late])
    if (outcome === 'late') {
      this.#invariants.check(false, `${this.client.openCalls} calls were not answered in ${answerLimitMs} ms`)
      process.exit(1)
    }
    this.#invariants.check(
      this.client.stray.length === 0,
      `answers that nobody waits for: ${JSON.stringify(this.client.stray.slice(0, 3))}`,
    )
  }

  /** Once nothing is going on, there is one process for each loaded plugin. */
  async checkProcesses() {
    for (let slot = 0; slot < slots.length; slot++) await this.#mend(slot)
    for (let tries = 0; tries < 200 && processesIn(this.#root).length > slots.length; tries++) await delay(50)
    const pids = processesIn(this.#root)
    const { result } = await this.client.ask('plugin/health')
    const known = Object.values(result).map(({ details }) => details.pid)
    const unknown = pids.filter((pid) => !known.includes(pid)).map(describeProcess)
    this.#invariants.check(
      pids.length === slots.length,
      `${pids.length} processes for ${slots.length} plugins; nobody knows ${unknown.join(', ')}`,
    )
  }

  report(memoryBefore, memoryAfter) {
    const faults = [...this.#faults]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]) => `${name} ${count}`)
    const total = [...this.#faults.values()].reduce((sum, count) => sum + count, 0)
    const failed = [...this.#failed].map(([code, count]) => `${code} ${count}`)
    console.log(`faults injected: ${total} (${faults.join(', ')})`)
    console.log(
      `calls made: ${this.#made}, answered: ${this.#answered}, lost: ${this.#made - this.#answered}, answered twice: ${this.client.stray.length}`,
    )
    console.log(
      `of the answers, errors by code: ${failed.join(', ') || 'none'}; longest ${this.#longestMs.toFixed(0)} ms`,
    )
    console.log(`memory of the host: ${megabytes(memoryBefore)} before, ${megabytes(memoryAfter)} after`)
    this.#invariants.check(
      this.#made === this.#answered,
      `${this.#made - this.#answered} calls were not answered`,
    )
  }

  async fault() {
    const name = this.#random.pick(Object.keys(this.#kinds))
    this.#faults.set(name, (this.#faults.get(name) ?? 0) + 1)
    const slot = this.#random.whole(0, slots.length - 1)
    await this.#kinds[name](slot)
    await this.#mend(slot)
  }

  #kinds = {
    kill: async (slot) => {
      const { result } = await this.client.ask('plugin/health', { name: this.#names[slot] })
      if (result?.details.pid) tryKill(result.details.pid)
    },
    crash: (slot) => this.#complete(slot, { fault: this.#random.pick(['exit', 'throw', 'kill']) }),
    hang: (slot) => void this.#complete(slot, { work: 30_000 }, { timeout: 200 }),
    loop: (slot) => {
      // Once only: it takes the host ten seconds to notice, and one of the two cores.
      if (this.#faults.get('loop') > 1) return
      void this.#complete(slot, { fault: 'loop' })
    },
    noise: (slot) => this.#complete(slot, { fault: this.#random.pick(['noise', 'forged', 'stderr']) }),
    oversize: (slot) => this.#complete(slot, { fault: 'oversize' }),
    refuse: (slot) => this.#complete(slot, { fault: 'refuse' }, {}, [-32603]),
    slowReader: () => this.client.stopReading(this.#random.whole(50, 500)),
    corruptFrames: async () => {
      const before = this.client.complaints
      await this.client.write(
        '{"jsonrpc":"2.0","id":1,\n\u{1}\u{2}\n[]\n{"jsonrpc":"2.0","method":"ping"}\n"x"\n',
      )
      await this.client.ask('ping')
      const complaints = this.client.complaints - before
      this.#invariants.check(complaints === 4, `4 broken lines got ${complaints} answers`)
    },
    swap: async (slot) => {
      const old = this.#names[slot]
      const next = slots[slot].find((name) => name !== old)
      const { error } = await this.client.ask('plugin/swap', { old, new: next })
      if (error)
        this.#invariants.check(
          error.code === -32020 || error.code === -32021 || error.code === -32001,
          `a swap ended with ${JSON.stringify(error)}`,
        )
      this.#names[slot] = await this.#loadedOf(slot)
    },
    reload: async (slot) => {
      const name = this.#names[slot]
      await this.client.ask('plugin/swap', { old: name, new: name })
    },
    unload: async (slot) => {
      const name = this.#names[slot]
      await this.client.ask('plugin/unload', { name, force: this.#random.next() < 0.5 })
      await this.client.ask('plugin/load', { name })
    },
    killInSwap: async (slot) => {
      const name = this.#names[slot]
      const swapping = this.client.ask('plugin/swap', { old: name, new: name })
      await delay(this.#random.whole(0, 150))
      const pids = processesIn(`${this.#root}/${name}`)
      if (pids.length > 0) tryKill(this.#random.pick(pids))
      await swapping
    },
  }

  /** A plugin in quarantine, or not there, is brought back as an operator would. */
  async #mend(slot) {
    const name = await this.#loadedOf(slot)
    this.#names[slot] = name
    const { error } = await this.client.ask('plugin/call', {
      plugin: name,
      method: 'get_models',
      timeout: 30_000,
    })
    if (error?.code === -32043) await this.client.ask('plugin/swap', { old: name, new: name })
    else if (error?.code === -32001) await this.client.ask('plugin/load', { name })
  }

  async #loadedOf(slot) {
    const { result } = await this.client.ask('plugin/list')
    const names = result
      .filter(({ name, status }) => slots[slot].includes(name) && status !== 'UNLOADED')
      .map(({ name }) => name)
    this.#invariants.check(names.length <= 1, `${names.join(' and ')} are both loaded`)
    return names[0] ?? this.#names[slot]
  }

  async #call(caller, random) {
    for (let index = 0; this.#loading; index++) {
      const slot = random.whole(0, slots.length - 1)
      const token = `${caller}-${index}-${this.#made}`
      const kind = random.next()
      if (kind < 0.6) await this.#complete(slot, { token, work: random.whole(0, 20) })
      else if (kind < 0.7) await this.#complete(slot, { token, size: 200_000 })
      else if (kind < 0.85) await this.#cancelled(slot, token, random)
      else await this.#stream(slot, token, random)
    }
  }

  async #complete(slot, prompt, params = {}, expected = []) {
    const { token = `fault-${this.#made}` } = prompt
    await this.#account(
      this.#begin(slot, 'complete', { ...prompt, token }, params).response,
      ({ text }) => text === token,
      expected,
    )
  }

  async #cancelled(slot, token, random) {
    const { id, response } = this.#begin(slot, 'complete', { token, work: 20 })
    setTimeout(() => this.client.notify('$/cancelRequest', { id }), random.whole(0, 30))
    await this.#account(response, ({ text }) => text === token)
  }

  async #stream(slot, token, random) {
    const count = random.whole(1, 60)
    const { id, response } = this.#begin(
      slot,
      'stream_complete',
      { token, pieces: count },
      { stream: { credit: 8 } },
    )
    let next = 0
    this.#pieces.set(id, (sequence, { text }) => {
      this.#invariants.check(
        sequence === next && text === `${token}#${next} `,
        `piece ${sequence} of ${token} is ${text}`,
      )
      next += 1
      this.client.notify('$/credit', { id, n: 1 })
    })
    await this.#account(response, ({ pieces }) => pieces === count && next === count)
    this.#pieces.delete(id)
  }

  #begin(slot, method, prompt, params = {}) {
    const args = { prompt: JSON.stringify(prompt) }
    return this.client.begin('plugin/call', { plugin: this.#names[slot], method, args, ...params })
  }

  async #account(response, isRight, expected = []) {
    const begun = performance.now()
    this.#made += 1
    const { result, error } = await response
    this.#answered += 1
    this.#longestMs = Math.max(this.#longestMs, performance.now() - begun)
    if (!error)
      return this.#invariants.check(
        isRight(result),
        `a foreign or broken answer: ${JSON.stringify(result).slice(0, 200)}`,
      )
    this.#failed.set(error.code, (this.#failed.get(error.code) ?? 0) + 1)
    const isExpected = expectedErrors.has(error.code) || expected.includes(error.code)
    this.#invariants.check(isExpected, `a call ended with ${JSON.stringify(error).slice(0, 300)}`)
    // A plugin that is away fails at once: the load must not become a flood of refusals.
    await delay(5)
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
