import { type ContractDescriptor, PluginError, PluginStatus } from '@appfactory/sdk'
import { describeThrown } from '@appfactory/sdk/internal'
import { isHostError, swapFailed, swapNotUndone } from '../errors.js'
import type { Instance } from '../instance/instance.js'
import type { Source } from '../instance/source.js'
import type { Slot } from './slot.js'
import type { Replacement } from './supervisor.js'

/** What a swap goes through, in order. `drain`, `capture` and `restore` only where state is carried over. */
export type SwapStep = 'start' | 'probe' | 'drain' | 'capture' | 'restore' | 'switch' | 'confirm' | 'retire'

/** One step of a swap is over. */
export interface SwapProgress {
  /** The step that is over. */
  step: SwapStep
  /** How long it took, in ms. */
  durationMs: number
  /** Why it failed. Absent: it did not. */
  error?: string
  /** Of a plugin with several processes: which of them, from 1. Absent: the step is of all at once. */
  place?: number
}

/** What came of a swap that succeeded. */
export interface SwapResult {
  /** The name of the plugin that was replaced. */
  oldPlugin: string
  /** The name of the plugin that serves. */
  newPlugin: string
  /** Null where no instance of the old plugin was running. */
  oldVersion: string | null
  /** Its version. */
  newVersion: string
  /** Whether the new plugin has the state of the old one. */
  statePreserved: boolean
  /** Time from the call of `swap()` until callers reached the new plugin, in ms. */
  durationMs: number
  /** Calls that had to wait while the state was carried over. */
  heldCalls: number
}

export interface SwapOptions {
  source: Source
  preserveState: boolean
  onProgress(progress: SwapProgress): void
}

/**
 * Puts another plugin, or another version of the same, into a slot while calls go on. Until the switch, whatever fails
 * leaves the old plugin serving.
 *
 * @throws PluginError HOTSWAP_FAILED: the old plugin serves; HOTSWAP_ROLLBACK_FAILED: the new one, which is restarted.
 */
export function swap(slot: Slot, options: SwapOptions): Promise<SwapResult> {
  return new Swap(slot, options).run()
}

class Swap {
  readonly #slot: Slot
  readonly #options: SwapOptions
  readonly #oldName: string
  #step: SwapStep = 'start'
  #heldCalls = 0
  /** One for each place, once it is started. */
  readonly #candidates: Instance[] = []
  /** From the switch on. What they replaced is not always what served when the swap began. */
  readonly #replacements: Replacement[] = []

  constructor(slot: Slot, options: SwapOptions) {
    this.#slot = slot
    this.#options = options
    this.#oldName = slot.name
  }

  async run(): Promise<SwapResult> {
    const begun = performance.now()
    try {
      const candidates = await this.#startAll()
      const statePreserved = await this.#switch(candidates)
      await this.#do('confirm', () => this.#confirmAll(candidates))
      this.#retireAll(this.#replacements.map(({ previous }) => previous))
      const [first] = candidates
      const [replacement] = this.#replacements
      return {
        oldPlugin: this.#oldName,
        newPlugin: this.#options.source.name,
        oldVersion: replacement?.previous?.manifest.version ?? null,
        newVersion: first.manifest.version,
        statePreserved,
        durationMs: performance.now() - begun,
        heldCalls: this.#heldCalls,
      }
    } catch (error) {
      throw this.#fail(error)
    }
  }

  /** The places come one after the other, so that the machine has to start only one process at a time. */
  async #startAll(): Promise<readonly [Instance, ...Instance[]]> {
    const first = await this.#start(1)
    const others: Instance[] = []
    for (let place = 2; place <= this.#slot.places.count; place++) others.push(await this.#start(place))
    return [first, ...others]
  }

