import { z } from 'zod'
import type {
  ContractDefinition,
  ContractDescriptor,
  JsonSchema,
  MethodDefinition,
  MethodDescriptor,
} from './contract.js'
import { toCamelCase, toSnakeCase } from './names.js'

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

/** The JSON Schema of `schema` with the names of the wire: properties in snake_case, bytes as base64 in `…_b64`. */
export function wireSchema(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const json = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      if (isBytes(zodSchema)) Object.assign(jsonSchema, { type: 'string', contentEncoding: 'base64' })
    },
  })
  delete json.$schema
  return renameProperties(json as JsonSchema)
}

/** Any custom check that takes a Uint8Array and refuses a string stands for bytes. */
function isBytes(schema: z.core.$ZodTypes): boolean {
  if (schema._zod.def.type !== 'custom') return false
  return z.safeParse(schema, new Uint8Array()).success && !z.safeParse(schema, '').success
}

function renameProperties(schema: JsonSchema): JsonSchema {
  return Object.fromEntries(
    Object.entries(schema).map(([keyword, value]) => {
      if (keyword === 'properties') return [keyword, renameKeys(value as Record<string, JsonSchema>)]
      if (keyword === 'required') return [keyword, (value as string[]).map((key) => wireName(key, schema))]
      if (keyword === 'default' || keyword === 'enum' || keyword === 'const') return [keyword, value]
      if (Array.isArray(value))
        return [keyword, value.map((item) => (isSchema(item) ? renameProperties(item) : item))]
      return [keyword, isSchema(value) ? renameProperties(value) : value]
    }),
  )
}

function renameKeys(properties: Record<string, JsonSchema>): Record<string, JsonSchema> {
  return Object.fromEntries(
    Object.entries(properties).map(([key, value]) => [propertyName(key, value), renameProperties(value)]),
  )
}

function wireName(key: string, { properties }: JsonSchema): string {
  return propertyName(key, (properties as Record<string, JsonSchema> | undefined)?.[key])
}

function propertyName(key: string, schema: JsonSchema | undefined): string {
  if (toCamelCase(toSnakeCase(key)) !== key) {
    throw new TypeError(`A contract's properties are named in camelCase: ${toCamelCase(key)}, not ${key}`)
  }
  return schema?.['contentEncoding'] === 'base64' ? `${toSnakeCase(key)}_b64` : toSnakeCase(key)
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
