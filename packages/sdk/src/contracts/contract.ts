import type { z } from 'zod'
import type { ContractDescriptor, MethodKind, SessionRole } from '../descriptor.js'
import type { Manifest } from '../manifest.js'

/** One method of a contract, as authors write it: with Zod schemas in camelCase. */
export interface MethodDefinition {
  /** One line for a person. */
  description?: string
  /** Default: `call`. */
  kind?: MethodKind
  /** A plugin without it does not fit the contract. Default: true. */
  required?: boolean
  /** Calling it twice does no harm, so it may be retried after a crash. Default: false. */
  idempotent?: boolean
  /**
   * Names of the arguments that the author's method takes by position; the rest arrive as its last argument,
   * the options. Without it the method takes one object with all arguments, and a CallContext.
   */
  parameters?: readonly string[]
  /** The argument that may be an AsyncIterable, sent while the call runs. */
  input?: string
  /** Ties calls to the instance of the plugin that began the session. Default: the method is of no session. */
  session?: SessionRole
  /** All arguments, positional ones and options alike, as one flat object. */
  args: z.ZodType
  /** The result; for a stream, the whole of it when a caller asks for one answer. */
  result: z.ZodType
  /** Kind `stream` only: one piece. */
  piece?: z.ZodType
  /** The field that a bare result (or piece) stands for: `'text'` lets an author return a string for `{ text }`. */
  bare?: string
  /** The field of the result that a caller in TypeScript gets instead of the whole. */
  unwrap?: string
  /** Kind `stream` only: makes the one answer from all pieces, as `piece` has checked them. Default: the array of them. */
  aggregate?: (pieces: never[]) => unknown
}

/** A contract as data: the argument of `defineContract()`. */
export interface ContractDefinition<
  Methods extends Record<string, MethodDefinition> = Record<string, MethodDefinition>,
> {
  /** Lower case, as in a manifest's `contract`: `tts`. */
  name: string
  /** Semantic version of the contract. */
  version: string
  /** One line for a person. */
  description?: string
  /** By their TypeScript name: `getVoices` is `get_voices` on the wire. */
  methods: Methods
}

/** Turns an author's shorthand into a full result, if `bare` is not enough. */
export interface MethodBehaviour {
  /** Reduces checked arguments to those that the manifest's capabilities allow. Throws INVALID_PARAMS if it can't. */
  prepare?(args: Record<string, unknown>, manifest: Manifest): Record<string, unknown>
  /** Completes a result (after `bare`). */
  normalise?(result: Record<string, unknown>, args: Record<string, unknown>): Record<string, unknown>
  /** Completes a piece of a stream (after `bare`). */
  normalisePiece?(piece: Record<string, unknown>, args: Record<string, unknown>): Record<string, unknown>
  /** Makes the one answer from all pieces of a stream. */
  aggregate?(pieces: readonly Record<string, unknown>[], args: Record<string, unknown>): unknown
}

/** The runtime's data of a contract class, under `contractSymbol`. */
export interface ContractBinding {
  /** The contract’s name. */
  readonly name: string
  /** Loads the contract as data. */
  describe(): Promise<ContractDescriptor>
  /** How shorthand of authors becomes full results, by method. */
  readonly behaviour: Readonly<Record<string, MethodBehaviour>>
  /** Live Zod schemas of the arguments, for contracts defined in code: refinements and transforms count. */
  readonly argumentSchemas?: Readonly<Record<string, z.ZodType>>
  /** The same for results: the plugin sends the parsed ones. */
  readonly resultSchemas?: Readonly<Record<string, z.ZodType>>
  /** The same of the pieces of streams. */
  readonly pieceSchemas?: Readonly<Record<string, z.ZodType>>
}

/** Registered, so that a class made by another copy of the SDK is recognised. */
export const contractSymbol: unique symbol = Symbol.for('appfactory.contract') as never

/** A contract as a class: `TTSContract`, one of `defineContract()`, or a class that extends one of these. */
export type ContractClass = (abstract new (
  ...args: never[]
) => object) & {
  readonly [contractSymbol]: ContractBinding
}

/** The binding of a contract class (own or inherited), or undefined for anything else. */
export function contractBindingOf(value: unknown): ContractBinding | undefined {
  if (typeof value !== 'function') return undefined
  return (value as { [contractSymbol]?: ContractBinding })[contractSymbol]
}

/** Calls of the custom contracts get this beside their arguments; the shipped ones get `signal` in their options. */
export interface CallContext {
  /** Aborted when the caller cancels, times out or goes away. */
  readonly signal: AbortSignal
}
