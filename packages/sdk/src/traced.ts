import type { TracingChannel } from 'node:diagnostics_channel'
import { isPluginError } from './errors.js'
import type { TraceContext } from './trace-context.js'

/**
 * What came of a call or a stream. A stream is one call. One that its reader leaves is cancelled, as a call is that its caller
 * cancels: it is neither answered nor failed.
 */
export type Outcome = 'answered' | 'failed' | 'cancelled'

/** What came of a call that ended with an error. */
export function outcomeOf(error: unknown): Outcome {
  return isPluginError(error) && error.codeName === 'REQUEST_CANCELLED' ? 'cancelled' : 'failed'
}

/** What is published of something that takes time. It is the same object from its beginning to its end. */
export interface Trace {
  /** The span that it belongs to, where it came with one. */
  readonly parent?: TraceContext
  /** What goes along with it: `parent`, unless a listener to `start` makes a span of its own. */
  context?: TraceContext | undefined
  /** From its end on. */
  outcome?: Outcome
  /** From its end on: how long the caller waited, in ms. For a stream, from its beginning to its end. */
  durationMs?: number
  /** Where it failed with a PluginError: its code. */
  errorCode?: number
  /** Where it failed: the name of the code, or of the error's class. */
  errorName?: string
}

/** Something that is reported on a tracing channel. For when somebody listens. */
export class Traced<Told extends Trace> {
  readonly trace: Told
  readonly #channel: TracingChannel<object, Told>
  readonly #begun = performance.now()

  constructor(channel: TracingChannel<object, Told>, trace: Told) {
    this.#channel = channel
    this.trace = trace
  }

  /** What `make` does belongs to it, for those who keep something in an AsyncLocalStorage. */
  begin<Result>(make: () => Result): Result {
    return this.#channel.start.runStores(this.trace, () => {
      try {
        return make()
      } finally {
        this.#channel.end.publish(this.trace)
      }
    })
  }

  /** Begins it, and ends it with the promise. */
  run<Result>(make: () => Promise<Result>): Promise<Result> {
    return this.endWith(this.begin(make))
  }

  endWith<Result>(answer: Promise<Result>): Promise<Result> {
    return answer.then(
      (result) => {
        this.end('answered')
        return result
      },
      (error: unknown) => {
        this.end(outcomeOf(error), error)
        throw error
      },
    )
  }

  end(outcome: Outcome, error?: unknown): void {
    const { trace } = this
    trace.outcome = outcome
    trace.durationMs = Math.round((performance.now() - this.#begun) * 1000) / 1000
    if (outcome !== 'answered') this.#channel.error.publish(Object.assign(trace, failureOf(error)))
    this.#channel.asyncStart.publish(trace)
    this.#channel.asyncEnd.publish(trace)
  }
}

/** Messages of errors may hold arguments: only their codes and names are reported. */
export function failureOf(error: unknown): Pick<Trace, 'errorCode' | 'errorName'> {
  if (error === undefined) return {}
  if (!isPluginError(error)) return { errorName: error instanceof Error ? error.name : 'Error' }
  return { errorCode: error.code, errorName: error.codeName ?? error.name }
}
