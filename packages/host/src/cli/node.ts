import { once } from 'node:events'
import { closest, quoted } from '@appfactory/sdk/internal'
import { asUsage, loadCluster, reachOptions } from './cluster.js'
import { type CommonOptions, exitCodes, print, type Streams } from './output.js'
import { startServing } from './serve.js'
import { UsageError } from './usage-error.js'

/** `appfactory-host serve --nats URL --node NAME`: serves the callers of a cluster until it is interrupted. */
export async function serveAsNode(streams: Streams, options: CommonOptions): Promise<number> {
  const { cluster } = options.settings
  const { node, labels = {}, desired = false, nodeLimits = {} } = cluster
  const reach = reachOptions(streams, options.settings)
  const { serveNode, nodeLimitNames } = await loadCluster()
  const nodeOptions = {
    ...reach,
    ...{ node, labels, desired, retireTimeoutMs: options.settings.host.retireTimeoutMs },
    ...limitsOf(Object(nodeLimits), nodeLimitNames),
  }
  const stop = streams.stop.takeOver()
  await using serving = await startServing(streams, options)
  const served = await serveNode(serving.host, nodeOptions).catch(asUsage)
  serving.addMetrics(() => served.metrics())
  await serving.load()
  // Whoever reads it may call what is loaded.
  await serving.loaded
  print(streams, `Node ${String(node)}: ready`)
  const stopped = stop.aborted ? Promise.resolve() : once(stop, 'abort')
  await Promise.race([stopped, served.left])
  // Callers choose other nodes, and calls in flight end, before the plugins do.
  await served.drain()
  const error = await served.left
  if (error) throw error
  return exitCodes.done
}

/** @throws UsageError where a node has no such limit. */
function limitsOf(given: object, known: readonly string[]): Record<string, number> {
  const unknown = Object.keys(given).find((name) => !known.includes(name))
  if (unknown === undefined)
    return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, Number(value)]))
  const meant = closest(unknown, known)
  const hint = meant === undefined ? `Its limits are ${known.join(', ')}` : `Did you mean ${meant}?`
  throw new UsageError(`--node-limit: a node has no limit ${quoted(unknown)}. ${hint}`)
}
