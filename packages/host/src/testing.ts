/// <reference types="node" preserve="true" />
import { basename, dirname, resolve } from 'node:path'
import type { ContractDescriptor, HealthStatus, PluginStatus } from '@appfactory/sdk'
import { readShippedContract, shippedContracts } from '@appfactory/sdk/contracts'
import {
  type CheckTarget,
  claimsOf,
  type RunningPlugin,
  type TargetCallOptions,
  type WireArgs,
} from '@appfactory/sdk/testing'
import { withBase64 } from './base64.js'
import type { Calls } from './calls.js'
import type { Config } from './config/config.js'
import { manifestInvalid, manifestMissing } from './errors.js'
import { type HostEvents, type HostOptions, internalsOf, PluginHost } from './host.js'
import { inspectPlugin } from './plugins/discovery.js'

export interface PluginTargetOptions extends Omit<HostOptions, 'pluginsDir'> {
  /** An abort ends the plugin's processes at once. */
  signal?: AbortSignal
  /** Told what the plugin writes to its log. */
  onLog?(entry: HostEvents['log'][0]): void
}

/**
 * A plugin in a folder as a target for the contract checks of `@appfactory/sdk/testing`: each instance is a process of its own,
 * behind a host of its own.
 *
 * @example const report = await runChecks({ target: pluginTarget('plugins/my_tts') })
 */
export function pluginTarget(dir: string, options: PluginTargetOptions = {}): CheckTarget {
  const folder = resolve(dir)
  return {
    name: basename(folder),
    describe: () => describe(folder, options),
    claims: async () => claimsOf((await inspectPlugin(folder))?.manifest ?? {}),
    start: (config) => HostedPlugin.start(folder, config, options),
  }
}

async function describe(folder: string, options: PluginTargetOptions): Promise<ContractDescriptor> {
  const plugin = await inspectPlugin(folder)
  if (!plugin) throw manifestMissing(folder)
  if (!plugin.valid) throw manifestInvalid(plugin.name, folder, plugin.errors)
  const { name, manifest } = plugin
  if (shippedContracts.some((shipped) => shipped === manifest.contract))
    return readShippedContract(manifest.contract)
  await using host = createHost(folder, options)
  return (await host.describe(name)).contract
}

function createHost(folder: string, { signal, onLog, ...options }: PluginTargetOptions): PluginHost {
  signal?.throwIfAborted()
  const host = new PluginHost({ ...options, pluginsDir: dirname(folder) })
  signal?.addEventListener('abort', () => void host.close({ force: true }), { once: true })
  if (onLog) host.on('log', onLog)
  return host
}

class HostedPlugin implements RunningPlugin {
  #stopped: Promise<void> | undefined

  static async start(folder: string, config: Config, options: PluginTargetOptions): Promise<HostedPlugin> {
    const host = createHost(folder, options)
    const name = basename(folder)
    try {
      await host.load(name, { config })
      const { contract } = await host.describe(name)
      const { capabilities } = await internalsOf(host).catalogue.summary(name)
      return new HostedPlugin(host, name, contract, capabilities)
    } catch (error) {
      await host.close({ force: true })
      throw error
    }
  }

  private constructor(
    readonly host: PluginHost,
    readonly name: string,
    readonly contract: ContractDescriptor,
    readonly capabilities: readonly string[],
  ) {}

  get #calls(): Calls {
    return internalsOf(this.host).calls
  }

  async status(): Promise<PluginStatus> {
    return (await internalsOf(this.host).catalogue.summary(this.name)).status
  }

  call(method: string, args: WireArgs, options?: TargetCallOptions): Promise<unknown> {
    // A crash is to be seen, not made good.
    return this.#calls.call(this.name, method, args, { ...options, retry: 0 }, withBase64)
  }

  stream(method: string, args: WireArgs, options: TargetCallOptions = {}): AsyncIterableIterator<unknown> {
    return this.#calls.stream(this.name, method, args, options, withBase64)
  }

  health(): Promise<HealthStatus> {
    return this.host.health(this.name)
  }

  captureState(): Promise<unknown> {
    return this.host.captureState(this.name)
  }

  restoreState(state: unknown): Promise<void> {
    return this.host.restoreState(this.name, state)
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#unload()
    return this.#stopped
  }

  async #unload(): Promise<void> {
    try {
      await this.host.unload(this.name)
    } finally {
      await this.host.close({ force: true })
    }
  }
}
