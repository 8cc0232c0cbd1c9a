import { isPluginError, PluginError } from '@appfactory/sdk'
import { afterEach, beforeEach, test, vi } from 'vitest'
import { DesiredAdmin } from '../../src/desired/desired-admin.js'
import { readRecord } from '../../src/desired/record.js'
import type { DesiredStore } from '../../src/desired/store.js'
import { World, type WorldNode } from './world.js'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** Those that have found something, and a few. FUZZ_FIRST and FUZZ_COUNT choose others. */
const first = Number(process.env['FUZZ_FIRST'] ?? 1)
const seeds = process.env['FUZZ_COUNT']
  ? Array.from({ length: Number(process.env['FUZZ_COUNT']) }, (_, index) => first + index)
  : [2254, 2262, 2]

/** Plugins without state, with state, and the others that these are swapped for. */
const plugins = ['x', 'y', 'z', 's', 't'] as const
const kinds: Record<string, readonly string[]> = {
  x: ['x', 'y', 'z'],
  y: ['x', 'y', 'z'],
  z: ['x', 'y', 'z'],
  s: ['s'],
  t: ['t', 'u'],
  u: ['t', 'u'],
}
const names = ['a', 'b', 'c', 'd']

function random(seed: number): () => number {
  let state = seed * 0x9e3779b9
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

class Fuzz {
  readonly world = new World()
  readonly log: string[] = []
  readonly problems: string[] = []
  readonly #chance: () => number
  #isCalm = false
  #pending = 0
  #numbers = 0
  #stateShare = 0

  constructor(seed: number) {
    this.#chance = random(seed)
    const { world } = this
    world.lag = () => (this.#isCalm ? 5 : this.#upTo(400))
    world.access = (store) => this.#slow(store, 0.03)
  }

  #upTo(most: number): number {
    return Math.floor(this.#chance() * most)
  }
  #one<T>(all: readonly T[]): T {
    const found = all[this.#upTo(all.length)]
    if (found === undefined) throw new Error('there is none')
    return found
  }
  #note(what: string): void {
    this.log.push(`${Math.round(performance.now())} ${what}`)
  }

  #slow(store: DesiredStore, failing: number): DesiredStore {
    const through = async <T>(ask: () => Promise<T>): Promise<T> => {
      const away = (): Error => new PluginError('PLUGIN_NOT_READY', 'away', { transient: true })
      if (this.#isCalm) return ask()
      await this.#wait(this.#chance() < 0.1 ? 1500 : 60)
      if (this.#chance() < failing) throw away()
      const answer = await ask().catch(() => {
        throw away()
      })
      await this.#wait(60)
      if (this.#chance() < failing) throw away()
      return answer
    }
    return {
      state: () => through(() => store.state()),
      next: (after) => through(() => store.next(after)),
      get: (key) => through(() => store.get(key)),
      put: (...given) => through(() => store.put(...given)),
      remove: (...given) => through(() => store.remove(...given)),
    }
  }

  #wait(most: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, this.#upTo(most)))
  }

  join(name: string): void {
    const node = this.world.join(name)
    node.keeper.nudge()
    node.shelf.withState.add('s').add('t').add('u')
    this.#moods(node)
  }

  /** Each node is quick or slow in its own way. */
  #moods({ shelf }: WorldNode): void {
    const slow = (most: number): number => (this.#chance() < 0.3 ? this.#upTo(most) : 100)
    shelf.startMs = slow(6000)
    shelf.inspectMs = slow(4000)
    shelf.swapMs = slow(6000)
    shelf.endMs = slow(8000)
  }

  async run(): Promise<void> {
    const { world } = this
    for (const name of names.slice(0, 2 + this.#upTo(3))) this.join(name)
    await this.#pass(4000)
    for (const { shelf } of world.nodes.values())
      if (this.#chance() < 0.25) shelf.missing.add(this.#one(['y', 'z', 'u']))
    const hurry = this.#chance()
    this.#stateShare = this.#one([0, 0, 0.8])
    const failing = this.#chance() < 0.5 ? 0.03 : 0.25
    world.access = (store) => this.#slow(store, failing)
    for (let step = 0; step < 18; step++) {
      this.#act()
      await this.#pass(this.#chance() < hurry ? 300 : this.#upTo(9000))
    }
    await this.#calm()
    this.#check()
  }

  async #pass(ms: number): Promise<void> {
    await this.world.pass(Math.max(ms, 50), () => {
      for (const plugin of ['s']) {
        const on = Object.entries(this.world.on(plugin))
        if (on.reduce((sum, [, each]) => sum + each, 0) > 1)
          this.problems.push(`${Math.round(performance.now())} ${plugin} twice: ${JSON.stringify(on)}`)
      }
    })
  }

  /** All is well again, for so long that all ends. */
  async #calm(): Promise<void> {
    this.#isCalm = true
    this.#note('calm')
    const { world } = this
    world.store.isAway = false
    for (const node of world.nodes.values()) {
      node.isCut = false
      node.isBehind = false
      Object.assign(node.shelf, { startMs: 100, inspectMs: 0, swapMs: 100, endMs: 100 })
      node.shelf.broken.clear()
    }
    if (world.nodes.size === 0) this.join('a')
    for (let passed = 0; passed < 130_000 && (passed < 75_000 || this.#pending > 0); passed += 5000)
      await world.pass(5000)
  }

  #act(): void {
    const dice = this.#chance()
    if (dice < 0.6) this.#operate()
    else this.#disturb()
  }

  #operate(): void {
    const name = this.#chance() < this.#stateShare ? this.#one(['t', 'u']) : this.#one(plugins)
    const admin = new Operator(this.world, this.#slow(this.world.store, 0.03))
    const dice = this.#chance()
    this.#numbers += 1
    const config = this.#chance() < 0.5 ? {} : { voice: this.#upTo(3) }
    const replicas = ['s', 't', 'u'].includes(name) ? 1 : 1 + this.#upTo(5)
    if (dice < 0.4)
      this.#do(`load ${name} ${replicas} ${JSON.stringify(config)}`, admin.load(name, { replicas, config }))
    else if (dice < 0.5) this.#do(`scale ${name} ${replicas}`, admin.scale(name, replicas))
    else if (dice < 0.62) this.#do(`unload ${name}`, admin.unload(name))
    else {
      const replacement = this.#one(kinds[name] ?? [])
      if (this.#chance() < 0.2) {
        const on = this.#one([...this.world.nodes.keys(), ''])
        if (on) this.#do(`swap ${name} for ${replacement} on ${on}`, admin.swap(name, replacement, on))
        return
      }
      this.#do(`swap ${name} for ${replacement}`, admin.swap(name, replacement))
    }
  }

  #do(what: string, done: Promise<unknown>): void {
    const number = this.#numbers
    this.#note(`#${number} ${what}`)
    this.#pending += 1
    done
      .then(
        () => this.#note(`#${number} done`),
        (error: unknown) => {
          this.#note(`#${number} failed: ${isPluginError(error) ? error.codeName : ''} ${error}`)
          if (isPluginError(error, 'CALL_TIMEOUT')) this.problems.push(`#${number} ${what}: ${error.message}`)
        },
      )
      .finally(() => {
        this.#pending -= 1
      })
  }

  #disturb(): void {
    const { world } = this
    const [name, node] = this.#one([...world.nodes, ['', undefined] as const])
    const dice = this.#chance()
    const gone = names.filter((each) => !world.nodes.has(each))
    if (dice < 0.25 && gone.length > 0) {
      const joining = this.#one(gone)
      this.#note(`join ${joining}`)
      this.join(joining)
    } else if (!node) {
      this.#note('store away')
      world.store.isAway = true
      setTimeout(() => {
        this.#note('store back')
        world.store.isAway = false
      }, this.#upTo(20_000))
    } else if (dice < 0.4) {
      this.#note(`kill ${name}`)
      world.kill(name)
    } else if (dice < 0.55 && !node.isDraining) {
      this.#note(`drain ${name}`)
      void this.#drain(name, node)
    } else if (dice < 0.7) {
      const cut = this.#one(['isCut', 'isBehind'] as const)
      this.#note(`${cut} ${name}`)
      node[cut] = true
      setTimeout(() => {
        this.#note(`${cut} ${name} over`)
        if (world.nodes.get(name) === node) node[cut] = false
      }, this.#upTo(20_000))
    } else if (dice < 0.8) {
      const plugin = this.#one(plugins)
      this.#note(`break ${plugin} on ${name}`)
      node.shelf.broken.add(plugin)
    } else if (dice < 0.88) {
      const plugin = this.#one(plugins)
      this.#note(`unload ${plugin} by name on ${name}`)
      if (node.shelf.running.has(plugin)) void node.shelf.unload(plugin, false).catch(() => {})
    } else {
      this.#note(`moods of ${name}`)
      this.#moods(node)
    }
  }

  async #drain(name: string, node: WorldNode): Promise<void> {
    node.isDraining = true
    node.keeper.pause()
    await this.#wait(20_000)
    await node.keeper.end()
    if (this.world.nodes.get(name) === node) this.world.nodes.delete(name)
    this.#note(`left ${name}`)
  }

  #check(): void {
    const { world, problems } = this
    if (this.#pending > 0) problems.push(`${this.#pending} have not ended`)
    const records = new Map<string, Exclude<ReturnType<typeof readRecord>, string>>()
    for (const name of ['x', 'y', 'z', 's', 't', 'u']) {
      const value = world.store.read(`plugins.${name}`)
      const record = value === undefined ? undefined : readRecord(Buffer.from(JSON.stringify(value)))
      if (typeof record === 'object') records.set(name, record)
    }
    for (const name of ['x', 'y', 'z', 's', 't', 'u']) {
      const record = records.get(name)
      const isReplaced = [...records.values()].some(
        ({ replaces }) => replaces?.name === name && (record?.generation ?? 0) <= replaces.generation,
      )
      const able = [...world.nodes.values()].filter(({ shelf }) => !shelf.missing.has(name))
      const wanted = record && able.length > 0 ? record.replicas : 0
      if (isReplaced && record) problems.push(`${name} is replaced and has a record`)
      const reached = [...world.nodes.values()].map(({ shelf }) =>
        shelf.nameToday(name) !== name && records.has(shelf.nameToday(name))
          ? 0
          : (shelf.running.get(shelf.nameToday(name))?.replicas ?? 0),
      )
      const running = reached.reduce((sum, each) => sum + each, 0)
      const isMisnamed = [...world.nodes.values()].some(({ shelf }) =>
        [...records.keys()].some((each) => each !== name && shelf.nameToday(each) === name),
      )
      if (record ? running !== wanted : world.count(name) > 0 && !isMisnamed)
        problems.push(`${name}: ${world.count(name)} of ${wanted} run: ${JSON.stringify(world.on(name))}`)
      const status = world.status(name)
      if (!record && status) problems.push(`${name} is told: ${JSON.stringify(status)}`)
      if (record && wanted && status?.running !== wanted)
        problems.push(`${name} tells ${JSON.stringify(status)}`)
      for (const [node, { shelf }] of world.nodes) {
        const loaded = shelf.running.get(name)
        const former =
          [...records.keys()].find(
            (each) =>
              each !== name &&
              shelf.nameToday(each) === name &&
              !world.status(name)?.nodes.some((one) => one.node === node && one.running > 0),
          ) ?? name
        if (
          loaded &&
          ['s', 't', 'u'].includes(name) &&
          Reflect.get(Object(world.store.read(`leases.${former}`)), 'node') !== node
        )
          problems.push(
            `${name} on ${node} has no lease: ${JSON.stringify(world.store.read(`leases.${former}`))}`,
          )
        if (loaded && record && JSON.stringify(loaded.config) !== JSON.stringify(record.config))
          problems.push(
            `${name} on ${node} has ${JSON.stringify(loaded.config)}, not ${JSON.stringify(record.config)}`,
          )
      }
    }
    for (const beat of world.beats())
      for (const { name, why } of beat.desired?.plugins ?? [])
        if (why?.includes('by its name')) problems.push(`${beat.node} says of ${name}: ${why}`)
  }
}

/** Does what a Cluster does. */
class Operator {
  readonly #world: World
  readonly #admin: DesiredAdmin

  constructor(world: World, store: DesiredStore) {
    this.#world = world
    this.#admin = new DesiredAdmin({ desired: async () => store }, () => world.beats())
  }

  load(name: string, options: { replicas: number; config: Record<string, unknown> }): Promise<unknown> {
    return this.#admin.load(name, options)
  }

  async scale(name: string, replicas: number): Promise<unknown> {
    return this.#admin.has(name) && this.#admin.scale(name, replicas)
  }

  async unload(name: string): Promise<unknown> {
    return this.#admin.has(name) && this.#admin.unload(name)
  }

  async swap(old: string, replacement: string, on?: string): Promise<void> {
    const having = [...this.#world.nodes]
      .filter(([name, { shelf }]) => shelf.isLoaded(old) && (on === undefined || name === on))
      .filter(([, { isDraining }]) => !isDraining)
      .sort()
    const today = having.map(([, { shelf }]) => shelf.nameToday(old))
    const wanted = on ? undefined : [old, ...today].find((each) => this.#admin.has(each))
    if (wanted !== undefined) await this.#admin.checkSwap(wanted, replacement)
    for (const [name, node] of having) {
      if (node.isCut || this.#world.nodes.get(name) !== node) throw new PluginError('PLUGIN_CRASHED', 'lost')
      await node.shelf.swap(
        old,
        replacement,
        old === replacement ? (node.shelf.running.get(old)?.config ?? {}) : {},
      )
    }
    if (wanted !== undefined && having.length > 0)
      await this.#admin.swapped(wanted, replacement, { config: undefined, version: '1.0.0' })
  }
}

test.each(seeds)('comes to rest as wanted, by seed %i', async (seed) => {
  const fuzz = new Fuzz(seed)
  await fuzz.run()
  for (const node of [...fuzz.world.nodes.keys()]) fuzz.world.kill(node)
  if (fuzz.problems.length > 0) throw new Error([...fuzz.problems, ...fuzz.log].join('\n'))
})
