import type { PluginError } from '@appfactory/sdk'
import type { HostEvents, PluginHost } from '../host.js'
import type { PluginSystem } from '../plugin-system.js'
import { importCluster } from './optional-packages.js'
import { complain, type Streams } from './output.js'
import type { Settings } from './resolve.js'
import { UsageError } from './usage-error.js'

/** What the commands use of the cluster’s package, which depends on this one. */
interface ClusterModule {
  Cluster: { connect(options: object): Promise<ConnectedCluster> }
  serveNode(host: PluginHost, options: object): Promise<Node>
  nodeLimitNames: readonly string[]
  listNodes(options: object): Promise<ListedNode[]>
  desiredPlugins(nodes: readonly ListedNode[]): DesiredPlugin[]
  drainNode(node: string, options: object): Promise<void>
  natsConfig(options: object): { name: string; text: string; isSecret: boolean }[]
}

/** A cluster that this process calls. */
export interface ConnectedCluster extends PluginSystem, AsyncDisposable {
  on<Name extends keyof HostEvents>(event: Name, listener: (...details: HostEvents[Name]) => void): this
  on(event: 'warning', listener: (message: string) => void): this
  nodes(): readonly ListedNode[]
  describe(
    name: string,
    options?: { signal?: AbortSignal | undefined; timeoutMs?: number | undefined },
  ): ReturnType<PluginSystem['describe']>
  desired(): readonly DesiredPlugin[]
  load(name: string, options: object): Promise<unknown>
  unload(name: string, options: object): Promise<void>
  scale(name: string, replicas: number, options: object): Promise<void>
  swap(old: string, replacement: string, options: object): Promise<ClusterSwap>
  close(): Promise<void>
}

/** What came of a swap on several nodes. */
export interface ClusterSwap {
  oldPlugin: string
  newPlugin: string
  nodes: readonly NodeSwap[]
}

export interface NodeSwap {
  node: string
  oldVersion: string | null
  newVersion: string
  statePreserved: boolean
  heldCalls: number
  durationMs: number
}

interface Node {
  readonly left: Promise<PluginError | undefined>
  metrics(): string
  drain(): Promise<void>
}

/** A node as it tells of itself. */
export interface ListedNode {
  node: string
  labels: Readonly<Record<string, string>>
  draining: boolean
  plugins: readonly ListedPlugin[]
  /** What it makes of what is wanted of the whole cluster. Absent: it takes no part. */
  desired?: { plugins: readonly DesiredPlugin[] }
}

/** A plugin that is wanted of the whole cluster. */
export interface DesiredPlugin {
  name: string
  generation: number
  wanted: number
  running: number
  /** Why fewer run than could. */
  why?: string
}

/** How many of the wanted processes run, and why not more. */
export function desiredWords({
  name,
  wanted,
  running,
  why,
}: {
  name: string
  wanted: number
  running: number
  why?: string | undefined
}): string {
  const words = `${name}: ${running} of ${wanted} wanted ${wanted === 1 ? 'process runs' : 'processes run'}`
  return why === undefined ? words : `${words}. ${why}`
}

interface ListedPlugin {
  name: string
  version: string
  contract: string
  status: string
  replicas: number
  inFlight: number
  queued: number
}

/** Loads the cluster’s package. What its client of NATS prints must not reach stdout. */
export async function loadCluster(): Promise<ClusterModule> {
  console.log = console.error
  return importCluster(isClusterModule)
}

function isClusterModule(loaded: unknown): loaded is ClusterModule {
  return typeof loaded === 'object' && loaded !== null && 'serveNode' in loaded
}

/**
 * How the cluster is reached.
 *
 * @throws UsageError where the command line does not say it.
 */
export function reachOptions(streams: Streams, { cluster }: Settings): object {
  const { nats = [], namespace, creds, caller, natsCa, natsCert, natsKey, insecure } = cluster
  if ([nats].flat().length === 0) throw new UsageError('--nats URL is needed: the NATS server of the cluster')
  if (namespace === undefined)
    throw new UsageError('--namespace NAME is needed: which cluster on that server')
  const hasTls = natsCa !== undefined || natsCert !== undefined || natsKey !== undefined
  return {
    ...{ nats, namespace, creds, caller, insecure },
    ...(hasTls ? { tls: { caFile: natsCa, certFile: natsCert, keyFile: natsKey } } : {}),
    onWarning: (text: string) => complain(streams, text),
  }
}

/** What the package finds wrong with options is the command line’s. */
export function asUsage(error: unknown): never {
  throw error instanceof TypeError ? new UsageError(error.message) : error
}
