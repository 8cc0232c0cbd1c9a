import { setTimeout as delay } from 'node:timers/promises'
import type { MethodDescriptor } from '../../descriptor.js'
import { isPluginError } from '../../errors.js'
import { type CheckContext, must } from '../check.js'
import type { RunningPlugin, WireArgs } from '../target.js'
import { callForResult, errorText, promptMs } from './calls.js'

/** How long a call is let run before it is cancelled, in ms. */
const runningMs = 20

/** How cancelled work ended. */
export interface Ending {
  /** How long it went on, in ms. */
  elapsedMs: number
  /** Whether the plugin answered nothing else for most of that time. */
  wasDeaf: boolean
}

/** A cancelled call ends with REQUEST_CANCELLED, unless it had finished; the plugin then goes on serving. */
export async function checkCancelled(context: CheckContext, method: MethodDescriptor): Promise<void> {
  await mustEndPromptly(method, () => cancelOnce(context, method))
  await callForResult(context, method, context.samples(method).first)
}

/**
 * @param measure Cancels the method and tells how it ended.
 * @throws CheckFailure where it went on for longer than a cancelled call may.
 */
export async function mustEndPromptly(
  { wire }: MethodDescriptor,
  measure: () => Promise<Ending>,
): Promise<void> {
  const { elapsedMs, wasDeaf } = await atBest(measure)
  const why = wasDeaf
    ? 'it blocks the event loop, so the plugin hears nothing meanwhile; await something now and then, or work in a thread'
    : 'look at the `signal` of its options'
  must(elapsedMs < promptMs, `${wire} went on for ${Math.round(elapsedMs)} ms after it was cancelled; ${why}`)
}

/** A busy machine may be late for once; a plugin that is at fault is late again. */
export async function atBest<Measured extends { elapsedMs: number }>(
  measure: () => Promise<Measured>,
): Promise<Measured> {
  const measured = await measure()
  return measured.elapsedMs < promptMs ? measured : measure()
}

/** Requests a plugin's health. Returns a function for how long the plugin has been silent since, in ms. */
export function listenFor(plugin: RunningPlugin): () => number {
  const asked = performance.now()
  let heard: number | undefined
  const hear = (): void => {
    heard = performance.now()
  }
  plugin.health().then(hear, hear)
  return () => (heard ?? performance.now()) - asked
}

/** Tries generated long arguments until the plugin accepts some. */
async function cancelOnce(context: CheckContext, method: MethodDescriptor): Promise<Ending> {
  const { longs } = context.samples(method)
  for (const args of longs.slice(0, -1)) {
    const { error, ...ending } = await cancelWith(context, method, args)
    if (error === undefined || isCancelled(error)) return ending
  }
  const { error, ...ending } = await cancelWith(context, method, longs.at(-1) ?? {})
  must(
    error === undefined || isCancelled(error),
    `the cancelled ${method.wire} ended with ${errorText(error)}, not REQUEST_CANCELLED`,
  )
  return ending
}

async function cancelWith(
  context: CheckContext,
  method: MethodDescriptor,
  args: WireArgs,
): Promise<Ending & { error: unknown }> {
  const plugin = await context.plugin()
  const controller = new AbortController()
  const options = { signal: controller.signal, timeoutMs: context.timeoutMs }
  const begun = performance.now()
  let isDone = false
  const work =
    method.kind === 'stream'
      ? drain(plugin.stream(method.wire, args, options))
      : plugin.call(method.wire, args, options)
  const ended = work
    .then(
      () => undefined,
      (error: unknown) => error,
    )
    .finally(() => {
      isDone = true
    })
  await delay(runningMs)
  // In the process of the checks, a plugin that blocks the event loop holds up this timer too.
  const lateMs = performance.now() - begun - runningMs
  const wasDone = isDone
  controller.abort()
  const deafMs = listenFor(plugin)
  const error = await ended
  const elapsedMs = performance.now() - begun - runningMs
  if (wasDone && error === undefined) context.note(notCancelled(method))
  return { error, elapsedMs, wasDeaf: Math.max(deafMs(), lateMs) > elapsedMs / 2 }
}

/** Why nothing was cancelled. */
export function notCancelled({ wire, name }: MethodDescriptor): string {
  return `not cancelled: ${wire} was done before; give arguments that keep it busy as third of its samples: samples: { ${name}: [{ … }, { … }, { … }] }`
}

function isCancelled(error: unknown): boolean {
  return isPluginError(error) && error.codeName === 'REQUEST_CANCELLED'
}

async function drain(pieces: AsyncIterable<unknown>): Promise<void> {
  for await (const _piece of pieces);
}
