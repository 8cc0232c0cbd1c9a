import { setTimeout as delay } from 'node:timers/promises'
import type { MethodDescriptor } from '../../contracts/contract.js'
import { isPluginError } from '../../errors.js'
import { type CheckContext, must } from '../check.js'
import { callForResult, errorText, promptMs } from './calls.js'

/** How long a call is let run before it is cancelled, in ms. */
const runningMs = 20

/** A cancelled call ends with REQUEST_CANCELLED, unless it had finished; the plugin then goes on serving. */
export async function checkCancelled(context: CheckContext, method: MethodDescriptor): Promise<void> {
  await mustEndPromptly(method, () => cancelOnce(context, method))
  await callForResult(context, method, context.samples(method).first)
}

/**
 * @param measure Cancels the method and resolves to how long it went on, in ms.
 * @throws CheckFailure where that is more than a cancelled call may take.
 */
export async function mustEndPromptly(
  { wire }: MethodDescriptor,
  measure: () => Promise<number>,
): Promise<void> {
  // A busy machine may be late for once; a plugin that does not listen is late again.
  const elapsedMs = (await measure()) < promptMs ? 0 : await measure()
  must(
    elapsedMs < promptMs,
    `${wire} went on for ${Math.round(elapsedMs)} ms after it was cancelled; look at the \`signal\` of its options`,
  )
}

async function cancelOnce(context: CheckContext, method: MethodDescriptor): Promise<number> {
  const plugin = await context.plugin()
  const controller = new AbortController()
  const { long } = context.samples(method)
  const options = { signal: controller.signal, timeoutMs: context.timeoutMs }
  const work =
    method.kind === 'stream'
      ? drain(plugin.stream(method.wire, long, options))
      : plugin.call(method.wire, long, options)
  const ended = work.then(
    () => undefined,
    (error: unknown) => error,
  )
  await delay(runningMs)
  controller.abort()
  const before = performance.now()
  const error = await ended
  must(
    error === undefined || (isPluginError(error) && error.codeName === 'REQUEST_CANCELLED'),
    `the cancelled ${method.wire} ended with ${errorText(error)}, not REQUEST_CANCELLED`,
  )
  return performance.now() - before
}

async function drain(pieces: AsyncIterable<unknown>): Promise<void> {
  for await (const _piece of pieces);
}
