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
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, moved(root, key, value)]))
}

/** Keywords whose members have names that authors choose. */
const maps = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas'])

function moved(root: string, key: string, value: unknown): unknown {
  if (maps.has(key) && isSchema(value))
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, moved(root, '', each)]))
  if (key === '$ref' && typeof value === 'string') return value.replace(/^#/, root)
  // What authors give as a value is no schema.
  if (['const', 'default', 'enum', 'examples'].includes(key)) return value
  if (Array.isArray(value)) return value.map((each) => moved(root, '', each))
  return isSchema(value) ? movedTo(root, value) : value
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
