import { EventEmitter } from 'node:events'
import type { PluginSystem } from '../plugin-system.js'
import { eventTypes } from './methods.js'
import { wireMembers } from './wire-form.js'

interface Listener {
  notify(event: Record<string, unknown>): void
  /** Whether there is no room for what can do without. */
  isBehind(): boolean
}

/** The events that one client gets. Where it does not keep up, they are dropped and counted. */
export class ClientEvents {
  readonly #system: PluginSystem
  readonly #client: Listener
  /** What stops each type. */
  readonly #subscribed = new Map<string, () => void>()
  #dropped = 0

  constructor(system: PluginSystem, client: Listener) {
    this.#system = system
    this.#client = client
  }

  subscribe(types: readonly string[] = eventTypes): void {
    for (const type of types) if (!this.#subscribed.has(type)) this.#subscribed.set(type, this.#listen(type))
  }

  /** The client gets no events any more. */
  end(): void {
    for (const stop of this.#subscribed.values()) stop()
    this.#subscribed.clear()
  }

  #listen(type: string): () => void {
    const system = this.#system
    const tell = (details: object): void => this.#tell({ type, ...wireMembers(details) })
    allowMore(system, 1)
    system.on(type as 'status', tell)
    return () => {
      system.off(type as 'status', tell)
      allowMore(system, -1)
    }
  }

  #tell(event: Record<string, unknown>): void {
    if (this.#client.isBehind()) this.#dropped += 1
    else {
      this.#client.notify(this.#dropped > 0 ? { ...event, events_dropped: this.#dropped } : event)
      this.#dropped = 0
    }
  }
}

/** Node warns of many listeners, of which an application may have forgotten some; these go with their clients. 0 is no limit. */
function allowMore(system: PluginSystem, listeners: number): void {
  if (!(system instanceof EventEmitter)) return
  const most = system.getMaxListeners()
  if (most > 0) system.setMaxListeners(Math.max(1, most + listeners))
}
