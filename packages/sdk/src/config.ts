import type { z } from 'zod'
import { firstIssues, type Issue, issuesText, maxIssues, nameValue } from './codec/issues.js'
import type { JsonSchema } from './descriptor.js'
import { describeThrown, PluginError, read } from './errors.js'
import { shortened } from './quote.js'

/** A step of an issue's path: Standard Schema also allows `{ key }`. */
type PathSegment = PropertyKey | { readonly key: PropertyKey }

interface SchemaIssue {
  readonly path?: readonly PathSegment[] | undefined
  readonly message: string
}

type StandardResult =
  | { readonly value: unknown; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

/** A schema of Zod (3.24 and later), Valibot, ArkType and others: https://standardschema.dev */
interface StandardSchema {
  readonly '~standard': {
    validate(value: unknown): StandardResult | Promise<StandardResult>
    readonly jsonSchema?: { input(options: { target: string }): unknown }
  }
}

/** What earlier Zods have. */
interface SafeParsing {
  safeParse(value: unknown): {
    success: boolean
    data?: unknown
    error?: { issues: readonly SchemaIssue[] } | undefined
  }
}

/** A schema that checks a configuration. */
export type ConfigSchema = StandardSchema | SafeParsing

/** Whether a plugin class has a `static configSchema`, of whatever kind. */
export function hasConfigSchema(pluginClass: object): boolean {
  const schema: unknown = Reflect.get(pluginClass, 'configSchema')
  return schema !== undefined && schema !== null
}

/** The `static configSchema` of a plugin class, if it has one that can check a configuration. */
export function configSchemaOf(pluginClass: object): ConfigSchema | undefined {
  const schema: unknown = Reflect.get(pluginClass, 'configSchema')
  return isStandard(schema) || hasMethod(schema, 'safeParse') ? schema : undefined
}

/**
 * As `parseConfig`, by the schema of the plugin's class.
 *
 * @throws PluginError CONFIG_INVALID, also where what the class has is no schema.
 */
export function parseConfigOf(plugin: string, pluginClass: object, config: Record<string, unknown>): unknown {
  const schema = configSchemaOf(pluginClass)
  if (schema || !hasConfigSchema(pluginClass)) return parseConfig(plugin, schema, config)
  throw new PluginError(
    'CONFIG_INVALID',
    `The static configSchema of plugin "${plugin}" is no schema. Make it with Zod, or with another library of Standard Schema, such as Valibot or ArkType`,
    { plugin, issues: [] },
  )
}

/**
 * Checks a configuration against the plugin's own schema and fills in its defaults.
 *
 * @returns What the schema makes of it; a promise of that where the schema is asynchronous.
 * @throws PluginError CONFIG_INVALID, naming each path.
 */
export function parseConfig(
  plugin: string,
  schema: ConfigSchema | undefined,
  config: Record<string, unknown>,
): unknown {
  if (!schema) return config
  const result: unknown = validate(schema, config)
  // By its method: a promise may be of another realm.
  return hasMethod(result, 'then')
    ? (result as unknown as Promise<unknown>).then((settled) => outcomeOf(plugin, settled))
    : outcomeOf(plugin, result)
}

function validate(schema: ConfigSchema, config: unknown): StandardResult | Promise<StandardResult> {
  if (isStandard(schema)) return schema['~standard'].validate(config)
  const { success, data, error } = schema.safeParse(config)
  return success ? { value: data } : { issues: error?.issues ?? [] }
}

function outcomeOf(plugin: string, result: unknown): unknown {
  if (typeof result !== 'object' || result === null)
    throw configInvalid(plugin, [{ path: '', message: noResult(result) }])
  const { issues, value } = result as { issues?: unknown; value?: unknown }
  if (issues === undefined) return value
  if (!Array.isArray(issues)) throw configInvalid(plugin, [{ path: '', message: noResult(result) }])
  throw configInvalid(plugin, issues.slice(0, maxIssues).map(issueOf), issues.length)
}

function noResult(result: unknown): string {
  return `could not be checked: its configSchema answered ${nameValue(result)}, not { value } or { issues: […] }`
}

/** Whatever the author's library gives. */
function issueOf(issue: unknown): Issue {
  const path = read(issue, 'path')
  const message = read(issue, 'message')
  return {
    path: Array.isArray(path) ? path.map(nameOf).join('.') : '',
    message: typeof message === 'string' ? message : 'is not valid',
  }
}

function nameOf(segment: unknown): string {
  return String(read(segment, 'key') ?? segment)
}

/** Of very many issues, the first ones; `total` where not all that there are were collected. */
export function configInvalid(plugin: string, issues: readonly Issue[], total = issues.length): PluginError {
  const first = issues
    .slice(0, maxIssues)
    .map(({ path, message }) => ({ path: shortened(path), message: shortened(message, 1000) }))
  const named = first.map(({ path, message }) => ({ path: path || 'config', message }))
  return new PluginError(
    'CONFIG_INVALID',
    `The configuration of plugin "${plugin}" is not valid: ${issuesText(firstIssues(named, total))}`,
    { plugin, issues: first },
  )
}

/**
 * The JSON Schema of a configuration's schema, for forms: by Zod 4's own converter, zod-to-json-schema for Zod 3, or what
 * another library has.
 *
 * @throws PluginError CONFIG_INVALID where it can't be expressed as one.
 */
export async function configJsonSchema(schema: ConfigSchema): Promise<JsonSchema> {
  try {
    return await convert(schema)
  } catch (error) {
    const { message } = describeThrown(error)
    throw new PluginError(
      'CONFIG_INVALID',
      `The static configSchema can’t be expressed as a JSON Schema: ${message}. Write config_schema in manifest.json by hand, for forms; the configuration is still checked`,
    )
  }
}

async function convert(schema: ConfigSchema): Promise<JsonSchema> {
  if ('_zod' in schema) {
    const { z } = await import('zod')
    return z.toJSONSchema(schema as unknown as z.ZodType, {
      io: 'input',
      unrepresentable: 'any',
    }) as JsonSchema
  }
  if ('_def' in schema && 'safeParse' in schema) {
    const { zodToJsonSchema } = await import('zod-to-json-schema')
    return zodToJsonSchema(schema as unknown as Parameters<typeof zodToJsonSchema>[0]) as JsonSchema
  }
  const own = isStandard(schema) ? schema['~standard'].jsonSchema : undefined
  if (own) return own.input({ target: 'draft-2020-12' }) as JsonSchema
  if (hasMethod(schema, 'toJsonSchema')) return schema.toJsonSchema() as JsonSchema
  throw new Error('its library has no converter')
}

function isStandard(schema: unknown): schema is StandardSchema {
  if ((typeof schema !== 'object' && typeof schema !== 'function') || schema === null) return false
  return hasMethod(Reflect.get(schema, '~standard'), 'validate')
}

function hasMethod<Name extends string>(
  value: unknown,
  name: Name,
): value is Record<Name, (...args: never[]) => never> {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  return typeof Reflect.get(value, name) === 'function'
}
