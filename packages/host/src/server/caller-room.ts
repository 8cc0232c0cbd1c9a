import type { PluginError } from '@appfactory/sdk'
import { answersUnread } from '../errors.js'
import { maxHeldBytes, maxUnsentBytes, type Room } from '../process/backpressure.js'
import { pause } from '../waiting.js'

/** How often is looked whether a caller has read something, in ms. */
const lookMs = 25

/** For how many looks plugins are left unread for a caller that is behind: others wait for them too. */
const looksOfPatience = 10

/** After how many looks a caller that has read nothing meanwhile is given up, in any case. */
const looksUntilStalled = 1200

interface CallerRoomOptions {
  /** Bytes that wait for the caller to read them. */
  unsentBytes(): number
  /** The caller does not read: it can't be served any more. Called once. */
  onHopeless(error: PluginError): void
}

/**
 * How much waits for one of several callers. One that is behind gets no further calls, and keeps plugins waiting for a moment
 * only. One that goes on not to read is given up, so that its answers take no more than twice the limit; one that is merely slow
 * may have four times as much waiting.
 */
export class CallerRoom {
  readonly #options: CallerRoomOptions
  #patience: Promise<void> | undefined
  #free: Promise<void> | undefined
  /** Aborted when the caller is gone, or given up. */
  readonly #over = new AbortController()
  /** Looks since the caller has read something. */
  #idleLooks = 0

  constructor(options: CallerRoomOptions) {
    this.#options = options
  }

  get isBehind(): boolean {
    return !this.#over.signal.aborted && this.#options.unsentBytes() > maxUnsentBytes
  }

  /** @throws PluginError RESOURCE_EXHAUSTED where the caller is behind. */
  check(): void {
    if (this.isBehind) throw answersUnread(this.#options.unsentBytes(), maxUnsentBytes)
  }

  /** For plugins: they wait for a moment. */
  readonly forPlugins: Room = () => {
    if (!this.isBehind) return undefined
    this.#watch()
    this.#giveUpIfHopeless()
    return this.#patience
  }

  /** For the caller's own requests: they wait until it has caught up. */
  readonly forRequests: Room = () => {
    if (!this.isBehind) return undefined
    this.#watch()
    return this.#free
  }

  /** The caller is gone: nothing waits for it. */
  end(): void {
    this.#over.abort()
  }

  #watch(): void {
    if (this.#free) return
    let resolve = (): void => {}
    this.#patience = new Promise<void>((resolved) => {
      resolve = resolved
    })
    this.#free = this.#look(() => {
      this.#patience = undefined
      resolve()
    })
  }

  async #look(endPatience: () => void): Promise<void> {
    this.#idleLooks = 0
    let before = this.#options.unsentBytes()
    for (let looks = 1; this.isBehind; looks++) {
      await pause(lookMs, { signal: this.#over.signal, ref: false })
      const now = this.#options.unsentBytes()
      this.#idleLooks = now < before ? 0 : this.#idleLooks + 1
      before = now
      if (looks === looksOfPatience) endPatience()
      this.#giveUpIfHopeless()
    }
    this.#free = undefined
    endPatience()
  }

  #giveUpIfHopeless(): void {
    const unsent = this.#options.unsentBytes()
    const limit = this.#idleLooks < looksOfPatience ? maxHeldBytes : 2 * maxUnsentBytes
    if (this.#over.signal.aborted || (unsent <= limit && this.#idleLooks < looksUntilStalled)) return
    this.#over.abort()
    this.#options.onHopeless(answersUnread(unsent, maxUnsentBytes))
  }
}
