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
  /** Checks that this one builds on: if one of them fails, this one is blocked. */
  readonly after?: readonly string[]
  /** Resolves if the plugin passes; throws if it fails. */
  run(context: CheckContext): Promise<void>
}

/** The context of a check. */
export interface CheckContext {
  readonly contract: ContractDescriptor
  /** Longest time that one call may take, in ms. */
  readonly timeoutMs: number
  /** The running instance; started if there is none. */
  plugin(): Promise<RunningPlugin>
  /** Another instance, freshly started; it is stopped when the check has ended. */
  another(): Promise<RunningPlugin>
  /** Stops the running instance; the next `plugin()` starts another. Throws what its shutdown threw. */
  stop(): Promise<void>
  /** Words of the manifest's `capabilities`; undefined if the target does not know them. */
  claims(): Promise<readonly string[] | undefined>
  /** Arguments to call a method with, as on the wire. */
  samples(method: MethodDescriptor): MethodSamples
  /** The codecs of a method of the contract. */
  codecs(method: MethodDescriptor): MethodCodecs
  /** Notes a comparison that the check could not make although it passes: `not compared: …`. */
  note(text: string): void
}

/** A problem that a check found. */
export class CheckFailure extends Error {
  override readonly name = 'CheckFailure'
}

/** @throws CheckFailure unless `condition` holds. */
export function must(condition: boolean, message: string): asserts condition {
  if (!condition) throw new CheckFailure(message)
}
