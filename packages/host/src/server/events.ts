import type { PluginHost } from '../host.js'
import { eventTypes } from './methods.js'
import { wireMembers } from './wire-form.js'

interface Listener {
  notify(event: Record<string, unknown>): void
  /** Whether there is no room for what can do without. */
  isBehind(): boolean
}

/** The events that one client gets. Where it does not keep up, they are dropped and counted. */
export class ClientEvents {
  readonly #host: PluginHost
  readonly #client: Listener
  /** What stops each type. */
  readonly #subscribed = new Map<string, () => void>()
  #dropped = 0

  constructor(host: PluginHost, client: Listener) {
    this.#host = host
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
    const host = this.#host
    const tell = (details: object): void => this.#tell({ type, ...wireMembers(details) })
    allowMore(host, 1)
    host.on(type as 'status', tell)
    return () => {
      host.off(type as 'status', tell)
      allowMore(host, -1)
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
function allowMore(host: PluginHost, listeners: number): void {
  const most = host.getMaxListeners()
  if (most > 0) host.setMaxListeners(Math.max(1, most + listeners))
}
