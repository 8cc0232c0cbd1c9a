import type { Worker, Workers } from '@appfactory/host/internal'
import { type ContractDescriptor, isPluginError, type PluginError, PluginStatus } from '@appfactory/sdk'
import { listed } from '@appfactory/sdk/internal'
import { leastLoaded } from './balance.js'
import type { Beat, BeatPlugin } from './beat.js'
import type { Cable, NodeRun } from './cable.js'
import { clusterClosed, noWorker, onNoNode, otherRun, unloadedEverywhere } from './caller-errors.js'
import { type Directory, desiredOn, keyOf, pluginOn } from './directory.js'
import { mismatchOf } from './mismatch.js'
import { RemoteWorker, unbegunOf } from './remote-worker.js'

export interface RemotePlacesOptions {
  plugin: string
  cable: Cable
  directory: Directory
  connectTimeoutMs: number
  /** A worker has come or gone, or has room: calls that wait may go on. */
  onChange(): void
  /** A worker is gone, and its sessions with it. */
  onGone(worker: Worker): void
  /** Whether a worker has sessions. */
  hasSessions(worker: Worker): boolean
  warn(message: string): void
}

/** The plugin on one run of a node. */
interface Site {
  readonly run: NodeRun
  /** What its node told last. */
  plugin: BeatPlugin
  /** The number of its lease, where only one node may run the plugin. */
  lease?: number | undefined
  isDraining: boolean
  worker?: RemoteWorker
  /** Of which life of the plugin the worker was described. */
  described?: string
  isOpening: boolean
  /** Attempts that failed in a row. */
  failures: number
  /** Why the last one failed. Undefined: it did not, or another one may succeed. */
  failure?: PluginError
  retry?: NodeJS.Timeout
}

/** Between two attempts to open a link, in ms: the first wait, which doubles, and the longest. */
const retryMs = { first: 250, longest: 5000 }

/** Errors of an attempt that say nothing of the next one. */
const passing = new Set<string | undefined>([
  ...['PLUGIN_NOT_READY', 'PLUGIN_NOT_FOUND', 'PLUGIN_CRASHED', 'CALL_TIMEOUT', 'RESOURCE_EXHAUSTED'],
])

/** What a worker that is not well seems to have to do besides: more than any that is well. */
const sickness = 1e9

/** The workers of one plugin, on all nodes that have it loaded. */
export class RemotePlaces implements Workers {
  readonly name: string
  isClosed = false
  readonly #options: RemotePlacesOptions
  readonly #sites = new Map<string, Site>()
  #contract: ContractDescriptor | undefined
  /** Nodes that had it, and may come back with it: they went with it. */
  readonly #gone = new Set<string>()
  /** What was warned of. */
  readonly #warned = new Set<string>()
  #hasBeenThere = false
  /** Of the nodes that have a lease for the plugin. */
  #newestLease: number | undefined

  constructor(options: RemotePlacesOptions) {
    this.name = options.plugin
    this.#options = options
    for (const beat of options.directory.nodes) this.update(beat, false)
  }

  get contract(): ContractDescriptor | undefined {
    return this.#contract
  }

