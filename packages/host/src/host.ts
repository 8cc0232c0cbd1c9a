import { EventEmitter } from 'node:events'
import { resolve } from 'node:path'
import {
  type ContractBinding,
  type ContractClass,
  type ContractDescriptor,
  type HealthStatus,
  isPluginError,
  PluginStatus,
} from '@appfactory/sdk'
import { decodeState, describeThrown, encodeState, nameValue, type WireState } from '@appfactory/sdk/internal'
import { atCaller } from './at-caller.js'
import { withBase64, withBytes } from './base64.js'
import { Calls } from './calls.js'
import { Catalogue } from './catalogue.js'
import type { Config } from './config/config.js'
import { hostClosed, pluginAlreadyLoaded, pluginReplaced, requestCancelled, severalStates } from './errors.js'
import { checkContract, expectedContract, type Given, getBy, namesContract } from './expected-contract.js'
import type { Fallback, FallbackEvent } from './fallback/fallback.js'
import { Fallbacks } from './fallback/fallbacks.js'
import { type FallbackOptions, type FallbackPlugin, fallbackGivenOf } from './fallback/options.js'
import { summariseFallback } from './fallback/summary.js'
import { createHandle, type PluginHandle } from './handle.js'
import type { Instance } from './instance/instance.js'
import { PieceStream } from './instance/pieces.js'
import type { Source } from './instance/source.js'
import { FailureLog } from './logs/failure-log.js'
import type { LogFormat } from './logs/formats.js'
import type { LogLevel } from './logs/levels.js'
import { type LogLevels, Logs } from './logs/logs.js'
import { LoopDelay } from './metrics/loop-delay.js'
import { FiguresByPlugin } from './metrics/plugin-figures.js'
import { metricsText } from './metrics/table.js'
import { rounded } from './numbers.js'
import {
  type CallOptions,
  checkHostOptions,
  checkOptionNames,
  checkReplicas,
  type InstanceLimits,
  instanceLimitsOf,
  type LoadOptions,
  type RestartPolicy,
  restartPolicyOf,
  type SlotLimits,
  type SwapOptions,
  slotLimitsOf,
  unknownOptionOf,
} from './options.js'
import type { PluginSettings } from './plugin-settings.js'
import type { PluginSystem } from './plugin-system.js'
import { type DiscoveredPlugin, type Discovery, defaultPluginsDir } from './plugins/discovery.js'
import type { EntryOptions } from './plugins/entry.js'
import { type PluginPackage, ProjectPackages } from './plugins/project-packages.js'
import { KeepAlive } from './process/keep-alive.js'
import type { Inspection } from './process/launch.js'
import { Registry } from './registry.js'
import { SharedWork } from './shared-work.js'
import { Slot } from './slot/slot.js'
import { type SwapProgress, type SwapResult, swap } from './slot/swap.js'
import { Sources } from './sources.js'
import type { PluginSummary } from './summary.js'
import { Wire } from './trace/wire.js'
import { reportCrash, timeLoad, timeSwap } from './traces.js'
import { hostVersion } from './version.js'
import { within } from './waiting.js'

/** Where a host finds plugins, and its limits. Each has a default. */
export interface HostOptions extends Partial<InstanceLimits>, Partial<SlotLimits>, EntryOptions {
  /** Folders that hold plugins, each in a folder of its own. Default: `./plugins`. */
  pluginsDir?: string | readonly string[]
  /**
   * Folder of a project: those of its npm `dependencies` that have the keyword `appfactory-plugin` are plugins too, behind those of
   * `pluginsDir`. Default: the working directory; `false`: none.
   */
  projectDir?: string | false
  /** Folder of `<plugin>.json` files. Default: `./config`. */
  configDir?: string
  /** Folder of the log files; `-`: stderr instead. Default: none, nothing is written; `log` events tell all the same. */
  logDir?: string
  /** Default: INFO. */
  logLevel?: LogLevel
  /** A JSON object a line, or text for people. Default: `json`. */
  logFormat?: LogFormat
  /**
   * The Node that runs plugins: the path of an executable, or a name in PATH. It must be of a supported version, or loading fails
   * with PLUGIN_LOAD_FAILED. Default: the Node of this process. In Electron that is Electron itself, as Node.
   */
  nodePath?: string
  /**
   * The Python that runs plugins in Python, or that their environments are made with: the path of an executable, or a name in PATH.
   * Default: `$AF_PYTHON`; else the one of the plugin's own `.venv`, of the nearest `.venv` above, or of PATH.
   */
  pythonPath?: string
  /**
   * Install packages that a plugin's manifest or `requirements.txt` names and that are missing: from npm, or for Python into the
   * plugin's `.venv`. No code of theirs runs in that. Default: false.
   */
  autoInstallDependencies?: boolean
  /**
   * In such an installation, run the install scripts of packages and of the plugin itself. They are not limited by the plugin's
   * permissions. Default: false.
   */
  allowInstallScripts?: boolean
  /**
   * File that every message between the host and its plugins is appended to, as a line of JSON: arguments, results and
   * configurations, so only this user may read it. Default: none.
   */
  traceWire?: string
  /**
   * Opens a debugger for each plugin, on a free port of 127.0.0.1; the plugin's log says which. It is Node's, or debugpy for a plugin
   * in Python, whose environment must have it; `python`: only for these. With `break`, a plugin waits for it before any of its code
   * runs. Calls, health checks and the like have no timeout then. By names: for these plugins only.
   * Default: false.
   *
   * @example { my_tts: 'break' }
   */
  inspect?: Inspection | Readonly<Record<string, Inspection>>
  /** When a crashed plugin is started again. */
  restart?: Partial<RestartPolicy>
  /**
   * What each plugin gets whoever loads it, by the plugin's name. Default: `{}`.
   *
   * @example { tts_flite: { config: { voice: 'rms' }, env: ['ENGINE_KEY'], logLevel: 'DEBUG' } }
   */
  plugins?: Readonly<Record<string, PluginSettings>>
}

