import { type Check, type CheckContext, must } from '../check.js'
import type { RunningPlugin } from '../target.js'

/** The meaning of words in a manifest's `capabilities`, besides names of methods. Authors may add other words. */
const promises: Record<string, (plugin: RunningPlugin) => boolean> = {
  // A session that is fed piece by piece is a stream too, in other words.
  streaming: (plugin) =>
    implementsAny(plugin, ({ kind, session }) => kind === 'stream' || session === 'open'),
  sessions: (plugin) => implementsAny(plugin, ({ session }) => session === 'open'),
  state: ({ capabilities }) => capabilities.includes('state'),
  hot_swap_state: ({ capabilities }) => capabilities.includes('state'),
}

export const claimsCheck: Check = {
  id: 'manifest.capabilities',
  title: 'The plugin implements what its manifest names among its `capabilities`',
  after: ['lifecycle.initialize'],
  run: checkClaims,
}

async function checkClaims(context: CheckContext): Promise<void> {
  const claims = await context.claims()
  if (claims === undefined)
    return context.note('not compared: the target does not tell what the manifest says')
  const plugin = await context.plugin()
  const untrue = claims.filter((claim) => keeps(plugin, claim) === false)
  must(
    untrue.length === 0,
    `the manifest says ${untrue.join(', ')}, but the plugin implements only ${plugin.capabilities.join(', ')}`,
  )
}

/** Whether a plugin keeps the promise of a word; undefined for an unknown word. */
function keeps(plugin: RunningPlugin, claim: string): boolean | undefined {
  const promise = Object.hasOwn(promises, claim) ? promises[claim] : undefined
  if (promise) return promise(plugin)
  const method = plugin.contract.methods.find(({ name, wire }) => name === claim || wire === claim)
  return method && plugin.capabilities.includes(method.wire)
}

function implementsAny(
  { capabilities, contract }: RunningPlugin,
  is: (method: RunningPlugin['contract']['methods'][number]) => boolean,
): boolean {
  return contract.methods.some((method) => is(method) && capabilities.includes(method.wire))
}
