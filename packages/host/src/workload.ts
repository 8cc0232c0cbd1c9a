import type { PluginStatus } from '@appfactory/sdk'
import { internalsOf, type PluginHost } from './host.js'
import { defaultInstanceLimits } from './options.js'
import type { DiscoveredPlugin } from './plugins/discovery.js'
import type { Slot } from './slot/slot.js'

/** What a loaded plugin does at the moment, for whoever shares calls among several hosts. */
export interface Workload {
  name: string
  /** Undefined while no process of it is there. */
  version: string | undefined
  contract: { name: string; version: string }
  status: PluginStatus
  /** Calls and streams that it works on. */
  inFlight: number
  /** Calls that wait for it. */
  queued: number
  openSessions: number
  /** Calls that it can work on at once. */
  capacity: number
  /** Processes that it is to have. */
  replicas: number
  /** Whether it has state that another process would not know: more than one is refused. */
  keepsState: boolean
  /** Why it has failed for good, or is in quarantine. */
  failure: string | undefined
  /** As it was given when it was loaded or swapped in. */
  config: object
  /** The same as long as it is loaded, through crashes and swaps. */
  slot: object
}

/** What each plugin does that has come up, the one that was loaded or swapped in last at the end. */
export function workloadsOf(host: PluginHost): Workload[] {
  return internalsOf(host)
    .catalogue.slotsInLoadOrder()
    .flatMap((slot) => workloadOf(slot) ?? [])
}

/** Whether calls by that name reach a plugin, or will once it has come up. */
export function hasPlugin(host: PluginHost, name: string): boolean {
  const { catalogue } = internalsOf(host)
  return catalogue.isLoaded(name) || catalogue.hasComeUp(name)
}

/** Whether a plugin of that name is loaded, or being loaded: not one that only had the name before a swap. */
export function hasLoaded(host: PluginHost, name: string): boolean {
  return internalsOf(host).catalogue.isLoaded(name)
}

/** The name of the plugin that calls by that name reach: another one after a swap. */
export function nameToday(host: PluginHost, name: string): string {
  return internalsOf(host).catalogue.nameToday(name)
}

/**
 * What lies in the folder of a plugin.
 *
 * @throws PluginError PLUGIN_NOT_FOUND or DISCOVERY_FAILED.
 */
export function inspectPlugin(host: PluginHost, name: string): Promise<DiscoveredPlugin> {
  return internalsOf(host).catalogue.inspect(name)
}

function workloadOf(slot: Slot): Workload | undefined {
  const { instance, contract, places, router, status, name } = slot
  if (!contract) return undefined
  const { instances, count: replicas } = places
  return {
    name,
    version: instance?.manifest.version,
    contract: { name: contract.name, version: contract.version },
    ...{ status, slot, replicas },
    keepsState: (instance?.keepsState ?? false) && instance?.manifest.replicas !== 'independent',
    failure: slot.failure?.message,
    config: slot.source.config,
    inFlight: instances.reduce((sum, { callsInFlight, openStreams }) => sum + callsInFlight + openStreams, 0),
    queued: router.queuedCalls,
    openSessions: router.openSessions,
    capacity: replicas * (instance?.manifest.max_concurrency ?? defaultInstanceLimits.maxCallsInFlight),
  }
}