/** A plugin went from one status to another. BUSY is not told. */
export interface StatusEvent {
  /** The plugin's name. */
  plugin: string
  /** The status that it has now. */
  status: PluginStatus
  /** The status that it had before. */
  previous: PluginStatus
  /** Of a plugin with several processes: which of them, from 1. Absent: it is the status of the plugin. */
  place?: number
}

/** What came of a reload, by the names of the loaded plugins. */
export interface ReloadResult {
  /** They run with another configuration now. */
  swapped: string[]
  /** They run as before: nothing of theirs has changed. */
  unchanged: string[]
  /** They could not be swapped, and serve as before. */
  failed: { plugin: string; error: unknown }[]
}

/** A plugin's process ended unasked. */
export interface CrashEvent {
  /** The plugin's name. */
  plugin: string
  /** How it ended, and what happens next. */
  message: string
  /** The end of what it wrote to stderr: 8 KiB at most. */
  stderr: string
  /** Of a plugin with several processes: which of them, from 1. */
  place?: number
}

/** A crashed plugin is being started again. */
export interface RestartEvent {
  /** The plugin's name. */
  plugin: string
  /** How often it has been started again, this time included. */
  attempt: number
  /** How long the host has waited since the crash, in ms. */
  delayMs: number
  /** Of a plugin with several processes: which of them, from 1. */
  place?: number
}

/** A step of a swap is over; the last ones are `confirm`, when callers have the new plugin, and `retire`. */
export interface SwapEvent extends SwapProgress {
  /** The name of the plugin that is replaced. */
  plugin: string
  /** The name of the plugin that takes its place. */
  replacement: string
}

/** A plugin wrote to its log. */
export interface LogEvent {
  /** The plugin's name. */
  plugin: string
  /** How much the line matters. */
  level: LogLevel
  /** The line. */
  message: string
  /** Of a plugin with several processes: which of them, from 1. */
  place?: number
}

/** The events of a host. */
export interface HostEvents {
  /** A plugin went from one status to another. */
  status: [event: StatusEvent]
  /** A plugin's process ended unasked. */
  crash: [event: CrashEvent]
  /** A crashed plugin is being started again. */
  restart: [event: RestartEvent]
  /** A step of a swap is over. */
  swap: [event: SwapEvent]
  /** Another plugin has the calls of a fallback. */
  fallback: [event: FallbackEvent]
  /** A plugin wrote to its log. */
  log: [event: LogEvent]
}

/** Figures of the host itself. */
export interface HostStatus {
  /** Of this package. */
  version: string
  /** Since the host was made, in seconds. */
  uptimeSeconds: number
  /** Plugins that are loaded, or being loaded. */
  pluginsLoaded: number
  /** Plugins that the last `discover()` found valid, or those that are loaded if they are more. */
  pluginsTotal: number
  /** Calls and streams through handles, `call()` and `stream()`, and the requests of clients. A stream is one. */
  requestsProcessed: number
  /** How many of them failed. What a caller cancels, and a stream that its reader leaves, are not among them. */
  errors: number
  /** Resident memory of the host's process in MB (1,000,000 bytes). */
  memoryMb: number
}

/** What the servers, the watcher and the checks of this package need of a host beside its public methods. */
type ProgressListener = (plugin: string, message: string) => void

export interface HostInternals {
  readonly calls: Calls
  readonly catalogue: Catalogue
  readonly fallbacks: Fallbacks
  /** The messages between the host and its plugins. */
  readonly wire: Pick<Wire, 'listen'>
  readonly logs: Logs
  /** Calls `listener` with what takes long before a plugin can start: an installation. It is logged as well. */
  onProgress(listener: ProgressListener): void
  /** Whether the host is closed, or being closed. */
  isClosed(): boolean
}

let readInternals: (host: PluginHost) => HostInternals

/** For this package only: applications have the public methods. */
export function internalsOf(host: PluginHost): HostInternals {
  return readInternals(host)
}

