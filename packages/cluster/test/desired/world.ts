import { ErrorCodes, PluginError } from '@appfactory/sdk'
import { vi } from 'vitest'
import type { Beat } from '../../src/beat.js'
import { Keeper } from '../../src/desired/keeper.js'
import type { LocalPlugins } from '../../src/desired/local-plugins.js'
import type { DesiredRecord, Labels } from '../../src/desired/record.js'
import { type DesiredPlugin, desiredPlugins } from '../../src/desired/status.js'
import { MemoryStore } from './memory-store.js'

/** Plugins of a node that do nothing but be there. */
class Shelf implements LocalPlugins {
  readonly running = new Map<string, { config: object; replicas: number }>()
  /** What was done, in order. */
  readonly log: string[] = []
  /** Plugins that can't be started. */
  readonly broken = new Set<string>()
  readonly withState = new Set<string>()
  /** Plugins that are not there. */
  readonly missing = new Set<string>()
  readonly failures = new Map<string, string>()
  /** What was swapped, and the names of today. */
  readonly formerNames = new Map<string, string>()
  /** How long it takes to start a plugin, in ms. */
  startMs = 100
  /** How long it takes to look at the folder of a plugin, in ms. */
  inspectMs = 0

  async obstacle(name: string, version: string | undefined) {
    if (this.inspectMs > 0) await new Promise((resolve) => setTimeout(resolve, this.inspectMs))
    if (this.missing.has(name)) return { code: ErrorCodes.PLUGIN_NOT_FOUND, why: 'not there' }
    return version === undefined || version === '1.0.0'
      ? undefined
      : { code: ErrorCodes.PLUGIN_NOT_FOUND, why: 'another version' }
  }
  async load(name: string, config: object, replicas: number): Promise<void> {
    this.log.push(`load ${name}=${replicas}`)
    await new Promise((resolve) => setTimeout(resolve, this.startMs))
    if (this.broken.has(name)) throw new PluginError('PLUGIN_INITIALIZE_FAILED', 'no engine')
    this.running.set(name, { config, replicas })
    this.formerNames.delete(name)
  }
  async scale(name: string, replicas: number): Promise<void> {
    this.log.push(`scale ${name}=${replicas}`)
    await new Promise((resolve) => setTimeout(resolve, this.startMs))
    const found = this.running.get(name)
    if (found) found.replicas = replicas
  }
  async swap(name: string, replacement: string, config: object): Promise<void> {
    this.log.push(`swap ${name === replacement ? name : `${name} for ${replacement}`}`)
    if (Reflect.get(config, 'wrong')) throw new PluginError('HOTSWAP_FAILED', 'wrong configuration')
    const found = this.running.get(name)
    if (!found) return
    this.running.delete(name)
    this.running.set(replacement, { ...found, config })
    if (name !== replacement) this.formerNames.set(name, replacement)
  }
  runs(name: string, { config }: DesiredRecord): boolean {
    return JSON.stringify(this.running.get(name)?.config) === JSON.stringify(config)
  }
  isNamed(name: string): boolean {
    return this.running.has(name)
  }
  async unload(name: string, force: boolean): Promise<void> {
    this.log.push(`${force ? 'kill' : 'unload'} ${name}`)
    this.running.delete(this.formerNames.get(name) ?? name)
  }
  isLoaded(name: string): boolean {
    return this.running.has(this.formerNames.get(name) ?? name)
  }
  failure(name: string): string | undefined {
    return this.failures.get(name)
  }
  keepsState(name: string): boolean {
    return this.withState.has(name)
  }
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

  join(node: string, labels: Labels = {}, { room = 64, leaseMs = 10_000 } = {}): WorldNode {
    const shelf = new Shelf()
    const boot = `${node}-${this.nodes.size}`
    const keeper = new Keeper({
      ...{ node, boot, labels, room, leaseMs, local: shelf },
      store: async () => {
        if (joined.isCut || joined.isBehind) throw new Error('cut off')
        return this.store
      },
      others: () => (joined.isCut ? undefined : this.beats(boot)),
      changed: () => {},
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
    return joined
  }

  /** It is gone without a word, and its plugins with it. */
  kill(node: string): void {
    const found = this.nodes.get(node)
    found?.keeper.pause()
    found?.shelf.running.clear()
    this.nodes.delete(node)
  }

  beats(except = ''): Beat[] {
    return [...this.nodes.values()]
      .filter(({ isCut }) => !isCut)
      .map((node) => node.beat())
      .filter(({ boot }) => boot !== except)
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
