import { resolve } from 'node:path'
import { shippedContracts } from '@appfactory/sdk/contracts'
import { describeThrown } from '@appfactory/sdk/internal'
import { isHostError, noActivePlugin, pluginNotLoaded } from './errors.js'
import type { Logs } from './logs/logs.js'
import { type DiscoveredPlugin, type Discovery, discoverPlugins } from './plugins/discovery.js'
import type { EntryOptions } from './plugins/entry.js'
import { InspectionCache } from './plugins/inspection-cache.js'
import type { PluginPackage } from './plugins/project-packages.js'
import type { Registry } from './registry.js'
import type { Slot } from './slot/slot.js'
import type { Sources } from './sources.js'
import { type PluginSummary, summarise } from './summary.js'

export interface CatalogueOptions {
  /** Folders that hold plugins. */
  dirs: readonly string[]
  /** Npm packages that are plugins too. */
  packages(): Promise<PluginPackage[]>
  entry: EntryOptions
  sources: Sources
  registry: Registry<Slot>
  logs: Logs
}

/** Why a load may end without a fault of the plugin: it was cancelled, the host was closed, or there is none of that name. */
const notAFault = ['REQUEST_CANCELLED', 'PLUGIN_NOT_READY', 'PLUGIN_NOT_FOUND'] as const

/** The plugins that a host knows: those in its folders, and those that are loaded. */
export class Catalogue {
  readonly #options: CatalogueOptions
  readonly #inspections = new InspectionCache()
  /** Why plugins are not valid, as it was logged last, by folder. */
  readonly #loggedReasons = new Map<string, string>()
  /** Why plugins could not be loaded the last time, by name. */
  readonly #loadFailures = new Map<string, string>()
  #found = 0

  constructor(options: CatalogueOptions) {
    this.#options = options
  }

