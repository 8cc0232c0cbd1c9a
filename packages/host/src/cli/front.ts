import { reasonOf } from '../errors.js'
import type { PluginSystem } from '../plugin-system.js'
import { asUsage, type ConnectedCluster, loadCluster, reachOptions } from './cluster.js'
import { nodeSettings } from './cluster-settings.js'
import { startMetrics } from './metrics.js'
import { type CommonOptions, complain, type Streams } from './output.js'
import { patiently } from './patience.js'
import type { Settings } from './resolve.js'
import { type Serving, startServing } from './serve.js'
import { UsageError } from './usage-error.js'

const nodeKeys = nodeSettings.map(({ key }) => key)

/** What of a host’s settings is a caller’s too, where its plugins are on nodes. */
const limitsOfCaller: readonly string[] = ['callTimeoutMs', 'maxQueuedCalls', 'maxSessions']

/** What a command serves or calls: a host with its plugins, or with `--nats` a cluster. */
export function startSystem(
  streams: Streams,
  options: CommonOptions,
  readMore?: () => Promise<void>,
): Promise<Serving<PluginSystem>> {
  return isOfCluster(options.settings)
    ? startFront(streams, options, readMore)
    : startServing(streams, options, readMore)
}

/** Whether the plugins of a command are on the nodes of a cluster. */
export function isOfCluster({ cluster, holdings }: Settings): boolean {
  const isSaid = holdings.some(({ key, origin }) => key.startsWith('cluster.') && origin.startsWith('--'))
  return isSaid || [cluster['nats'] ?? []].flat().length > 0
}

/**
 * Joins a cluster as a caller.
 *
 * @throws UsageError where the command line does not say how, or asks for plugins of its own; PluginError as `Cluster.connect` does.
 */
export async function connectCluster(
  streams: Streams,
  { settings }: Pick<CommonOptions, 'settings'>,
): Promise<ConnectedCluster> {
  const reach = reachOptions(streams, settings)
  refuseOwnPlugins(settings)
  const { Cluster } = await loadCluster()
  const limits = Object.entries(settings.host).filter(([name]) => limitsOfCaller.includes(name))
  const connecting = Cluster.connect({ ...reach, ...Object.fromEntries(limits) })
  const cluster = await patiently(streams, () => 'waiting for the NATS server', connecting).catch(asUsage)
  cluster.on('warning', (text: string) => complain(streams, text))
  return cluster
}

async function startFront(
  streams: Streams,
  { settings }: CommonOptions,
  readMore?: () => Promise<void>,
): Promise<Serving<PluginSystem>> {
  const cluster = await connectCluster(streams, { settings })
  const noNode = { reason: 'no node of the cluster is there' }
  const source = {
    metrics: () => cluster.metrics(),
    obstacles: () => (cluster.nodes().length > 0 ? [] : [noNode]),
  }
  const metrics = await startMetrics(streams, source, settings.metrics).catch(async (error: unknown) => {
    await cluster.close()
    throw error
  })
  // On a terminal, it means that the terminal was closed.
  if (readMore && !process.stdin.isTTY)
    streams.stop.takeHangUps(() => {
      readMore().catch((error: unknown) => complain(streams, `nothing has changed: ${reasonOf(error)}`))
    })
  return {
    host: cluster,
    load: async () => {},
    loaded: Promise.resolve(),
    [Symbol.asyncDispose]: async () => {
      await metrics?.[Symbol.asyncDispose]()
      await cluster.close()
    },
  }
}

/** Settings of a file may be for the nodes; a flag that means nothing here is a mistake. */
function refuseOwnPlugins({ holdings }: Settings): void {
  const ofNode = holdings.find(({ key, origin }) => origin.startsWith('--') && nodeKeys.includes(key))
  if (ofNode) throw new UsageError(`${ofNode.origin} is for a node. Name it with --node NAME`)
  const mistaken = holdings.find(
    ({ key, origin }) =>
      origin.startsWith('--') &&
      !/^(?:cluster|gateway)\.|^metrics/.test(key) &&
      !limitsOfCaller.includes(key),
  )
  if (mistaken)
    throw new UsageError(
      `${mistaken.origin} is for plugins of this process, and with --nats they are on the nodes of the cluster. Leave it out, or be a node: serve --nats URL --node NAME`,
    )
}
