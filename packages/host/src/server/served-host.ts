import { resolve } from 'node:path'
import { type HostInternals, internalsOf, type PluginHost } from '../host.js'
import { invalidParams } from './calls.js'
import type { Changes, Served, Where } from './served.js'

/** A host, as the methods of the server see it. */
export function servedHost(host: PluginHost, internals: HostInternals = internalsOf(host)): Served {
  const { calls, catalogue, fallbacks, wire } = internals
  const configOf = async (name: string) =>
    (await catalogue.slot(fallbacks.find(name)?.spokesman ?? name)).instance?.config ?? null
  return {
    ...{ system: host, calls, changes: changesOf(host, internals), local: { configOf, wire } },
    loadedNames: () => catalogue.loadedNames(),
    knowsContract: (contract) => catalogue.knowsContract(contract),
    requireActive: (contract) => host.requireActive(contract),
    summary: (name) => catalogue.summary(name),
    close: (force) => host.close({ force }),
  }
}

function changesOf(host: PluginHost, { catalogue }: HostInternals): Changes {
  return {
    discover: (paths) => host.discover(paths),
    load: async (name, { on, ...options }) => {
      refuseNodes('plugin/load', on)
      return host.load(name, options)
    },
    unload: async (name, { on, ...options }) => {
      refuseNodes('plugin/unload', on)
      return host.unload(name, options)
    },
    scale: async (name, replicas, { on }) => {
      refuseNodes('plugin/scale', on)
      await host.scale(name, replicas)
      return (await catalogue.slot(name)).name
    },
    swap: async (old, replacement, { on, ...options }) => {
      refuseNodes('plugin/swap', on)
      return host.swap(old, 'path' in replacement ? resolve(replacement.path) : replacement.name, options)
    },
    fallback: ({ name, plugins, settings }) => host.fallback(name, plugins, settings),
  }
}

function refuseNodes(method: string, on: Where['on']): void {
  if (on !== undefined) throw invalidParams(method, 'on: only a cluster has nodes; leave it out')
}
