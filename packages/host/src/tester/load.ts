import { setTimeout as delay } from 'node:timers/promises'
import { errorName, isPluginError } from '@appfactory/sdk'
import { describeThrown, type IncomingCall } from '@appfactory/sdk/internal'
import { able } from '../server/methods.js'
import type { Served } from '../server/served.js'
import { withRawBytes } from './bytes.js'
import { Histogram } from './histogram.js'
import type { LoadReport } from './messages.js'

export interface LoadPlan {
  plugin: string
  method: string
  args: Record<string, unknown>
  callers: number
  seconds: number
  /** The plugin to swap in at half of the time. */
  swapTo?: string | undefined
}

/** Time between two reports, in ms. */
const reportMs = 250
/** How long calls in flight may continue after the end, in ms. */
const graceMs = 1000

/**
 * Calls a method from many callers until the time is up or the run is cancelled. Calls in flight are then cancelled, in the
 * plugin too.
 */
export async function runLoad(served: Served, plan: LoadPlan, call: IncomingCall): Promise<unknown> {
  const { contract } = await served.system.describe(plan.plugin)
  const isStream = contract.methods.some(({ wire, kind }) => wire === plan.method && kind === 'stream')
  const run = new LoadRun(served, { ...plan, args: withRawBytes(plan.args) }, isStream)
  const pieces = call.openStream(Number.POSITIVE_INFINITY)
  call.addListener(() => run.cancel())
  const finished = run.finish()
  const ended = finished.then(() => true)
  while (!(await Promise.race([ended, delay(reportMs, false)]))) await pieces.send(run.report())
  return finished
}

class LoadRun {
  readonly #served: Served
  readonly #plan: LoadPlan
  readonly #isStream: boolean
  readonly #begun = performance.now()
  /** No new calls are made. */
  readonly #stopping = new AbortController()
  /** Calls in flight are cancelled. */
  readonly #cancelling = new AbortController()
  readonly #all = new Histogram()
  #recent = new Histogram()
  #reported = { at: performance.now(), answered: 0 }
  #calls = 0
  #answered = 0
  #cancelled = 0
  #refused = 0
  readonly #errors: Record<string, number> = {}
  #firstError: string | null = null
  #swap: LoadReport['swap'] = null

  constructor(served: Served, plan: LoadPlan, isStream: boolean) {
    this.#served = served
    this.#plan = plan
    this.#isStream = isStream
  }

  /** Ends the run at once. */
  cancel(): void {
    this.#stopping.abort()
    this.#cancelling.abort()
  }

  async finish(): Promise<LoadReport> {
    const { callers, seconds } = this.#plan
    const timers = [
      setTimeout(() => this.#stopping.abort(), seconds * 1000),
      setTimeout(() => this.cancel(), seconds * 1000 + graceMs),
    ]
    const swapping = this.#swapInTheMiddle()
    await Promise.all(Array.from({ length: callers }, () => this.#keepCalling()))
    timers.forEach(clearTimeout)
    await swapping
    return { ...this.report(), done: true }
  }

  report(): LoadReport {
    const now = performance.now()
    const failed = Object.values(this.#errors).reduce((sum, count) => sum + count, 0)
    const recent = this.#recent
    const since = { ...this.#reported }
    this.#recent = new Histogram()
    this.#reported = { at: now, answered: this.#answered }
    return {
      elapsed_ms: now - this.#begun,
      calls: this.#calls,
      answered: this.#answered,
      in_flight: this.#calls - this.#answered - failed - this.#cancelled,
      lost: failed - this.#refused,
      refused: this.#refused,
      cancelled: this.#cancelled,
      errors: this.#errors,
      first_error: this.#firstError,
      per_second: ((this.#answered - since.answered) * 1000) / Math.max(now - since.at, 1),
      recent: recent.percentiles(),
      all: this.#all.percentiles(),
      swap: this.#swap,
      done: false,
    }
  }

  async #keepCalling(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const begun = performance.now()
      this.#calls += 1
      try {
        await this.#callOnce()
        this.#answered += 1
        this.#count(performance.now() - begun)
      } catch (error) {
        if (this.#cancelling.signal.aborted) {
          this.#cancelled += 1
          return
        }
        this.#fail(error)
        // An unloaded plugin refuses at once: the callers must not use all of the processor.
        await delay(10)
      }
    }
  }

  async #callOnce(): Promise<void> {
    const { plugin, method, args } = this.#plan
    const { system } = this.#served
    const options = { signal: this.#cancelling.signal }
    if (!this.#isStream) await system.call(plugin, method, args, options)
    else for await (const _piece of system.stream(plugin, method, args, options));
  }

  #count(ms: number): void {
    this.#all.add(ms)
    this.#recent.add(ms)
  }

  #fail(error: unknown): void {
    const name = isPluginError(error) ? (errorName(error.code) ?? String(error.code)) : 'ERROR'
    if (name === 'INVALID_PARAMS') this.#refused += 1
    this.#errors[name] = (this.#errors[name] ?? 0) + 1
    this.#firstError ??= describeThrown(error).message
  }

  async #swapInTheMiddle(): Promise<void> {
    const { swapTo, seconds, plugin } = this.#plan
    if (swapTo === undefined) return
    await delay(seconds * 500, undefined, { signal: this.#stopping.signal }).catch(() => {})
    if (this.#stopping.signal.aborted) return
    const atMs = performance.now() - this.#begun
    this.#swap = { state: 'under way', at_ms: atMs, to: swapTo }
    try {
      const { durationMs, heldCalls } = await able('plugin/swap', this.#served.changes.swap)(
        plugin,
        { name: swapTo },
        {},
      )
      this.#swap = {
        state: 'done',
        at_ms: atMs,
        to: swapTo,
        duration_ms: durationMs,
        held_calls: heldCalls,
      }
    } catch (error) {
      const message = describeThrown(error).message
      this.#swap = { state: 'failed', at_ms: atMs, to: swapTo, message }
    }
  }
}
