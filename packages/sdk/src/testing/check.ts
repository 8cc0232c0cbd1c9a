import type { MethodCodecs } from '../codec/method-codecs.js'
import type { ContractDescriptor, MethodDescriptor } from '../descriptor.js'
import type { MethodSamples } from './samples.js'
import type { RunningPlugin } from './target.js'

/** One thing that a plugin must do right. */
export interface Check {
  /** Stable: `tts.synthesize.result`. */
  readonly id: string
  /** One line for a person, as a statement that holds. */
  readonly title: string
  /** The capability without which it is skipped: the wire name of a method, or `state`. */
  readonly requires?: string
  /** Checks without which this one says nothing: where one of them failed, this one is blocked. */
  readonly after?: readonly string[]
  /** Resolves where the plugin passes; throws where it does not. */
  run(context: CheckContext): Promise<void>
}

/** What a check works with. */
export interface CheckContext {
  readonly contract: ContractDescriptor
  /** Longest time that one call may take, in ms. */
  readonly timeoutMs: number
  /** The running instance; started where there is none. */
  plugin(): Promise<RunningPlugin>
  /** Another instance, freshly started; it is stopped when the check has ended. */
  another(): Promise<RunningPlugin>
  /** Stops the running instance; the next `plugin()` starts another. Throws what its shutdown threw. */
  stop(): Promise<void>
  /** Words of the manifest's `capabilities`; undefined where the target does not tell. */
  claims(): Promise<readonly string[] | undefined>
  /** Arguments to call a method with, as on the wire. */
  samples(method: MethodDescriptor): MethodSamples
  /** The codecs of a method of the contract. */
  codecs(method: MethodDescriptor): MethodCodecs
  /** Tells what the check can't compare, or has not tried, although it passes: `not compared: …`. */
  note(text: string): void
}

/** What a check found wrong. */
export class CheckFailure extends Error {
  override readonly name = 'CheckFailure'
}

/** @throws CheckFailure unless `condition` holds. */
export function must(condition: boolean, message: string): asserts condition {
  if (!condition) throw new CheckFailure(message)
}
