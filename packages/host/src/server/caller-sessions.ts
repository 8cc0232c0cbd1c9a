import type { SessionRole } from '@appfactory/sdk'
import type { Cancellation } from '@appfactory/sdk/internal'
import type { Calls } from '../calls.js'
import type { WireArgs } from '../options.js'

interface SessionCall {
  plugin: string
  method: string
  args: WireArgs
  /** Whether the client wants no answer any more, and why. */
  cancellation?: Cancellation
}

/** How long a method that closes a session may take when its client has gone, in ms. */
const closeTimeoutMs = 5000

/** The sessions that one client has open: when it goes, nobody else can end them. */
export class CallerSessions {
  readonly #calls: Calls
  /** The plugin of each, by the session's id. */
  readonly #open = new Map<string, string>()
  #hasGone = false

  constructor(calls: Calls) {
    this.#calls = calls
  }

  /** Notes what a call does to sessions. Returns its answer. */
  watch(answer: Promise<unknown>, call: SessionCall): Promise<unknown> {
    const ofSession = call.args['session_id']
    const isKnown = typeof ofSession === 'string' && this.#open.has(ofSession)
    if (!isKnown) return answer.then((result) => this.#noteOpened(result, call))
    return answer.finally(() => {
      if (this.#roleOf(call.plugin, call.method) === 'close') this.#open.delete(ofSession)
    })
  }

  /** The client has gone: closes its sessions by their own methods. Those of calls still in flight are closed when they open. */
  async closeAll(): Promise<void> {
    this.#hasGone = true
    await Promise.all([...this.#open].map(([id, plugin]) => this.#close(plugin, id)))
  }

  #noteOpened(result: unknown, { plugin, method, cancellation }: SessionCall): unknown {
    const id: unknown =
      typeof result === 'object' && result !== null ? Reflect.get(result, 'session_id') : undefined
    if (typeof id !== 'string' || this.#roleOf(plugin, method) !== 'open') return result
    this.#open.set(id, plugin)
    const reason = cancellation?.cancelled
    if (this.#hasGone || reason) void this.#close(plugin, id)
    // Its client would never close it.
    if (reason) throw reason
    return result
  }

  async #close(plugin: string, id: string): Promise<void> {
    this.#open.delete(id)
    const method = this.#methods(plugin)?.find(({ session }) => session === 'close')?.wire
    // What comes of it is for nobody; the plugin's log has it.
    if (method !== undefined)
      await this.#calls
        .call(plugin, method, { session_id: id }, { timeoutMs: closeTimeoutMs })
        .catch(() => {})
  }

  #roleOf(plugin: string, method: string): SessionRole | null | undefined {
    return this.#methods(plugin)?.find(({ wire }) => wire === method)?.session
  }

  #methods(plugin: string) {
    return this.#calls.contractOf(plugin)?.methods
  }
}
