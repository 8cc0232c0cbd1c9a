import { type ContractDescriptor, type HealthStatus, PluginStatus, type SessionRole } from '@appfactory/sdk'
import type { Callee } from '../callee.js'
import { PieceStream } from '../instance/pieces.js'
import { type RoutedCallOptions, type WireArgs, wrongCallOption } from '../options.js'
import type { Slot } from '../slot/slot.js'
import { hasListeners, TracedCall } from '../traces.js'
import { Attempts, type AttemptsOptions } from './attempts.js'
import { mute, noneLoaded } from './errors.js'
import { Member } from './member.js'
import type { FallbackGiven, FallbackPlugin, FallbackSettings } from './options.js'
import { probe } from './probes.js'
import { hasSound, isMute, SoundFitter } from './sound.js'
import { Standing } from './standing.js'
import { FallbackStream } from './stream.js'

/** Another plugin has the calls of a fallback. */
export interface FallbackEvent {
  /** The name of the fallback. */
  plugin: string
  /** The plugin that gets its calls now. null: none is up. */
  serving: string | null
  /** The one that got them before. */
  previous: string | null
  /** Why, in a sentence. */
  reason: string
}

/** What a fallback needs of its host. */
export interface FallbackSurroundings {
  find(plugin: string): Slot | undefined
  load(plugin: string): Promise<unknown>
  /** Of a call whose caller gives no time. */
  callTimeoutMs: number
  tell(event: FallbackEvent): void
}

/** A name that stands for several plugins of one contract, in order. */
export class Fallback implements Callee {
  readonly name: string
  readonly members: readonly Member[]
  /** How often another plugin was tried after each. */
  readonly passedOver = new Map<string, number>()
  readonly #settings: FallbackSettings
  readonly #host: FallbackSurroundings
  /** Plugins that could not be loaded: probes try it again. */
  readonly #unstarted = new Set<string>()
  #roles: ReadonlyMap<string, SessionRole | null> | undefined
  /** The rate of the first plugin’s sound, in Hz, once it has made any. */
  #firstRate: number | undefined
  #serving: string | null = null
  /** Resolves when it is known that it can be. Undefined: it can. */
  #checked: Promise<void> | undefined
  /** Until all plugins are loaded or have failed to be, none is passed over for not being up. */
  #isOpen = false
  #isClosed = false

  constructor({ name, plugins, settings }: FallbackGiven, host: FallbackSurroundings) {
    this.name = name
    this.#settings = settings
    this.#host = host
    this.members = plugins.map((given) => this.#member(given))
  }

  /** The plugin that gets the calls. null: none is up. */
  get serving(): string | null {
    return this.#serving
  }

  /** That of its plugins. Undefined: none has come up yet. */
  get contract(): ContractDescriptor | undefined {
    return this.#first?.contract
  }

  /** The plugin that is looked at where a plugin’s files are asked for: the first one that has come up. */
  get spokesman(): string {
    return (
      this.members.find(({ slot }) => slot?.contract !== undefined)?.plugin ?? this.members[0]?.plugin ?? ''
    )
  }

  /** The first plugin that has come up. */
  get #first(): Slot | undefined {
    return this.members.map(({ slot }) => slot).find((slot) => slot?.contract !== undefined)
  }

