import { issuesText } from '../../codec/issues.js'
import type { ContractDescriptor, MethodDescriptor } from '../../descriptor.js'
import { describeThrown, isPluginError, type PluginError } from '../../errors.js'
import { type CheckContext, CheckFailure } from '../check.js'
import type { TargetCallOptions, WireArgs } from '../target.js'

/** How long a plugin may take to end a cancelled call, in ms. The runtime answers instead after 1000. */
export const promptMs = 900

/** The outcome of a call: its answer in the form of the wire, or its error. */
export interface Outcome {
  answer?: unknown
  error?: unknown
}

/** A result in the names of TypeScript, its shape checked against the contract. Throws CheckFailure where there is none. */
export async function callForResult(
  context: CheckContext,
  method: MethodDescriptor,
  args: WireArgs,
  options: TargetCallOptions = {},
): Promise<unknown> {
  const outcome = await tryCall(context, method, args, options)
  if (outcome.error !== undefined) throw unexpected(method.wire, outcome.error)
  return readResult(context, method, outcome.answer)
}

/** Calls a method and returns its outcome. */
export async function tryCall(
  context: CheckContext,
  method: MethodDescriptor,
  args: WireArgs,
  options: TargetCallOptions = {},
): Promise<Outcome> {
  const plugin = await context.plugin()
  try {
    return { answer: await plugin.call(method.wire, args, { timeoutMs: context.timeoutMs, ...options }) }
  } catch (error) {
    return { error }
  }
}

/** A plugin that loads its engine at the first call has one from here on. What comes of the call is another check's matter. */
export async function callSomething(context: CheckContext): Promise<void> {
  const method = usualMethod(context.contract)
  if (method) await tryCall(context, method, context.samples(method).first)
  else await context.plugin()
}

/** A method that every plugin of the contract has, and that answers once; else a stream. */
export function usualMethod({ methods }: ContractDescriptor): MethodDescriptor | undefined {
  const required = methods.filter((method) => method.required)
  return required.find(({ kind }) => kind === 'call') ?? required[0]
}

/** All pieces of a stream as on the wire. Throws what the stream threw. */
export async function readStream(
  context: CheckContext,
  method: MethodDescriptor,
  args: WireArgs,
  options: TargetCallOptions = {},
): Promise<unknown[]> {
  const plugin = await context.plugin()
  const pieces: unknown[] = []
  const stream = plugin.stream(method.wire, args, { timeoutMs: context.timeoutMs, ...options })
  for await (const piece of stream) pieces.push(piece)
  return pieces
}

/** All pieces of a stream in the names of TypeScript, their shape checked. Throws CheckFailure. */
export async function streamForPieces(
  context: CheckContext,
  method: MethodDescriptor,
  args: WireArgs,
  options: TargetCallOptions = {},
): Promise<unknown[]> {
  const pieces = await readStream(context, method, args, options).catch((error: unknown) => {
    throw unexpected(method.wire, error)
  })
  return pieces.map((piece, index) => readPiece(context, method, piece, index))
}

export function readResult(context: CheckContext, method: MethodDescriptor, answer: unknown): unknown {
  const { value, issues } = context.codecs(method).decodeResult(answer)
  if (issues.length > 0)
    throw new CheckFailure(`${method.wire} returned what the contract does not allow: ${issuesText(issues)}`)
  return value
}

export function readPiece(
  context: CheckContext,
  method: MethodDescriptor,
  piece: unknown,
  index: number,
): unknown {
  const { value, issues } = context.codecs(method).decodePiece(piece)
  if (issues.length > 0)
    throw new CheckFailure(
      `piece ${index} of ${method.wire} is not what the contract allows: ${issuesText(issues)}`,
    )
  return value
}

/** The failure of a check for an error that should not have come. */
export function unexpected(what: string, error: unknown): CheckFailure {
  if (error instanceof CheckFailure) return error
  return new CheckFailure(`${what} failed: ${errorText(error)}`, { cause: error })
}

/** `There is no voice "x" (TTS_VOICE_NOT_FOUND)` */
export function errorText(error: unknown): string {
  if (isPluginError(error)) return `${error.message} (${codeText(error)})`
  const { name, message } = describeThrown(error)
  return `${name}: ${message}`
}

export function codeText({ code, codeName }: PluginError): string {
  return codeName ?? String(code)
}
