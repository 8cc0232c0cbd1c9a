import type { Instance } from './instance.js'

export interface Session {
  instance: Instance
  /** The id that the instance gave it. */
  id: string
  /** Calls of it in flight. */
  calls: number
}

/** The sessions that clients have open, each with the instance that began it. */
export class Sessions {
  readonly #sessions = new Map<string, Session>()
  #opened = 0

  get size(): number {
    return this.#sessions.size
  }

  /** Notes a session; returns the id for the client, another one where two instances gave the same. */
  open(id: string, instance: Instance): string {
    this.#opened += 1
    const isTaken = this.#sessions.has(id) && this.#sessions.get(id)?.instance !== instance
    const outer = isTaken ? `${id}~${this.#opened}` : id
    this.#sessions.set(outer, { instance, id, calls: 0 })
    return outer
  }

  get(id: unknown): Session | undefined {
    return typeof id === 'string' ? this.#sessions.get(id) : undefined
  }

  close(id: string): void {
    this.#sessions.delete(id)
  }

  of(instance: Instance): Session[] {
    return [...this.#sessions.values()].filter((session) => session.instance === instance)
  }

  /** Forgets the sessions of an instance that is gone. */
  drop(instance: Instance): void {
    for (const [id, session] of this.#sessions) if (session.instance === instance) this.#sessions.delete(id)
  }
}
