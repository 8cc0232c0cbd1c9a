import { isDeepStrictEqual } from 'node:util'
import type { MethodDescriptor } from '../../descriptor.js'
import { type Check, type CheckContext, CheckFailure, must } from '../check.js'
import type { WireArgs } from '../target.js'
import { callForResult, promptMs, readPiece, streamForPieces, unexpected } from './calls.js'
import { type Ending, listenFor, mustEndPromptly } from './cancellation.js'
import { cancelCheck, needs, notSteady, withoutFigures } from './method.js'

/** Checks of each stream method, besides those of every method. */
export function streamChecks(contract: string, method: MethodDescriptor): Check[] {
  const id = `${contract}.${method.wire}`
  const { wire } = method
  const checks: Check[] = [
    {
      ...needs(method),
      id: `${id}.pieces`,
      title: `The pieces of ${wire} have the shape of the contract`,
      after: [`${id}.result`],
      run: async (context) => {
        await streamForPieces(context, method, context.samples(method).first)
      },
    },
    cancelCheck(contract, method, `${id}.pieces`),
    {
      ...needs(method),
      id: `${id}.return`,
      title: `A reader that leaves ${wire} early ends it in the plugin, which goes on serving`,
      after: [`${id}.pieces`],
      run: (context) => checkReturn(context, method),
    },
  ]
  if (method.input !== null) {
    checks.push({
      ...needs(method),
      id: `${id}.input`,
      title: `${wire} takes its ${method.input} piece by piece`,
      after: [`${id}.pieces`],
      run: (context) => checkInput(context, method),
    })
  }
  return checks
}

/** For contracts whose one answer is the array of all pieces. */
export function joinedAsArray(contract: string, method: MethodDescriptor): Check[] {
  if (method.result['type'] !== 'array') return []
  const id = `${contract}.${method.wire}`
  return [
    {
      ...needs(method),
      id: `${id}.joined`,
      title: `The pieces of ${method.wire} together are its one answer`,
      after: [`${id}.pieces`],
      run: async (context) => {
        const { first } = context.samples(method)
        const pieces = await streamForPieces(context, method, first)
        const again = await streamForPieces(context, method, first)
        const whole = await callForResult(context, method, first)
        // A stream that never says the same thing twice can't be compared.
        if (!isDeepStrictEqual(pieces, again)) return context.note(notSteady(method))
        must(isDeepStrictEqual(whole, pieces), 'without `stream` the answer is not the array of the pieces')
      },
    },
  ]
}

async function checkReturn(context: CheckContext, method: MethodDescriptor): Promise<void> {
  await mustEndPromptly(method, () => leaveOnce(context, method))
  await streamForPieces(context, method, context.samples(method).first)
}

/** Tries generated long arguments until the plugin accepts some. */
async function leaveOnce(context: CheckContext, method: MethodDescriptor): Promise<Ending> {
  const { longs } = context.samples(method)
  for (const args of longs.slice(0, -1)) {
    const ending = await leaveWith(context, method, args).catch((error: unknown) => {
      if (error instanceof CheckFailure) throw error
    })
    if (ending) return ending
  }
  return leaveWith(context, method, longs.at(-1) ?? {}).catch((error: unknown) => {
    throw unexpected(method.wire, error)
  })
}

async function leaveWith(context: CheckContext, method: MethodDescriptor, args: WireArgs): Promise<Ending> {
  const plugin = await context.plugin()
  const stream = plugin.stream(method.wire, args, { timeoutMs: context.timeoutMs })
  const { done, value } = await stream.next()
  if (done) context.note(`not tried: ${method.wire} ended without a piece`)
  else readPiece(context, method, value, 0)
  const before = performance.now()
  const left = stream.return?.() ?? Promise.resolve()
  const deafMs = listenFor(plugin)
  await withLimit(left, context.timeoutMs)
  const elapsedMs = performance.now() - before
  return { elapsedMs, wasDeaf: deafMs() > elapsedMs / 2 }
}

async function withLimit(work: Promise<unknown>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const limit = Math.max(timeoutMs, 2 * promptMs)
    timer = setTimeout(() => reject(new CheckFailure(`the stream did not end in ${limit} ms`)), limit)
  })
  await Promise.race([work, late]).finally(() => clearTimeout(timer))
}

/** The argument sent in parts gives as many pieces of the right shape as there are, and at least one. */
async function checkInput(context: CheckContext, method: MethodDescriptor): Promise<void> {
  const { inputName: name = '' } = context.codecs(method)
  const { [name]: whole, ...rest } = context.samples(method).first as WireArgs
  const input = { name, items: partsOf(whole, name.endsWith('_b64')) }
  const pieces = await streamForPieces(context, method, rest, { input })
  must(pieces.length > 0, `${method.input} in parts gave no piece at all`)
}

/** A text word by word; bytes in thirds. */
async function* partsOf(value: unknown, isBytes: boolean): AsyncGenerator<unknown> {
  if (typeof value !== 'string') yield value
  else if (!isBytes) yield* value.split(/(?<= )/)
  else {
    const bytes = Buffer.from(value, 'base64')
    const third = Math.ceil(bytes.length / 3)
    for (let start = 0; start < bytes.length; start += third)
      yield bytes.subarray(start, start + third).toString('base64')
  }
}

/** Whether two calls with the same arguments give the same answer, and that answer. */
export async function steadyResult(
  context: CheckContext,
  method: MethodDescriptor,
  args: WireArgs,
): Promise<{ result: unknown; isSteady: boolean }> {
  const result = await callForResult(context, method, args)
  const again = await callForResult(context, method, args)
  return { result, isSteady: isDeepStrictEqual(withoutFigures(result), withoutFigures(again)) }
}
