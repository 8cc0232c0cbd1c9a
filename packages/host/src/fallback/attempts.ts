import { isPluginError, type PluginError, PluginStatus } from '@appfactory/sdk'
import { callTimeout, isHostError, reasonOf } from '../errors.js'
import type { RoutedCallOptions, WireArgs } from '../options.js'
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
  args: WireArgs
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
  /** As this plugin calls its voices and models. */
  args: WireArgs
  timeoutMs: number
}

/** The attempts of one call: which plugin is tried next, for how long, and what the caller gets in the end. */
export class Attempts {
  readonly #given: AttemptsOptions
  #begun = performance.now()
  readonly #totalMs: number
  readonly #tried: Member[] = []
  readonly #failed: FailedAttempt[] = []
  /** The plugin that has not the voice that was asked for, and is asked again without. */
  #voiceless: Member | undefined
  /** The plugin that is asked without. */
  #asked: Member | undefined

  constructor(given: AttemptsOptions) {
    this.#given = given
    this.#totalMs = given.options.timeoutMs ?? given.callTimeoutMs
  }

  /** Whether one would take the call at once. */
  get isUp(): boolean {
    return this.#firstInLine() !== undefined || this.#left.some((member) => member.isUp)
  }

  get #left(): Member[] {
    return this.#given.members.filter((member) => !this.#tried.includes(member))
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
    const again = this.#voiceless
    const member = again ?? this.#firstInLine() ?? this.#lastResort()
    const slot = member?.slot
    if (!member || !slot) throw this.#end()
    const { method } = this.#given
    const args = member.argsOf(method, again ? withoutVoice(this.#given.args) : this.#given.args)
    this.#voiceless = undefined
    this.#asked = again
    this.#tried.push(member)
    const before = this.#failed.at(-1)
    if (before) this.#given.passedOver(before.plugin)
    return { member, slot, args, timeoutMs: this.#shareMs() }
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
  failed({ member, args }: Attempt, error: unknown): void {
    if (this.#lacksVoice(member, args, error)) {
      this.#voiceless = member
      return
    }
    if (this.#faultOf(member, error) === 'caller') throw error
    this.#failed.push({ plugin: member.plugin, error })
    if (isHostError(error, 'CALL_TIMEOUT') && this.#leftMs() <= 1) throw this.#late()
    if (!this.hasMore) throw this.#end()
  }

  /** A voice of the first plugin need not be one of the others: they speak with their own then. */
  #lacksVoice(member: Member, args: WireArgs, error: unknown): boolean {
    const isOther = member !== this.#given.members[0]
    const isAsked = typeof this.#given.args['voice_id'] === 'string' && 'voice_id' in args
    return isOther && isAsked && isPluginError(error, 'TTS_VOICE_NOT_FOUND') && member !== this.#asked
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

  /** Without a closure: every call comes here. */
  #firstInLine(): Member | undefined {
    for (const member of this.#given.members)
      if (member.isInLine && !this.#tried.includes(member)) return member
    return undefined
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
    let others = 0
    for (const member of this.#given.members) if (!this.#tried.includes(member) && member.slot) others += 1
    if (others === 0) return left
    return Math.min(left, attemptTimeoutMs ?? Math.max(1, left / (others + 1)))
  }

  #late(): PluginError {
    const { name, method } = this.#given
    return callTimeout(name, method, this.#totalMs)
  }
}

function withoutVoice({ voice_id: _, ...rest }: WireArgs): WireArgs {
  return rest
}

function isCancelled({ signal, cancellation }: RoutedCallOptions): boolean {
  return signal?.aborted === true || cancellation?.cancelled !== undefined
}
