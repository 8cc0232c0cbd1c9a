import { EventEmitter } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type {
  CallOptions,
  HostEvents,
  HostStatus,
  PluginHandle,
  PluginSummary,
  PluginSystem,
} from '@appfactory/host'
import { hostVersion } from '@appfactory/host'
import {
  Calls,
  checkContract,
  checkedNumbers,
  count,
  createHandle,
  type Given,
  getBy,
  type NumberRule,
  offerServed,
  overallStatus,
  PieceStream,
  prometheusText,
  time,
  unknownOptionOf,
  withBase64,
  withBytes,
} from '@appfactory/host/internal'
import {
  type ContractBinding,
  type ContractClass,
  type ContractDescriptor,
  type HealthStatus,
  isPluginError,
  type Manifest,
  PluginStatus,
} from '@appfactory/sdk'
import { describeThrown } from '@appfactory/sdk/internal'
import { type AdminOptions, ClusterAdmin, type ClusterSwapOptions, type ClusterSwapResult } from './admin.js'
import type { Beat } from './beat.js'
import type { Cable } from './cable.js'
import { clusterClosed, noActivePlugin, onNoNode } from './caller-errors.js'
import { DesiredAdmin, type DesiredOptions } from './desired/desired-admin.js'
import { type DesiredPlugin, desiredPlugins } from './desired/status.js'
import { Directory, type NodeEvent, pluginOn } from './directory.js'
import { counter, gauge, linkFamilies } from './figures.js'
import { type CableOptions, NatsCable } from './nats-cable.js'
import { pluginNames } from './remote-places.js'
import { type CallerLimits, RemotePlugin } from './remote-plugin.js'
import { servedCluster } from './served.js'

/** How a caller joins a cluster. */
export interface ClusterOptions extends CableOptions, Partial<CallerLimits> {}

/** The events of a cluster. Of those of a host, it has `status`: that of a plugin on all nodes together. */
export interface ClusterEvents extends HostEvents {
  /** A node has joined, drains, has left or is lost. */
  node: [event: NodeEvent]
  /** Something that its operators should know, such as two nodes with one name. */
  warning: [message: string]
}

type Config = Record<string, unknown>

const defaultLimits: CallerLimits = {
  callTimeoutMs: 60_000,
  connectTimeoutMs: 5000,
  maxQueuedCalls: 10_000,
  maxSessions: 1000,
}

const limitRules: Record<keyof CallerLimits, NumberRule> = {
  callTimeoutMs: time,
  connectTimeoutMs: time,
  maxQueuedCalls: count,
  maxSessions: count,
}

/** Of nodes that have nothing to do. */
const beatMs = 1000
const missedBeats = 3

/** How long nodes have to tell that they are there, in ms: after the last one that did, and altogether. */
const surveyMs = { silence: 200, all: 1500, step: 10 } as const

/**
 * The plugins of all nodes of a cluster, as one host: the same handles, wherever a plugin runs.
 *
 * @example
 * await using cluster = await Cluster.connect({ nats: 'nats://127.0.0.1:4222', namespace: 'voice' })
 * const tts = await cluster.get<TTSContract>('tts_flite')
 * const { audio } = await tts.synthesize('Hello')
 */
export class Cluster implements PluginSystem, AsyncDisposable {
  readonly #events = new EventEmitter()
  readonly #cable: Cable
  readonly #limits: CallerLimits
  readonly #directory: Directory
  readonly #admin: ClusterAdmin
  readonly #desired: DesiredAdmin
  readonly #calls: Calls
  readonly #plugins = new Map<string, RemotePlugin>()
  readonly #endings: (() => void)[]
  readonly #started = performance.now()
  /** By plugin, as it was told last. */
  readonly #statuses = new Map<string, PluginStatus>()
  #heardAt = performance.now()
  /** Runs of nodes that have told how they are since they were asked. */
  readonly #heard = new Set<string>()
  #survey: Promise<void> | undefined
  #closed: Promise<void> | undefined

  /**
   * Joins a cluster as a caller.
   *
   * @throws PluginError PLUGIN_NOT_READY where NATS can't be reached or does not let this process in, CALL_FORBIDDEN where it does
   *   not allow what a caller needs. TypeError for a wrong option.
   */
  static async connect(options: ClusterOptions): Promise<Cluster> {
    const limits = checkedNumbers<Partial<CallerLimits>>(options, limitRules)
    return Cluster.over(await NatsCable.connect(options), limits)
  }

