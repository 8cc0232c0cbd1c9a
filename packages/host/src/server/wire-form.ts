import type { ContractDescriptor, HealthStatus, JsonSchema } from '@appfactory/sdk'
import { toSnakeCase, type WireHealthStatus } from '@appfactory/sdk/internal'
import type { PluginSystem } from '../plugin-system.js'
import type { DiscoveredPlugin } from '../plugins/discovery.js'
import type { SwapResult } from '../slot/swap.js'
import type { PluginSummary } from '../summary.js'
import type {
  DescribeResult,
  DiscoverResult,
  PluginResult,
  StatusResult,
  SwapResultOnWire,
} from './results.js'

// What the host knows, as it goes over the wire: snake_case, null for what is not there.

/** The members of an event, or of anything flat. */
export function wireMembers(details: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(details).map(([key, value]) => [toSnakeCase(key), value]))
}

export function wireStatus(system: PluginSystem): StatusResult {
  const { version, uptimeSeconds, pluginsLoaded, pluginsTotal, ...rest } = system.status()
  const { requestsProcessed, errors, memoryMb } = rest
  return {
    version,
    uptime_seconds: uptimeSeconds,
    plugins_loaded: pluginsLoaded,
    plugins_total: pluginsTotal,
    requests_processed: requestsProcessed,
    errors,
    memory_mb: memoryMb,
  }
}

export function wireDiscovered(plugin: DiscoveredPlugin): DiscoverResult['plugins'][number] {
  const { name, dir, valid, errors, warnings, manifest } = plugin
  return { name, path: dir, valid, errors, warnings, manifest: manifest ?? null }
}

export function wireSummary({ displayName, ...rest }: PluginSummary): PluginResult {
  return { ...rest, display_name: displayName }
}

export function wireHealth({
  status,
  message = '',
  details = {},
  latencyMs,
  memoryMb,
}: HealthStatus): WireHealthStatus {
  return { status, message, details, latency_ms: latencyMs ?? null, memory_mb: memoryMb ?? null }
}

export function wireSwap(result: SwapResult): SwapResultOnWire {
  return {
    success: true,
    old_plugin: result.oldPlugin,
    new_plugin: result.newPlugin,
    old_version: result.oldVersion,
    new_version: result.newVersion,
    state_preserved: result.statePreserved,
    rollback_performed: false,
    swap_duration_ms: result.durationMs,
    held_calls: result.heldCalls,
    errors: [],
  }
}

export async function wireDescription(
  system: PluginSystem,
  name: string,
  signal: AbortSignal,
): Promise<{ described: DescribeResult; contract: ContractDescriptor }> {
  const { plugin, contract } = await system.describe(name, { signal })
  const methods = contract.methods.map(
    ({ wire, description, kind, required, idempotent, input, args: schema, result, piece }) => ({
      name: wire,
      description,
      kind,
      required,
      idempotent,
      input: wireInput(input, schema),
      args: schema,
      result,
      piece,
    }),
  )
  const described = {
    manifest: plugin.manifest,
    contract: { name: contract.name, version: contract.version, description: contract.description },
    methods,
  }
  return { described, contract }
}

/** The wire name of the argument that may follow piece by piece. */
function wireInput(input: string | null, { properties }: JsonSchema): string | null {
  if (input === null) return null
  const name = toSnakeCase(input)
  return Object.hasOwn(properties ?? {}, `${name}_b64`) ? `${name}_b64` : name
}
