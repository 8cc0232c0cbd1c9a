import type { ContractDescriptor, MethodDescriptor } from '../../contracts/contract.js'
import { PluginStatus } from '../../health.js'
import { type Check, type CheckContext, must } from '../check.js'
import { tryCall, unexpected } from './calls.js'

const operational: readonly string[] = [PluginStatus.READY, PluginStatus.BUSY]

/** healthCheck() must not wait for, or be upset by, a call in flight. */
export function duringCallsCheck(contract: ContractDescriptor): Check {
  const method = contract.methods.find(({ required, kind }) => required && kind === 'call')
  const after = method ? [`${contract.name}.${method.wire}.result`] : []
  return {
    id: 'health.during_calls',
    title: 'healthCheck() answers while a call is running, and says that the plugin works',
    after: ['health.ready', ...after],
    run: (context) => checkHealth(context, method),
  }
}

async function checkHealth(context: CheckContext, method: MethodDescriptor | undefined): Promise<void> {
  const plugin = await context.plugin()
  const call = method ? tryCall(context, method, context.samples(method).long) : Promise.resolve()
  // One turn, so that the call is under way.
  await new Promise((resolve) => setImmediate(resolve))
  try {
    const { status, message = '' } = await plugin.health()
    must(operational.includes(status), `while a call is running it says ${status} ${message}`.trim())
  } catch (error) {
    throw unexpected('healthCheck() while a call is running', error)
  } finally {
    await call
  }
}
