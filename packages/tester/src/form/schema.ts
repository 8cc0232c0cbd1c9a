import type { JsonObject, Schema } from '../api/types.js'

/** How a value is asked for. */
export type Kind =
  | 'enum'
  | 'boolean'
  | 'number'
  | 'integer'
  | 'text'
  | 'bytes'
  | 'list'
  | 'object'
  | 'variants'
  | 'json'

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
  if (schema.const !== undefined && schema.enum === undefined) return { ...schema, enum: [schema.const] }
  const { anyOf, oneOf, allOf, ...beside } = schema
  const titled = titledValues(anyOf ?? oneOf ?? [])
  if (titled) return { ...beside, ...titled }
  const [only, ...others] = (anyOf ?? oneOf ?? allOf ?? []).filter(({ type }) => type !== 'null')
  if (only && others.length === 0) return { ...beside, ...only }
  // Where text will do in place of something larger, as in a chat, a person writes text.
  const text = allOf === undefined && only && isText(only) && others.every(isLarge) ? only : undefined
  return text && { ...beside, ...text }
}

/** Choices that are one value each, with a title: the usual way to say what the values of an enum are called. */
function titledValues(options: readonly Schema[]): Pick<Schema, 'enum' | 'titles'> | undefined {
  if (options.length < 2 || options.some((option) => option.const === undefined)) return undefined
  const values = options.map((option) => option.const)
  return { enum: values, titles: options.map(({ title }, index) => title ?? String(values[index])) }
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
  if (variantsOf(schema).length > 1) return 'variants'
  if (types.length === 0 && schema.properties) return 'object'
  if (types.length !== 1) return 'json'
  const [type] = types
  if (type === 'string') return schema.contentEncoding === 'base64' ? 'bytes' : 'text'
  if (type === 'boolean' || type === 'number' || type === 'integer') return type
  if (type === 'array' && schema.items && !Array.isArray(schema.items)) return 'list'
  if (type === 'object' && schema.properties) return 'object'
  return 'json'
}

/** The schemas of which a value fits one, each with what is said of all of them. */
export function variantsOf({ anyOf, oneOf, ...shared }: Schema): readonly Schema[] {
  const options = (oneOf ?? anyOf ?? []).filter(({ type }) => type !== 'null')
  // Whoever adds up requirements of one form, as in `anyOf: [{ required }]`, offers no choice.
  if (options.some((option) => !isForm(option))) return []
  return options.map((option) => ({
    ...shared,
    ...option,
    ...(shared.properties ? { properties: { ...shared.properties, ...option.properties } } : {}),
    ...(shared.required ? { required: [...shared.required, ...(option.required ?? [])] } : {}),
  }))
}

function isForm({ type, $ref, properties, enum: values, const: value }: Schema): boolean {
  return [type, $ref, properties, values, value].some((each) => each !== undefined)
}

/** What a variant is called. */
export function variantName(variant: Schema, root: Schema, index: number): string {
  const { title, type, properties = {} } = resolve(variant, root)
  const [mark] = Object.values(properties).flatMap(({ const: value }) => (value === undefined ? [] : [value]))
  return title ?? String(mark ?? (typeof type === 'string' ? type : `form ${index + 1}`))
}

/** Which variant a value has the form of: its type, and the values by which the variants differ. */
export function variantOf(value: unknown, variants: readonly Schema[], root: Schema): number {
  return variants.findIndex((variant) => hasForm(value, resolve(variant, root)))
}

function hasForm(value: unknown, { type, enum: values, properties = {}, required = [] }: Schema): boolean {
  if (values !== undefined) return values.includes(value)
  const types = [type ?? 'object'].flat()
  if (!types.some((each) => isOfType(value, each))) return false
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return true
  const members: JsonObject = { ...value }
  return (
    required.every((name) => members[name] !== undefined) &&
    Object.entries(properties).every(
      ([name, { const: mark }]) =>
        mark === undefined || members[name] === undefined || members[name] === mark,
    )
  )
}

function isOfType(value: unknown, type: string): boolean {
  if (type === 'integer') return Number.isInteger(value)
  if (type === 'array') return Array.isArray(value)
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value)
  return typeof value === type
}

/** Whether nobody should see what is typed. */
export function isSecret({ format, writeOnly }: Schema): boolean {
  return format === 'password' || writeOnly === true
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
      // Somebody who tries out a conversation is its user. Any other choice is a person's.
      return resolved.enum?.find((each, _, { length }) => each === 'user' || length === 1)
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
    case 'variants':
      return undefined
    case 'json':
      return {}
    default:
      return ''
  }
}

export function requiredValues(schema: Schema, root: Schema, parents: readonly unknown[] = []): JsonObject {
  const required = schema.required ?? []
  const entries = Object.entries(schema.properties ?? {}).filter(([name]) => required.includes(name))
  const values = entries.map(([name, property]) => [name, initialValue(property, root, parents)] as const)
  return Object.fromEntries(values.filter(([, value]) => value !== undefined))
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