  /**
   * Loads its plugins, as far as they are not. One that can’t be loaded is passed over, and tried again later.
   *
   * @param checked Calls wait for it.
   * @throws What `checked` rejects with, or what the first plugin failed with, where none can be loaded.
   */
  async open(checked: Promise<void>): Promise<void> {
    this.#checked = checked
    await checked
    this.#checked = undefined
    const loads = this.members.map(({ plugin, slot }) => slot?.ready() ?? this.#host.load(plugin))
    const ends = await Promise.allSettled(loads)
    this.#isOpen = true
    for (const [index, end] of ends.entries())
      if (end.status === 'rejected') this.#unstarted.add(this.members[index]?.plugin ?? '')
    this.look()
    if (this.contract) return
    throw ends.find((end) => end.status === 'rejected')?.reason ?? this.#noneLoaded()
  }

  /** The contract, once a plugin has come up. @throws Why none does. */
  async ready(): Promise<ContractDescriptor> {
    await this.#checked
    if (this.contract) return this.contract
    const coming = this.members.flatMap(({ slot }) => (slot ? [slot.ready()] : []))
    const [first] = await Promise.allSettled([Promise.any(coming)])
    if (first?.status === 'fulfilled') return first.value.contract
    throw coming.length === 0 ? this.#noneLoaded() : Object(first?.reason).errors[0]
  }

  close(): void {
    this.#isClosed = true
    for (const { standing } of this.members) standing.close()
  }

  /** The status of a plugin has changed, or its standing: perhaps another one gets the calls now. */
  look(): void {
    if (this.#isClosed) return
    if (this.#isOpen)
      for (const { standing, isUp, slot } of this.members) if (!isUp) standing.leave(whyDown(slot))
    const serving = this.members.find(({ isInLine }) => isInLine)?.plugin ?? null
    const previous = this.#serving
    if (serving === previous) return
    this.#serving = serving
    this.#host.tell({ plugin: this.name, serving, previous, reason: this.#reasonFor(serving, previous) })
  }

  call(method: string, args: WireArgs, options: RoutedCallOptions = {}): Promise<unknown> {
    const wrong = wrongCallOption(options)
    if (wrong) return Promise.reject(wrong)
    if (!hasListeners()) return this.#call(method, args, options)
    const traced = this.#traced(method, 'call', options)
    return traced.run(() => this.#call(method, args, withinTrace(options, traced)))
  }

  #call(method: string, args: WireArgs, options: RoutedCallOptions): Promise<unknown> {
    if (this.#checked) return this.#checked.then(() => this.#call(method, args, options))
    const keeper = this.#keeperOf(method, args)
    return keeper?.slot
      ? keeper.slot.call(method, keeper.argsOf(method, args), options)
      : this.#callAny(method, args, options)
  }

  stream(method: string, args: WireArgs, options: RoutedCallOptions = {}): AsyncIterableIterator<unknown> {
    if (!hasListeners()) return this.#stream(method, args, options)
    let traced: TracedCall | undefined
    return new PieceStream({
      open: () => {
        traced = this.#traced(method, 'stream', options)
        const within = withinTrace(options, traced)
        return traced.begin(() => this.#stream(method, args, within))
      },
      onEnd: (outcome, error) => traced?.end(outcome, error),
    })
  }

  #stream(method: string, args: WireArgs, options: RoutedCallOptions): FallbackStream {
    return new FallbackStream({
      ...this.#attemptsOptions(method, args, options),
      checked: this.#checked,
      fitterFor: (plugin) => this.#fitterFor(plugin, args),
      answered: (plugin, piece) => this.#learnRate(plugin, args, piece),
    })
  }

  #traced(method: string, kind: 'call' | 'stream', options: RoutedCallOptions): TracedCall {
    const { name: plugin, contract } = this
    return TracedCall.of({ plugin, method, contract: contract?.name, kind }, options)
  }

  async health(): Promise<HealthStatus> {
    const serving = this.members.find(({ plugin }) => plugin === this.#serving)
    const status = serving?.slot?.status ?? PluginStatus.ERROR
    const plugins = this.members.map(({ plugin, slot, isInLine, standing }) => ({
      plugin,
      status: slot?.status ?? PluginStatus.UNLOADED,
      in_line: isInLine,
      ...(standing.reason === undefined ? {} : { reason: standing.reason }),
    }))
    const message = serving ? `"${serving.plugin}" serves` : 'none of its plugins is up'
    return { status, message, details: { serving: this.#serving, plugins } }
  }

  /** Tries one plugin after the other. */
  async #callAny(method: string, args: WireArgs, options: RoutedCallOptions): Promise<unknown> {
    const attempts = new Attempts(this.#attemptsOptions(method, args, options))
    if (!attempts.isUp) await attempts.untilUp()
    for (;;) {
      const attempt = attempts.next()
      const { member, slot, timeoutMs } = attempt
      try {
        const result = await slot.call(method, attempt.args, { ...options, timeoutMs })
        if (isMute(args['text'], result) && attempts.hasMore) throw mute(member.plugin)
        member.standing.answered()
        return this.#withPromisedRate(member.plugin, args, result)
      } catch (error) {
        attempts.failed(attempt, error)
      }
    }
  }

  /** The plugin that has the session of a call. One that nobody knows is for a plugin to judge. */
  #keeperOf(method: string, args: WireArgs): Member | undefined {
    const role = this.#roleOf(method)
    if (role !== 'use' && role !== 'close') return undefined
    const id = args['session_id']
    return (
      this.members.find(({ slot }) => slot?.router.hasSession(id)) ??
      this.members.find(({ isInLine }) => isInLine)
    )
  }

  #roleOf(method: string): SessionRole | null | undefined {
    const { contract } = this
    this.#roles ??= contract && new Map(contract.methods.map(({ wire, session }) => [wire, session]))
    return this.#roles?.get(method)
  }

  #attemptsOptions(method: string, args: WireArgs, options: RoutedCallOptions): AttemptsOptions {
    const { name, members } = this
    const isBound = options.fallback === false
    return {
      ...{ name, method, args, options, settings: this.#settings, callTimeoutMs: this.#host.callTimeoutMs },
      members: isBound ? members.slice(0, 1) : members,
      passedOver: (plugin) => this.passedOver.set(plugin, (this.passedOver.get(plugin) ?? 0) + 1),
    }
  }

  #withPromisedRate(plugin: string, args: WireArgs, result: unknown): unknown {
    if (!hasSound(result)) return result
    this.#learnRate(plugin, args, result)
    return this.#fitterFor(plugin, args)?.fitAll(result) ?? result
  }

  /** What the caller asks for, what the fallback is to have, or what the first plugin makes. */
  #fitterFor(plugin: string, { sample_rate: asked }: WireArgs): SoundFitter | undefined {
    const promised = typeof asked === 'number' ? asked : this.#settings.sampleRate
    const rate = promised ?? (plugin === this.members[0]?.plugin ? undefined : this.#firstRate)
    return rate === undefined ? undefined : new SoundFitter(rate)
  }

  #learnRate(plugin: string, args: WireArgs, answer: unknown): void {
    if (plugin !== this.members[0]?.plugin || args['sample_rate'] != null) return
    if (hasSound(answer)) this.#firstRate = answer.sample_rate
  }

  #reasonFor(serving: string | null, previous: string | null): string {
    const place = (name: string | null): number => this.members.findIndex(({ plugin }) => plugin === name)
    const before = this.members.find(({ plugin }) => plugin === previous)
    const isBack = serving !== null && (!before || place(serving) < place(previous))
    return isBack
      ? `"${serving}" is up`
      : `"${previous}": ${before?.standing.reason ?? 'its process has ended'}`
  }

  #member(given: FallbackPlugin): Member {
    const standing = new Standing({
      ...this.#settings,
      probe: () => this.#probe(member),
      changed: () => this.look(),
    })
    const member = new Member(given, this.#host.find, standing)
    return member
  }

  async #probe(member: Member): Promise<boolean> {
    const { plugin, slot } = member
    if (slot) this.#unstarted.delete(plugin)
    else if (this.#unstarted.has(plugin)) await this.#host.load(plugin).catch(() => {})
    return probe(member, this.#settings)
  }

  #noneLoaded(): unknown {
    return noneLoaded(
      this.name,
      this.members.map(({ plugin }) => plugin),
    )
  }
}

/** Attempts belong to the call. */
function withinTrace(options: RoutedCallOptions, { trace }: TracedCall): RoutedCallOptions {
  return { ...options, trace: trace.context, arrival: undefined }
}

function whyDown(slot: Slot | undefined): string {
  if (!slot || slot.closing.aborted) return 'it is not loaded'
  return slot.failure?.message ?? 'its process has ended'
}