  /** As `connect`, over any cable. It is closed with the cluster. */
  static async over(cable: Cable, limits: Partial<CallerLimits> = {}): Promise<Cluster> {
    const cluster = new Cluster(cable, { ...defaultLimits, ...limits })
    await cluster.#look()
    return cluster
  }

  private constructor(cable: Cable, limits: CallerLimits) {
    this.#cable = cable
    this.#limits = limits
    this.#directory = new Directory({
      ...{ beatMs, missedBeats },
      hasMoved: (run) =>
        [...this.#plugins.values()].some(({ places }) =>
          places.workers.some((worker) => worker.run.boot === run.boot && worker.hasMoved),
        ),
      onChange: (event) => this.#takeChange(event),
      onUpdate: (run, isSilent) => {
        for (const { places } of this.#plugins.values()) places.update(run, isSilent)
        if (this.#events.listenerCount('status') > 0) this.#tellStatus()
      },
      warn: (message) => this.#tell('warning', message),
    })
    this.#calls = new Calls({
      find: (name) => this.#plugins.get(name),
      require: (name) => this.#find(name),
      unsentBytes: () =>
        sumOf(this.#plugins.values(), ({ places }) => sumOf(places.workers, (worker) => worker.unsentBytes)),
    })
    this.#admin = new ClusterAdmin(cable, this.#directory)
    this.#desired = new DesiredAdmin(cable, () => this.nodes())
    this.#endings = [
      cable.onBeat((beat) => {
        this.#heard.add(beat.boot)
        this.#directory.take(beat)
      }),
      cable.onChange(({ type }) => {
        if (type !== 'refused') this.#directory.connection(cable.isConnected)
      }),
    ]
    // Each client of a server that stands on it listens.
    this.#events.setMaxListeners(0)
    offerServed(
      this,
      servedCluster(this, {
        calls: this.#calls,
        look: () => this.#look(),
        summary: (name) => this.#summary(name),
      }),
    )
  }

  /** Calls `listener` with each event of that name from now on. */
  on<Name extends keyof ClusterEvents>(
    event: Name,
    listener: (...details: ClusterEvents[Name]) => void,
  ): this {
    this.#events.on(event, listener)
    return this
  }

  /** Calls `listener` no more. */
  off<Name extends keyof ClusterEvents>(
    event: Name,
    listener: (...details: ClusterEvents[Name]) => void,
  ): this {
    this.#events.off(event, listener)
    return this
  }

  /** The nodes that are there, by what they told last. */
  nodes(): Beat[] {
    return this.#directory.nodes
  }

  /**
   * The handle of a plugin that is loaded on a node, or on several. Its `unload()` only lets go.
   *
   * @throws PluginError CONTRACT_MISMATCH where it is of another contract; PLUGIN_NOT_FOUND where no node has it; CALL_TIMEOUT
   *   where none answers within `connectTimeoutMs`.
   * @example const tts = await cluster.get(TTSContract, 'tts_flite')
   */
  get<Contract extends ContractClass>(
    contract: Contract,
    name: string,
  ): Promise<PluginHandle<InstanceType<Contract>>>
  /** As above. The plugin's contract is not compared with the type argument: `get(TTSContract, name)` does that. */
  get<Contract = unknown>(name: string): Promise<PluginHandle<Contract>>
  get(...given: Given<[]>): Promise<PluginHandle> {
    return getBy(given, (name, expected) => this.#get(name, expected))
  }

  async #get(name: string, expected?: ContractBinding): Promise<PluginHandle> {
    const plugin = await this.#find(name)
    const contract = await plugin.ready()
    if (expected) await checkContract(name, contract, expected)
    return createHandle(plugin, contract, this.#calls.requests, async () => {})
  }

  /** Calls a method by its wire name, with arguments and result as they are on the wire (snake_case, base64). */
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
    if (wrong) return new PieceStream({ open: () => Promise.reject(wrong) })
    return this.#calls.stream(plugin, method, withBytes(args), options, withBase64)
  }

  /** The name of the plugin that answers for a contract: of those that nodes have, the one loaded last. */
  active(contract: string): string | undefined {
    return this.#directory.lastLoaded(contract)
  }

  /**
   * As `active`, for callers that need one.
   *
   * @throws PluginError CONTRACT_NOT_FOUND.
   */
  async requireActive(contract: string): Promise<string> {
    if (this.active(contract) === undefined) await this.#look()
    const name = this.active(contract)
    if (name !== undefined) return name
    const contracts = this.nodes().flatMap(({ plugins }) => plugins.map((plugin) => plugin.contract))
    throw noActivePlugin(contract, [...new Set(contracts)])
  }

  /** The plugins that nodes have loaded, each once. */
  async list(): Promise<PluginSummary[]> {
    return Promise.all(pluginNames(this.nodes()).map((name) => this.#summary(name)))
  }

  /**
   * The contract of a plugin: its methods and their schemas.
   *
   * @param options `timeoutMs`: how long a node may take to describe it. Default: `connectTimeoutMs`.
   * @throws PluginError As `get` does; REQUEST_CANCELLED where `signal` is aborted.
   */
  async describe(
    name: string,
    options: { signal?: AbortSignal | undefined; timeoutMs?: number | undefined } = {},
  ): Promise<{ plugin: { name: string; manifest?: Manifest }; contract: ContractDescriptor }> {
    const plugin = await this.#find(name)
    const contract = await plugin.ready(options)
    const [worker] = plugin.places.workers
    return { plugin: { name, ...(worker ? { manifest: worker.manifest } : {}) }, contract }
  }

  /** How one plugin is doing, on each node and together. One that no node has is UNLOADED. */
  async health(name: string): Promise<HealthStatus>
  /** How all plugins are doing, by name. */
  async health(): Promise<Record<string, HealthStatus>>
  async health(name?: string): Promise<HealthStatus | Record<string, HealthStatus>> {
    if (name !== undefined) return this.#health(name)
    const names = pluginNames(this.nodes())
    return Object.fromEntries(
      await Promise.all(names.map(async (each) => [each, await this.#health(each)] as const)),
    )
  }

  async #health(name: string): Promise<HealthStatus> {
    const isThere = this.nodes().some((beat) => pluginOn(beat, name))
    if (!isThere) return { status: PluginStatus.UNLOADED, message: 'no node has it loaded', details: {} }
    const plugin = await this.#find(name)
    try {
      await plugin.ready()
    } catch (error) {
      return { status: PluginStatus.ERROR, message: describeThrown(error).message, details: {} }
    }
    return plugin.health()
  }

  /** Figures of this caller. Plugins are those of all nodes, each counted once. */
  status(): HostStatus {
    const { length } = pluginNames(this.nodes())
    const { total, errors } = this.#calls.requests
    return {
      version: hostVersion,
      uptimeSeconds: Math.round(performance.now() - this.#started) / 1000,
      pluginsLoaded: length,
      pluginsTotal: length,
      requestsProcessed: total,
      errors,
      memoryMb: process.memoryUsage.rss() / 1e6,
    }
  }

  /** Metrics of this caller in Prometheus' text format, version 0.0.4. Nodes have those of their plugins. */
  metrics(): string {
    const { requestsProcessed, errors } = this.status()
    const plugins = [...this.#plugins.values()]
    return prometheusText([
      counter('requests', 'Calls and streams of this caller.', requestsProcessed),
      counter('request_errors', 'Calls and streams of this caller that failed.', errors),
      gauge('nodes', 'Nodes that are there.', this.nodes().length),
      gauge(
        'queued_calls',
        'Calls that wait for a node.',
        sumOf(plugins, ({ router }) => router.queuedCalls),
      ),
      gauge(
        'links',
        'Links to plugins on nodes.',
        sumOf(plugins, ({ places }) => places.workers.length),
      ),
      gauge(
        'open_sessions',
        'Sessions that are open.',
        sumOf(plugins, ({ router }) => router.openSessions),
      ),
      ...(this.#cable.figures ? linkFamilies('', this.#cable.figures) : []),
    ])
  }

  /**
   * Loads a plugin on nodes that are named, one after the other; or, without names, on any nodes that have the labels: these
   * keep it running then, also where one of them ends. Resolves when it runs. Needs the rights of an administrator.
   *
   * @param options `on`: names of nodes, or the labels that a node must have. Default: any node.
   * @throws PluginError Why a named node could not: `data.node` says which, `data.nodes` those that have. Without names:
   *   PLUGIN_NOT_FOUND, or why else no node can, with the nodes that were asked: it is wanted no more then; CALL_TIMEOUT where it takes
   *   longer than `timeoutMs`: it stays wanted; PLUGIN_ALREADY_LOADED where somebody else has changed it at the same time;
   *   INVALID_PARAMS, MESSAGE_TOO_LARGE, DEPENDENCY_MISSING, and PLUGIN_NOT_READY where JetStream is off.
   * @example const llm = await cluster.load<LLMContract>('llm_llama', { replicas: 2, on: { gpu: 'true' } })
   */
  async load<Contract = unknown>(
    name: string,
    options: AdminOptions | DesiredOptions = {},
  ): Promise<PluginHandle<Contract>> {
    if (namesNodes(options)) await this.#admin.load(name, options)
    else await this.#desired.load(name, options)
    await this.#look()
    return this.get<Contract>(name)
  }

  /**
   * Unloads a plugin on nodes. Default: on all that have it; and where it was loaded without naming nodes, it is wanted no
   * more, and calls in flight are let finish. Needs the rights of an administrator. Throws as `load` does.
   */
  async unload(name: string, options: { on?: readonly string[]; force?: boolean } = {}): Promise<void> {
    await this.#unlessDesired(
      name,
      options.on,
      () => this.#desired.unload(this.#wantedName(name) ?? name),
      () => this.#admin.unload(name, options),
    )
  }

  /**
   * Changes how many processes a plugin has: on each of the nodes; or on all together, where it was loaded without naming
   * nodes. Needs the rights of an administrator. Throws as `load` does.
   */
  async scale(name: string, replicas: number, options: { on?: readonly string[] } = {}): Promise<void> {
    await this.#unlessDesired(
      name,
      options.on,
      () => this.#desired.scale(this.#wantedName(name) ?? name, replicas),
      () => this.#admin.scale(name, replicas, options),
    )
  }

  /** What was loaded without naming nodes, and what came of it: how many processes are wanted, how many run, and why not more. */
  desired(): DesiredPlugin[] {
    return desiredPlugins(this.nodes())
  }

  /** Changes what is wanted, if it is about that; else the nodes. Where no node tells of either, it may be wanted all the same. */
  async #unlessDesired(
    name: string,
    on: readonly string[] | undefined,
    desired: () => Promise<boolean>,
    nodes: () => Promise<void>,
  ): Promise<void> {
    if (!on && this.#wantedName(name) !== undefined && (await desired())) return
    try {
      await nodes()
    } catch (error) {
      const isNowhere = !on && isPluginError(error, 'PLUGIN_NOT_FOUND')
      if (!isNowhere || !(await desired().catch(() => false))) throw error
    }
  }

  /**
   * Swaps a plugin on one node after the other, while calls go on. It stops at the first failure. Without names of nodes, what was
   * loaded without them is wanted as that plugin from then on, with that configuration. Needs the rights of an administrator.
   *
   * @param options `rollback`: where one node fails, those before it are swapped back. Default: they keep the new plugin.
   * @throws PluginError Why a node could not, such as HOTSWAP_FAILED: `data.node` says which, `data.nodes` lists those that were swapped
   *   before, and with `rollback` `data.rolled_back` those that are back.
   */
  async swap(old: string, replacement: string, options: ClusterSwapOptions = {}): Promise<ClusterSwapResult> {
    const wanted = options.on ? undefined : this.#wantedName(old)
    if (wanted !== undefined) await this.#desired.checkSwap(wanted, replacement)
    const result = await this.#admin.swap(old, replacement, options)
    const version = result.nodes.at(-1)?.newVersion
    if (wanted !== undefined && version !== undefined)
      await this.#desired.swapped(wanted, replacement, { config: options.config, version })
    return result
  }

  /** The name by which a plugin is wanted, which may be another one since a swap. Undefined: it is not. */
  #wantedName(name: string): string | undefined {
    const today = this.nodes().flatMap((beat) => pluginOn(beat, name)?.name ?? [])
    return [name, ...today].find((each) => this.#desired.has(each))
  }

  /** Lets a node finish its calls and leave. Resolves when it has. Needs the rights of an administrator. */
  drain(node: string): Promise<void> {
    return this.#admin.drain(node)
  }

  /** Leaves the cluster: links are closed, calls in flight are cancelled. Nodes and their plugins go on. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    for (const end of this.#endings) end()
    for (const plugin of this.#plugins.values()) plugin.close()
    this.#directory.close()
    await this.#cable.close()
  }

  /** What calls to a plugin go through. Where no node is there at all, one may come. */
  async #find(name: string): Promise<RemotePlugin> {
    const known = this.#plugins.get(name)
    if (known) return known
    if (this.#closed) throw clusterClosed(name)
    if (!this.#isLoaded(name)) await this.#look()
    const nodes = this.nodes()
    if (!this.#isLoaded(name) && nodes.length > 0 && this.#cable.isConnected)
      throw onNoNode(
        name,
        nodes.map(({ node }) => node),
        pluginNames(nodes),
      )
    if (this.#closed) throw clusterClosed(name)
    return this.#plugins.get(name) ?? this.#add(name)
  }

  #add(name: string): RemotePlugin {
    const warn = (message: string): void => this.#tell('warning', message)
    const options = {
      plugin: name,
      cable: this.#cable,
      directory: this.#directory,
      limits: this.#limits,
      warn,
    }
    const plugin = new RemotePlugin(options)
    this.#plugins.set(name, plugin)
    return plugin
  }

  #isLoaded(name: string): boolean {
    return this.nodes().some((beat) => pluginOn(beat, name) !== undefined)
  }

  /** Asks which nodes are there, and gives them the time to answer. All who ask at once wait for the same answers. */
  #look(): Promise<void> {
    this.#survey ??= this.#ask().finally(() => {
      this.#survey = undefined
    })
    return this.#survey
  }

  async #ask(): Promise<void> {
    const begun = performance.now()
    this.#heardAt = begun
    this.#heard.clear()
    this.#cable.who()
    const haveTold = (): boolean => this.nodes().every(({ boot }) => this.#heard.has(boot))
    const isOver = (): boolean =>
      (performance.now() - this.#heardAt >= surveyMs.silence && haveTold()) ||
      performance.now() - begun >= surveyMs.all
    while (!isOver() && !this.#closed) await delay(surveyMs.step)
  }

  async #summary(name: string): Promise<PluginSummary> {
    const described = await this.#describedOrNothing(name)
    const loaded = this.nodes().flatMap((beat) => pluginOn(beat, name) ?? [])
    const { manifest, capabilities = [] } = described ?? {}
    return {
      name,
      version: loaded[0]?.version ?? null,
      contract: loaded[0]?.contract ?? null,
      displayName: manifest?.display_name ?? null,
      description: manifest?.description ?? null,
      author: manifest?.author ?? null,
      path: '',
      valid: true,
      errors: [],
      loaded: true,
      replicas: loaded.reduce((sum, { replicas }) => sum + replicas, 0),
      status: overallStatus(loaded.map(({ status }) => status as PluginStatus)),
      capabilities: [...capabilities],
    }
  }

  async #describedOrNothing(name: string) {
    const plugin = await this.#find(name).catch(() => undefined)
    await plugin?.ready().catch(() => {})
    return plugin?.places.workers[0]?.described
  }

  #takeChange(event: NodeEvent): void {
    if (event.change === 'joined') this.#heardAt = performance.now()
    this.#tell('node', event)
  }

  /** Tells of plugins whose status on all nodes together is another one. */
  #tellStatus(): void {
    for (const plugin of new Set([...this.#statuses.keys(), ...pluginNames(this.nodes())])) {
      const loaded = this.nodes().flatMap((beat) => pluginOn(beat, plugin) ?? [])
      const status = overallStatus(loaded.map((each) => each.status as PluginStatus))
      const previous = this.#statuses.get(plugin) ?? PluginStatus.UNLOADED
      this.#statuses.set(plugin, status)
      if (status !== previous) this.#tell('status', { plugin, status, previous })
    }
  }

  /** A listener that throws is the application's mistake; calls go on. */
  #tell<Name extends keyof ClusterEvents>(event: Name, ...details: ClusterEvents[Name]): void {
    try {
      this.#events.emit(event, ...details)
    } catch (error) {
      process.emitWarning(`A listener of "${event}" threw: ${describeThrown(error).message}`)
    }
  }
}

function namesNodes(options: AdminOptions | DesiredOptions): options is AdminOptions {
  return Array.isArray(options.on)
}

function sumOf<T>(all: Iterable<T>, numberOf: (one: T) => number): number {
  let sum = 0
  for (const one of all) sum += numberOf(one)
  return sum
}
