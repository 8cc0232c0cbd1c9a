import type { JsonObject, Schema } from '../api/types.js'

/** How a value is asked for. */
export type Kind = 'enum' | 'boolean' | 'number' | 'integer' | 'text' | 'bytes' | 'list' | 'object' | 'json'

/** Follows `$ref` inside the schema, and leaves out null where there is something else. */
export function resolve(schema: Schema, root: Schema): Schema {
  const name = /^#\/\$defs\/(.*)$/.exec(schema.$ref ?? '')?.[1]
  const target = name === undefined ? undefined : root.$defs?.[name]
  if (target) return { ...target, ...(schema.description ? { description: schema.description } : {}) }
  const [only, ...others] = (schema.anyOf ?? schema.oneOf ?? []).filter(({ type }) => type !== 'null')
  return only && others.length === 0 ? { ...schema, ...only } : schema
}

export function kindOf(schema: Schema): Kind {
  const types = [schema.type ?? []].flat().filter((type) => type !== 'null')
  if (schema.enum?.every((each) => typeof each === 'string' || typeof each === 'number')) return 'enum'
  if (types.length !== 1) return 'json'
  const [type] = types
  if (type === 'string') return schema.contentEncoding === 'base64' ? 'bytes' : 'text'
  if (type === 'boolean' || type === 'number' || type === 'integer') return type
  if (type === 'array' && schema.items && !Array.isArray(schema.items)) return 'list'
  if (type === 'object' && schema.properties) return 'object'
  return 'json'
}

/** What a form begins with: what must be there, and nothing that the plugin fills in itself. */
export function initialValue(schema: Schema, root: Schema): unknown {
  const { default: given, ...resolved } = resolve(schema, root)
  if (given !== undefined) return given
  switch (kindOf(resolved)) {
    case 'enum':
      // Somebody who tries out a conversation is its user.
      return resolved.enum?.find((each) => each === 'user') ?? resolved.enum?.[0]
    case 'boolean':
      return false
    case 'number':
    case 'integer':
      return resolved.minimum ?? 0
    case 'list':
      return resolved.minItems ? [initialValue(resolved.items ?? {}, root)] : []
    case 'object':
      return requiredValues(resolved, root)
    case 'json':
      return {}
    default:
      return ''
  }
}

export function requiredValues(schema: Schema, root: Schema): JsonObject {
  const required = schema.required ?? []
  const entries = Object.entries(schema.properties ?? {}).filter(([name]) => required.includes(name))
  return Object.fromEntries(entries.map(([name, property]) => [name, initialValue(property, root)]))
}

/** The values of a configuration form: the schema's defaults, with the manifest's over them. */
export function configDefaults(schema: Schema, given: JsonObject = {}): JsonObject {
  const properties = Object.entries(schema.properties ?? {})
  const defaults = properties
    .filter(([, property]) => property.default !== undefined)
    .map(([name, property]) => [name, property.default])
  return { ...Object.fromEntries(defaults), ...given }
}

/** `max_tokens` → `max tokens`; the name on the wire is what a person must know, so nothing more is changed. */
export function labelOf(name: string, schema: Schema): string {
  return schema.title ?? name.replace(/_b64$/, '').replaceAll('_', ' ')
}
