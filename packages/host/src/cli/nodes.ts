import { asUsage, desiredWords, type ListedNode, loadCluster, reachOptions } from './cluster.js'
import { type CommonOptions, columns, exitCodes, paint, print, printJson, type Streams } from './output.js'
import { patiently } from './patience.js'

/** `appfactory-host nodes`: the nodes of a cluster, each with its plugins. */
export async function nodes(streams: Streams, options: CommonOptions): Promise<number> {
  const reach = reachOptions(streams, options.settings)
  const { listNodes, desiredPlugins } = await loadCluster()
  const found = await patiently(streams, () => 'waiting for the NATS server', listNodes(reach)).catch(asUsage)
  if (options.json) printJson(streams, found.map(wireNode))
  else if (found.length === 0)
    print(streams, 'No nodes. Start one: appfactory-host serve --nats URL --namespace NS --node NAME')
  else print(streams, [...table(streams, found), ...desiredPlugins(found).map(desiredWords)].join('\n'))
  return exitCodes.done
}

/** `appfactory-host drain NODE`: resolves when it has left. */
export async function drain(streams: Streams, options: CommonOptions & { node: string }): Promise<number> {
  const reach = reachOptions(streams, options.settings)
  const { drainNode } = await loadCluster()
  const words = `waiting until node ${options.node} has finished its calls and left`
  await patiently(streams, () => words, drainNode(options.node, reach)).catch(asUsage)
  if (options.json) printJson(streams, { success: true, node: options.node })
  else print(streams, `Node ${options.node} has left`)
  return exitCodes.done
}

function wireNode({ node, labels, draining, plugins, desired }: ListedNode): object {
  const listed = plugins.map(({ name, version, contract, status, replicas, inFlight, queued }) => ({
    ...{ name, version, contract, status, replicas, in_flight: inFlight, queued },
  }))
  const wanted = desired?.plugins.map(({ name, generation, wanted, running, why }) => ({
    ...{ name, generation, wanted, running },
    ...(why === undefined ? {} : { why }),
  }))
  return { node, labels, draining, plugins: listed, ...(wanted ? { desired: wanted } : {}) }
}

const head = ['NODE', 'PLUGIN', 'VERSION', 'CONTRACT', 'STATUS', 'REPLICAS', 'IN FLIGHT', 'LABELS']

function table({ out }: Streams, found: readonly ListedNode[]): string[] {
  const rows = found.flatMap(({ node, labels, draining, plugins }) => {
    const [name, tags] = [draining ? `${node} (draining)` : node, labelText(labels)]
    if (plugins.length === 0) return [[name, '–', '', '', '', '', '', tags]]
    return plugins.map(({ name: plugin, version, contract, status, replicas, inFlight, queued }) => {
      const work = queued > 0 ? `${inFlight} + ${queued} queued` : String(inFlight)
      return [name, plugin, version, contract, status, String(replicas), work, tags]
    })
  })
  const [first = '', ...lines] = columns([head, ...rows])
  return [paint(out, 'dim', first), ...lines]
}

function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ')
}
