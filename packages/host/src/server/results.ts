import type { ContractDescriptor } from '@appfactory/sdk'
import { z } from 'zod'

// What the server's methods answer. The Plugin Tester's types are made of these.

const jsonSchema = z.record(z.string(), z.unknown())

/** `status` and `system/status`. */
export const statusResult = z.strictObject({
  version: z.string(),
  uptime_seconds: z.number(),
  plugins_loaded: z.number(),
  plugins_total: z.number(),
  requests_processed: z.number(),
  errors: z.number(),
  memory_mb: z.number(),
})

/** `system/discover`. The manifest is as it is in its file. */
export const discoverResult = z.strictObject({
  discovered: z.number(),
  valid: z.number(),
  invalid: z.number(),
  plugins: z.array(
    z.strictObject({
      name: z.string(),
      path: z.string(),
      valid: z.boolean(),
      errors: z.array(z.string()),
      warnings: z.array(z.string()),
      manifest: z.looseObject({ name: z.string(), version: z.string(), contract: z.string() }).nullable(),
    }),
  ),
})

/** One plugin, in `plugin/list` and after `plugin/load` and `plugin/scale`. */
export const pluginResult = z.strictObject({
  name: z.string(),
  version: z.string().nullable(),
  contract: z.string().nullable(),
  display_name: z.string().nullable(),
  description: z.string().nullable(),
  author: z.string().nullable(),
  path: z.string(),
  valid: z.boolean(),
  errors: z.array(z.string()),
  loaded: z.boolean(),
  replicas: z.number().optional(),
  fallback: z.array(z.string()).optional(),
  status: z.string(),
  capabilities: z.array(z.string()),
})

/** `plugin/active`: the name of the plugin that answers for each contract. */
export const activeResult = z.record(z.string(), z.string())

/** `plugin/describe`. */
export const describeResult = z.strictObject({
  manifest: z.looseObject({ name: z.string() }).optional(),
  contract: z.strictObject({ name: z.string(), version: z.string(), description: z.string() }),
  methods: z.array(
    z.strictObject({
      name: z.string(),
      description: z.string(),
      kind: z.enum(['call', 'stream']),
      required: z.boolean(),
      idempotent: z.boolean(),
      /** The argument that may be sent piece by piece. */
      input: z.string().nullable(),
      args: jsonSchema,
      result: jsonSchema,
      piece: jsonSchema.nullable(),
    }),
  ),
  /** Where it is asked for: all that a client in TypeScript makes a handle of. */
  descriptor: z.custom<ContractDescriptor>().optional(),
  /** As in `plugin/list`, where the descriptor is asked for. */
  capabilities: z.array(z.string()).optional(),
})

export const loadResult = z.strictObject({ success: z.literal(true), plugin: pluginResult })

export const unloadResult = z.strictObject({ success: z.literal(true), plugin: z.string() })

/** `plugin/swap`. A swap that fails is an error, so that three members are always the same: the guide's clients read them. */
export const swapResult = z.strictObject({
  success: z.literal(true),
  old_plugin: z.string(),
  new_plugin: z.string(),
  old_version: z.string().nullable(),
  new_version: z.string(),
  state_preserved: z.boolean(),
  rollback_performed: z.literal(false),
  /** In ms, from the request to the answer. */
  swap_duration_ms: z.number(),
  held_calls: z.number(),
  errors: z.array(z.never()),
})

/** `plugin/health` of one plugin. */
export const healthResult = z.strictObject({
  status: z.string(),
  message: z.string(),
  details: z.record(z.string(), z.unknown()),
  latency_ms: z.number().nullable(),
  memory_mb: z.number().nullable(),
})

/** `bytes/open`. The token is what a connection for the bytes begins with; null where they have one already. */
export const openBytesResult = z.strictObject({ token: z.string().nullable() })

export const shutdownResult = z.strictObject({
  status: z.literal('shutting_down'),
  reason: z.string(),
  timestamp: z.string(),
})

export type ActiveResult = z.infer<typeof activeResult>
export type StatusResult = z.infer<typeof statusResult>
export type DiscoverResult = z.infer<typeof discoverResult>
export type PluginResult = z.infer<typeof pluginResult>
export type DescribeResult = z.infer<typeof describeResult>
export type SwapResultOnWire = z.infer<typeof swapResult>
export type HealthResult = z.infer<typeof healthResult>
