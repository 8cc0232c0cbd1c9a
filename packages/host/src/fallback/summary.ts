import { PluginStatus } from '@appfactory/sdk'
import { listed } from '@appfactory/sdk/internal'
import type { PluginSummary } from '../summary.js'
import type { Fallback } from './fallback.js'

/** A fallback, as a list shows it: what it can do is what its first plugin can. */
export function summariseFallback(
  { name, members, serving }: Fallback,
  plugins: readonly PluginSummary[],
): PluginSummary {
  const names = members.map(({ plugin }) => plugin)
  const first = plugins.find((plugin) => plugin.name === (members[0]?.slot?.name ?? names[0]))
  const status = members.find(({ plugin }) => plugin === serving)?.slot?.status
  return {
    name,
    version: null,
    contract: first?.contract ?? null,
    displayName: null,
    description: `The first of ${listed(names)} that works`,
    author: null,
    path: '',
    valid: true,
    errors: [],
    loaded: serving !== null,
    status: status ?? PluginStatus.ERROR,
    capabilities: first?.capabilities ?? [],
    fallback: names,
  }
}