/**
 * Finds, starts, calls and watches plugins. Each runs in a process of its own.
 *
 * @example
 * await using host = new PluginHost({ pluginsDir: './plugins' })
 * const tts = await host.load<TTSContract>('tts_flite', { config: { voice: 'rms' } })
 * const { audio } = await tts.synthesize('Hello')
 */
export class PluginHost extends EventEmitter<HostEvents> implements PluginSystem {
  readonly #limits: InstanceLimits
  readonly #sources: Sources
  readonly #slotLimits: SlotLimits
  readonly #restartPolicy: RestartPolicy
  #logLevel: LogLevel
  #reloading: Promise<unknown> = Promise.resolve()
  readonly #logs: Logs
  readonly #wire: Wire
  readonly #keepAlive = new KeepAlive()
  readonly #progressListeners = new Set<ProgressListener>()
  readonly #registry = new Registry<Slot>()
  readonly #failures: FailureLog
  readonly #figures = new FiguresByPlugin((...failure) => this.#failures.add(...failure))
  readonly #loopDelay = new LoopDelay()
  readonly #catalogue: Catalogue
  readonly #fallbacks: Fallbacks
  readonly #calls: Calls
  /** Processes that answer `describe()`, by the plugin's folder. */
  readonly #describing = new SharedWork<ContractDescriptor>()
  readonly #started = performance.now()
  #closed: Promise<void> | undefined

  static {
    readInternals = (host) => ({
      calls: host.#calls,
      catalogue: host.#catalogue,
      fallbacks: host.#fallbacks,
      wire: host.#wire,
      logs: host.#logs,
      onProgress: (listener) => void host.#progressListeners.add(listener),
      isClosed: () => host.#closed !== undefined,
    })
  }

