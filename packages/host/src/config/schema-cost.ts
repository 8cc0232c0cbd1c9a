import type { JsonSchema } from '@appfactory/sdk'

/** Most that a schema, a configuration, or one default may weigh for a check that takes no time worth speaking of. */
const most = { whole: 1000, fallback: 50 }

/** Keywords that cost nothing to check, or as much as their own value is long. */
const plainKeywords = new Set([
  ...['$schema', '$comment', 'title', 'description', 'examples', 'deprecated', 'readOnly', 'writeOnly'],
  ...['type', 'enum', 'const', 'default', 'required', 'nullable'],
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  ...['minLength', 'maxLength', 'minItems', 'maxItems', 'minProperties', 'maxProperties'],
])

/** Keywords that apply each of their schemas once to the value, or to a part of it. */
const schemaKeywords = new Set(['items', 'additionalProperties', 'anyOf', 'oneOf', 'allOf'])

/**
 * Whether a check is sure to be quick: of a small schema and a small configuration, and with no keyword whose cost grows faster
 * than they do (patterns, formats, references, unique items), nor any that is not known here.
 */
export function isCheap(schema: JsonSchema, config: unknown): boolean {
  return (
    weight(schema, most.whole) <= most.whole && weight(config, most.whole) <= most.whole && isPlain(schema)
  )
}

function isPlain(schema: unknown): boolean {
  if (typeof schema !== 'object' || schema === null) return true
  if (Array.isArray(schema)) return schema.every(isPlain)
  return Object.entries(schema).every(([keyword, value]) => {
    if (keyword === 'default') return weight(value, most.fallback) <= most.fallback
    if (keyword === 'properties')
      return typeof value === 'object' && Object.values(Object(value)).every(isPlain)
    return schemaKeywords.has(keyword) ? isPlain(value) : plainKeywords.has(keyword)
  })
}

/** Values, and what their texts add to that; counted up to `limit` only. */
function weight(root: unknown, limit: number): number {
  let total = 0
  const open = [root]
  while (open.length > 0 && total <= limit) {
    const value = open.pop()
    total += 1
    if (typeof value === 'string') total += value.length / 16
    if (typeof value !== 'object' || value === null) continue
    if (Array.isArray(value) && value.length > limit) return Number.POSITIVE_INFINITY
    for (const key in value) {
      total += key.length / 16
      if (total + open.length > limit) return Number.POSITIVE_INFINITY
      open.push(Reflect.get(value, key))
    }
  }
  return total
}
