import { z } from 'zod'
import { bytesTag, compileCodec, isOpen, lookUp } from '../codec/compile.js'
import type { ContractDescriptor, JsonSchema, MethodDescriptor } from '../descriptor.js'
import { toCamelCase, toSnakeCase } from '../wire-names.js'
import { isBytes } from './check-definition.js'
import type { ContractDefinition, MethodDefinition } from './contract.js'

/** A contract as plain JSON: names and schemas as they are on the wire. */
export function describeContract({
  name,
  version,
  description = '',
  methods,
}: ContractDefinition): ContractDescriptor {
  return {
    name,
    version,
    description,
    methods: Object.entries(methods).map(([method, definition]) => describeMethod(method, definition)),
  }
}

function describeMethod(name: string, definition: MethodDefinition): MethodDescriptor {
  const { description = '', kind = 'call', required = true, idempotent = false } = definition
  const { parameters = null, input = null, bare = null, unwrap = null, session = null } = definition
  const flags = {
    name,
    wire: toSnakeCase(name),
    description,
    kind,
    required,
    idempotent,
    parameters,
    input,
    bare,
    unwrap,
    session,
  }
  return {
    ...flags,
    args: wireSchema(definition.args, 'input'),
    result: wireSchema(definition.result, 'output'),
    piece: definition.piece ? wireSchema(definition.piece, 'output') : null,
  }
}

/**
 * The JSON Schema of `schema` with the names of the wire: properties in snake_case, bytes as base64: in a property of
 * their own named `…_b64`, in a list, a map or beside null under the name as it is, and as `{ "_b64": … }` where the same
 * place may hold text.
 */
export function wireSchema(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const json = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      if (isBytes(zodSchema)) Object.assign(jsonSchema, { type: 'string', contentEncoding: 'base64' })
      if (io === 'input') takeAllInput(zodSchema, jsonSchema as Record<string, unknown>)
    },
  })
  delete json.$schema
  const root = tagAmbiguousBytes(json as JsonSchema)
  return renameDefaults(mapSchemas(root, renameProperties))
}

// ── What a schema takes ────────────────────────────────────────────────────────────────────────────────────────────

/** Keywords that limit a value as it is after a change, such as `trim()`: what arrives may be beyond them. */
const limits = [
  ...['minLength', 'maxLength', 'pattern', 'format', 'minItems', 'maxItems', 'multipleOf', 'allOf'],
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'],
]

/** Zod describes what `coerce`, `preprocess` and `catch` make of a value; they take any. */
function takeAllInput(zodSchema: z.core.$ZodTypes, json: Record<string, unknown>): void {
  const { def } = zodSchema._zod
  if (def.checks?.some(({ _zod: check }) => check.def.check === 'overwrite')) {
    for (const limit of limits) delete json[limit]
    if (json['type'] === 'integer') json['type'] = 'number'
  }
  if (takesAnything(zodSchema)) addAnything(json)
  if (def.type === 'object' && Array.isArray(json['required'])) {
    json['required'] = json['required'].filter(
      (key: string) => !takesAbsence(def.shape[key] as z.core.$ZodTypes),
    )
  }
}

function takesAnything({ _zod: { def } }: z.core.$ZodTypes): boolean {
  if (def.type === 'pipe') return (def.in as z.core.$ZodTypes)._zod.def.type === 'transform'
  return def.type === 'catch' || def.type === 'transform' || ('coerce' in def && def.coerce === true)
}

/** Coercion makes "undefined" of what is absent; the others are there to fill it in. */
function takesAbsence(schema: z.core.$ZodTypes): boolean {
  const { type } = schema._zod.def
  return (
    type === 'undefined' ||
    type === 'void' ||
    (type !== 'transform' && takesAnything(schema) && !isCoerced(schema))
  )
}

function isCoerced({ _zod: { def } }: z.core.$ZodTypes): boolean {
  return 'coerce' in def && def.coerce === true
}

