import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ContractDescriptor, PluginError } from '@appfactory/sdk'
import { namePattern } from '@appfactory/sdk/manifest'
import { shortened } from '@appfactory/sdk/wire'
import { type Config, type GivenConfig, plainConfig, readConfig } from './config/config.js'
import { SchemaChecker } from './config/schema-checker.js'
import { manifestInvalid, manifestMissing, pluginNotFound, pluginStopping } from './errors.js'
import { Instance, type InstanceOptions } from './instance/instance.js'
import type { Source } from './instance/source.js'
import type { LogLevel } from './logs/logs.js'
import type { InstanceLimits } from './options.js'
import { checkDependencies, type DependencyOptions } from './plugins/dependencies.js'
import {
  type DiscoveredPlugin,
  discoverPlugins,
  inspectInside,
  inspectPlugin,
  isPath,
} from './plugins/discovery.js'
import type { EntryOptions } from './plugins/entry.js'
import { type Env, pluginEnvironment } from './plugins/environment.js'
import type { Room } from './process/backpressure.js'

export interface SourcesOptions extends EntryOptions {
  /** Folders that hold plugins. */
  dirs: readonly string[]
  /** Folder of `<plugin>.json` files. */
  configDir: string
  limits: InstanceLimits
  autoInstallDependencies: boolean
  allowInstallScripts: boolean
  room: Room
  log(plugin: string, level: LogLevel, message: string): void
}

/** What the caller gives an instance. */
type Settings = Pick<Source, 'config' | 'env'>

/** Longest name of a plugin, in characters. */
const longestName = 100

/** The plugins of a host's folders, as what instances can be started from. */
export class Sources {
  readonly #options: SourcesOptions
  readonly #checker = new SchemaChecker()

  constructor(options: SourcesOptions) {
    this.#options = options
  }

  /** A plugin by its name, in the first folder that has one. */
  byName(name: string, settings: Settings): Source {
    return this.#source({ name, ...settings, path: undefined, inspect: () => this.inspect(name) })
  }

  get #dependencyOptions(): DependencyOptions {
    const { autoInstallDependencies: install, allowInstallScripts: allowScripts, limits } = this.#options
    return { install, allowScripts, timeoutMs: limits.installTimeoutMs }
  }

  #source(given: Omit<Source, 'start'>): Source {
    const { name, inspect } = given
    const config = plainConfig(shortened(String(name)), given.config)
    return {
      ...given,
      config,
      start: async (signal) => {
        const plugin = await inspect()
        const { manifest } = loadable(plugin)
        if (signal.aborted) throw pluginStopping(name)
        await checkDependencies(plugin.dir, manifest, this.#dependencyOptions, signal)
        const whole = await readConfig(manifest, this.#options.configDir, { config, env: given.env })
        this.#checker.prepare(manifest.config_schema, whole.config)
        return Instance.start({ ...this.#instanceOptions(plugin, whole, signal), signal })
      },
    }
  }

  /**
   * What is to take the place of `current`: a plugin by its name, the same one anew, or a folder by its path.
   *
   * @throws PluginError PLUGIN_NOT_FOUND or MANIFEST_MISSING.
   */
  async replacement(
    current: Source,
    replacement: string,
    { config, env }: { config: Config | undefined; env: Env | undefined },
  ): Promise<Source> {
    const settingsOf = (name: string): Settings => {
      const kept = name === current.name ? current : { config: {}, env: undefined }
      // What is no configuration, such as null, is for the source to refuse.
      return { config: config === undefined ? kept.config : config, env: env === undefined ? kept.env : env }
    }
    if (typeof replacement === 'string' && isPath(replacement)) {
      const { name } = await inspectInside(this.#options.dirs, replacement, this.#options)
      return this.#source({
        name,
        ...settingsOf(name),
        path: replacement,
        inspect: () => inspectInside(this.#options.dirs, replacement, this.#options),
      })
    }
    await this.inspect(replacement)
    return replacement === current.name
      ? this.#source({ ...current, ...settingsOf(replacement) })
      : this.byName(replacement, settingsOf(replacement))
  }

  /** The contract of a plugin that is not loaded: its process is started for the question only. An abort ends it. */
  contractOf(plugin: DiscoveredPlugin, signal: AbortSignal): Promise<ContractDescriptor> {
    return Instance.contractOf({ ...this.#instanceOptions(plugin, { config: {}, grants: {} }), signal })
  }

  /** The plugin of that name in the first folder that has one. */
  async inspect(name: string): Promise<DiscoveredPlugin> {
    if (isName(name)) {
      for (const dir of this.#options.dirs) {
        const plugin = await inspectPlugin(join(dir, name), this.#options, this.#options.dirs)
        if (plugin) return plugin
      }
    }
    throw await this.#whyNotThere(name)
  }

  /** Ends what checks configurations. */
  close(): Promise<void> {
    return this.#checker.close()
  }

  #instanceOptions(
    plugin: DiscoveredPlugin,
    { config, grants }: GivenConfig,
    signal?: AbortSignal,
  ): InstanceOptions {
    const { manifest, entryFile } = loadable(plugin)
    return {
      dir: plugin.dir,
      manifest,
      entryFile,
      limits: this.#options.limits,
      env: pluginEnvironment(manifest.name, grants, (message) =>
        this.#options.log(manifest.name, 'WARNING', message),
      ),
      configure: (schema) => this.#checker.complete(manifest.name, schema, config, signal),
      room: this.#options.room,
      log: (level, message) => this.#options.log(manifest.name, level, message),
    }
  }

  async #whyNotThere(name: string): Promise<PluginError> {
    const folder = isName(name)
      ? this.#options.dirs.map((dir) => join(dir, name)).find((dir) => existsSync(dir))
      : undefined
    if (folder) return manifestMissing(folder)
    const { plugins } = await discoverPlugins(this.#options.dirs, this.#options)
    // A folder whose own name breaks the rule of names.
    const named = plugins.find((plugin) => plugin.name === name)
    if (named) return manifestInvalid(name, named.dir, named.errors)
    return pluginNotFound(
      String(name),
      plugins.map((plugin) => plugin.name),
    )
  }
}

/** What a plugin can be called; a name of millions of characters is not looked through. */
function isName(name: unknown): name is string {
  return typeof name === 'string' && name.length <= longestName && namePattern.test(name)
}

function loadable({
  name,
  dir,
  valid,
  errors,
  manifest,
  entryFile,
}: DiscoveredPlugin): Required<Pick<DiscoveredPlugin, 'manifest' | 'entryFile'>> {
  if (valid && manifest && entryFile) return { manifest, entryFile }
  throw manifestInvalid(name, dir, errors)
}
