import { shortened } from '@appfactory/sdk/internal'
import { reasonOf } from '../errors.js'
import { internalsOf, type PluginHost } from '../host.js'

/** Why a host is not ready. */
export interface Obstacle {
  /** Undefined: it is about the host. */
  plugin?: string
  reason: string
}

const beingLoaded = 'it is being loaded'

/** Whether a host is ready: what was asked to be loaded is loaded, and no plugin has failed for good or is in quarantine. */
export class Readiness {
  readonly #host: PluginHost
  #isStarted = false
  #failure: string | undefined
  /** What is to be loaded at the start, and is not yet: why. */
  readonly #awaited = new Map<string, string>()

  constructor(host: PluginHost) {
    this.#host = host
  }

  /** A plugin is to be loaded, which `loading` does. One that can't be is an obstacle until somebody loads it. */
  expect(plugin: string, loading: Promise<unknown>): void {
    this.#awaited.set(plugin, beingLoaded)
    loading.then(
      () => this.#awaited.delete(plugin),
      (error: unknown) => this.#awaited.set(plugin, reasonOf(error)),
    )
  }

  /** What is to be loaded is being found out, perhaps again: what could not be loaded before may not be wanted any more. */
  starting(): void {
    this.#failure = undefined
    for (const [plugin, reason] of this.#awaited) if (reason !== beingLoaded) this.#awaited.delete(plugin)
  }

  /** A plugin that somebody is to load. */
  require(plugin: string): void {
    this.#awaited.set(plugin, 'it is not loaded')
  }

  /** What is to be loaded can't be found out. */
  failed(error: unknown): void {
    this.#failure = reasonOf(error)
  }

  /** All that is to be loaded is known. */
  started(): void {
    this.#isStarted = true
  }

  /** What keeps it from being ready; nothing: it is. */
  obstacles(): Obstacle[] {
    const { catalogue, isClosed } = internalsOf(this.#host)
    if (isClosed()) return [{ reason: 'the host is shutting down' }]
    if (!this.#isStarted) return [{ reason: 'the host is starting' }]
    const failures = catalogue.failures()
    const missing = [...this.#awaited].filter(([plugin]) => !catalogue.hasComeUp(plugin))
    const plugins = new Map([...missing, ...failures])
    return [
      ...(this.#failure === undefined ? [] : [{ reason: shortened(this.#failure, longestReason) }]),
      ...[...plugins].map(([plugin, reason]) => ({ plugin, reason: shortened(reason, longestReason) })),
    ]
  }
}

/** In characters. */
const longestReason = 500
