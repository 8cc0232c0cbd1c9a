import type { PluginHost } from '@appfactory/host'
import { hasLoaded, hasPlugin, inspectPlugin, nameToday, workloadsOf } from '@appfactory/host/internal'
import { ErrorCodes, isPluginError } from '@appfactory/sdk'
import { describeThrown } from '@appfactory/sdk/internal'
import { type DesiredRecord, isConfiguredBy } from './record.js'

/** Why something can't run here. */
export interface Obstacle {
  /** Of an error. */
  code: number
  why: string
}

/** What a node does with plugins for others who want it. */
export interface LocalPlugins {
  /** Why a plugin can't be loaded from what lies here. Undefined: it can. */
  obstacle(name: string, version: string | undefined): Promise<Obstacle | undefined>
  load(name: string, config: Record<string, unknown>, replicas: number): Promise<void>
  scale(name: string, replicas: number): Promise<void>
  /** Puts another plugin, or the same one with another configuration, in its place, without a gap. */
  swap(name: string, replacement: string, config: Record<string, unknown>): Promise<void>
  /** Whether it runs as that record asks for. */
  runs(name: string, record: DesiredRecord): boolean
  /** Whether it is loaded by that name, which is no former one. */
  isNamed(name: string): boolean
  /** The name of what a name reaches: another one after a swap. */
  nameToday(name: string): string
  /** Also by a name that it had before a swap. */
  unload(name: string, force: boolean): Promise<void>
  isLoaded(name: string): boolean
  /** Why it takes no calls any more, and will not by itself. Also by a name that it had before a swap, as below. */
  failure(name: string): string | undefined
  /** Whether there may be only one of it, since it keeps state. Undefined: no process of it is there to tell. */
  keepsState(name: string): boolean | undefined
}

/** The plugins of a host. */
export function localPlugins(host: PluginHost): LocalPlugins {
  const workload = (name: string) => workloadsOf(host).find((each) => each.name === name)
  return {
    async obstacle(name, version) {
      try {
        const { valid, errors, manifest } = await inspectPlugin(host, name)
        if (!valid)
          return { code: ErrorCodes.MANIFEST_INVALID, why: `it is not valid: ${errors[0] ?? 'unknown'}` }
        if (version === undefined || manifest?.version === version) return undefined
        return {
          code: ErrorCodes.PLUGIN_NOT_FOUND,
          why: `it has version ${manifest?.version} of it, and ${version} is wanted`,
        }
      } catch (error) {
        const obstacle = obstacleOf(error)
        return obstacle.code === ErrorCodes.PLUGIN_NOT_FOUND
          ? { ...obstacle, why: 'it is not in its plugins folders' }
          : obstacle
      }
    },
    load: async (name, config, replicas) => void (await host.load(name, { config, replicas })),
    scale: (name, replicas) => host.scale(name, replicas),
    swap: async (name, replacement, config) => void (await host.swap(name, replacement, { config })),
    runs: (name, record) => {
      const { version, config } = workload(name) ?? {}
      const isVersion = record.version === undefined || record.version === version
      return config !== undefined && isVersion && isConfiguredBy(record, config)
    },
    isNamed: (name) => hasLoaded(host, name),
    nameToday: (name) => nameToday(host, name),
    unload: (name, force) => host.unload(nameToday(host, name), { force }),
    isLoaded: (name) => hasPlugin(host, name),
    failure: (name) => workload(nameToday(host, name))?.failure,
    keepsState: (name) => {
      const { version, keepsState } = workload(nameToday(host, name)) ?? {}
      return version === undefined ? undefined : keepsState
    },
  }
}

export function obstacleOf(error: unknown): Obstacle {
  const code = isPluginError(error) ? error.code : ErrorCodes.INTERNAL_ERROR
  return { code, why: describeThrown(error).message }
}
