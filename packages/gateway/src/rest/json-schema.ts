import type { JsonSchema } from '@appfactory/sdk'

/** The schemas of an object's members. */
export function propertiesOf({ properties }: JsonSchema): Readonly<Record<string, JsonSchema>> {
  return isObject(properties) ? Object.fromEntries(Object.entries(properties).filter(hasSchema)) : {}
}

/** The schema of an array's items; undefined: any. */
export function itemsOf({ items }: JsonSchema): JsonSchema | undefined {
  return isSchema(items) ? items : undefined
}

/** Whether a text may be meant as it is. */
export function takesText({ type, anyOf, oneOf }: JsonSchema): boolean {
  return type === 'string' || [anyOf, oneOf].flat().some((each) => isSchema(each) && takesText(each))
}

/** The members that are bytes, which in JSON are base64, without the ending that their names have there. */
export function byteNames(schema: JsonSchema): string[] {
  return Object.keys(propertiesOf(schema)).flatMap((name) =>
    name.endsWith('_b64') ? [name.slice(0, -'_b64'.length)] : [],
  )
}

/** The same schema, to stand anywhere in a document: its references begin with `root` in place of `#`. */
export function movedTo(root: string, schema: JsonSchema): JsonSchema {
  return mapped(schema, (each) => {
    const { $ref } = each
    return typeof $ref === 'string' ? { ...each, $ref: $ref.replace(/^#/, root) } : each
  })
}

/** The same schema, as the gateway reads it: null counts as absent where a member is optional. */
export function withNulls(schema: JsonSchema): JsonSchema {
  return mapped(schema, (each) => {
    if (!isObject(each['properties'])) return each
    const required = new Set([each['required']].flat())
    const members = Object.entries(propertiesOf(each)).map(([name, member]) => [
      name,
      required.has(name) || takesNull(member) ? member : { anyOf: [member, { type: 'null' }] },
    ])
    return { ...each, properties: { ...each['properties'], ...Object.fromEntries(members) } }
  })
}

function takesNull({ type, anyOf }: JsonSchema): boolean {
  return [type].flat().includes('null') || [anyOf].flat().some((each) => isSchema(each) && takesNull(each))
}

/** Keywords whose members have names that authors choose. */
const maps = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas'])

/** A schema with each schema in it changed, from the inside to the outside. */
function mapped(schema: JsonSchema, change: (schema: JsonSchema) => JsonSchema): JsonSchema {
  const within = (key: string, value: unknown): unknown => {
    if (maps.has(key) && isSchema(value))
      return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, within('', each)]))
    // What authors give as a value is no schema.
    if (['const', 'default', 'enum', 'examples'].includes(key)) return value
    if (Array.isArray(value)) return value.map((each) => within('', each))
    return isSchema(value) ? mapped(value, change) : value
  }
  return change(Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, within(key, value)])))
}

/** Whether a schema has references to its own parts. */
export function hasReferences(schema: JsonSchema): boolean {
  return JSON.stringify(schema).includes('"$ref":"#')
}

function hasSchema(member: [string, unknown]): member is [string, JsonSchema] {
  return isSchema(member[1])
}

function isSchema(value: unknown): value is JsonSchema {
  return isObject(value) && !Array.isArray(value)
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
