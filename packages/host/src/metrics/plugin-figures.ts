import { type Outcome, outcomeOf } from '@appfactory/sdk/internal'
import type { LogLevel } from '../logs/levels.js'
import { Durations } from './durations.js'
import { OutcomeCounts } from './outcomes.js'

/** The author of a plugin decides how many methods it has: only so many are told apart. */
const mostMethods = 100

/** The calls of one method, and how long they took. */
export class MethodFigures extends Durations {
  readonly outcomes = new OutcomeCounts()

  /** Whether it was called at all. */
  get isUsed(): boolean {
    const { answered, failed, cancelled } = this.outcomes
    return answered + failed + cancelled > 0
  }

  end(outcome: Outcome, ms: number): void {
    this.add(ms)
    this.outcomes.add(outcome)
  }
}

/** What is counted of a plugin for as long as the host runs, by whichever process it is served. */
export class PluginFigures {
  callsInFlight = 0
  openStreams = 0
  crashes = 0
  restarts = 0
  /** By whether they succeeded. */
  readonly swaps = { succeeded: 0, failed: 0 }
  /** Lines on its stdout that were not messages. */
  noise = 0
  linesDropped = 0
  readonly logLines: Record<LogLevel, number> = { DEBUG: 0, INFO: 0, WARNING: 0, ERROR: 0, CRITICAL: 0 }
  readonly #methods = new Map<string, MethodFigures>()
  /** Of methods that are not in the contract. */
  readonly #other = new MethodFigures()
  /** Told of each call that failed, and how long it took. */
  readonly onFailure: (method: string, error: unknown, ms: number) => void

  constructor(onFailure: PluginFigures['onFailure'] = () => {}) {
    this.onFailure = onFailure
  }

  /** The methods of the plugin's contract, by their wire names. */
  know(methods: Iterable<string>): void {
    for (const method of methods) {
      if (this.#methods.size >= mostMethods) return
      if (!this.#methods.has(method)) this.#methods.set(method, new MethodFigures())
    }
  }

  of(method: string): MethodFigures {
    return this.#methods.get(method) ?? this.#other
  }

  /** A call failed before the plugin was asked. */
  refuse(method: string, error: unknown): void {
    this.of(method).outcomes.add(outcomeOf(error))
    this.onFailure(method, error, 0)
  }

  /** All methods with their figures. */
  *methods(): Generator<[method: string, figures: MethodFigures]> {
    yield* this.#methods
    yield ['other', this.#other]
  }
}

/** The figures of all plugins that a host has had, by name. There are no more than folders of plugins: `of` is for those that exist. */
export class FiguresByPlugin {
  readonly #plugins = new Map<string, PluginFigures>()
  readonly #onFailure: (plugin: string, method: string, error: unknown, ms: number) => void

  /** @param onFailure Told of each call that failed. */
  constructor(onFailure: (plugin: string, method: string, error: unknown, ms: number) => void = () => {}) {
    this.#onFailure = onFailure
  }

  /** Those of a plugin that may not exist. */
  find(plugin: string): PluginFigures | undefined {
    return this.#plugins.get(plugin)
  }

  of(plugin: string): PluginFigures {
    const known = this.#plugins.get(plugin)
    if (known) return known
    const figures = new PluginFigures((method, error, ms) => this.#onFailure(plugin, method, error, ms))
    this.#plugins.set(plugin, figures)
    return figures
  }

  [Symbol.iterator](): IterableIterator<[plugin: string, figures: PluginFigures]> {
    return this.#plugins.entries()
  }
}
