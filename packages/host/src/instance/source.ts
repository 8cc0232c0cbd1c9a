import type { ContractBinding } from '@appfactory/sdk'
import type { Config } from '../config/config.js'
import type { PluginFigures } from '../metrics/plugin-figures.js'
import type { DiscoveredPlugin } from '../plugins/discovery.js'
import type { Env } from '../plugins/environment.js'
import type { Instance } from './instance.js'

/** Where instances come from: a plugin's files and its configuration. */
export interface Source {
  /** The manifest's name. */
  name: string
  /** What the caller gave. */
  config: Config
  /** Variables for the plugin's process that the caller gave. */
  env: Env | undefined
  /** The contract that the caller asked for, if any. */
  contract?: ContractBinding | undefined
  /** The folder that it was named by; undefined: it was found by its name. */
  path: string | undefined
  /** Where its calls are counted. */
  figures: PluginFigures
  inspect(): Promise<DiscoveredPlugin>
  /**
   * Starts an instance, each time from the files as they are then. An abort ends the start.
   *
   * @param place Which of several places it has now, from 1. Undefined: the plugin has only one.
   */
  start(signal: AbortSignal, place?: () => number | undefined): Promise<Instance>
}
