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
  /** From the switch on. What it replaced is not always what served when the swap began. */
  #replacement: Replacement | undefined

  constructor(slot: Slot, options: SwapOptions) {
    this.#slot = slot
    this.#options = options
    this.#oldName = slot.name
  }

  async run(): Promise<SwapResult> {
    const begun = performance.now()
    const { source } = this.#options
    let candidate: Instance | undefined
    try {
      const next = await this.#do('start', () => source.start(this.#slot.closing))
      candidate = next
      await this.#do('probe', () => this.#slot.unlessClosed(this.#probe(next)))
      const { replacement, statePreserved } = await this.#switch(next)
      await this.#do('confirm', () => this.#confirm(next, replacement))
      const { previous } = replacement
      if (previous) this.#retire(previous)
      return {
        oldPlugin: this.#oldName,
        newPlugin: source.name,
        oldVersion: previous?.manifest.version ?? null,
        newVersion: next.manifest.version,
        statePreserved,
        durationMs: performance.now() - begun,
        heldCalls: this.#heldCalls,
      }
    } catch (error) {
      throw this.#fail(error, candidate)
    }
  }

  /** An ERROR before its first call would be one after it too. */
  async #probe(candidate: Instance): Promise<void> {
    await this.#checkFits(candidate)
    const { status, message } = await candidate.health()
    if (status === PluginStatus.ERROR)
      throw new PluginError('PLUGIN_NOT_READY', message || 'its health is ERROR')
  }

  /** While the first instance has yet to come, only the manifest says of which contract it will be. */
  async #checkFits(candidate: Instance): Promise<void> {
    const { contract, source } = this.#slot.supervisor
    if (contract) return checkFits(contract, candidate.contract)
    const { manifest } = await source.inspect()
    if (manifest) checkName(manifest.contract, candidate.contract)
  }

  /** Carries state over, if there is any and it is wanted, and lets the candidate serve. */
  async #switch(candidate: Instance): Promise<{ replacement: Replacement; statePreserved: boolean }> {
    const old = this.#slot.instance
    if (!old?.keepsState || !this.#options.preserveState)
      return { replacement: await this.#replace(candidate, () => true), statePreserved: false }
    const hold = this.#slot.router.holdCalls()
    try {
      await this.#do('drain', () => this.#slot.router.drainCalls(old))
      const state = await this.#do('capture', () => this.#slot.unlessClosed(old.captureState()))
      await this.#do('restore', () => this.#slot.unlessClosed(restore(old, candidate, state)))
      // Once the new plugin has answered a call, its state is ahead of the old one's.
      const isUnused = (): boolean => candidate.answered === 0
      return { replacement: await this.#replace(candidate, isUnused), statePreserved: true }
    } finally {
      this.#heldCalls = hold.calls
      hold.release()
    }
  }

  async #replace(instance: Instance, canUndo: () => boolean): Promise<Replacement> {
    const { source } = this.#options
    const replacement = await this.#do('switch', () =>
      this.#slot.supervisor.replace({ instance, source, canUndo }),
    )
    this.#replacement = replacement
    return replacement
  }

  /** Only a crash undoes the switch; a health check that is late behind calls does not, nor does the end of the slot. */
  async #confirm(candidate: Instance, replacement: Replacement): Promise<void> {
    const health = candidate.health().then(
      () => undefined,
      (error: unknown) => (isHostError(error, 'PLUGIN_CRASHED') ? candidate.ended : undefined),
    )
    const watched = this.#slot.unlessClosed(Promise.race([health, candidate.ended]))
    const crash = await watched.catch(() => undefined)
    if (crash) throw crash
    // It may have crashed right after its answer.
    if (!replacement.commit()) throw await candidate.ended
  }

  /** The old plugin goes in its own time: streams and sessions stay with it. */
  #retire(old: Instance): void {
    this.#do('retire', () => this.#slot.retire(old)).catch(() => {})
  }

  /** A replacement that crashed was undone already, if it could be. */
  #fail(cause: unknown, candidate: Instance | undefined): PluginError {
    const old = this.#replacement?.previous
    const wasUndone = this.#replacement?.undo() ?? false
    const isBack = this.#replacement === undefined || wasUndone
    const leaving = isBack ? candidate : old
    if (leaving) void this.#slot.retire(leaving).catch(() => {})
    const failure = {
      plugin: this.#oldName,
      replacement: this.#options.source.name,
      step: this.#step,
      cause,
      rollbackPerformed: wasUndone,
      hadInstance: old !== undefined,
    }
    return isBack ? swapFailed(failure) : swapNotUndone(failure)
  }

  /** Does one step, and tells how long it took. */
  async #do<T>(step: SwapStep, work: () => T | Promise<T>): Promise<T> {
    if (step !== 'retire') this.#step = step
    const begun = performance.now()
    const tell = (error?: string): void =>
      this.#options.onProgress({
        step,
        durationMs: performance.now() - begun,
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
