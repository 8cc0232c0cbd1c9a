import type { CallObserver } from '@appfactory/sdk/internal'
import type { Room } from '../process/backpressure.js'

/**
 * The clients that a plugin owes answers to. All answers of a plugin come through its one pipe, and only who reads the next one
 * knows whose it is. So while one of these clients does not read, nothing is read from this plugin: its other callers wait as
 * well, until that client reads or its calls end, by their timeouts at the latest. Other plugins have pipes of their own.
 */
export class Callers {
  readonly #callers = new Map<Room, Caller>()
  #waiting: Promise<void> | undefined
  /** Goes on when a client is owed nothing any more. */
  #left: (() => void) | undefined

  /** Watches a call that is about to be made for the client with that room. */
  observe(room: Room): CallObserver {
    return this.#callers.get(room) ?? new Caller(room, this.#callers, () => this.#left?.())
  }

  /** Whether all of these clients keep up. */
  readonly room: Room = () => {
    if (!this.#behind()) return undefined
    this.#waiting ??= this.#allKeepUp()
    return this.#waiting
  }

  /** Resolves when a client that does not keep up does so again. Undefined: all do. */
  #behind(): Promise<void> | undefined {
    for (const room of this.#callers.keys()) {
      const freed = room()
      if (freed) return freed
    }
    return undefined
  }

  async #allKeepUp(): Promise<void> {
    for (let behind = this.#behind(); behind; behind = this.#behind()) {
      const left = new Promise<void>((resolve) => {
        this.#left = resolve
      })
      await Promise.race([behind, left])
    }
    this.#left = undefined
    this.#waiting = undefined
  }
}

/** One client, while calls for it are in flight. */
class Caller implements CallObserver {
  readonly #room: Room
  readonly #callers: Map<Room, Caller>
  readonly #onLeave: () => void
  #calls = 0

  constructor(room: Room, callers: Map<Room, Caller>, onLeave: () => void) {
    this.#room = room
    this.#callers = callers
    this.#onLeave = onLeave
  }

  begun(): void {
    if (this.#calls === 0) this.#callers.set(this.#room, this)
    this.#calls += 1
  }

  ended(): void {
    this.#calls -= 1
    if (this.#calls > 0) return
    this.#callers.delete(this.#room)
    this.#onLeave()
  }
}
