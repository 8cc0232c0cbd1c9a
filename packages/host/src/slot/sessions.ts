import { randomUUID } from 'node:crypto'
import { pluginStopping } from '../errors.js'
import type { Instance } from '../instance/instance.js'

export interface Session {
  instance: Instance
  /** The id that the instance gave it. */
  id: string
  /** Calls of it in flight. */
  calls: number
}

/**
 * The sessions that clients have open, each with the instance that began it. Clients know them by ids of the host's own:
 * two instances may give the same one, and a session that is over must never be taken for one that came after it.
 */
export class Sessions {
  readonly #sessions = new Map<string, Session>()
  /** How many each instance has. */
  readonly #counts = new Map<Instance, number>()
  #opening = 0

  /** Those that are being opened count too. */
  get size(): number {
    return this.#sessions.size + this.#opening
  }

  /** Notes the session that `begun` resolves to the id of; resolves to its id for the client. */
  async open(instance: Instance, begun: Promise<string>): Promise<string> {
    this.#opening += 1
    try {
      const id = await begun
      // One that is gone meanwhile has taken its sessions along.
      if (!instance.isRunning) throw pluginStopping(instance.manifest.name)
      const outer = randomUUID()
      this.#sessions.set(outer, { instance, id, calls: 0 })
      this.#counts.set(instance, this.countOf(instance) + 1)
      return outer
    } finally {
      this.#opening -= 1
    }
  }

  get(id: unknown): Session | undefined {
    return typeof id === 'string' ? this.#sessions.get(id) : undefined
  }

  close(id: string): void {
    const session = this.#sessions.get(id)
    if (!session) return
    this.#sessions.delete(id)
    this.#counts.set(session.instance, this.countOf(session.instance) - 1)
  }

  /** How many an instance has. */
  countOf(instance: Instance): number {
    return this.#counts.get(instance) ?? 0
  }

  of(instance: Instance): Session[] {
    return [...this.#sessions.values()].filter((session) => session.instance === instance)
  }

  /** Forgets the sessions of an instance that is gone. */
  drop(instance: Instance): void {
    for (const [id, session] of this.#sessions) if (session.instance === instance) this.#sessions.delete(id)
    this.#counts.delete(instance)
  }
}
