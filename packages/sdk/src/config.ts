import type { z } from 'zod'
import { limitIssues } from './contracts/codec.js'
import type { JsonSchema } from './contracts/contract.js'
import { PluginError } from './errors.js'

/** The part of a Zod schema, of version 3 or 4, that is needed to check a configuration. */
export interface ConfigSchema {
  safeParse(value: unknown): {
    success: boolean
    data?: unknown
    error?: { issues: readonly { path: readonly PropertyKey[]; message: string }[] } | undefined
  }
}

/** The `static configSchema` of a plugin class, if it has one. */
export function configSchemaOf(pluginClass: object): ConfigSchema | undefined {
  const schema: unknown = Reflect.get(pluginClass, 'configSchema')
  return typeof schema === 'object' && schema !== null && 'safeParse' in schema
    ? (schema as ConfigSchema)
    : undefined
}

/**
 * Checks a configuration against the plugin's own schema and fills in its defaults.
 *
 * @throws PluginError CONFIG_INVALID, naming each path.
 */
export function parseConfig(
  plugin: string,
  schema: ConfigSchema | undefined,
  config: Record<string, unknown>,
): unknown {
  if (!schema) return config
  const { success, data, error } = schema.safeParse(config)
  if (success) return data
  const issues = (error?.issues ?? []).map(({ path, message }) => ({
    path: path.map(String).join('.'),
    message,
  }))
  throw configInvalid(plugin, issues)
}

export function configInvalid(
  plugin: string,
  all: readonly { path: string; message: string }[],
): PluginError {
  const issues = limitIssues(all)
  const text = issues.map(({ path, message }) => `${path || 'config'}: ${message}`).join('; ')
  return new PluginError('CONFIG_INVALID', `The configuration of plugin "${plugin}" is not valid: ${text}`, {
    plugin,
    issues,
  })
}

/** The JSON Schema of a configuration's Zod schema, of version 4 (its own converter) or 3 (zod-to-json-schema). */
export async function configJsonSchema(schema: ConfigSchema): Promise<JsonSchema> {
  if ('_zod' in schema) {
    const { z } = await import('zod')
    return z.toJSONSchema(schema as unknown as z.ZodType, {
      io: 'input',
      unrepresentable: 'any',
    }) as JsonSchema
  }
  const { zodToJsonSchema } = await import('zod-to-json-schema')
  return zodToJsonSchema(schema as unknown as Parameters<typeof zodToJsonSchema>[0]) as JsonSchema
}