  async #start(place: number): Promise<Instance> {
    const { source } = this.#options
    const candidate = await this.#do(
      'start',
      () => source.start(this.#slot.closing, () => this.#slot.places.told(place)),
      place,
    )
    this.#candidates.push(candidate)
    await this.#do('probe', () => this.#slot.unlessClosed(this.#probe(candidate)), place)
    return candidate
  }

  /** An ERROR before its first call would be one after it too. */
  async #probe(candidate: Instance): Promise<void> {
    await this.#checkFits(candidate)
    const refused = this.#slot.places.refuse(candidate)
    if (refused) throw refused
    const { status, message } = await candidate.health()
    if (status === PluginStatus.ERROR)
      throw new PluginError('PLUGIN_NOT_READY', message || 'its health is ERROR')
  }

  /** While the first instance has yet to come, only the manifest says of which contract it will be. */
  async #checkFits(candidate: Instance): Promise<void> {
    const { contract, source } = this.#slot
    if (contract) return checkFits(contract, candidate.contract)
    const { manifest } = await source.inspect()
    if (manifest) checkName(manifest.contract, candidate.contract)
  }

  /** Carries state over, if there is any and it is wanted, and lets all candidates serve at once. Returns whether it did carry. */
  async #switch(candidates: readonly Instance[]): Promise<boolean> {
    const { preserveState } = this.#options
    const pairs = this.#slot.places.all.flatMap(({ instance: old }, index) => {
      const candidate = candidates[index]
      return old?.keepsState && candidate && preserveState ? [{ old, candidate }] : []
    })
    if (pairs.length === 0) {
      await this.#replaceAll(candidates, () => true)
      return false
    }
    const hold = this.#slot.router.holdCalls()
    try {
      await this.#do('drain', () => Promise.all(pairs.map(({ old }) => this.#slot.router.drainCalls(old))))
      const states = await this.#do('capture', () =>
        this.#slot.unlessClosed(Promise.all(pairs.map(({ old }) => old.captureState()))),
      )
      const restored = () =>
        Promise.all(pairs.map(({ old, candidate }, index) => restore(old, candidate, states[index])))
      await this.#do('restore', () => this.#slot.unlessClosed(restored()))
      // Once a new instance has answered a call, its state is ahead of the old one's.
      await this.#replaceAll(candidates, () => candidates.every(({ answered }) => answered === 0))
      return true
    } finally {
      this.#heldCalls = hold.calls
      hold.release()
    }
  }

  async #replaceAll(candidates: readonly Instance[], canUndo: () => boolean): Promise<void> {
    const { source } = this.#options
    await this.#do('switch', () => {
      for (const [index, place] of this.#slot.places.all.entries()) {
        const instance = candidates[index]
        if (instance) this.#replacements.push(place.replace({ instance, source, canUndo }))
      }
    })
  }

  async #confirmAll(candidates: readonly Instance[]): Promise<void> {
    await Promise.all(candidates.map((candidate) => this.#confirm(candidate)))
    // One may have crashed right after its answer.
    for (const [index, replacement] of this.#replacements.entries())
      if (!replacement.commit()) throw await candidates[index]?.ended
  }

  /** Only a crash undoes the switch; a health check that is late behind calls does not, nor does the end of the slot. */
  async #confirm(candidate: Instance): Promise<void> {
    const health = candidate.health().then(
      () => undefined,
      (error: unknown) => (isHostError(error, 'PLUGIN_CRASHED') ? candidate.ended : undefined),
    )
    const watched = this.#slot.unlessClosed(Promise.race([health, candidate.ended]))
    const crash = await watched.catch(() => undefined)
    if (crash) throw crash
  }

  /** They go in their own time: streams and sessions stay with them. */
  #retireAll(instances: readonly (Instance | undefined)[]): void {
    for (const [index, instance] of instances.entries())
      if (instance) this.#do('retire', () => this.#slot.retire(instance), index + 1).catch(() => {})
  }

  /** A replacement that crashed was undone already, if it could be. The places are of one source again, whichever. */
  #fail(cause: unknown): PluginError {
    const wasSwitched = this.#replacements.length > 0
    const wasUndone = wasSwitched && this.#replacements.every((replacement) => replacement.canUndo())
    if (wasUndone) for (const replacement of this.#replacements) replacement.undo()
    const isBack = !wasSwitched || wasUndone
    const leaving = isBack ? this.#candidates : this.#replacements.map(({ previous }) => previous)
    for (const instance of leaving) if (instance) void this.#slot.retire(instance).catch(() => {})
    const failure = {
      plugin: this.#oldName,
      replacement: this.#options.source.name,
      step: this.#step,
      cause,
      rollbackPerformed: wasUndone,
      hadInstance: this.#replacements.some(({ previous }) => previous !== undefined),
    }
    return isBack ? swapFailed(failure) : swapNotUndone(failure)
  }

  /** Does one step, and tells how long it took. */
  async #do<T>(step: SwapStep, work: () => T | Promise<T>, place?: number): Promise<T> {
    if (step !== 'retire') this.#step = step
    const begun = performance.now()
    const which = place === undefined || this.#slot.places.count === 1 ? {} : { place }
    const tell = (error?: string): void =>
      this.#options.onProgress({
        step,
        durationMs: performance.now() - begun,
        ...which,
        ...(error === undefined ? {} : { error }),
      })
    try {
      const result = await work()
      tell()
      return result
    } catch (error) {
      tell(describeThrown(error).message)
      throw error
    }
  }
}

/** Whoever holds a handle of the old plugin calls its methods on the new one. */
function checkFits(old: ContractDescriptor, candidate: ContractDescriptor): void {
  checkName(old.name, candidate)
  const methods = new Set(candidate.methods.map(({ wire }) => wire))
  const missing = old.methods.map(({ wire }) => wire).filter((wire) => !methods.has(wire))
  if (missing.length > 0)
    throw new PluginError('CONTRACT_MISMATCH', `its version of the contract lacks ${missing.join(', ')}`)
}

function checkName(wanted: string, { name }: ContractDescriptor): void {
  if (name !== wanted)
    throw new PluginError('CONTRACT_MISMATCH', `it is of the contract "${name}", not "${wanted}"`)
}

async function restore(old: Instance, candidate: Instance, state: unknown): Promise<void> {
  if (!candidate.keepsState) {
    throw new PluginError(
      'HOTSWAP_FAILED',
      `"${old.manifest.name}" keeps state, and "${candidate.manifest.name}" can’t take it; swap without preserve_state to leave it behind`,
    )
  }
  await candidate.restoreState(state)
  const { status, message } = await candidate.health()
  if (status === PluginStatus.ERROR)
    throw new PluginError('PLUGIN_NOT_READY', message || 'its health is ERROR')
}
