import { channel, tracingChannel } from 'node:diagnostics_channel'
import { isPluginError } from '@appfactory/sdk'
import { type Outcome, outcomeOf } from './metrics/outcomes.js'
import { rounded } from './numbers.js'

/**
 * A call or a stream, on the tracing channel `appfactory.call`: `start` and `end` when it is made, `asyncStart` and `asyncEnd` when
 * it has ended, `error` before those unless it was answered. It is the same object each time. Neither arguments nor
 * results are in it.
 */
export interface CallTrace {
  /** The plugin's name. */
  readonly plugin: string
  /** The method's wire name. */
  readonly method: string
  /** The contract's name. Undefined: the plugin has not come up yet. */
  readonly contract: string | undefined
  /** Whether it has one answer, or pieces. */
  readonly kind: 'call' | 'stream'
  /** From its end on. */
  outcome?: Outcome
  /** From its end on: how long the caller waited, in ms. For a stream, from its beginning to its end. */
  durationMs?: number
  /** Where it failed with a PluginError: its code. */
  errorCode?: number
  /** Where it failed: the name of the code, or of the error's class. */
  errorName?: string
}

/** A load, on the channel `appfactory.load`, when it is over. */
export interface LoadTrace extends FailureTrace {
  /** The plugin's name. */
  readonly plugin: string
  /** The contract's name. Undefined: the load failed. */
  readonly contract: string | undefined
  /** How long it took, in ms. */
  readonly durationMs: number
}

/** A swap, on the channel `appfactory.swap`, when callers have the new plugin, or it has failed. */
export interface SwapTrace extends FailureTrace {
  /** The name of the plugin that was loaded. */
  readonly plugin: string
  /** The name of the one that takes its place. */
  readonly replacement: string
  /** How long it took, in ms. */
  readonly durationMs: number
}

/** The end of a plugin's process that nobody asked for, on the channel `appfactory.crash`. */
export interface CrashTrace {
  /** The plugin's name. */
  readonly plugin: string
}

interface FailureTrace {
  /** Where it failed with a PluginError: its code. */
  readonly errorCode?: number
  /** Where it failed: the name of the code, or of the error's class. */
  readonly errorName?: string
}

export const callChannel = tracingChannel<object, CallTrace>('appfactory.call')
const loadChannel = channel('appfactory.load')
const swapChannel = channel('appfactory.swap')
const crashChannel = channel('appfactory.crash')

/** Reports a call that `make` makes. For when somebody listens. */
export function traceCall<Result>(trace: CallTrace, make: () => Promise<Result>): Promise<Result> {
  const call = new TracedCall(trace)
  return call.begin(make).then(
    (result) => {
      call.end('answered')
      return result
    },
    (error: unknown) => {
      call.end(outcomeOf(error), error)
      throw error
    },
  )
}

/** A call or a stream that is reported. */
export class TracedCall {
  readonly #trace: CallTrace
  readonly #begun = performance.now()

  constructor(trace: CallTrace) {
    this.#trace = trace
  }

  /** What `make` does belongs to the call, for those who keep something in an AsyncLocalStorage. */
  begin<Result>(make: () => Result): Result {
    return callChannel.start.runStores(this.#trace, () => {
      try {
        return make()
      } finally {
        callChannel.end.publish(this.#trace)
      }
    })
  }

  end(outcome: Outcome, error?: unknown): void {
    const trace = this.#trace
    trace.outcome = outcome
    trace.durationMs = rounded(performance.now() - this.#begun)
    if (outcome !== 'answered') callChannel.error.publish(Object.assign(trace, failureOf(error)))
    callChannel.asyncStart.publish(trace)
    callChannel.asyncEnd.publish(trace)
  }
}

/** Times a load. Returns what reports its end, if anybody listens. */
export function timeLoad(plugin: string): (contract: string | undefined, error?: unknown) => void {
  const begun = performance.now()
  return (contract, error) => {
    if (!loadChannel.hasSubscribers) return
    const durationMs = rounded(performance.now() - begun)
    loadChannel.publish({ plugin, contract, durationMs, ...failureOf(error) } satisfies LoadTrace)
  }
}

/** Times a swap. Returns what reports its end, if anybody listens. */
export function timeSwap(plugin: string, replacement: string): (error?: unknown) => void {
  const begun = performance.now()
  return (error) => {
    if (!swapChannel.hasSubscribers) return
    const durationMs = rounded(performance.now() - begun)
    swapChannel.publish({ plugin, replacement, durationMs, ...failureOf(error) } satisfies SwapTrace)
  }
}

export function reportCrash(plugin: string): void {
  if (crashChannel.hasSubscribers) crashChannel.publish({ plugin } satisfies CrashTrace)
}

/** Messages of errors may hold arguments: only their codes and names are reported. */
function failureOf(error: unknown): FailureTrace {
  if (error === undefined) return {}
  if (!isPluginError(error)) return { errorName: error instanceof Error ? error.name : 'Error' }
  return { errorCode: error.code, errorName: error.codeName ?? error.name }
}
