import { randomUUID } from 'node:crypto'
import { pluginStopping } from '../errors.js'
import type { Worker } from './worker.js'

export interface Session {
  worker: Worker
  /** The id that the worker gave it. */
  id: string
  /** Calls of it in flight. */
  calls: number
}

/**
 * The sessions that clients have open, each with the worker that began it. Clients know them by ids of the host's own:
 * two workers may give the same one, and a session that is over must never be taken for one that came after it.
 */
export class Sessions {
  readonly #sessions = new Map<string, Session>()
  /** How many each worker has. */
  readonly #counts = new Map<Worker, number>()
  #opening = 0

  /** Those that are being opened count too. */
  get size(): number {
    return this.#sessions.size + this.#opening
  }

  /** Notes the session that `begun` resolves to the id of; resolves to its id for the client. */
  async open(worker: Worker, begun: Promise<string>): Promise<string> {
    this.#opening += 1
    try {
      const id = await begun
      // One that is gone meanwhile has taken its sessions along.
      if (!worker.isRunning) throw pluginStopping(worker.manifest.name)
      const outer = randomUUID()
      this.#sessions.set(outer, { worker, id, calls: 0 })
      this.#counts.set(worker, this.countOf(worker) + 1)
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
    this.#counts.set(session.worker, this.countOf(session.worker) - 1)
  }

  /** How many a worker has. */
  countOf(worker: Worker): number {
    return this.#counts.get(worker) ?? 0
  }

  of(worker: Worker): Session[] {
    return [...this.#sessions.values()].filter((session) => session.worker === worker)
  }

  /** Forgets the sessions of a worker that is gone. */
  drop(worker: Worker): void {
    for (const [id, session] of this.#sessions) if (session.worker === worker) this.#sessions.delete(id)
    this.#counts.delete(worker)
  }
}
