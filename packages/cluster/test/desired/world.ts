import { ErrorCodes, PluginError } from '@appfactory/sdk'
import { vi } from 'vitest'
import type { Beat } from '../../src/beat.js'
import { Keeper } from '../../src/desired/keeper.js'
import type { LocalPlugins } from '../../src/desired/local-plugins.js'
import type { DesiredRecord, Labels } from '../../src/desired/record.js'
import { type DesiredPlugin, desiredPlugins } from '../../src/desired/status.js'
import type { DesiredStore } from '../../src/desired/store.js'
import { MemoryStore } from './memory-store.js'

/** What is loaded on a shelf, through swaps. */
interface Loaded {
  config: object
  replicas: number
  isSwapping?: boolean
  isEnding?: boolean
}

/** Plugins of a node that do nothing but be there: loaded, swapped and unloaded by the rules of a host. */
class Shelf implements LocalPlugins {
  readonly running = new Map<string, Loaded>()
  /** What was done, in order. */
  readonly log: string[] = []
  /** Plugins that can't be started. */
  readonly broken = new Set<string>()
  readonly withState = new Set<string>()
  /** Plugins that are not there. */
  readonly missing = new Set<string>()
  readonly failures = new Map<string, string>()
  /** What each plugin that was swapped out was swapped for. */
  readonly #former = new Map<string, Loaded>()
  readonly #reserved = new Set<string>()
  /** How long it takes to start a plugin, in ms. */
  startMs = 100
  /** How long it takes to look at the folder of a plugin, in ms. */
  inspectMs = 0
  swapMs = 0
  /** How long the last calls of a plugin take that is unloaded, in ms. */
  endMs = 0

  async obstacle(name: string, version: string | undefined) {
    await passing(this.inspectMs)
    if (this.missing.has(name)) return { code: ErrorCodes.PLUGIN_NOT_FOUND, why: 'not there' }
    return version === undefined || version === '1.0.0'
      ? undefined
      : { code: ErrorCodes.PLUGIN_NOT_FOUND, why: 'another version' }
  }
  async load(name: string, config: object, replicas: number): Promise<void> {
    this.log.push(`load ${name}=${replicas}`)
    this.#checkFree(name)
    const loaded = { config, replicas: 0 }
    this.running.set(name, loaded)
    await passing(this.startMs)
    const problem = this.#problemOf(name, config, replicas)
    if (problem) {
      this.running.delete(name)
      throw problem
    }
    loaded.replicas = replicas
    if (this.#former.get(name) !== loaded) this.#former.delete(name)
  }
  async scale(name: string, replicas: number): Promise<void> {
    this.log.push(`scale ${name}=${replicas}`)
    const found = this.#find(name)
    await passing(this.startMs)
    if (found.isEnding) throw new PluginError('PLUGIN_NOT_READY', 'it is being unloaded')
    const problem = this.#problemOf(this.nameToday(name), found.config, replicas)
    if (problem) throw problem
    found.replicas = replicas
  }
  async swap(name: string, replacement: string, config: object): Promise<void> {
    this.log.push(`swap ${name === replacement ? name : `${name} for ${replacement}`}`)
    const found = this.#find(name)
    const before = this.nameToday(name)
    if (this.missing.has(replacement)) throw new PluginError('PLUGIN_NOT_FOUND', 'not there')
    if (found.isSwapping) throw new PluginError('HOTSWAP_FAILED', 'another swap is under way')
    if (replacement !== before) this.#checkFree(replacement)
    const reserved = [before, replacement]
    for (const each of reserved) this.#reserved.add(each)
    found.isSwapping = true
    await passing(this.swapMs)
    found.isSwapping = false
    for (const each of reserved) this.#reserved.delete(each)
    if (found.isEnding) throw new PluginError('PLUGIN_NOT_READY', 'it is being unloaded')
    const problem = this.#problemOf(replacement, config, found.replicas)
    if (problem) throw new PluginError('HOTSWAP_FAILED', problem.message)
    found.config = config
    if (replacement === before) return
    this.running.delete(before)
    this.running.set(replacement, found)
    this.#former.delete(replacement)
    this.#former.set(before, found)
  }
  runs(name: string, { config }: DesiredRecord): boolean {
    return JSON.stringify(this.running.get(name)?.config) === JSON.stringify(config)
  }
  isNamed(name: string): boolean {
    return this.running.has(name)
  }
  async unload(name: string, force: boolean): Promise<void> {
    this.log.push(`${force ? 'kill' : 'unload'} ${name}`)
    const found = this.#find(name)
    found.isEnding = true
    if (!force) await passing(this.endMs)
    while (found.isSwapping) await passing(50)
    this.running.delete(this.nameToday(name))
    for (const [former, loaded] of this.#former) if (loaded === found) this.#former.delete(former)
  }
  isLoaded(name: string): boolean {
    return this.running.has(name) || this.#former.has(name)
  }
  failure(name: string): string | undefined {
    const today = this.nameToday(name)
    return this.running.has(today) ? this.failures.get(today) : undefined
  }
  keepsState(name: string): boolean | undefined {
    const today = this.nameToday(name)
    return (this.running.get(today)?.replicas ?? 0) > 0 ? this.withState.has(today) : undefined
  }
  /** The name of what a name reaches: another one after a swap. */
  nameToday(name: string): string {
    const former = this.#former.get(name)
    return [...this.running].find(([, loaded]) => loaded === former)?.[0] ?? name
  }

  #find(name: string): Loaded {
    const found = this.running.get(name) ?? this.#former.get(name)
    if (!found) throw new PluginError('PLUGIN_NOT_FOUND', 'it is not loaded')
    return found
  }

  #checkFree(name: string): void {
    if (this.running.has(name) || this.#reserved.has(name))
      throw new PluginError('PLUGIN_ALREADY_LOADED', 'it is loaded already')
  }

  #problemOf(name: string, config: object, replicas: number): PluginError | undefined {
    if (this.missing.has(name)) return new PluginError('PLUGIN_NOT_FOUND', 'not there')
    if (this.broken.has(name)) return new PluginError('PLUGIN_INITIALIZE_FAILED', 'no engine')
    if (Reflect.get(config, 'wrong')) return new PluginError('CONFIG_INVALID', 'wrong configuration')
    return this.withState.has(name) && replicas > 1
      ? new PluginError('PLUGIN_LOAD_FAILED', `it keeps state, and ${replicas} are wanted`)
      : undefined
  }
}

