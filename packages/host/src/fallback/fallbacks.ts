import { isHostError, manifestInvalid } from '../errors.js'
import type { DiscoveredPlugin } from '../plugins/discovery.js'
import type { Registry } from '../registry.js'
import type { Slot } from '../slot/slot.js'
import { contractsDiffer, fallbackOfFallback, nameTaken } from './errors.js'
import { Fallback, type FallbackSurroundings } from './fallback.js'
import type { FallbackGiven } from './options.js'

export interface FallbacksOptions extends Omit<FallbackSurroundings, 'find'> {
  registry: Registry<Slot>
  inspect(plugin: string): Promise<DiscoveredPlugin>
}

/** A fallback, and what gives its name back. */
interface Entry {
  fallback: Fallback
  release(): void
}

/** The fallbacks of a host, by name. */
export class Fallbacks {
  readonly #options: FallbacksOptions
  readonly #entries = new Map<string, Entry>()

  constructor(options: FallbacksOptions) {
    this.#options = options
  }

  find(name: string): Fallback | undefined {
    return this.#entries.get(name)?.fallback
  }

  all(): Fallback[] {
    return [...this.#entries.values()].map(({ fallback }) => fallback)
  }

  /**
   * Makes a fallback. Its name is taken at once.
   *
   * @throws PluginError PLUGIN_ALREADY_LOADED, INVALID_PARAMS, CONTRACT_MISMATCH, or why its plugins can’t be loaded.
   */
  async add(given: FallbackGiven): Promise<Fallback> {
    const { name } = given
    const { registry } = this.#options
    this.#checkNames(given)
    const find = (plugin: string): Slot | undefined => registry.find(plugin)
    const fallback = new Fallback(given, { ...this.#options, find })
    this.#entries.set(name, { fallback, release: registry.reserve([name]) })
    try {
      await fallback.open(this.#check(given))
      return fallback
    } catch (error) {
      this.remove(name)
      throw error
    }
  }

  /** Its plugins stay loaded. Returns false where there is none of that name. */
  remove(name: string): boolean {
    const entry = this.#entries.get(name)
    if (!entry) return false
    this.#entries.delete(name)
    entry.fallback.close()
    entry.release()
    return true
  }

  /** The status of a plugin has changed. */
  look(): void {
    for (const { fallback } of this.#entries.values()) fallback.look()
  }

  close(): void {
    for (const name of [...this.#entries.keys()]) this.remove(name)
  }

  #checkNames({ name, plugins }: FallbackGiven): void {
    if (this.find(name)) throw nameTaken(name, 'a fallback')
    if (this.#options.registry.find(name)) throw nameTaken(name, 'a plugin')
    const inner = plugins.find(({ plugin }) => plugin === name || this.find(plugin))
    if (inner) throw fallbackOfFallback(name, inner.plugin)
  }

  /** @throws PluginError What a call by that name is told too. */
  async #check({ name, plugins }: FallbackGiven): Promise<void> {
    if (await this.#isPlugin(name)) throw nameTaken(name, 'a plugin')
    const found = await Promise.all(plugins.map(({ plugin }) => this.#options.inspect(plugin)))
    const contracts = found.map((plugin) => {
      if (!plugin.valid) throw manifestInvalid(plugin.name, plugin.dir, plugin.errors)
      return [plugin.name, plugin.manifest.contract] as const
    })
    const [first] = contracts
    const other = contracts.find(([, contract]) => contract !== first?.[1])
    if (first && other) throw contractsDiffer(name, first, other)
  }

  async #isPlugin(name: string): Promise<boolean> {
    try {
      await this.#options.inspect(name)
      return true
    } catch (error) {
      if (isHostError(error, 'PLUGIN_NOT_FOUND')) return false
      throw error
    }
  }
}
