import type { ContractDescriptor, HealthStatus, Manifest } from '@appfactory/sdk'
import { PluginError } from '@appfactory/sdk'
import type { WireHealthStatus } from '@appfactory/sdk/internal'
import { z } from 'zod'

// What a node answers is checked as far as this end builds on it.

const schema = z.record(z.string(), z.unknown())

const method = z.looseObject({
  name: z.string(),
  wire: z.string(),
  description: z.string(),
  kind: z.enum(['call', 'stream']),
  required: z.boolean(),
  idempotent: z.boolean(),
  parameters: z.array(z.string()).nullable(),
  input: z.string().nullable(),
  bare: z.string().nullable(),
  unwrap: z.string().nullable(),
  session: z.enum(['open', 'use', 'close']).nullable(),
  args: schema,
  result: schema,
  piece: schema.nullable(),
})

const description = z.object({
  manifest: z.custom<Manifest>((value) => z.looseObject({ name: z.string() }).safeParse(value).success),
  capabilities: z.array(z.string()),
  descriptor: z.object({
    name: z.string(),
    version: z.string(),
    description: z.string(),
    methods: z.array(method),
  }),
})

const health = z.custom<WireHealthStatus>(
  (value) => z.looseObject({ status: z.string(), message: z.string() }).safeParse(value).success,
)

/** A plugin, as its node describes it. */
export interface Described {
  manifest: Manifest
  contract: ContractDescriptor
  /** Wire names of the methods that it implements itself, and what its manifest says. */
  capabilities: readonly string[]
}

/** @throws PluginError CONTRACT_MISMATCH for what is no answer to `plugin/describe`. */
export function readDescription(answer: unknown): Described {
  const { success, data, error } = description.safeParse(answer)
  if (success) {
    const { manifest, descriptor: contract, capabilities } = data
    return { manifest, contract, capabilities }
  }
  const [issue] = error.issues
  throw new PluginError(
    'CONTRACT_MISMATCH',
    `The node’s description of the plugin can’t be read: ${issue?.path.join('.')}: ${issue?.message}. Update the older of node and caller`,
  )
}

/** @throws ZodError for what is no answer to `plugin/health`. */
export function healthOf(answer: unknown): HealthStatus {
  const { status, message, details, latency_ms: latencyMs, memory_mb: memoryMb } = health.parse(answer)
  return {
    ...{ status, message, details },
    ...(latencyMs === null ? {} : { latencyMs }),
    ...(memoryMb === null ? {} : { memoryMb }),
  }
}
