import type { PluginError } from '@appfactory/sdk'
import type { PluginHost } from '../host.js'
import { importCluster } from './optional-packages.js'
import { complain, type Streams } from './output.js'
import type { Settings } from './resolve.js'
import { UsageError } from './usage-error.js'

/** What the commands use of the cluster’s package, which depends on this one. */
interface ClusterModule {
  serveNode(host: PluginHost, options: object): Promise<Node>
  listNodes(options: object): Promise<ListedNode[]>
  drainNode(node: string, options: object): Promise<void>
  natsConfig(options: object): { name: string; text: string; isSecret: boolean }[]
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
