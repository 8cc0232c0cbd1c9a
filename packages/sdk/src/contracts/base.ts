import { type HealthStatus, PluginStatus } from '../health.js'
import type { Manifest } from '../manifest.js'
import { activeTrace, type TraceContext } from '../trace-context.js'

/** A value, or a promise of it. */
export type Awaitable<T> = T | Promise<T>

/** A plugin of any configuration. */
export type AnyPlugin = PluginBase<never>

/** The SDK's own data of a plugin, out of the author's reach. */
interface Lifecycle {
  status: PluginStatus
  callsInFlight: number
  manifest: Manifest | undefined
}

/** Registered, so that a plugin made by another copy of the SDK can be run by this one. */
const lifecycleSymbol: unique symbol = Symbol.for('appfactory.lifecycle') as never

/**
 * The base of every plugin. Extend a contract (`TTSContract`, `STTContract`, `LLMContract`, `EmbeddingContract`, or one of
 * `defineContract()`)
 * rather than this class.
 */
export abstract class PluginBase<Config = Record<string, unknown>> {
  constructor() {
    const lifecycle: Lifecycle = { status: PluginStatus.UNLOADED, callsInFlight: 0, manifest: undefined }
    Object.defineProperty(this, lifecycleSymbol, { value: lifecycle })
    trackLifecycle(this)
  }

  /**
   * Sets the plugin up. Called once, before any other method. Keep it fast: load heavy models on first use.
   * Returning false or throwing means PLUGIN_INITIALIZE_FAILED.
   */
  abstract initialize(config: Config): Awaitable<boolean | void>

  /** Releases the plugin's resources. Called once, after the last call. */
  abstract shutdown(): Awaitable<boolean | void>

  /** Reports the plugin's health; `{ status: this.status }` is enough. */
  abstract healthCheck(): Awaitable<HealthStatus>

  /** Returns the state for a successor after a hot swap: JSON values and bytes. */
  captureState?(): Awaitable<unknown>

  /** Restores the state that a predecessor's `captureState()` returned. */
  restoreState?(state: unknown): Awaitable<void>

  /** The plugin's manifest. Throws before the runtime has set it, as in a unit test. */
  get manifest(): Manifest {
    const { manifest } = lifecycleOf(this)
    if (!manifest) throw new Error('`manifest` is not available yet (e.g. in the constructor)')
    return manifest
  }

  /** The manifest's `name`. */
  get name(): string {
    return this.manifest.name
  }

  /** The manifest's `version`. */
  get version(): string {
    return this.manifest.version
  }

  /** The plugin's status, updated by the SDK. */
  get status(): PluginStatus {
    const { status, callsInFlight } = lifecycleOf(this)
    return status === PluginStatus.READY && callsInFlight > 0 ? PluginStatus.BUSY : status
  }

  /**
   * The span that the call belongs to which runs now, for requests to others. Undefined: nobody traces it.
   *
   * @example await fetch(url, { headers: { traceparent: this.trace?.traceparent ?? '' } })
   */
  get trace(): TraceContext | undefined {
    return activeTrace()
  }
}

/** Gives a plugin its manifest. For the runtime. */
export function setManifest(plugin: AnyPlugin, manifest: Manifest): void {
  lifecycleOf(plugin).manifest = manifest
}

/** Counts a call that begins (1) or ends (-1): a plugin with calls in flight is BUSY. For the runtime. */
export function countCall(plugin: AnyPlugin, change: 1 | -1): void {
  lifecycleOf(plugin).callsInFlight += change
}

/**
 * Wraps `initialize` and `shutdown` on the instance, so that `status` is right whoever calls them.
 * Done again by the runtime, since a class field (`initialize = async () => …`) replaces the wrapper.
 */
export function trackLifecycle(plugin: AnyPlugin): void {
  track(plugin, 'initialize', PluginStatus.INITIALIZING, PluginStatus.READY)
  track(plugin, 'shutdown', PluginStatus.SHUTTING_DOWN, PluginStatus.STOPPED)
}

const tracked = Symbol.for('appfactory.tracked')

function track(
  plugin: AnyPlugin,
  method: 'initialize' | 'shutdown',
  during: PluginStatus,
  after: PluginStatus,
): void {
  const original: unknown = plugin[method]
  if (typeof original !== 'function' || tracked in original) return
  const wrapper = async (...args: unknown[]): Promise<boolean | void> => {
    const lifecycle = lifecycleOf(plugin)
    lifecycle.status = during
    try {
      const answer: boolean | void = await original.apply(plugin, args)
      lifecycle.status = answer === false ? PluginStatus.ERROR : after
      return answer
    } catch (error) {
      lifecycle.status = PluginStatus.ERROR
      throw error
    }
  }
  Object.defineProperty(wrapper, tracked, { value: true })
  Object.defineProperty(plugin, method, {
    value: wrapper,
    configurable: true,
    writable: true,
    enumerable: false,
  })
}

function lifecycleOf(plugin: AnyPlugin): Lifecycle {
  const { [lifecycleSymbol]: lifecycle } = plugin as { [lifecycleSymbol]?: Lifecycle }
  if (!lifecycle) throw new TypeError('Not a plugin: its class must extend a contract and call super()')
  return lifecycle
}