/** Resolves after so many ms; at once after none. */
async function passing(ms: number): Promise<void> {
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
}

export interface WorldNode {
  readonly keeper: Keeper
  readonly shelf: Shelf
  /** Plugins whose lease it has lost. */
  readonly lost: string[]
  isDraining: boolean
  /** Whether it hears nothing, and the store is away from it. */
  isCut: boolean
  /** Whether the store is away from it. */
  isBehind: boolean
  beat(): Beat
}

/** Several nodes that share a store and hear each other, on a clock that the test turns. */
export class World {
  readonly store = new MemoryStore()
  readonly nodes = new Map<string, WorldNode>()
  readonly warnings: string[] = []
  #runs = 0
  /** How long a beat takes to reach the others, in ms; undefined: they see what it tells at any moment. */
  lag: (() => number) | undefined
  /** What stands before the store, for each node. */
  access: (store: DesiredStore) => DesiredStore = (store) => store
  readonly #heard = new Map<string, Beat>()

  join(node: string, labels: Labels = {}, { room = 64, leaseMs = 10_000 } = {}): WorldNode {
    const shelf = new Shelf()
    this.#runs += 1
    const boot = `${node}-${this.#runs}`
    const tell = (): void => {
      const told = joined.beat()
      if (this.nodes.get(node) !== joined || joined.isCut) return
      setTimeout(() => {
        if (this.nodes.get(node) === joined) this.#heard.set(boot, told)
      }, this.lag?.() ?? 0)
    }
    const keeper = new Keeper({
      ...{ node, boot, labels, room, leaseMs, local: shelf },
      store: async () => {
        if (joined.isCut || joined.isBehind) throw new Error('cut off')
        return this.access(this.store)
      },
      others: () => (joined.isCut ? undefined : this.beats(boot)),
      changed: () => this.lag && tell(),
      onLost: (plugin) => joined.lost.push(plugin),
      warn: (message) => this.warnings.push(message),
    })
    const joined: WorldNode = {
      ...{ keeper, shelf, lost: [], isDraining: false, isCut: false, isBehind: false },
      beat: () => ({
        ...{ node, boot, sequence: 1, labels, draining: joined.isDraining, leaving: false },
        ...{ protocolVersions: [1], plugins: [], desired: keeper.told() },
      }),
    }
    this.nodes.set(node, joined)
    keeper.begin()
    if (this.lag) {
      const beats = setInterval(() => {
        if (this.nodes.get(node) === joined) tell()
        else clearInterval(beats)
      }, 1000)
    }
    return joined
  }

  /** It is gone without a word, and its plugins with it. */
  kill(node: string): void {
    const found = this.nodes.get(node)
    if (!found) return
    found.keeper.pause()
    // Its leases are renewed no more.
    found.isCut = true
    found.shelf.running.clear()
    this.nodes.delete(node)
  }

  beats(except = ''): Beat[] {
    return [...this.nodes.values()]
      .filter(({ isCut }) => !isCut)
      .map((node) => node.beat())
      .filter(({ boot }) => boot !== except)
      .flatMap((beat) => (this.lag ? (this.#heard.get(beat.boot) ?? []) : beat))
  }

  /** Processes of a plugin by node, as they are. */
  on(plugin: string): Record<string, number> {
    const found = [...this.nodes].map(
      ([node, { shelf }]) => [node, shelf.running.get(plugin)?.replicas ?? 0] as const,
    )
    return Object.fromEntries(found.filter(([, replicas]) => replicas > 0).sort())
  }

  count(plugin: string): number {
    return Object.values(this.on(plugin)).reduce((sum, replicas) => sum + replicas, 0)
  }

  status(plugin: string): DesiredPlugin | undefined {
    return desiredPlugins(this.beats()).find(({ name }) => name === plugin)
  }

  /** Turns the clock, and looks at each step of it. */
  async pass(ms: number, look?: () => void): Promise<void> {
    const step = look ? 50 : 250
    for (let passed = 0; passed < ms; passed += step) {
      await vi.advanceTimersByTimeAsync(step)
      look?.()
    }
  }
}