  /**
   * Makes a host. No process runs before a plugin is loaded.
   *
   * @throws TypeError where an option is unknown, its value means nothing, or its file can't be written; it names the option.
   */
  constructor(options: HostOptions = {}) {
    super()
    checkHostOptions(options)
    const dirs = [options.pluginsDir ?? defaultPluginsDir].flat().map((dir) => resolve(dir))
    this.#limits = instanceLimitsOf(options)
    this.#slotLimits = slotLimitsOf(options)
    this.#restartPolicy = restartPolicyOf(options.restart ?? {})
    this.#wire = new Wire(options.traceWire)
    const packages = this.#packagesIn(options.projectDir ?? '.')
    this.#logLevel = options.logLevel ?? 'INFO'
    this.#sources = new Sources({
      ...{ dirs, packages },
      configDir: options.configDir ?? './config',
      plugins: options.plugins ?? {},
      limits: this.#limits,
      keepAlive: this.#keepAlive,
      nodePath: options.nodePath,
      pythonPath: options.pythonPath,
      autoInstallDependencies: options.autoInstallDependencies ?? false,
      allowInstallScripts: options.allowInstallScripts ?? false,
      preferSource: options.preferSource ?? false,
      inspect: options.inspect ?? false,
      wire: this.#wire,
      log: (plugin, level, message, place) => this.#logPlugin(plugin, level, message, place),
      progress: (plugin, message) => {
        this.#logPlugin(plugin, 'INFO', message)
        for (const listener of this.#progressListeners) listener(plugin, message)
      },
      figures: this.#figures,
    })
    this.#logs = new Logs(
      options.logDir,
      logLevelsOf(this.#logLevel, this.#sources.settings),
      options.logFormat,
    )
    this.#failures = new FailureLog(this.#logs)
    this.#catalogue = new Catalogue({
      ...{ dirs, packages, sources: this.#sources, registry: this.#registry, logs: this.#logs },
      entry: options,
    })
    this.#fallbacks = new Fallbacks({
      registry: this.#registry,
      inspect: (plugin) => this.#catalogue.inspect(plugin),
      load: (plugin) => this.load(plugin),
      callTimeoutMs: this.#limits.callTimeoutMs,
      tell: (event) => this.#announce('fallback', event),
    })
    this.#calls = new Calls({
      find: (name) => this.#registry.find(name) ?? this.#fallbacks.find(name),
      require: (name) => this.#catalogue.slot(name),
      unsentBytes: () => [...this.#registry.slots()].reduce((sum, slot) => sum + slot.unsentBytes, 0),
    })
    this.#logs.launcher('INFO', 'host started', { version: hostVersion, plugins_dirs: dirs })
  }

  /**
   * Looks through the plugins folders, or through `dirs`. Says of each plugin that is not valid why.
   *
   * @throws PluginError DISCOVERY_FAILED where a folder can't be read.
   */
  async discover(dirs?: readonly string[]): Promise<Discovery> {
    if (dirs !== undefined && !Array.isArray(dirs))
      throw new TypeError(`discover() takes an array of paths, not ${nameValue(dirs)}`)
    return this.#catalogue.discover(dirs)
  }

  /** The plugins that are there, loaded or not; those that are not valid only if asked for. */
  async list(options: { includeInvalid?: boolean } = {}): Promise<PluginSummary[]> {
    checkOptionNames('list', options)
    const plugins = await this.#catalogue.list(options)
    return [...plugins, ...this.#fallbacks.all().map((fallback) => summariseFallback(fallback, plugins))]
  }

  /**
   * Starts a plugin of a contract and initializes it. The handle has the contract's methods.
   *
   * @param contract The contract's class: `TTSContract`, one of `defineContract()`, or your own class that extends one.
   * @throws PluginError CONTRACT_MISMATCH where the plugin is of another contract: nothing stays loaded. Else as `load(name)`.
   * @example const tts = await host.load(TTSContract, 'tts_flite', { config: { voice: 'rms' } })
   */
  async load<Contract extends ContractClass>(
    contract: Contract,
    name: string,
    options?: LoadOptions,
  ): Promise<PluginHandle<InstanceType<Contract>>>
  /**
   * Starts a plugin and initializes it. Its contract is not compared with the type argument: `load(TTSContract, name)` does that.
   *
   * @throws PluginError PLUGIN_NOT_FOUND, PLUGIN_ALREADY_LOADED, MANIFEST_MISSING, MANIFEST_INVALID, DEPENDENCY_MISSING,
   *   CONTRACT_MISMATCH, CONFIG_INVALID, PLUGIN_LOAD_FAILED, PLUGIN_INITIALIZE_FAILED, PROTOCOL_VERSION_UNSUPPORTED or
   *   REQUEST_CANCELLED. TypeError for an unknown option.
   * @example const tts = await host.load<TTSContract>('tts_flite', { config: { voice: 'rms' }, signal })
   */
  async load<Contract = unknown>(name: string, options?: LoadOptions): Promise<PluginHandle<Contract>>
  async load(...given: Given<[options?: LoadOptions | undefined]>): Promise<PluginHandle> {
    try {
      if (!namesContract(given)) return await this.#load(...given)
      const [contract, name, options] = given
      return await this.#load(name, options, expectedContract('load()', contract))
    } catch (error) {
      throw atCaller(error, this.load)
    }
  }

  async #load(name: string, options: LoadOptions = {}, expected?: ContractBinding): Promise<PluginHandle> {
    checkOptionNames('load', options)
    const { config = {}, env, signal, replicas = 1 } = options
    checkReplicas(replicas)
    if (this.#closed) throw hostClosed()
    if (signal?.aborted) throw requestCancelled(signal)
    if (this.#registry.isTaken(name)) throw pluginAlreadyLoaded(name)
    const slot = this.#createSlot(this.#sources.byName(name, { config, env, contract: expected }), replicas)
    // From here on, calls to the plugin wait for it.
    this.#registry.add(slot)
    const report = timeLoad(name)
    try {
      const { contract, manifest } = await openUnlessAborted(slot, signal)
      const handle = this.#handle(slot, contract)
      this.#registry.opened(slot, name)
      this.#catalogue.loadEnded(name)
      this.#logs.launcher('INFO', 'plugin loaded', { plugin: name, version: manifest.version, replicas })
      report(contract.name)
      return handle
    } catch (error) {
      await slot.close(true).catch(() => {})
      this.#registry.remove(slot)
      this.#catalogue.loadEnded(name, error)
      this.#logs.launcher('ERROR', 'plugin could not be loaded', {
        plugin: name,
        error: isPluginError(error) ? error.codeName : undefined,
        reason: describeThrown(error).message,
      })
      report(undefined, error)
      throw error
    }
  }

  /**
   * Makes a name stand for several plugins of one contract, in order: calls and streams by it go to the first one, and to the next
   * where that one is down, too slow, or fails by a fault of its own. Plugins that are not loaded are loaded; one that can’t be is
   * passed over, and tried again later. The handle’s `unload()` takes the name away; the plugins stay loaded.
   *
   * @param name Not that of a plugin.
   * @param plugins Their names or, with names of voices and models, objects.
   * @throws PluginError PLUGIN_ALREADY_LOADED where the name is taken; CONTRACT_MISMATCH where the plugins are of several contracts;
   *   INVALID_PARAMS where one is a fallback itself; PLUGIN_NOT_FOUND, MANIFEST_MISSING or MANIFEST_INVALID; where none can be loaded, why the
   *   first one can’t. TypeError for a wrong option.
   * @example
   * const voice = await host.fallback<TTSContract>('voice', ['tts_cloud', { plugin: 'tts_flite', voices: { alloy: 'slt' } }], {
   *   attemptTimeoutMs: 2000,
   * })
   */
  async fallback<Contract = unknown>(
    name: string,
    plugins: readonly (string | FallbackPlugin)[],
    options?: FallbackOptions,
  ): Promise<PluginHandle<Contract>>
  async fallback(
    name: string,
    plugins: readonly (string | FallbackPlugin)[],
    options: FallbackOptions = {},
  ): Promise<PluginHandle> {
    if (this.#closed) throw hostClosed()
    const fallback = await this.#fallbacks.add(fallbackGivenOf({ name, plugins, options }))
    this.#logs.launcher('INFO', 'fallback made', {
      name,
      plugins: fallback.members.map(({ plugin }) => plugin),
    })
    return this.#fallbackHandle(fallback)
  }

  /**
   * Shuts a plugin down and ends its process. Calls in flight are let finish unless `force`. Of a fallback, only the name is taken away.
   *
   * @throws PluginError PLUGIN_NOT_FOUND, PLUGIN_NOT_READY, or PLUGIN_SHUTDOWN_FAILED (it is unloaded all the same).
   */
  async unload(name: string, options: { force?: boolean } = {}): Promise<void> {
    checkOptionNames('unload', options)
    const { force = false } = options
    if (this.#fallbacks.remove(name)) return
    const successor = this.#registry.successorOf(name)
    if (successor !== undefined) throw pluginReplaced(name, successor)
    const slot = await this.#catalogue.slot(name)
    try {
      await slot.close(force)
    } finally {
      this.#registry.remove(slot)
      this.#fallbacks.look()
      this.#logs.launcher('INFO', 'plugin unloaded', { plugin: name })
    }
  }

  /**
   * Changes how many processes of a loaded plugin share its calls, while calls go on. Resolves when further ones are ready. Those
   * that are too many get no calls any more, and end once their calls, streams and sessions have ended, or after
   * `retireTimeoutMs`.
   *
   * @param replicas A whole number from 1 to 64.
   * @throws PluginError PLUGIN_NOT_FOUND or PLUGIN_NOT_READY; PLUGIN_LOAD_FAILED where the plugin keeps state and its manifest does
   *   not say `"replicas": "independent"`; else why a process could not be started, as `load` does: there are as many as before
   *   then. TypeError for another number.
   * @example await host.scale('tts_flite', 4)
   */
  async scale(name: string, replicas: number): Promise<void> {
    checkReplicas(replicas)
    const slot = await this.#catalogue.slot(name)
    await slot.scale(replicas)
    this.#logs.launcher('INFO', 'plugin scaled', { plugin: slot.name, replicas })
  }

  /**
   * Puts another plugin of the same contract, or another version of the same one, in the place of a loaded plugin, while
   * calls go on: handles, `<contract>/<method>`, calls by the old name and calls in flight never notice. The new plugin
   * is started and probed first. State that the old one keeps (`captureState`) is carried over while new calls wait.
   * Streams and sessions stay with the old one until they end, or until `retireTimeoutMs`. Of several processes, all are replaced at
   * once when each has its successor; each hands its state to its own.
   *
   * @param replacement A name; the same name, to start the plugin anew from its files; or the path of a folder inside
   *   a plugins folder.
   * @throws PluginError HOTSWAP_FAILED, with the step: the old plugin serves as before; HOTSWAP_ROLLBACK_FAILED;
   *   PLUGIN_NOT_FOUND or PLUGIN_NOT_READY. TypeError for an unknown option.
   * @example await host.swap('tts_flite', 'tts_flite_v2')
   */
  async swap(old: string, replacement: string, options: SwapOptions = {}): Promise<SwapResult> {
    checkOptionNames('swap', options)
    const { config, env, preserveState = true } = options
    const slot = await this.#catalogue.slot(old)
    const source = await this.#sources.replacement(slot.source, replacement, { config, env })
    return slot.exclusively(source.name, () => this.#swap(slot, source, preserveState))
  }

  /**
   * Reads the configurations of the loaded plugins again. A plugin whose configuration is another than the one that it was
   * started with is swapped for itself, as `swap` does; one without a running process is started. The others are not touched.
   *
   * @param changes Replace the options of the same names. Default: those that hold.
   * @returns What came of each loaded plugin. Where a swap failed, the plugin serves as before.
   * @throws PluginError CONFIG_INVALID where a file can't be read, PLUGIN_NOT_READY where the host is closed, or TypeError for a
   *   wrong option: nothing is changed then.
   * @example await host.reload({ plugins: { tts_flite: { config: { voice: 'slt' } } } })
   */
  reload(changes: Pick<HostOptions, 'plugins' | 'logLevel'> = {}): Promise<ReloadResult> {
    const reloading = this.#reloading.then(() => this.#reload(changes))
    this.#reloading = reloading.catch(() => {})
    return reloading
  }

  async #reload(changes: Pick<HostOptions, 'plugins' | 'logLevel'>): Promise<ReloadResult> {
    checkOptionNames('reload', changes)
    checkHostOptions(changes)
    if (this.#closed) throw hostClosed()
    const before = this.#sources.settings
    const after = changes.plugins ? new Map(Object.entries(changes.plugins)) : before
    const slots = this.#registry.slots()
    const isChanged = await Promise.all(
      slots.map(async (slot) => {
        const { source } = slot
        // One that is being loaded has read its configuration already. One that is down is started anew at once.
        const hasComeUp = this.#catalogue.hasComeUp(slot.name)
        const instance = hasComeUp ? slot.instance : await slot.ready().catch(() => undefined)
        return instance ? this.#sources.hasChanged(source, instance, after.get(source.name)) : true
      }),
    )
    this.#sources.settings = after
    this.#logLevel = changes.logLevel ?? this.#logLevel
    this.#logs.levels = logLevelsOf(this.#logLevel, after)
    const result: ReloadResult = { swapped: [], unchanged: [], failed: [] }
    await Promise.all(
      slots.map(async ({ name, source }, index) => {
        if (!isChanged[index]) return void result.unchanged.push(name)
        try {
          await this.swap(name, source.path ?? name)
          result.swapped.push(name)
        } catch (error) {
          // A restart is to find what serves now.
          this.#sources.settings = withEntry(this.#sources.settings, name, before.get(name))
          result.failed.push({ plugin: name, error })
        }
      }),
    )
    return result
  }

  async #swap(slot: Slot, source: Source, preserveState: boolean): Promise<SwapResult> {
    const [begun, replacement] = [slot.name, source.name]
    if (replacement !== begun && this.#registry.isTaken(replacement)) throw pluginAlreadyLoaded(replacement)
    const release = this.#registry.reserve([begun, replacement])
    const { swaps } = this.#figures.of(begun)
    const report = timeSwap(begun, replacement)
    try {
      const result = await swap(slot, {
        source,
        preserveState,
        onProgress: (progress) => this.#announce('swap', { plugin: begun, replacement, ...progress }),
      })
      swaps.succeeded += 1
      report()
      return result
    } catch (error) {
      swaps.failed += 1
      report(error)
      throw error
    } finally {
      release()
    }
  }

  /**
   * Calls a method by its wire name, with arguments and result as they are on the wire (snake_case, base64). An argument that is
   * base64 there may be given as a `Uint8Array`, which is faster.
   *
   * @example await host.call('tts_flite', 'synthesize', { text: 'Hello' }, { timeoutMs: 2000 })
   */
  call(plugin: string, method: string, args: Config = {}, options: CallOptions = {}): Promise<unknown> {
    const wrong = unknownOptionOf('call', options)
    return wrong
      ? Promise.reject(wrong)
      : this.#calls.call(plugin, method, withBytes(args), options, withBase64)
  }

  /** As `call`, for the pieces of a stream method. `break` in the loop cancels it in the plugin. */
  stream(
    plugin: string,
    method: string,
    args: Config = {},
    options: CallOptions = {},
  ): AsyncIterableIterator<unknown> {
    const wrong = unknownOptionOf('stream', options)
    return wrong
      ? failedStream(wrong)
      : this.#calls.stream(plugin, method, withBytes(args), options, withBase64)
  }

  /**
   * The handle of a loaded plugin of a contract.
   *
   * @throws PluginError CONTRACT_MISMATCH where it is of another contract; PLUGIN_NOT_FOUND or PLUGIN_NOT_READY.
   * @example const tts = await host.get(TTSContract, 'tts_flite')
   */
  get<Contract extends ContractClass>(
    contract: Contract,
    name: string,
  ): Promise<PluginHandle<InstanceType<Contract>>>
  /**
   * The handle of a loaded plugin.
   *
   * @throws PluginError PLUGIN_NOT_FOUND or PLUGIN_NOT_READY.
   */
  get<Contract = unknown>(name: string): Promise<PluginHandle<Contract>>
  get(...given: Given<[]>): Promise<PluginHandle> {
    return getBy(given, (name, expected) => this.#get(name, expected))
  }

  async #get(name: string, expected?: ContractBinding): Promise<PluginHandle> {
    const fallback = this.#fallbacks.find(name)
    if (fallback) return this.#fallbackHandle(fallback, expected)
    const slot = await this.#catalogue.slot(name)
    const { contract } = await slot.ready()
    if (expected) await checkContract(slot.name, contract, expected)
    return this.#handle(slot, contract)
  }

  /** The name of the plugin that answers for a contract: the one of its plugins that was loaded last. */
  active(contract: string): string | undefined {
    return this.#registry.active(contract)
  }

  /**
   * As `active`, for callers that need one. A plugin that is being loaded or restarted is waited for.
   *
   * @throws PluginError CONTRACT_NOT_FOUND.
   */
  requireActive(contract: string): Promise<string> {
    return this.#catalogue.requireActive(contract)
  }

  /**
   * The contract of a plugin: its methods and their schemas. A plugin that is not loaded is started for it and stopped again,
   * once for all who ask meanwhile.
   *
   * @param options `signal`: an abort ends the wait, and the process if nobody else waits for it.
   * @throws PluginError as `load` does, and PLUGIN_NOT_READY where the host is closed.
   */
  async describe(
    name: string,
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<{ plugin: DiscoveredPlugin; contract: ContractDescriptor }> {
    checkOptionNames('describe', options)
    const { signal } = options
    if (this.#closed) throw hostClosed()
    const fallback = this.#fallbacks.find(name)
    // Its contract is known, whether or not that plugin is being unloaded.
    if (fallback?.contract)
      return { plugin: await this.#inspectLoaded(fallback.spokesman), contract: fallback.contract }
    if (fallback) return this.describe(fallback.spokesman, options)
    const plugin = await this.#inspectLoaded(name)
    if (this.#closed) throw hostClosed()
    const loaded = this.#registry.find(name)
    if (loaded) return { plugin, contract: (await within(loaded.ready(), { signal })).contract }
    const start = (ending: AbortSignal): Promise<ContractDescriptor> =>
      this.#sources.readContract(plugin, ending)
    return { plugin, contract: await this.#describing.join(plugin.dir, start, signal) }
  }

  /**
   * What the `captureState()` of a loaded plugin returns: JSON values and bytes.
   *
   * @throws PluginError PLUGIN_NOT_FOUND, PLUGIN_NOT_READY, METHOD_NOT_FOUND, HOTSWAP_FAILED or RESOURCE_EXHAUSTED.
   */
  async captureState(name: string): Promise<unknown> {
    const instance = await this.#holderOfState(name)
    return decodeState((await instance.captureState()) as WireState)
  }

  /**
   * Hands a state to the `restoreState()` of a loaded plugin.
   *
   * @throws PluginError PLUGIN_NOT_FOUND, PLUGIN_NOT_READY, METHOD_NOT_FOUND, HOTSWAP_FAILED or RESOURCE_EXHAUSTED.
   */
  async restoreState(name: string, state: unknown): Promise<void> {
    const instance = await this.#holderOfState(name)
    await instance.restoreState(encodeState(state, this.#limits.maxStateBytes))
  }

  async #holderOfState(name: string): Promise<Instance> {
    const slot = await this.#catalogue.slot(name)
    const { count } = slot.places
    if (count > 1) throw severalStates(slot.name, count)
    return slot.ready()
  }

  /** How one plugin is doing. One that is not loaded is UNLOADED. */
  async health(name: string): Promise<HealthStatus>
  /** How all loaded plugins are doing, by name. */
  async health(): Promise<Record<string, HealthStatus>>
  async health(name?: string): Promise<HealthStatus | Record<string, HealthStatus>> {
    if (name === undefined) {
      const names = [...this.#registry.names(), ...this.#fallbacks.all().map((fallback) => fallback.name)]
      const all = await Promise.all(
        names.map(async (each) => [each, await this.#healthOrError(each)] as const),
      )
      return Object.fromEntries(all)
    }
    const callee = this.#registry.find(name) ?? this.#fallbacks.find(name)
    if (callee) return callee.health()
    await this.#sources.inspect(name)
    return { status: PluginStatus.UNLOADED, message: 'not loaded', details: {} }
  }

  /** Figures of the host itself. */
  status(): HostStatus {
    const { total, errors } = this.#calls.requests
    return {
      version: hostVersion,
      uptimeSeconds: rounded((performance.now() - this.#started) / 1000),
      pluginsLoaded: this.#registry.size,
      pluginsTotal: this.#catalogue.total,
      requestsProcessed: total,
      errors,
      memoryMb: process.memoryUsage.rss() / 1e6,
    }
  }

  /**
   * The host's metrics in Prometheus' text format, version 0.0.4, for an endpoint of your own. docs/operations.md lists them. How
   * late the event loop is, is measured from the first reading on, and told since the last one.
   *
   * @example response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8').end(host.metrics())
   */
  metrics(): string {
    return metricsText({
      version: hostVersion,
      requests: this.#calls.requests,
      figures: this.#figures,
      slots: this.#registry.slots(),
      fallbacks: this.#fallbacks.all(),
      loopDelay: this.#loopDelay,
    })
  }

  /**
   * Lets this process end while the host's plugins are idle, as `unref()` of a timer does; they end with it. Calls in flight and
   * open streams go on to keep it from ending. For scripts that may forget `close()`.
   *
   * @example const host = new PluginHost().unref()
   */
  unref(): this {
    this.#keepAlive.set(false)
    return this
  }

  /** Takes `unref()` back: plugins keep this process from ending until they are unloaded. That is how a host begins. */
  ref(): this {
    this.#keepAlive.set(true)
    return this
  }

  /** Unloads all plugins and closes the logs. Nothing is left running. `force`, also later, ends the wait for calls in flight. */
  close(options: { force?: boolean } = {}): Promise<void> {
    const wrong = unknownOptionOf('close', options)
    if (wrong) return Promise.reject(wrong)
    const { force = false } = options
    if (force) for (const slot of this.#registry.slots()) slot.forceClose()
    this.#closed ??= this.#close(force)
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(force: boolean): Promise<void> {
    this.#fallbacks.close()
    await Promise.allSettled([
      this.#describing.close(hostClosed()),
      ...this.#registry.slots().map((slot) => slot.close(force)),
    ])
    this.#registry.clear()
    this.#loopDelay.stop()
    await this.#sources.close()
    this.#failures.close()
    this.#logs.launcher('INFO', 'host stopped')
    await Promise.all([this.#logs.close(), this.#wire.close()])
  }

  /** Finds the npm packages that are plugins. */
  #packagesIn(dir: string | false): () => Promise<PluginPackage[]> {
    if (dir === false) return async () => []
    const packages = new ProjectPackages(resolve(dir), (message) => this.#logs.launcher('WARNING', message))
    return () => packages.find()
  }

  #createSlot(source: Source, replicas: number): Slot {
    const where = (place: number | undefined): { place?: number } => (place === undefined ? {} : { place })
    const slot: Slot = new Slot({
      ...{ source, replicas },
      restartPolicy: this.#restartPolicy,
      limits: this.#slotLimits,
      events: {
        status: (status, previous, place) => {
          this.#announce('status', { plugin: slot.name, status, previous, ...where(place) })
          this.#fallbacks.look()
        },
        crash: ({ message, data }, place) => {
          const { plugin = slot.name, stderr = '' } = (data ?? {}) as { plugin?: string; stderr?: string }
          this.#figures.of(plugin).crashes += 1
          reportCrash(plugin)
          this.#announce('crash', { plugin, message, stderr, ...where(place) })
        },
        restart: (attempt, delayMs, place) => {
          this.#figures.of(slot.name).restarts += 1
          this.#announce('restart', { plugin: slot.name, attempt, delayMs, ...where(place) })
        },
        replaced: (previous) => this.#registry.renamed(slot, previous),
      },
    })
    return slot
  }

  #logPlugin(plugin: string, level: LogLevel, message: string, place?: number): void {
    if (!this.#logs.wants(level, plugin)) return
    const where = place === undefined ? {} : { place }
    this.#logs.plugin(plugin, level, message, where)
    this.#tell('log', { plugin, level, message, ...where })
  }

  #announce<Name extends Exclude<keyof HostEvents, 'log'>>(event: Name, details: HostEvents[Name][0]): void {
    this.#logs.launcher(event === 'crash' ? 'ERROR' : 'INFO', event, { ...details })
    this.#tell(event, details)
  }

  /** A listener that throws is the application's mistake; the plugins go on. */
  #tell<Name extends keyof HostEvents>(event: Name, details: HostEvents[Name][0]): void {
    try {
      this.emit(event, ...([details] as never))
    } catch (error) {
      this.#logs.launcher('ERROR', `a listener of "${event}" threw`, {
        reason: describeThrown(error).message,
      })
    }
  }

  /** By a name that it had before a swap, too: that is what calls reach. */
  #inspectLoaded(name: string): Promise<DiscoveredPlugin> {
    return this.#catalogue.inspect(this.#registry.find(name)?.name ?? name)
  }

  #handle(slot: Slot, contract: ContractDescriptor): PluginHandle {
    return createHandle(slot, contract, this.#calls.requests, async () => {
      if (this.#registry.loaded(slot.name) === slot) await this.unload(slot.name)
    })
  }

  async #fallbackHandle(fallback: Fallback, expected?: ContractBinding): Promise<PluginHandle> {
    const contract = await fallback.ready()
    if (expected) await checkContract(fallback.name, contract, expected)
    return createHandle(fallback, contract, this.#calls.requests, async () => {
      if (this.#fallbacks.find(fallback.name) === fallback) this.#fallbacks.remove(fallback.name)
    })
  }

  async #healthOrError(name: string): Promise<HealthStatus> {
    try {
      return await this.health(name)
    } catch (error) {
      return {
        status: PluginStatus.ERROR,
        message: describeThrown(error).message,
        details: {},
      }
    }
  }
}

/** A stream that fails when it is first read, as all do that can't be begun. */
function failedStream(error: Error): AsyncIterableIterator<unknown> {
  return new PieceStream({ open: () => Promise.reject(error) })
}

function logLevelsOf(all: LogLevel, plugins: ReadonlyMap<string, PluginSettings>): LogLevels {
  const levels = [...plugins].map(([plugin, { logLevel }]) => [plugin, logLevel] as const)
  return { all, byPlugin: new Map(levels) }
}

function withEntry<Value>(
  map: ReadonlyMap<string, Value>,
  key: string,
  value: Value | undefined,
): Map<string, Value> {
  const rest = [...map].filter(([name]) => name !== key)
  return new Map(value === undefined ? rest : [...rest, [key, value]])
}

/** The first instance of a slot. An abort closes the slot: the load is ended, and what it has started. */
async function openUnlessAborted(slot: Slot, signal: AbortSignal | undefined): Promise<Instance> {
  const close = (): void => void slot.close(true).catch(() => {})
  signal?.addEventListener('abort', close, { once: true })
  try {
    const instance = await slot.open()
    if (signal?.aborted) throw requestCancelled(signal)
    return instance
  } catch (error) {
    throw signal?.aborted ? requestCancelled(signal) : error
  } finally {
    signal?.removeEventListener('abort', close)
  }
}
