import { EventEmitter } from 'node:events'
import { isPluginError } from '@appfactory/sdk'
import { describeThrown, type IncomingCall, toCamelCase } from '@appfactory/sdk/internal'
import type { HostEvents } from '../host.js'
import type { ActiveResult, StatusResult } from '../server/results.js'

/** What is asked of the host. */
type Ask = (method: string, params: object) => Promise<unknown>

/** Events after which other plugins may answer for their contracts. */
const telling = ['status', 'swap'] as const

/** What a connection knows of its host without asking: its events, its figures, and which plugins are active. */
export class Mirror {
  readonly #ask: Ask
  readonly #events = new EventEmitter()
  readonly #subscribed = new Set<string>(telling)
  #active: ActiveResult = {}
  #status: StatusResult | undefined
  #looking: Promise<void> | undefined
  #isStale = false

  constructor(ask: Ask) {
    this.#ask = ask
    this.#events.setMaxListeners(0)
  }

  /** Resolves when it knows the host. A caller that may not ask for all of it goes without. */
  async begin(): Promise<void> {
    await Promise.all([this.#subscribe([...telling]), this.#look()])
  }

  get status(): StatusResult | undefined {
    return this.#status
  }

  active(contract: string): string | undefined {
    return Object.hasOwn(this.#active, contract) ? this.#active[contract] : undefined
  }

  on<Name extends keyof HostEvents>(event: Name, listener: (...details: HostEvents[Name]) => void): void {
    this.#events.on(event, listener)
    if (this.#subscribed.has(event)) return
    this.#subscribed.add(event)
    // Where the connection is lost, there is nothing to tell.
    this.#subscribe([event]).catch(() => {})
  }

  off<Name extends keyof HostEvents>(event: Name, listener: (...details: HostEvents[Name]) => void): void {
    this.#events.off(event, listener)
  }

  /** A notification has come. */
  take(method: string, params: IncomingCall['params']): void {
    if (method !== 'event' || !params || Array.isArray(params)) return
    const { type, events_dropped: dropped, ...details } = params
    if (telling.some((each) => each === type) || dropped !== undefined) this.#lookAgain()
    this.#tell(String(type), inCamelCase(details))
  }

  async #subscribe(types: readonly string[]): Promise<void> {
    await this.#askIfAllowed('events/subscribe', { types })
  }

  /** One question at a time: what changes meanwhile is asked for once more. */
  #lookAgain(): void {
    this.#isStale = true
    this.#looking ??= this.#lookWhileStale().finally(() => {
      this.#looking = undefined
    })
  }

  async #lookWhileStale(): Promise<void> {
    while (this.#isStale) {
      this.#isStale = false
      // Where the connection is lost, calls say so.
      await this.#look().catch(() => {})
    }
  }

  async #look(): Promise<void> {
    const [active, status] = await Promise.all([
      this.#askIfAllowed('plugin/active', {}),
      this.#askIfAllowed('status', {}),
    ])
    if (active) this.#active = active as ActiveResult
    if (status) this.#status = status as StatusResult
  }

  async #askIfAllowed(method: string, params: object): Promise<unknown> {
    try {
      return await this.#ask(method, params)
    } catch (error) {
      if (isPluginError(error, 'CALL_FORBIDDEN') || isPluginError(error, 'METHOD_NOT_FOUND')) return undefined
      throw error
    }
  }

  /** A listener that throws is the application's mistake; the connection goes on. */
  #tell(type: string, details: object): void {
    try {
      this.#events.emit(type, details)
    } catch (error) {
      process.emitWarning(`A listener of "${type}" threw: ${describeThrown(error).message}`)
    }
  }
}

function inCamelCase(details: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(details).map(([key, value]) => [toCamelCase(key), value]))
}