  /** Those that are connected. */
  get workers(): RemoteWorker[] {
    return [...this.#sites.values()].flatMap(({ worker }) => (worker?.isRunning ? [worker] : []))
  }

  /** Nodes that have it, connected or not. */
  get count(): number {
    return this.#sites.size
  }

  /** Whether a link to any of them is being opened. */
  get isOpening(): boolean {
    return [...this.#sites.values()].some((site) => site.isOpening)
  }

  get serving(): Worker | undefined {
    return this.workers[0]
  }

  get whyNone(): PluginError | undefined {
    if (this.isClosed) return clusterClosed(this.name)
    const sites = [...this.#sites.values()]
    if (sites.length === 0) return this.#whyNowhere()
    const isHopeless = sites.every(({ worker, failure }) => !worker && failure)
    return isHopeless ? sites[0]?.failure : undefined
  }

  free(sessionsOf: (worker: Worker) => number, tried?: ReadonlySet<Worker>): Worker | undefined {
    const able: Able[] = []
    for (const site of this.#sites.values()) {
      // One that does not know yet that another node has taken over is asked no more.
      if (this.#newestLease !== undefined && site.lease !== this.#newestLease) continue
      if (takesCalls(site) && !tried?.has(site.worker)) able.push(site)
    }
    const chosen =
      able.length < 2 ? able[0] : leastLoaded(able, (site) => loadOf(site, sessionsOf(site.worker)))
    return chosen?.worker
  }

  /** A worker counts its calls itself. */
  occupy(): undefined {
    return undefined
  }

  /** The node counts what it refuses, and nobody what never left. */
  countRefused(): void {}

  late(timeoutMs: number): PluginError {
    return noWorker(this.name, Math.round(timeoutMs), this.#whyLate())
  }

  unbegun(error: unknown): ReturnType<typeof unbegunOf> {
    return unbegunOf(error)
  }

  /** A node has told something, or is gone. */
  update(run: NodeRun, isSilent: boolean): void {
    if (this.isClosed) return
    const beat = this.#options.directory.get(run)
    const plugin = beat && pluginOn(beat, this.name)
    const site = this.#sites.get(keyOf(run))
    if (!plugin) {
      if (site) this.#drop(site, beat !== undefined, isSilent)
      this.#compareLeases()
      return
    }
    this.#hasBeenThere = true
    this.#gone.delete(run.node)
    if (site) this.#takeBeat(site, beat, plugin)
    else if (this.#fits(beat, plugin)) this.#add(run, beat, plugin)
    this.#compareLeases()
    this.#options.onChange()
  }

  #compareLeases(): void {
    const leases = [...this.#sites.values()].flatMap(({ lease }) => lease ?? [])
    this.#newestLease = leases.length > 0 ? Math.max(...leases) : undefined
  }

  close(): void {
    this.isClosed = true
    for (const site of this.#sites.values()) {
      clearTimeout(site.retry)
      site.worker?.leave()
    }
    this.#sites.clear()
    this.#options.onChange()
  }

  #add({ node, boot }: NodeRun, beat: Beat, plugin: BeatPlugin): void {
    const { draining: isDraining } = beat
    const lease = desiredOn(beat, this.name)?.lease
    const site: Site = { run: { node, boot }, plugin, lease, isDraining, isOpening: false, failures: 0 }
    this.#sites.set(keyOf(beat), site)
    if (isUp(plugin)) void this.#open(site)
  }

  #takeBeat(site: Site, beat: Beat, plugin: BeatPlugin): void {
    const { worker } = site
    site.plugin = plugin
    site.lease = desiredOn(beat, this.name)?.lease
    site.isDraining = beat.draining
    if (worker) {
      worker.isDoubtful = false
      worker.otherCalls = Math.max(
        0,
        plugin.inFlight + plugin.queued - worker.callsInFlight - worker.openStreams,
      )
      if (site.described !== this.#lifeOf(site)) void this.#describeAgain(site, worker)
    } else if (isUp(plugin) && !site.isOpening && !site.retry) void this.#open(site)
  }

  /** Another one after each load and each swap. */
  #lifeOf({ run, plugin: { name, generation, version } }: Site): string {
    return `${this.#options.directory.loadedAt(run, name)} ${generation} ${version}`
  }

  /** Another version may have taken the place of what was described. */
  async #describeAgain(site: Site, worker: RemoteWorker): Promise<void> {
    const before = site.described
    site.described = this.#lifeOf(site)
    try {
      await worker.describeAgain()
      this.#learn(worker)
    } catch {
      // The next beat asks again.
      if (before === undefined) delete site.described
      else site.described = before
    }
  }

  /** Callers that come from now on see a version of the contract once all nodes have it. */
  #learn({ contract, manifest: { version } }: RemoteWorker): void {
    if (this.workers.every(({ manifest }) => manifest.version === version)) this.#contract = contract
    this.#options.onChange()
  }

  /** Opens a link; where that fails, again and again while the node is there. */
  async #open(site: Site): Promise<void> {
    const { plugin, cable, connectTimeoutMs, onChange } = this.#options
    site.isOpening = true
    site.described = this.#lifeOf(site)
    try {
      const dialled = await cable.dial(plugin, site.run.node, site.run.boot)
      if (dialled.boot !== site.run.boot) {
        dialled.link.close()
        throw otherRun(site.run.node)
      }
      const onFree = (): void => this.#freed(site)
      const worker = await RemoteWorker.open({ ...dialled, plugin, run: site.run, connectTimeoutMs, onFree })
      this.#adopt(site, worker)
    } catch (error) {
      this.#failToOpen(site, error)
    } finally {
      site.isOpening = false
      onChange()
    }
  }

  #adopt(site: Site, worker: RemoteWorker): void {
    const { node } = site.run
    const mismatch = this.#contract && mismatchOf(this.#contract, worker.contract)
    if (mismatch !== undefined)
      this.#warnOnce(node, `Plugin "${this.name}" on node ${node} is left out: ${mismatch}`)
    if (mismatch !== undefined || !this.#isThere(site)) {
      worker.leave()
      return
    }
    this.#contract ??= worker.contract
    site.worker = worker
    site.failures = 0
    delete site.failure
    void worker.ended.then(() => this.#lose(site, worker))
  }

  #lose(site: Site, worker: RemoteWorker): void {
    if (site.worker === worker) delete site.worker
    this.#options.onGone(worker)
    if (this.#isThere(site)) {
      this.#options.directory.doubt(site.run)
      this.#openLater(site)
    }
    this.#options.onChange()
  }

