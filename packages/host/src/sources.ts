import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { ContractDescriptor, JsonSchema, PluginError } from '@appfactory/sdk'
import { type HandshakeResult, shortened } from '@appfactory/sdk/internal'
import { namePattern } from '@appfactory/sdk/manifest'
import { type Config, type GivenConfig, plainConfig, readConfig } from './config/config.js'
import { SchemaChecker } from './config/schema-checker.js'
import { manifestInvalid, manifestMissing, pluginNotFound, pluginStopping, startedWith } from './errors.js'
import { checkContract, checkManifestContract } from './expected-contract.js'
import { type ConnectionOptions, PluginConnection } from './instance/connection.js'
import { type Instance, PluginInstance } from './instance/instance.js'
import type { Source } from './instance/source.js'
import type { LogLevel } from './logs/levels.js'
import { type FiguresByPlugin, PluginFigures } from './metrics/plugin-figures.js'
import { defaultInstanceLimits, type InstanceLimits } from './options.js'
import type { PluginSettings } from './plugin-settings.js'
import { checkDependencies, type DependencyOptions } from './plugins/dependencies.js'
import {
  type DiscoveredPlugin,
  discoverPlugins,
  inspectInside,
  inspectPlugin,
  isPath,
  type ValidPlugin,
} from './plugins/discovery.js'
import type { EntryOptions } from './plugins/entry.js'
import { type Env, type Grants, pluginEnvironment } from './plugins/environment.js'
import type { PluginPackage } from './plugins/project-packages.js'
import type { KeepAlive } from './process/keep-alive.js'
import type { Inspection } from './process/launch.js'
import { type NodeProgram, readNode } from './process/node.js'
import { findPython, type PythonProgram } from './python/interpreter.js'
import { checkRequirements } from './python/requirements.js'
import type { Wire } from './trace/wire.js'

export interface SourcesOptions extends EntryOptions {
  /** Folders that hold plugins. */
  dirs: readonly string[]
  /** Npm packages that are plugins too. */
  packages(): Promise<PluginPackage[]>
  /** Folder of `<plugin>.json` files. */
  configDir: string
  /** What the host's options have for each plugin, by its name. */
  plugins: Readonly<Record<string, PluginSettings>>
  limits: InstanceLimits
  keepAlive: KeepAlive
  /** The Node that runs plugins. Undefined: the one of this process. */
  nodePath: string | undefined
  /** The Python that runs plugins in Python. Undefined: the one that each finds. */
  pythonPath: string | undefined
  autoInstallDependencies: boolean
  allowInstallScripts: boolean
  inspect: Inspection | Readonly<Record<string, Inspection>>
  wire: Wire
  log(plugin: string, level: LogLevel, message: string, place: number | undefined): void
  /** Tells what takes long before a plugin can start. */
  progress(plugin: string, message: string): void
  figures: FiguresByPlugin
}

/** By the names of plugins. */
type PluginSettingsByName = ReadonlyMap<string, PluginSettings>

/** What the caller gives an instance. */
type Settings = Pick<Source, 'config' | 'env' | 'contract'>

const never = Number.POSITIVE_INFINITY
const noDeadlines = {
  startTimeoutMs: never,
  pythonStartTimeoutMs: never,
  initializeTimeoutMs: never,
  healthTimeoutMs: never,
  callTimeoutMs: never,
  unresponsiveTimeoutMs: never,
  stateTimeoutMs: never,
}

const noDebuggerWithPermissions =
  'there is no debugger: Node opens none for a process with permissions. Remove "permissions" from manifest.json while you debug'

const noHeapLimitForPython =
  'maxHeapMb does not hold for a plugin in Python. Limit its memory with the system, such as a container'

/** Longest name of a plugin, in characters. */
const longestName = 100

/** The plugins of a host's folders, as what instances can be started from. */
export class Sources {
  readonly #options: SourcesOptions
  readonly #checker = new SchemaChecker()
  /** What the host's options have for each plugin. */
  #settings: PluginSettingsByName
  /** The configurations that instances were started with. */
  readonly #startedWith = new WeakMap<Instance, GivenConfig>()
  #node: Promise<NodeProgram> | undefined

  constructor(options: SourcesOptions) {
    this.#options = options
    this.#settings = new Map(Object.entries(options.plugins))
  }

  /** A plugin by its name, in the first folder that has one. */
  byName(name: string, settings: Settings): Source {
    return this.#source({ name, ...settings, path: undefined, inspect: () => this.inspect(name) })
  }

