import type { PluginSummary } from '@appfactory/host'
import type { RoutedCalls, Served } from '@appfactory/host/internal'
import { shippedContracts } from '@appfactory/sdk/contracts'
import { pathOnNodes } from './caller-errors.js'
import type { Cluster } from './cluster.js'
import { pluginOn } from './directory.js'

/** What the server’s methods need of a cluster beside its public methods. */
interface Parts {
  calls: RoutedCalls
  /** Resolves when nodes have told how they are by now. */
  look(): Promise<void>
  summary(name: string): Promise<PluginSummary>
}

/** A cluster, as the methods of the server see it: what they load goes to all nodes, where none is named. */
export function servedCluster(cluster: Cluster, { calls, look, summary }: Parts): Served {
  return {
    ...{ system: cluster, calls, summary },
    changes: {
      load: (name, { on = takingNodes(cluster), config, replicas, signal }) =>
        cluster.load(name, {
          ...{ on, signal },
          ...(config ? { config } : {}),
          ...(replicas === undefined ? {} : { replicas }),
        }),
      unload: (name, { on, force }) => cluster.unload(name, { force, ...(on ? { on } : {}) }),
      scale: async (name, replicas, { on }) => {
        await cluster.scale(name, replicas, on ? { on } : {})
        await look()
        return cluster.nodes().flatMap((beat) => pluginOn(beat, name) ?? [])[0]?.name ?? name
      },
      swap: async (old, replacement, { on, config, preserveState }) => {
        if ('path' in replacement) throw pathOnNodes(replacement.path)
        const { nodes, ...names } = await cluster.swap(old, replacement.name, {
          ...(on ? { on } : {}),
          ...(config ? { config } : {}),
          ...(preserveState === undefined ? {} : { preserveState }),
        })
        return {
          ...names,
          oldVersion: nodes[0]?.oldVersion ?? null,
          newVersion: nodes.at(-1)?.newVersion ?? '',
          statePreserved: nodes.every((each) => each.statePreserved),
          durationMs: nodes.reduce((sum, each) => sum + each.durationMs, 0),
          heldCalls: nodes.reduce((sum, each) => sum + each.heldCalls, 0),
        }
      },
    },
    knowsContract: async (contract) =>
      shippedContracts.some((shipped) => shipped === contract) ||
      cluster.nodes().some(({ plugins }) => plugins.some((plugin) => plugin.contract === contract)),
    requireActive: (contract) => cluster.requireActive(contract),
    close: () => cluster.close(),
  }
}

function takingNodes(cluster: Cluster): string[] {
  return cluster
    .nodes()
    .flatMap(({ node, draining }) => (draining ? [] : [node]))
    .sort()
}
