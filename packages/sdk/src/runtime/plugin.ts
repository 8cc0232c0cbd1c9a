// The runtime's work on one plugin, both in its own process and in an author's test.

import { parseConfigOf } from '../config.js'
import { type AnyPlugin, setManifest, trackLifecycle } from '../contracts/base.js'
import { contractSymbol } from '../contracts/contract.js'
import type { ContractDescriptor } from '../descriptor.js'
import { describeThrown, isPluginError, PluginError } from '../errors.js'
import { type HealthStatus, PluginStatus, type WireHealthStatus } from '../health.js'
import type { Manifest } from '../manifest.js'
import type { CaptureStateParams, WireState } from '../wire/protocol.js'
import { decodeState, encodeState } from '../wire/state.js'
import type { PluginClass } from './load.js'
import { logThrown } from './log-thrown.js'
import { placeOf } from './place.js'

/** @throws PluginError CONTRACT_MISMATCH where the class is of another contract than the manifest says. */
export function checkContract(pluginClass: PluginClass, wanted: string): void {
  const { name } = pluginClass[contractSymbol]
  if (name === wanted) return
  throw new PluginError(
    'CONTRACT_MISMATCH',
    `The manifest says contract "${wanted}", but ${pluginClass.name} extends the contract "${name}". Correct one of the two`,
  )
}

/** @throws PluginError CONTRACT_MISMATCH where a method is missing that the contract requires. */
export function checkMethods(plugin: AnyPlugin, { name, methods }: ContractDescriptor): void {
  const required = methods.filter((method) => method.required).map((method) => method.name)
  const needed = ['initialize', 'shutdown', 'healthCheck', ...required]
  const missing = needed.filter((method) => typeof Reflect.get(plugin, method) !== 'function')
  if (missing.length === 0) return
  throw new PluginError(
    'CONTRACT_MISMATCH',
    `${plugin.constructor.name} lacks ${missing.join(', ')}, which the contract "${name}" requires`,
    { missing },
  )
}

/** Makes the plugin that a class describes, and gives it its manifest. */
export function construct(pluginClass: PluginClass, manifest: Manifest): AnyPlugin {
  try {
    const plugin = new pluginClass()
    trackLifecycle(plugin)
    setManifest(plugin, manifest)
    return plugin
  } catch (error) {
    logThrown(error)
    const { message } = describeThrown(error)
    throw new PluginError('PLUGIN_LOAD_FAILED', `The constructor of ${pluginClass.name} failed: ${message}`, {
      place: placeOf(error),
    })
  }
}

/** The methods that the author wrote, without those that the contract's class brings along. */
export function capabilitiesOf(
  pluginClass: PluginClass,
  plugin: AnyPlugin,
  { methods }: ContractDescriptor,
): string[] {
  const base = contractClassOf(pluginClass)
  const own = methods.filter(({ name }) => {
    const method: unknown = Reflect.get(plugin, name)
    return typeof method === 'function' && method !== Reflect.get(base, name)
  })
  const state = typeof plugin.captureState === 'function' && typeof plugin.restoreState === 'function'
  return [...own.map(({ wire }) => wire), ...(state ? ['state'] : [])]
}

/** The prototype of the contract that `pluginClass` extends, whichever copy of the SDK it is from. */
function contractClassOf(pluginClass: PluginClass): object {
  let current: object = pluginClass
  while (!Object.hasOwn(current, contractSymbol)) current = Object.getPrototypeOf(current) as object
  return (current as { prototype: object }).prototype
}

/**
 * Initializes a plugin with a configuration that is checked and completed by its own schema.
 *
 * @throws PluginError CONFIG_INVALID, PLUGIN_INITIALIZE_FAILED, or what the plugin itself threw.
 */
export async function initialize(
  plugin: AnyPlugin,
  pluginClass: object | undefined,
  config: Record<string, unknown>,
): Promise<void> {
  try {
    const parsed = await parseConfigOf(plugin.name, pluginClass ?? {}, config)
    if ((await plugin.initialize(parsed as never)) === false) throw new Error('initialize() returned false')
  } catch (error) {
    if (isPluginError(error)) throw error
    logThrown(error)
    const { message } = describeThrown(error)
    throw new PluginError('PLUGIN_INITIALIZE_FAILED', `${plugin.name} could not be initialized: ${message}`, {
      place: placeOf(error),
    })
  }
}

/** The result of a plugin's `healthCheck()`, completed. Throws if its status is unknown. */
export async function healthOf(plugin: AnyPlugin): Promise<WireHealthStatus> {
  const data = { plugin: plugin.name, method: 'health_check' }
  try {
    const health: Partial<HealthStatus> | undefined = await plugin.healthCheck()
    const { status, message = '', details = {}, latencyMs = null, memoryMb } = health ?? {}
    if (status === undefined || !Object.hasOwn(PluginStatus, status)) {
      throw new PluginError(
        'INTERNAL_ERROR',
        `healthCheck() of ${plugin.name} must return { status } with one of ${Object.keys(PluginStatus).join(', ')}`,
        { ...data, error: 'TypeError' },
      )
    }
    const memory = typeof memoryMb === 'number' ? memoryMb : process.memoryUsage.rss() / 1e6
    return { status, message: String(message), details, latency_ms: latencyMs, memory_mb: memory }
  } catch (error) {
    if (isPluginError(error)) throw error
    logThrown(error)
    const { name, message } = describeThrown(error)
    throw new PluginError('INTERNAL_ERROR', `healthCheck() of ${plugin.name} failed: ${message}`, {
      ...data,
      error: name,
    })
  }
}

/**
 * The result of a plugin's `captureState()`, in the form of the wire.
 *
 * @throws PluginError HOTSWAP_FAILED, RESOURCE_EXHAUSTED, or what the plugin threw.
 */
export async function captureState(
  plugin: AnyPlugin,
  { max_bytes: maxBytes }: CaptureStateParams,
): Promise<WireState> {
  return encodeState(await callAuthor(plugin, 'captureState'), maxBytes)
}

/**
 * Hands a plugin the state of its predecessor.
 *
 * @throws PluginError HOTSWAP_FAILED, or what the plugin threw.
 */
export async function restoreState(plugin: AnyPlugin, state: WireState): Promise<true> {
  await callAuthor(plugin, 'restoreState', decodeState(state))
  return true
}

async function callAuthor(
  plugin: AnyPlugin,
  method: 'captureState' | 'restoreState',
  ...args: unknown[]
): Promise<unknown> {
  const implementation: unknown = plugin[method]
  if (typeof implementation !== 'function')
    throw new PluginError('METHOD_NOT_FOUND', `${plugin.name} has no ${method}()`)
  try {
    return await Reflect.apply(implementation, plugin, args)
  } catch (error) {
    if (isPluginError(error)) throw error
    logThrown(error)
    const { message } = describeThrown(error)
    throw new PluginError('HOTSWAP_FAILED', `${method}() of ${plugin.name} failed: ${message}`, {
      place: placeOf(error),
    })
  }
}
