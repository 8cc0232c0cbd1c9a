import { toCamelCase } from '@appfactory/sdk/internal'
import { z } from 'zod'
import { type FallbackGiven, fallbackGivenOf } from '../fallback/options.js'
import { invalidParams } from './calls.js'

const named = z.record(z.string(), z.string()).optional()

/** The parameters of `plugin/fallback`. What they may be is checked as for `host.fallback()`. */
export const fallbackParams = z.strictObject({
  name: z.string(),
  plugins: z.array(
    z.union([
      z.string(),
      z.strictObject({
        plugin: z.string(),
        voices: named,
        models: named,
        defaults: z.record(z.string(), z.unknown()).optional(),
      }),
    ]),
  ),
  attempt_timeout_ms: z.number().optional(),
  leave_after: z.number().optional(),
  return_after: z.number().optional(),
  probe_interval_ms: z.number().optional(),
  probe: z
    .union([
      z.literal(false),
      z.strictObject({ method: z.string(), args: z.record(z.string(), z.unknown()).optional() }),
    ])
    .optional(),
  sample_rate: z.number().optional(),
  caller_errors: z.array(z.number()).optional(),
  while_connected: z.boolean().optional(),
})

/** @throws PluginError INVALID_PARAMS. */
export function fallbackOf(
  method: string,
  name: string,
  plugins: unknown,
  options: Omit<z.infer<typeof fallbackParams>, 'name' | 'plugins' | 'while_connected'>,
): FallbackGiven {
  const given = Object.fromEntries(Object.entries(options).map(([key, value]) => [toCamelCase(key), value]))
  try {
    return fallbackGivenOf({ name, plugins, options: given }, '')
  } catch (error) {
    throw invalidParams(method, error instanceof Error ? error.message : String(error))
  }
}
