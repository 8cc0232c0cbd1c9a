import type { PluginError } from '../errors.js'

type Listener = () => void

/** Tells that nobody wants an answer any more: like an AbortSignal, but cheaper to make. */
export interface Cancellation {
  /** Why; undefined as long as it has not happened. */
  readonly cancelled: PluginError | undefined
  /** Calls `listener` once, when it happens; at once if it has happened. */
  addListener(listener: Listener): void
  removeListener(listener: Listener): void
  /** What the call brought has been sent on, and is not needed any more. */
  handedOver?(): void
}

/** A cancellation that happens when `cancel()` is called. */
export class CancellationToken implements Cancellation {
  #reason: PluginError | undefined
  /** Made for the first listener: most tokens have none. */
  #listeners: Listener[] | undefined

  get cancelled(): PluginError | undefined {
    return this.#reason
  }

  addListener(listener: Listener): void {
    if (this.#reason) {
      listener()
      return
    }
    this.#listeners ??= []
    this.#listeners.push(listener)
  }

  removeListener(listener: Listener): void {
    const at = this.#listeners?.indexOf(listener) ?? -1
    if (at !== -1) this.#listeners?.splice(at, 1)
  }

  /** Only the first reason counts. */
  cancel(reason: PluginError): void {
    if (this.#reason) return
    this.#reason = reason
    const listeners = this.#listeners
    this.#listeners = undefined
    for (const listener of listeners ?? []) listener()
  }
}
