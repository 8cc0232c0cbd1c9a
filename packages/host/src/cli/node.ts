import { once } from 'node:events'
import { asUsage, loadCluster, reachOptions } from './cluster.js'
import { type CommonOptions, exitCodes, print, type Streams } from './output.js'
import { startServing } from './serve.js'

/** `appfactory-host serve --nats URL --node NAME`: serves the callers of a cluster until it is interrupted. */
export async function serveAsNode(streams: Streams, options: CommonOptions): Promise<number> {
  const { cluster } = options.settings
  const { node, labels = {}, desired = false, nodeLimits = {} } = cluster
  const limits = Object.entries(Object(nodeLimits)).map(([name, value]) => [name, Number(value)])
  const nodeOptions = {
    ...reachOptions(streams, options.settings),
    ...{ node, labels, desired, retireTimeoutMs: options.settings.host.retireTimeoutMs },
    ...Object.fromEntries(limits),
  }
  const { serveNode } = await loadCluster()
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