  /** How many plugins are there: those that the last scan found valid, or those that are loaded if they are more. */
  get total(): number {
    return Math.max(this.#found, this.#options.registry.size)
  }

  /** The plugins in `dirs`, valid or not. Default: in the host's folders. */
  async discover(dirs?: readonly string[]): Promise<Discovery> {
    const { dirs: own, entry } = this.#options
    const scanned = (dirs ?? own).map((dir) => resolve(dir))
    const packages = dirs === undefined ? await this.#options.packages() : []
    const discovery = await discoverPlugins({ dirs: scanned, packages }, entry, this.#inspections.inspect)
    if (dirs === undefined) this.#found = discovery.valid
    for (const plugin of discovery.plugins) this.#logReasons(plugin)
    return discovery
  }

  /** Logs why a plugin is not valid, where that is new. */
  #logReasons({ name, dir, errors }: DiscoveredPlugin): void {
    const reasons = errors.join('\n')
    if ((this.#loggedReasons.get(dir) ?? '') === reasons) return
    this.#loggedReasons.set(dir, reasons)
    if (errors.length > 0)
      this.#options.logs.launcher('WARNING', 'plugin is not valid', { plugin: name, errors })
  }

  async list({ includeInvalid = false }: { includeInvalid?: boolean } = {}): Promise<PluginSummary[]> {
    const { registry } = this.#options
    const { plugins } = await this.discover()
    // What runs is shown where it runs, also where no folder of that name leads to it.
    const elsewhere = registry
      .slots()
      .filter(
        ({ name, source }) => source.path !== undefined || !plugins.some((plugin) => plugin.name === name),
      )
    const running = new Map(
      await Promise.all(elsewhere.map(async (slot) => [slot.name, await inspectRunning(slot)] as const)),
    )
    const listed = plugins.map((plugin) => {
      const found = running.get(plugin.name) ?? plugin
      running.delete(plugin.name)
      return found
    })
    return [...listed, ...running.values()]
      .filter(({ name, valid }) => valid || includeInvalid || registry.loaded(name))
      .map((plugin) => this.#summarise(plugin))
  }

  /** One plugin, as `list` shows it. */
  async summary(name: string): Promise<PluginSummary> {
    return this.#summarise(await this.inspect(name))
  }

  #summarise(plugin: DiscoveredPlugin): PluginSummary {
    const { name } = plugin
    return summarise(plugin, this.#options.registry.loaded(name), this.#loadFailures.get(name))
  }

  /** Keeps why a plugin could not be loaded, for who lists it; without an error, that is over. */
  loadEnded(name: string, error?: unknown): void {
    this.#loadFailures.delete(name)
    const isFault = error !== undefined && !notAFault.some((code) => isHostError(error, code))
    if (isFault) this.#loadFailures.set(name, describeThrown(error).message)
  }

  /** A plugin's files. One that was swapped in by its path is where it was swapped in from. */
  inspect(name: string): Promise<DiscoveredPlugin> {
    const { registry, sources } = this.#options
    const source = registry.loaded(name)?.source
    return source ? source.inspect() : sources.inspect(name)
  }

  /** The names of the plugins that are loaded, or being loaded. */
  loadedNames(): string[] {
    return this.#options.registry.names()
  }

  /** The slots of plugins that have come up. The last one loaded or swapped in comes last. */
  slotsInLoadOrder(): Slot[] {
    return this.#options.registry.inLoadOrder()
  }

  /** Loaded plugins that have failed for good, or are in quarantine, each with the reason. */
  failures(): [plugin: string, reason: string][] {
    return this.#options.registry
      .slots()
      .flatMap(({ name, failure }) => (failure ? [[name, failure.message]] : []))
  }

  /** Whether a plugin of that name, or what took its place, is loaded: it may be started again at the moment. */
  hasComeUp(name: string): boolean {
    return this.#options.registry.find(name)?.contract !== undefined
  }

  /** Whether a plugin of that name is loaded, or being loaded. */
  isLoaded(name: string): boolean {
    return this.#options.registry.loaded(name) !== undefined
  }

  /** The name of what `name` reaches: another one after a swap. */
  nameToday(name: string): string {
    return this.#options.registry.successorOf(name) ?? name
  }

  /**
   * The slot of a loaded plugin.
   *
   * @throws PluginError PLUGIN_NOT_FOUND or PLUGIN_NOT_READY.
   */
  async slot(name: string): Promise<Slot> {
    const slot = this.#options.registry.find(name)
    if (slot) return slot
    await this.#options.sources.inspect(name)
    throw pluginNotLoaded(name)
  }

  /** Whether any plugin, loaded or only there, is of that contract. */
  async knowsContract(contract: string): Promise<boolean> {
    if (this.#options.registry.active(contract) !== undefined) return true
    if (shippedContracts.some((shipped) => shipped === contract)) return true
    return (await this.list().catch(() => [])).some((plugin) => plugin.contract === contract)
  }

  /** The name of the plugin that answers for a contract. A plugin that is being loaded or restarted is waited for. */
  async requireActive(contract: string): Promise<string> {
    const { registry } = this.#options
    const active = registry.active(contract)
    if (active !== undefined) return active
    await Promise.allSettled(registry.slots().map((slot) => this.#waitIfOf(contract, slot)))
    const name = registry.active(contract)
    if (name !== undefined) return name
    const plugins = await this.list().catch(() => [])
    throw noActivePlugin(
      contract,
      plugins.filter((plugin) => plugin.contract === contract).map((plugin) => plugin.name),
    )
  }

  /** Waits for a plugin that is being loaded or restarted, if it is of that contract. */
  async #waitIfOf(contract: string, slot: Slot): Promise<void> {
    const { manifest } = await this.inspect(slot.name)
    if (manifest?.contract === contract) await slot.ready()
  }
}

/** What is known of a plugin that runs, or is about to, even where its folder is gone. */
async function inspectRunning({ name, source, instance }: Slot): Promise<DiscoveredPlugin> {
  try {
    return await source.inspect()
  } catch (error) {
    const manifest = instance ? { manifest: instance.manifest } : {}
    const dir = instance?.dir ?? source.path ?? ''
    return { name, dir, valid: false, errors: [describeThrown(error).message], warnings: [], ...manifest }
  }
}
