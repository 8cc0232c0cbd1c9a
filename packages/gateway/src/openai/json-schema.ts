import type { ResponseFormat } from '@appfactory/sdk'
import { wrongMember } from '../errors.js'
import { isObject } from '../rules.js'

/** The form of an answer that a client asks for, as an option of the contract. @throws RequestError 400. */
export function formatOption(
  type: 'text' | 'json_object' | 'json_schema' | undefined,
  schema: Record<string, unknown> | undefined,
  path: string,
): { responseFormat?: ResponseFormat } {
  if (type === undefined || type === 'text') return {}
  if (type === 'json_object') return { responseFormat: { type: 'json' } }
  if (!schema) throw wrongMember(path, 'is required')
  checkJsonSchema(schema, path)
  return { responseFormat: { type, schema } }
}

const types = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null']

/** Refuses a schema with a type that JSON Schema does not have. @throws RequestError 400 with the place. */
export function checkJsonSchema(schema: object, path: string): void {
  const type: unknown = Reflect.get(schema, 'type')
  for (const each of [type ?? []].flat())
    if (!types.some((known) => known === each))
      throw wrongMember(`${path}.type`, `must be one of ${types.join(', ')}`)
  for (const key of maps)
    for (const [name, inner] of Object.entries(objectIn(schema, key) ?? {}))
      if (isObject(inner)) checkJsonSchema(inner, `${path}.${key}.${name.slice(0, 40)}`)
  for (const key of lists)
    for (const [index, inner] of arrayIn(schema, key).entries())
      if (isObject(inner)) checkJsonSchema(inner, `${path}.${key}[${index}]`)
  for (const key of singles) {
    const inner = objectIn(schema, key)
    if (inner) checkJsonSchema(inner, `${path}.${key}`)
  }
}

/** Members that hold schemas: by name, in a list, or one. */
const maps = ['properties', '$defs', 'definitions', 'patternProperties']
const lists = ['anyOf', 'oneOf', 'allOf', 'prefixItems', 'items']
const singles = ['items', 'additionalProperties', 'not']

function arrayIn(schema: object, key: string): readonly unknown[] {
  const value: unknown = Reflect.get(schema, key)
  return Array.isArray(value) ? value : []
}

function objectIn(schema: object, key: string): object | undefined {
  const value: unknown = Reflect.get(schema, key)
  return isObject(value) ? value : undefined
}
