import { channel, tracingChannel } from 'node:diagnostics_channel'
import {
  activeTrace,
  failureOf,
  type Outcome,
  type Trace,
  type TraceContext,
  Traced,
} from '@appfactory/sdk/internal'
import { rounded } from './numbers.js'
import type { RoutedCallOptions } from './options.js'

/** Which worker has a call. */
export interface Whereabouts {
  /** The node of a cluster that has it, or that it came to. Absent: there is no cluster. */
  node?: string
  /** Of a plugin with several processes: which of them, from 1. */
  place?: number
  /** Of the plugin. */
  version?: string
}

/**
 * A call or a stream, on the tracing channel `appfactory.call`: `start` and `end` when it is made, `asyncStart` and `asyncEnd` when
 * it has ended, `error` before those unless it was answered. It is the same object each time. Neither arguments nor
 * results are in it.
 */
export interface CallTrace extends Trace, Whereabouts {
  /** The plugin's name. */
  readonly plugin: string
  /** The method's wire name. */
  readonly method: string
  /** The contract's name. Undefined: the plugin has not come up yet. */
  readonly contract: string | undefined
  /** Whether it has one answer, or pieces. */
  readonly kind: 'call' | 'stream'
  /** Whether it came from a client, over the wire. Absent: it was made in this process. */
  readonly served?: boolean
}

/**
 * One attempt of a call that may have several, on the tracing channel `appfactory.attempt`: of a call over a cluster, and of one with
 * `retry`. It begins when a worker is asked, and ends as a call does.
 */
export interface AttemptTrace extends Trace, Whereabouts {
  /** The call that it is one of. */
  readonly call: CallTrace
  /** Which one it is, from 1. */
  readonly attempt: number
  /** The plugin's name. */
  readonly plugin: string
  /** The method's wire name. */
  readonly method: string
  /** The contract's name. Undefined: the plugin has not come up yet. */
  readonly contract: string | undefined
  /** Whether it has one answer, or pieces. */
  readonly kind: 'call' | 'stream'
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
const attemptChannel = tracingChannel<object, AttemptTrace>('appfactory.attempt')
const loadChannel = channel('appfactory.load')
const swapChannel = channel('appfactory.swap')
const crashChannel = channel('appfactory.crash')

/** Whether anybody listens to calls. */
export function hasListeners(): boolean {
  return callChannel.hasSubscribers || attemptChannel.hasSubscribers
}

/** Who has been asked for a call, until there is an answer. */
export interface Attempt {
  /** What goes along with it. */
  readonly context: TraceContext | undefined
  end(outcome: Outcome, error?: unknown): void
  /** Ends with a promise, which it returns. */
  watch<Result>(answer: Promise<Result>): Promise<Result>
}

/** A call or a stream that is reported. */
export class TracedCall extends Traced<CallTrace> {
  readonly #hasAttempts: boolean
  #attempts = 0

  /** Of a call with these options. */
  static of(
    called: Pick<CallTrace, 'plugin' | 'method' | 'contract' | 'kind'>,
    { trace: parent, arrival }: Pick<RoutedCallOptions, 'trace' | 'arrival'>,
    hasAttempts = false,
  ): TracedCall {
    const context = parent ?? activeTrace()
    const node = arrival?.node
    const trace = {
      ...called,
      ...(parent ? { parent } : {}),
      ...(context ? { context } : {}),
      ...(arrival ? { served: true } : {}),
      ...(node === undefined ? {} : { node }),
    }
    return new TracedCall(trace, hasAttempts)
  }

  /** @param hasAttempts Whether each worker that is asked is reported too: one may follow another. */
  private constructor(trace: CallTrace, hasAttempts: boolean) {
    super(callChannel, trace)
    this.#hasAttempts = hasAttempts
  }

  /** A worker is asked. */
  ask(where: Whereabouts): Attempt {
    const { trace } = this
    Object.assign(trace, where)
    if (!this.#hasAttempts) return { context: trace.context, end: () => {}, watch: (answer) => answer }
    this.#attempts += 1
    const { plugin, method, contract, kind, context } = trace
    const attempt = new Traced<AttemptTrace>(attemptChannel, {
      ...{ call: trace, attempt: this.#attempts, plugin, method, contract, kind },
      ...(context ? { parent: context, context } : {}),
      ...where,
    })
    attempt.begin(() => {})
    return {
      context: attempt.trace.context,
      end: (outcome, error) => attempt.end(outcome, error),
      watch: (answer) => attempt.endWith(answer),
    }
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