  #failToOpen(site: Site, error: unknown): void {
    if (!this.#isThere(site)) return
    if (isPluginError(error) && !passing.has(error.codeName)) site.failure = error
    else delete site.failure
    this.#openLater(site)
  }

  #openLater(site: Site): void {
    const waitMs = Math.min(retryMs.longest, retryMs.first * 2 ** site.failures)
    // While NATS is away, nothing is known of the node.
    if (this.#options.cable.isConnected) site.failures += 1
    // Many callers lose a node in the same moment.
    site.retry = setTimeout(
      () => {
        delete site.retry
        void this.#open(site)
      },
      waitMs * (0.5 + Math.random() / 2),
    )
    site.retry.unref()
  }

  /** @param isUnloaded The node goes on without it. */
  #drop(site: Site, isUnloaded: boolean, isSilent: boolean): void {
    this.#sites.delete(keyOf(site.run))
    clearTimeout(site.retry)
    if (!isUnloaded) this.#gone.add(site.run.node)
    const { worker } = site
    if (isSilent) worker?.close('node', `nothing was heard of node ${site.run.node} any more`)
    else if (worker) this.#leaveWhenIdle(worker)
    this.#options.onChange()
  }

  #freed(site: Site): void {
    if (site.worker && !this.#isThere(site)) this.#leaveWhenIdle(site.worker)
    this.#options.onChange()
  }

  #leaveWhenIdle(worker: RemoteWorker): void {
    if (!worker.isBusy && !this.#options.hasSessions(worker)) worker.leave()
  }

  #isThere(site: Site): boolean {
    return !this.isClosed && this.#sites.get(keyOf(site.run)) === site
  }

  /** Whether a node's version of the contract is the one that this caller knows. One that is not is left out. */
  #fits({ node }: Beat, { contract, contractVersion: version }: BeatPlugin): boolean {
    const known = this.#contract
    const mismatch = known && mismatchOf(known, { name: contract, version, methods: known.methods })
    if (mismatch !== undefined)
      this.#warnOnce(node, `Plugin "${this.name}" on node ${node} is left out: ${mismatch}`)
    return mismatch === undefined
  }

  #whyNowhere(): PluginError | undefined {
    const nodes = this.#options.directory.nodes
    if (this.#gone.size > 0 || nodes.length === 0 || !this.#options.cable.isConnected) return undefined
    const names = nodes.map(({ node }) => node)
    if (this.#hasBeenThere) return unloadedEverywhere(this.name, names)
    return onNoNode(this.name, names, pluginNames(nodes))
  }

  /** Why no worker took a call in time, in a sentence. */
  #whyLate(): string {
    const { cable, directory } = this.#options
    if (!cable.isConnected) return 'NATS is not connected: wait until it is there again'
    const nodes = directory.nodes
    if (nodes.length === 0) return 'No node is there: start one, or check the namespace'
    const names = listed(nodes.map(({ node }) => node))
    if (this.#sites.size === 0)
      return `${listed([...this.#gone])} had it and is not there any more; ${names} does not have it`
    const sites = listed([...this.#sites.values()].map(({ run }) => run.node))
    return this.workers.length > 0
      ? `All that have it (${sites}) are busy or draining: give it more nodes or replicas, or a longer timeout`
      : `It can’t be reached on ${sites}: look at the log of that node`
  }

  #warnOnce(node: string, message: string): void {
    if (this.#warned.has(node)) return
    this.#warned.add(node)
    this.#options.warn(message)
  }
}

/** A site that can be given a call. */
type Able = Site & { worker: RemoteWorker }

function takesCalls(site: Site): site is Able {
  const { worker, plugin, isDraining } = site
  if (!worker?.isRunning || isDraining) return false
  const { max_concurrency: most } = worker.manifest
  return most === undefined || worker.callsInFlight + worker.openStreams < most * Math.max(1, plugin.replicas)
}

function loadOf({ worker, plugin }: Able, sessions: number): number {
  const work = worker.callsInFlight + worker.openStreams + sessions + worker.otherCalls
  const load = work / plugin.capacity
  return isReady(plugin) && !worker.isSick ? load : load + sickness
}

/** The names of all plugins on nodes, once each. */
export function pluginNames(nodes: readonly Beat[]): string[] {
  return [...new Set(nodes.flatMap(({ plugins }) => plugins.map(({ name }) => name)))].sort()
}

function isReady({ status }: BeatPlugin): boolean {
  return status === PluginStatus.READY || status === PluginStatus.BUSY
}

/** Whether it answers: also with why it does not serve. */
function isUp(plugin: BeatPlugin): boolean {
  return isReady(plugin) || plugin.status === PluginStatus.ERROR
}