  get #dependencyOptions(): DependencyOptions {
    const { autoInstallDependencies: install, allowInstallScripts: allowScripts, limits } = this.#options
    return { install, allowScripts, timeoutMs: limits.installTimeoutMs }
  }

  #source(given: Omit<Source, 'start' | 'figures'>): Source {
    const config = plainConfig(shortened(String(given.name)), given.config)
    const source = { ...given, config }
    const { figures } = this.#options
    // A name that nothing has may be any name: what is counted of it is not kept.
    const unkept = new PluginFigures()
    return {
      ...source,
      get figures() {
        return figures.find(source.name) ?? unkept
      },
      start: (signal, place) => this.#start(source, signal, place),
    }
  }

  /** Starts an instance from a plugin's files and configuration, as they are now. Whatever fails, nothing is left running. */
  async #start(
    { name, inspect, config, env, contract }: Omit<Source, 'start' | 'figures'>,
    signal: AbortSignal,
    place?: () => number | undefined,
  ): Promise<Instance> {
    const plugin = loadable(await inspect())
    const { manifest } = plugin
    if (contract) checkManifestContract(manifest, contract)
    if (signal.aborted) throw pluginStopping(name)
    const python = await this.#withPackages(plugin, signal)
    const settings = this.#settings.get(name) ?? {}
    const given = await readConfig(manifest, this.#options.configDir, { settings, config, env })
    this.#checker.prepare(manifest.config_schema, given.config)
    const options = this.#inspected(await this.#connectionOptions(plugin, given.grants, python, place))
    try {
      return await this.#open({ ...options, signal }, given, contract)
    } catch (error) {
      throw python ? startedWith(python, error) : error
    }
  }

  async #open(
    options: ConnectionOptions & { signal: AbortSignal },
    given: GivenConfig,
    contract: Settings['contract'],
  ): Promise<Instance> {
    const { manifest, signal } = options
    const open = await PluginConnection.open(options)
    try {
      if (contract) await checkContract(manifest.name, open.handshake.contract, contract)
      // Where the plugin's code has a schema of its own, that decides alone.
      const schema = open.handshake.checks_config ? undefined : manifest.config_schema
      const complete = await this.#checker.complete(manifest.name, schema, given.config, signal)
      const instance = await PluginInstance.initialize(open, complete)
      this.#startedWith.set(instance, given)
      return instance
    } catch (error) {
      await open.connection.kill()
      throw error
    }
  }

  /**
   * Whether the configuration of a plugin is another than the one that its instance was started with, as the files and
   * `settings` are now.
   *
   * @throws PluginError CONFIG_INVALID if a file can't be read.
   */
  async hasChanged(source: Source, instance: Instance, settings: PluginSettings = {}): Promise<boolean> {
    const { config, env } = source
    const given = await readConfig(instance.manifest, this.#options.configDir, { settings, config, env })
    return !isDeepStrictEqual(given, this.#startedWith.get(instance))
  }

  get settings(): PluginSettingsByName {
    return this.#settings
  }

  /** From now on, instances are started with these. */
  set settings(settings: PluginSettingsByName) {
    this.#settings = settings
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
      return {
        // What is no configuration, such as null, is for the source to refuse.
        config: config === undefined ? kept.config : config,
        env: env === undefined ? kept.env : env,
        contract: current.contract,
      }
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
  async readContract(plugin: DiscoveredPlugin, signal: AbortSignal): Promise<ContractDescriptor> {
    const valid = loadable(plugin)
    const options = await this.#connectionOptions(valid, {}, await this.#python(valid, signal))
    return (await readHandshake({ ...options, signal })).contract
  }

  /** Makes sure that the packages of a plugin are there. Returns the Python that runs it, where Python does. */
  async #withPackages(plugin: ValidPlugin, signal: AbortSignal): Promise<PythonProgram | undefined> {
    const { dir, manifest } = plugin
    const python = await this.#python(plugin, signal)
    if (python === undefined) {
      await checkDependencies(dir, manifest, this.#dependencyOptions, signal)
      return undefined
    }
    const progress = (message: string): void => this.#options.progress(manifest.name, message)
    return checkRequirements({ dir, manifest, python, ...this.#dependencyOptions, progress, signal })
  }

  async #python({ dir, manifest }: ValidPlugin, signal: AbortSignal): Promise<PythonProgram | undefined> {
    if (manifest.runtime !== 'python') return undefined
    const { dirs, pythonPath, autoInstallDependencies: install } = this.#options
    return findPython({ dir, pluginsDirs: dirs, manifest, pythonPath, install, signal })
  }

  /** The plugin of that name in the first folder that has one, or among the packages. */
  async inspect(name: string): Promise<DiscoveredPlugin> {
    if (isName(name)) {
      for (const dir of this.#options.dirs) {
        const plugin = await inspectPlugin(join(dir, name), this.#options, this.#options.dirs)
        if (plugin) return plugin
      }
      for (const { dir, name: packageName } of await this.#options.packages()) {
        const plugin = await inspectPlugin(dir, { package: packageName })
        if (plugin?.name === name) return plugin
      }
    }
    throw await this.#whyNotThere(name)
  }

  /** Ends what checks configurations. */
  close(): Promise<void> {
    return this.#checker.close()
  }

  /** The Node that runs plugins. One that could not be used is asked again: it may have been installed meanwhile. */
  #readNode(nodePath: string): Promise<NodeProgram> {
    this.#node ??= readNode(nodePath).catch((error: unknown) => {
      this.#node = undefined
      throw error
    })
    return this.#node
  }

  async #connectionOptions(
    { dir, manifest, entryFile }: ValidPlugin,
    grants: Grants,
    python: PythonProgram | undefined,
    place?: () => number | undefined,
  ): Promise<ConnectionOptions> {
    const { keepAlive, limits, log, wire, nodePath, preferSource = false } = this.#options
    const figures = this.#options.figures.of(manifest.name)
    const logOf = (level: LogLevel, message: string): void => {
      figures.logLines[level] += 1
      log(manifest.name, level, message, place?.())
    }
    if (python && limits.maxHeapMb !== undefined) logOf('WARNING', noHeapLimitForPython)
    return {
      dir,
      manifest,
      entryFile,
      ...(python === undefined ? {} : { python }),
      isDevelopment: preferSource,
      limits,
      keepAlive,
      env: pluginEnvironment(manifest.name, grants, (message) => logOf('WARNING', message)),
      log: logOf,
      ...(place ? { place } : {}),
      figures,
      wire,
      ...(nodePath === undefined ? {} : { node: await this.#readNode(nodePath) }),
    }
  }

  /** A plugin that stands at a breakpoint is neither late nor hung: only its shutdown has a deadline. */
  #inspected(options: ConnectionOptions): ConnectionOptions {
    const asked = this.#options.inspect
    const { name } = options.manifest
    const inspect = typeof asked === 'object' ? Object.hasOwn(asked, name) && asked[name] : asked
    if (!inspect || (inspect === 'python' && !options.python)) return options
    if (!options.python && options.manifest.permissions !== undefined)
      options.log('WARNING', noDebuggerWithPermissions)
    return { ...options, inspect, limits: { ...options.limits, ...noDeadlines } }
  }

  async #whyNotThere(name: string): Promise<PluginError> {
    const folder = isName(name)
      ? this.#options.dirs.map((dir) => join(dir, name)).find((dir) => existsSync(dir))
      : undefined
    if (folder) return manifestMissing(folder)
    const { dirs } = this.#options
    const { plugins } = await discoverPlugins(
      { dirs, packages: await this.#options.packages() },
      this.#options,
    )
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

/**
 * The JSON Schema of the `static configSchema` of a plugin's class, or undefined where it has none. The plugin's process is
 * started for the question only, and not initialized.
 *
 * @throws PluginError MANIFEST_INVALID, PLUGIN_LOAD_FAILED, DEPENDENCY_MISSING or CONTRACT_MISMATCH; CONFIG_INVALID where the
 *   schema can't be expressed as a JSON Schema.
 */
export async function readCodeSchema(plugin: DiscoveredPlugin): Promise<JsonSchema | undefined> {
  const { dir, manifest, entryFile } = loadable(plugin)
  if (manifest.runtime === 'python') return undefined
  const { config_schema: schema } = await readHandshake({
    dir,
    manifest,
    entryFile,
    limits: defaultInstanceLimits,
    env: pluginEnvironment(manifest.name, {}),
    log: () => {},
    figures: new PluginFigures(),
    wantsSchema: true,
  })
  return schema ?? undefined
}

/** Starts a process for its handshake, and ends it. */
async function readHandshake(options: ConnectionOptions): Promise<HandshakeResult> {
  const { connection, handshake } = await PluginConnection.open(options)
  await connection.kill()
  return handshake
}

/** @throws PluginError MANIFEST_INVALID. */
function loadable(plugin: DiscoveredPlugin): ValidPlugin {
  if (plugin.valid) return plugin
  throw manifestInvalid(plugin.name, plugin.dir, plugin.errors)
}
