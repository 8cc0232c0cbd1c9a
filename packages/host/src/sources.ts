import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ContractDescriptor, PluginError } from '@appfactory/sdk'
import { namePattern } from '@appfactory/sdk/manifest'
import type { Room } from './backpressure.js'
import { type Config, completeConfig, type GivenConfig, readConfig } from './config.js'
import { checkDependencies } from './dependencies.js'
import { type DiscoveredPlugin, discoverPlugins, inspectInside, inspectPlugin, isPath } from './discovery.js'
import type { EntryOptions } from './entry.js'
import { pluginEnvironment } from './environment.js'
import { Instance, type InstanceOptions } from './instance.js'
import type { InstanceLimits } from './limits.js'
import type { LogLevel } from './logs.js'
import {
  manifestInvalid,
  manifestMissing,
  manifestUnreadable,
  pluginNotFound,
  pluginStopping,
} from './messages.js'

/** Where instances come from: a plugin's files and its configuration. */
export interface Source {
  /** The manifest's name. */
  name: string
  /** What the caller gave. */
  config: Config
  inspect(): Promise<DiscoveredPlugin>
  /** Starts an instance, each time from the files as they are then. An abort ends the start. */
  start(signal: AbortSignal): Promise<Instance>
}

export interface SourcesOptions extends EntryOptions {
  /** Folders that hold plugins. */
  dirs: readonly string[]
  /** Folder of `<plugin>.json` files. */
  configDir: string
  limits: InstanceLimits
  autoInstallDependencies: boolean
  room: Room
  log(plugin: string, level: LogLevel, message: string): void
}

/** The plugins of a host's folders, as what instances can be started from. */
export class Sources {
  readonly #options: SourcesOptions

  constructor(options: SourcesOptions) {
    this.#options = options
  }

  /** A plugin by its name, in the first folder that has one. */
  byName(name: string, config: Config): Source {
    return this.#source(name, config, () => this.inspect(name))
  }

  #source(name: string, config: Config, inspect: () => Promise<DiscoveredPlugin>): Source {
    return {
      name,
      config,
      inspect,
      start: async (signal) => {
        const plugin = await inspect()
        const { manifest } = loadable(plugin)
        if (signal.aborted) throw pluginStopping(name)
        await checkDependencies(plugin.dir, manifest, this.#options.autoInstallDependencies, signal)
        const given = await readConfig(manifest, this.#options.configDir, config)
        return Instance.start({ ...this.#instanceOptions(plugin, given), signal })
      },
    }
  }

  /**
   * What is to take the place of `current`: a plugin by its name, the same one anew, or a folder by its path.
   *
   * @throws PluginError PLUGIN_NOT_FOUND or MANIFEST_MISSING.
   */
  async replacement(current: Source, replacement: string, config: Config | undefined): Promise<Source> {
    if (typeof replacement === 'string' && isPath(replacement)) {
      const { name } = await inspectInside(this.#options.dirs, replacement, this.#options)
      const kept = name === current.name ? current.config : {}
      return this.#source(name, config ?? kept, () =>
        inspectInside(this.#options.dirs, replacement, this.#options),
      )
    }
    await this.inspect(replacement)
    return replacement === current.name
      ? this.#source(replacement, config ?? current.config, current.inspect)
      : this.byName(replacement, config ?? {})
  }

  /** The contract of a plugin that is not loaded: its process is started for the question only. */
  contractOf(plugin: DiscoveredPlugin): Promise<ContractDescriptor> {
    return Instance.contractOf(this.#instanceOptions(plugin, { config: {}, grants: [] }))
  }

  /** The plugin of that name in the first folder that has one. */
  async inspect(name: string): Promise<DiscoveredPlugin> {
    if (typeof name === 'string' && namePattern.test(name)) {
      for (const dir of this.#options.dirs) {
        const plugin = await inspectPlugin(join(dir, name), this.#options, this.#options.dirs)
        if (plugin) return plugin
      }
    }
    throw await this.#whyNotThere(name)
  }

  #instanceOptions(plugin: DiscoveredPlugin, { config, grants }: GivenConfig): InstanceOptions {
    const { manifest, entryFile } = loadable(plugin)
    return {
      dir: plugin.dir,
      manifest,
      entryFile,
      limits: this.#options.limits,
      env: pluginEnvironment(manifest.name, grants),
      configure: (schema) => completeConfig(manifest.name, schema, config),
      room: this.#options.room,
      log: (level, message) => this.#options.log(manifest.name, level, message),
    }
  }

  async #whyNotThere(name: string): Promise<PluginError> {
    const isName = typeof name === 'string' && namePattern.test(name)
    const folder = isName
      ? this.#options.dirs.map((dir) => join(dir, name)).find((dir) => existsSync(dir))
      : undefined
    if (folder) return manifestMissing(folder)
    const { plugins } = await discoverPlugins(this.#options.dirs, this.#options)
    return pluginNotFound(
      String(name),
      plugins.map((plugin) => plugin.name),
    )
  }
}

function loadable({
  name,
  dir,
  valid,
  errors,
  manifest,
  entryFile,
  transient,
}: DiscoveredPlugin): Required<Pick<DiscoveredPlugin, 'manifest' | 'entryFile'>> {
  if (valid && manifest && entryFile) return { manifest, entryFile }
  throw transient ? manifestUnreadable(name, dir, errors) : manifestInvalid(name, dir, errors)
}
