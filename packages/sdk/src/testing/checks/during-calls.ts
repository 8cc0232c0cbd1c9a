import type { ContractDescriptor } from '../../descriptor.js'
import { type HealthStatus, PluginStatus } from '../../health.js'
import { type Check, type CheckContext, must } from '../check.js'
import { promptMs, tryCall, unexpected, usualMethod } from './calls.js'
import { atBest } from './cancellation.js'

const operational: readonly string[] = [PluginStatus.READY, PluginStatus.BUSY]

/** healthCheck() must not wait for, or be upset by, a call in flight. */
export function duringCallsCheck(contract: ContractDescriptor): Check {
  const method = usualMethod(contract)
  const after = method ? [`${contract.name}.${method.wire}.result`] : []
  return {
    id: 'health.during_calls',
    title: 'healthCheck() answers while a call is running, and says that the plugin works',
    after: ['health.ready', ...after],
    run: checkHealth,
  }
}

async function checkHealth(context: CheckContext): Promise<void> {
  const { elapsedMs, health } = await atBest(() => askDuringCall(context))
  must(
    elapsedMs < promptMs,
    `healthCheck() was answered after ${Math.round(elapsedMs)} ms only: the call blocks the event loop, or healthCheck() waits for it`,
  )
  const { status, message = '' } = health
  must(operational.includes(status), `while a call is running it says ${status} ${message}`.trim())
}

async function askDuringCall(context: CheckContext): Promise<{ elapsedMs: number; health: HealthStatus }> {
  const plugin = await context.plugin()
  const method = usualMethod(context.contract)
  if (!method) context.note('not compared: the contract has no method to call')
  const begun = performance.now()
  const call = method ? tryCall(context, method, context.samples(method).longs[0] ?? {}) : undefined
  // One turn, so that the call is under way.
  await new Promise((resolve) => setImmediate(resolve))
  try {
    const health = await plugin.health()
    return { health, elapsedMs: performance.now() - begun }
  } catch (error) {
    throw unexpected('healthCheck() while a call is running', error)
  } finally {
    await call
  }
}