/** What is made of a value stays first, for forms and samples. */
function addAnything(json: Record<string, unknown>): void {
  if (Array.isArray(json['anyOf']) && isEmpty(json['anyOf'].at(-1))) return
  const { description, default: fallback, ...made } = json
  for (const keyword of Object.keys(json)) delete json[keyword]
  if (description !== undefined) json['description'] = description
  if (fallback !== undefined) json['default'] = fallback
  json['anyOf'] = [made, {}]
}

function isEmpty(schema: unknown): boolean {
  return isSchema(schema) && Object.keys(schema).length === 0
}

// ── Walking ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Keywords that hold schemas; what any other holds, such as `examples`, is data. */
const holders = {
  one: ['items', 'additionalProperties', 'propertyNames', 'contains', 'not', 'if', 'then', 'else'],
  list: ['anyOf', 'oneOf', 'allOf', 'prefixItems'],
  map: ['properties', '$defs', 'definitions', 'patternProperties', 'dependentSchemas'],
}

/** Rebuilds a schema: first each inner schema, then the outer one. */
function mapSchemas(schema: JsonSchema, change: (schema: JsonSchema) => JsonSchema): JsonSchema {
  const changed = Object.entries(schema).map(([keyword, value]) => {
    if (holders.one.includes(keyword) && isSchema(value)) return [keyword, mapSchemas(value, change)]
    if (holders.list.includes(keyword) && Array.isArray(value))
      return [keyword, value.map((item) => (isSchema(item) ? mapSchemas(item, change) : item))]
    if (holders.map.includes(keyword) && isSchema(value)) return [keyword, mapValues(value, change)]
    return [keyword, value]
  })
  return change(Object.fromEntries(changed) as JsonSchema)
}

function mapValues(schemas: JsonSchema, change: (schema: JsonSchema) => JsonSchema): JsonSchema {
  return Object.fromEntries(
    Object.entries(schemas).map(([key, value]) => [key, isSchema(value) ? mapSchemas(value, change) : value]),
  )
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

// ── Names ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function renameProperties(schema: JsonSchema): JsonSchema {
  const { properties, required } = schema
  if (!isSchema(properties)) return schema
  const names = new Map(Object.entries(properties).map(([key, value]) => [key, propertyName(key, value)]))
  const twice = [...names.values()].find((name, index, all) => all.indexOf(name) !== index)
  if (twice !== undefined)
    throw new TypeError(`Two properties of a contract are ${twice} on the wire; rename one`)
  return {
    ...schema,
    properties: Object.fromEntries(
      Object.entries(properties).map(([key, value]) => [names.get(key) ?? key, value]),
    ),
    ...(Array.isArray(required) ? { required: required.map((key: string) => names.get(key) ?? key) } : {}),
  }
}

function propertyName(key: string, schema: unknown): string {
  if (key === bytesTag) return key
  if (toCamelCase(toSnakeCase(key)) !== key) {
    throw new TypeError(`A contract's properties are named in camelCase: ${toCamelCase(key)}, not ${key}`)
  }
  return isSchema(schema) && schema['contentEncoding'] === 'base64'
    ? `${toSnakeCase(key)}_b64`
    : toSnakeCase(key)
}

/** Defaults stand in the names of the wire too. One that JSON can't carry is left to the author's schema. */
function renameDefaults(root: JsonSchema): JsonSchema {
  return mapSchemas(root, (schema) => {
    const { default: fallback, ...rest } = schema
    if (typeof fallback !== 'object' || fallback === null) return schema
    const { value, issues } = compileCodec({ ...rest, $defs: root['$defs'] }, 'encode')(fallback)
    return issues.length === 0 ? { ...rest, default: value } : rest
  })
}

// ── Bytes where there may be text ──────────────────────────────────────────────────────────────────────────────────

