import { PassThrough } from 'node:stream'
import { claimsOf } from '../claims.js'
import type { AnyPlugin } from '../contracts/base.js'
import { contractBindingOf } from '../contracts/contract.js'
import type { ContractDescriptor } from '../descriptor.js'
import { PluginError } from '../errors.js'
import type { HealthStatus, PluginStatus } from '../health.js'
import type { Manifest } from '../manifest.js'
import { Dispatcher } from '../runtime/dispatch.js'
import type { PluginClass } from '../runtime/load.js'
import {
  capabilitiesOf,
  captureState,
  checkContract,
  checkMethods,
  construct,
  healthOf,
  initialize,
  restoreState,
} from '../runtime/plugin.js'
import { streamWindow } from '../wire/outgoing.js'
import { Peer } from '../wire/peer.js'
import { type CallParams, inputMarker, pluginMethods } from '../wire/protocol.js'
import { decodeState, encodeState } from '../wire/state.js'
import type { CheckTarget, RunningPlugin, TargetCallOptions, WireArgs } from './target.js'

/** A class that extends a contract. */
export type TestedClass<Plugin extends AnyPlugin = AnyPlugin> = new () => Plugin

/** The part of the manifest that a test gives. Default: the contract's name, and `1.0.0`. */
export type TestManifest = Partial<Manifest>

/**
 * A plugin's class as a target for checks, in this process. Calls take the way that they take in a plugin's process: over the
 * wire, with arguments checked and results completed.
 *
 * @throws TypeError where the class extends no contract.
 */
export function classTarget(
  plugin: TestedClass,
  { manifest = {} }: { manifest?: TestManifest } = {},
): CheckTarget {
  const pluginClass = asPluginClass(plugin)
  const whole = testManifest(plugin, manifest)
  return {
    name: whole.name,
    describe: () => describe(pluginClass),
    claims: async () => claimsOf(whole),
    start: (config) => LocalPlugin.start(pluginClass, whole, config),
  }
}

/** A complete manifest for a plugin without one in a test. */
export function testManifest(plugin: TestedClass, manifest: TestManifest = {}): Manifest {
  const contract = contractBindingOf(plugin)?.name ?? 'unknown'
  const standard = { name: 'tested_plugin', version: '1.0.0', contract, entry_point: 'index.js' }
  return { ...standard, runtime: 'node', dependencies: [], ...manifest }
}

/** @throws TypeError where the class extends no contract. */
export function asPluginClass(plugin: TestedClass): PluginClass {
  if (isPluginClass(plugin)) return plugin
  throw new TypeError(
    'Not a plugin class: it must extend TTSContract, STTContract, LLMContract, EmbeddingContract or one of defineContract()',
  )
}

function isPluginClass(plugin: TestedClass): plugin is PluginClass {
  return contractBindingOf(plugin) !== undefined
}

function describe(pluginClass: PluginClass): Promise<ContractDescriptor> {
  const binding = contractBindingOf(pluginClass)
  if (!binding) throw new TypeError('Not a plugin class')
  return binding.describe()
}

/** A host's own default. */
const maxStateBytes = 16 * 1024 * 1024

/** One instance with its own connection. */
class LocalPlugin implements RunningPlugin {
  readonly contract: ContractDescriptor
  readonly capabilities: readonly string[]
  readonly #plugin: AnyPlugin
  readonly #peer: Peer
  #stopped: Promise<void> | undefined

  static async start(
    pluginClass: PluginClass,
    manifest: Manifest,
    config: Record<string, unknown>,
  ): Promise<LocalPlugin> {
    checkContract(pluginClass, manifest.contract)
    const contract = await describe(pluginClass)
    const plugin = construct(pluginClass, manifest)
    checkMethods(plugin, contract)
    const running = new LocalPlugin(pluginClass, plugin, contract)
    await initialize(plugin, pluginClass, structuredClone(config))
    return running
  }

  private constructor(pluginClass: PluginClass, plugin: AnyPlugin, contract: ContractDescriptor) {
    this.contract = contract
    this.capabilities = capabilitiesOf(pluginClass, plugin, contract)
    this.#plugin = plugin
    this.#peer = connect(pluginClass, plugin, contract)
  }

  status(): PluginStatus {
    return this.#plugin.status
  }

  call(method: string, args: WireArgs, options: TargetCallOptions = {}): Promise<unknown> {
    return this.#peer.request(pluginMethods.call, callParams(method, args, options), requestOptions(options))
  }

  stream(method: string, args: WireArgs, options: TargetCallOptions = {}): AsyncIterableIterator<unknown> {
    const params: CallParams = { ...callParams(method, args, options), stream: { credit: streamWindow } }
    return this.#peer.stream(pluginMethods.call, params, requestOptions(options))
  }

  async health(): Promise<HealthStatus> {
    const before = performance.now()
    const { latency_ms, memory_mb, ...health } = await healthOf(this.#plugin)
    const memory = memory_mb === null ? {} : { memoryMb: memory_mb }
    return { ...health, latencyMs: latency_ms ?? performance.now() - before, ...memory }
  }

  async captureState(): Promise<unknown> {
    return decodeState(await captureState(this.#plugin, { max_bytes: maxStateBytes }))
  }

  async restoreState(state: unknown): Promise<void> {
    await restoreState(this.#plugin, encodeState(state, maxStateBytes))
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#shutDown()
    return this.#stopped
  }

  async #shutDown(): Promise<void> {
    try {
      await this.#plugin.shutdown()
    } finally {
      this.#peer.close(new PluginError('PLUGIN_NOT_READY', 'The plugin was shut down'))
    }
  }
}

/** The host's end of a connection to the plugin. */
function connect(pluginClass: PluginClass, plugin: AnyPlugin, contract: ContractDescriptor): Peer {
  const binding = contractBindingOf(pluginClass)
  if (!binding) throw new TypeError('Not a plugin class')
  const dispatcher = new Dispatcher(plugin, binding, contract)
  const [toPlugin, toHost] = [new PassThrough(), new PassThrough()]
  new Peer({
    input: toPlugin,
    output: toHost,
    maxMessageBytes: Number.POSITIVE_INFINITY,
    handle: (call) => {
      const { method, args, stream } = call.params as unknown as CallParams
      return dispatcher.call(method, args, stream, call)
    },
  })
  return new Peer({
    input: toHost,
    output: toPlugin,
    maxMessageBytes: Number.POSITIVE_INFINITY,
    handle: ({ method }) => {
      throw new PluginError('METHOD_NOT_FOUND', `A host has no method ${method}`)
    },
  })
}

function callParams(method: string, args: WireArgs, { input }: TargetCallOptions): CallParams {
  return { method, args: input ? { ...args, [input.name]: inputMarker } : args }
}

function requestOptions({ signal, timeoutMs, input }: TargetCallOptions): object {
  return { signal, timeoutMs, input: input?.items }
}
