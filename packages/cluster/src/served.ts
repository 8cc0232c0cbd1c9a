import type { PluginSummary } from '@appfactory/host'
import { type Calls, type Served, type Where, within } from '@appfactory/host/internal'
import { shippedContracts } from '@appfactory/sdk/contracts'
import { pathOnNodes } from './caller-errors.js'
import type { Cluster } from './cluster.js'
import { pluginOn } from './directory.js'
import { pluginNames } from './remote-places.js'

/** What the server’s methods need of a cluster beside its public methods. */
interface Parts {
  calls: Calls
  /** Resolves when nodes have told how they are by now. */
  look(): Promise<void>
  summary(name: string): Promise<PluginSummary>
}

/** A cluster, as the methods of the server see it: what is loaded without names of nodes is kept on any of them. */
export function servedCluster(cluster: Cluster, { calls, look, summary }: Parts): Served {
  return {
    ...{ system: cluster, calls, summary },
    changes: {
      load: (name, { on, config, replicas, signal }) => {
        const how = { ...(config ? { config } : {}), ...(replicas === undefined ? {} : { replicas }) }
        if (isNames(on)) return cluster.load(name, { ...how, on, signal })
        // What is wanted stays so: only the wait for it can be ended.
        return within(cluster.load(name, on ? { ...how, on } : how), { signal })
      },
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
    loadedNames: () => pluginNames(cluster.nodes()),
    knowsContract: async (contract) =>
      shippedContracts.some((shipped) => shipped === contract) ||
      cluster.nodes().some(({ plugins }) => plugins.some((plugin) => plugin.contract === contract)),
    requireActive: (contract) => cluster.requireActive(contract),
    close: () => cluster.close(),
  }
}

function isNames(on: Where['on']): on is readonly string[] {
  return Array.isArray(on)
}