/** Base64 is text: where an alternative is text in the same place, bytes stand in an object that says so. */
function tagAmbiguousBytes(root: JsonSchema): JsonSchema {
  return mapSchemas(root, (schema) => {
    const keyword = Array.isArray(schema['anyOf']) ? 'anyOf' : 'oneOf'
    const alternatives = schema[keyword]
    if (!Array.isArray(alternatives)) return schema
    const bytesAt = alternatives.flatMap((each: JsonSchema) => placesOf(each, isBase64, root))
    const textAt = alternatives.flatMap((each: JsonSchema) => placesOf(each, mayBeText, root))
    if (!bytesAt.some((place) => textAt.some((text) => isSamePlace(place, text)))) return schema
    const marked = alternatives.map((each: JsonSchema) => tagBytes(each, root))
    // The first that fits is taken, and an open alternative takes the tagged object too.
    return { ...schema, [keyword]: [...marked.filter(isTagged), ...marked.filter((each) => !isTagged(each))] }
  })
}

function isBase64(schema: JsonSchema): boolean {
  return schema['contentEncoding'] === 'base64'
}

function mayBeText(schema: JsonSchema): boolean {
  if (isBase64(schema)) return false
  if ('const' in schema) return typeof schema['const'] === 'string'
  if (Array.isArray(schema['enum'])) return schema['enum'].some((value) => typeof value === 'string')
  if ('type' in schema) return [schema['type']].flat().includes('string')
  return isOpen(schema)
}

function isTagged({ properties }: JsonSchema): boolean {
  return isSchema(properties) && bytesTag in properties
}

/** The ways from a value to what an inner schema describes: through lists and maps, not through named properties. */
const waysInside = {
  anyOf: '',
  oneOf: '',
  allOf: '',
  prefixItems: '[]',
  items: '[]',
  additionalProperties: '.*',
}

/** How deep in lists and maps places are looked for: a schema may contain itself. */
const deepestPlace = 4

/**
 * Where in a value there may be what `test` is for: `` for itself, `[]` for the items of a list; `*` at the end stands for
 * anything inside.
 */
function placesOf(
  schema: JsonSchema,
  test: (schema: JsonSchema) => boolean,
  root: JsonSchema,
  depth = 0,
  seen: readonly JsonSchema[] = [],
): string[] {
  if (seen.includes(schema) || depth > deepestPlace) return []
  if (test(schema)) return isOpen(schema) ? ['*'] : ['']
  const within = [...seen, schema]
  const referred =
    typeof schema['$ref'] === 'string'
      ? placesOf(lookUp(schema['$ref'], root), test, root, depth, within)
      : []
  const inside = Object.entries(waysInside).flatMap(([keyword, way]) =>
    [schema[keyword]]
      .flat()
      .filter(isSchema)
      .flatMap((each) =>
        way === ''
          ? placesOf(each, test, root, depth, within)
          : placesOf(each, test, root, depth + 1).map((place) => way + place),
      ),
  )
  return [...new Set([...referred, ...inside])]
}

function isSamePlace(place: string, other: string): boolean {
  return other.endsWith('*') ? place.startsWith(other.slice(0, -1)) : place === other
}

/** The schema with tagged bytes, but for those in properties, whose names say what they are. */
function tagBytes(schema: JsonSchema, root: JsonSchema, seen: readonly JsonSchema[] = []): JsonSchema {
  if (isBase64(schema)) {
    const properties = { [bytesTag]: schema }
    return { type: 'object', properties, required: [bytesTag], additionalProperties: false }
  }
  if (seen.includes(schema)) return schema
  // What is referred to may stand elsewhere too, where it is not tagged: here it is written out.
  if (typeof schema['$ref'] === 'string' && placesOf(schema, isBase64, root).length > 0)
    return tagBytes(lookUp(schema['$ref'], root), root, [...seen, schema])
  const each = (inner: unknown) => (isSchema(inner) ? tagBytes(inner, root, [...seen, schema]) : inner)
  return Object.fromEntries(
    Object.entries(schema).map(([keyword, value]) => {
      if (!(keyword in waysInside)) return [keyword, value]
      return [keyword, Array.isArray(value) ? value.map(each) : each(value)]
    }),
  )
}
