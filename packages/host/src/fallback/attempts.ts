import { type PluginError, PluginStatus } from '@appfactory/sdk'
import { callTimeout, isHostError, reasonOf } from '../errors.js'
import type { RoutedCallOptions } from '../options.js'
import type { Slot } from '../slot/slot.js'
import { within } from '../waiting.js'
import { allFailed, type FailedAttempt, noneLoaded } from './errors.js'
import { type Fault, faultOf } from './faults.js'
import type { Member } from './member.js'
import type { FallbackSettings } from './options.js'

export interface AttemptsOptions {
  /** Of the fallback. */
  name: string
  settings: FallbackSettings
  /** In order. */
  members: readonly Member[]
  method: string
  options: RoutedCallOptions
  /** Of the call, where its caller gives no time. */
  callTimeoutMs: number
  /** Another plugin is tried after that one. */
  passedOver(plugin: string): void
}

/** The plugin that is tried next, and how long it may take, in ms. */
export interface Attempt {
  member: Member
  slot: Slot
  timeoutMs: number
}

/** The attempts of one call: which plugin is tried next, for how long, and what the caller gets in the end. */
export class Attempts {
  readonly #given: AttemptsOptions
  #begun = performance.now()
  readonly #totalMs: number
  #left: readonly Member[]
  readonly #failed: FailedAttempt[] = []

  constructor(given: AttemptsOptions) {
    this.#given = given
    this.#left = given.members
    this.#totalMs = given.options.timeoutMs ?? given.callTimeoutMs
  }

  /** Whether one would take the call at once. */
  get isUp(): boolean {
    return this.#left.some((member) => member.isUp)
  }

  /** Waits until one is up, or none will be. @throws PluginError CALL_TIMEOUT or REQUEST_CANCELLED. */
  async untilUp(): Promise<void> {
    const coming = this.#left.flatMap(({ slot }) => (slot ? [slot.ready()] : []))
    const any = Promise.any(coming).catch(() => {})
    await within(any, {
      ...this.#given.options,
      timeoutMs: this.#leftMs(),
      late: () => this.#late(),
    })
  }

  /** The next attempt. @throws PluginError where there is none. */
  next(): Attempt {
    const member = this.#left.find(({ isInLine }) => isInLine) ?? this.#lastResort()
    const slot = member?.slot
    if (!member || !slot) throw this.#end()
    this.#left = this.#left.filter((each) => each !== member)
    const before = this.#failed.at(-1)
    if (before) this.#given.passedOver(before.plugin)
    return { member, slot, timeoutMs: this.#shareMs() }
  }

  /** Whether another plugin could be tried. */
  get hasMore(): boolean {
    return this.#left.some(({ slot }) => slot !== undefined)
  }

  /** The time of a call that begins anew does so too. */
  beginAnew(): void {
    this.#begun = performance.now()
  }

  /** An attempt has failed, and another one can be made. @throws What the caller gets, where none can. */
  failed(member: Member, error: unknown): void {
    if (this.#faultOf(member, error) === 'caller') throw error
    this.#failed.push({ plugin: member.plugin, error })
    if (isHostError(error, 'CALL_TIMEOUT') && this.#leftMs() <= 1) throw this.#late()
    if (!this.hasMore) throw this.#end()
  }

  /** Counts what a plugin has failed with, where no other can be tried. */
  judged(member: Member, error: unknown): unknown {
    this.#faultOf(member, error)
    return error
  }

  #faultOf(member: Member, error: unknown): Fault {
    const { options, settings } = this.#given
    if (isCancelled(options)) return 'caller'
    const fault = faultOf(error, settings.callerErrors)
    if (fault === 'engine') member.standing.failed(reasonOf(error))
    return fault
  }

  /** Those that are away or down are asked before the caller hears of a failure. In quarantine they would fail at once. */
  #lastResort(): Member | undefined {
    const loaded = this.#left.filter(({ slot }) => slot !== undefined)
    return (
      loaded.find(({ isUp }) => isUp) ??
      loaded.find(({ slot }) => slot?.status !== PluginStatus.ERROR) ??
      loaded[0]
    )
  }

  /** What the caller gets in the end. */
  #end(): unknown {
    const { name, members } = this.#given
    const [only, ...more] = this.#failed
    if (!only)
      return noneLoaded(
        name,
        members.map(({ plugin }) => plugin),
      )
    return more.length === 0 ? only.error : allFailed(name, this.#failed)
  }

  #leftMs(): number {
    return Math.max(1, this.#totalMs - (performance.now() - this.#begun))
  }

  /** The last one has all the time that is left. */
  #shareMs(): number {
    const { attemptTimeoutMs } = this.#given.settings
    const left = this.#leftMs()
    const others = this.#left.filter(({ slot }) => slot !== undefined).length
    if (others === 0) return left
    return Math.min(left, attemptTimeoutMs ?? Math.max(1, left / (others + 1)))
  }

  #late(): PluginError {
    const { name, method } = this.#given
    return callTimeout(name, method, this.#totalMs)
  }
}

export function isCancelled({ signal, cancellation }: RoutedCallOptions): boolean {
  return signal?.aborted === true || cancellation?.cancelled !== undefined
}
