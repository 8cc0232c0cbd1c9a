import type { JsonObject, Schema } from '../api/types.js'

/** How a value is asked for. */
export type Kind = 'enum' | 'boolean' | 'number' | 'integer' | 'text' | 'bytes' | 'list' | 'object' | 'json'

/** How many references a schema may go through until it says what it is. One that refers to itself never does. */
const maxReferences = 20

/** Follows `$ref` inside the schema, and leaves out null where there is something else. */
export function resolve(schema: Schema, root: Schema): Schema {
  let resolved = schema
  for (let step = 0; step < maxReferences; step += 1) {
    const next = follow(resolved, root)
    if (!next) return resolved
    resolved = next
  }
  return {}
}

function follow(schema: Schema, root: Schema): Schema | undefined {
  if (schema.$ref !== undefined) {
    const { $ref, ...beside } = schema
    const target = lookUp($ref, root)
    return target && { ...target, ...beside }
  }
  const { anyOf, oneOf, allOf, ...beside } = schema
  const [only, ...others] = (anyOf ?? oneOf ?? allOf ?? []).filter(({ type }) => type !== 'null')
  if (only && others.length === 0) return { ...beside, ...only }
  // Where text will do in place of something larger, as in a chat, a person writes text.
  const text = allOf === undefined && only && isText(only) && others.every(isLarge) ? only : undefined
  return text && { ...beside, ...text }
}

function isText({ type, contentEncoding }: Schema): boolean {
  return type === 'string' && contentEncoding === undefined
}

function isLarge({ type }: Schema): boolean {
  return type === 'array' || type === 'object'
}

/** `#`, or a JSON Pointer such as `#/$defs/name`. */
function lookUp(reference: string, root: Schema): Schema | undefined {
  const [place, ...keys] = reference.split('/')
  if (place !== '#') return undefined
  const found = keys.reduce<unknown>((holder, key) => {
    const name = unescaped(key).replaceAll('~1', '/').replaceAll('~0', '~')
    return typeof holder === 'object' && holder !== null ? Reflect.get(holder, name) : undefined
  }, root)
  return typeof found === 'object' && found !== null ? found : undefined
}

function unescaped(key: string): string {
  try {
    return decodeURIComponent(key)
  } catch {
    return key
  }
}

/** Whether null will do. */
function isNullable(schema: Schema): boolean {
  return [schema.type].flat().includes('null') || (schema.anyOf ?? schema.oneOf ?? []).some(isNullable)
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

/**
 * What a form begins with: what must be there, and nothing that the plugin fills in itself.
 *
 * @param parents The objects that it is in: one that must hold itself ends there.
 */
export function initialValue(schema: Schema, root: Schema, parents: readonly unknown[] = []): unknown {
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
      return resolved.minItems && !parents.includes(resolved.items)
        ? [initialValue(resolved.items ?? {}, root, [...parents, resolved.items])]
        : []
    case 'object':
      if (isNullable(schema)) return null
      return parents.includes(resolved.properties)
        ? {}
        : requiredValues(resolved, root, [...parents, resolved.properties])
    case 'json':
      return {}
    default:
      return ''
  }
}

export function requiredValues(schema: Schema, root: Schema, parents: readonly unknown[] = []): JsonObject {
  const required = schema.required ?? []
  const entries = Object.entries(schema.properties ?? {}).filter(([name]) => required.includes(name))
  return Object.fromEntries(entries.map(([name, property]) => [name, initialValue(property, root, parents)]))
}

/** The values of a configuration form: the schema's defaults, with the manifest's over them. */
export function configDefaults(schema: Schema, given: JsonObject = {}): JsonObject {
  const properties = Object.entries(resolve(schema, schema).properties ?? {})
  const defaults = properties
    .filter(([, property]) => property.default !== undefined)
    .map(([name, property]) => [name, property.default])
  return { ...Object.fromEntries(defaults), ...given }
}

/** `max_tokens` → `max tokens`; the name on the wire is what a person must know, so nothing more is changed. */
export function labelOf(name: string, schema: Schema): string {
  return schema.title ?? name.replace(/_b64$/, '').replaceAll('_', ' ')
}
