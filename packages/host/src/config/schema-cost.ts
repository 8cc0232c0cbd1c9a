import type { JsonSchema } from '@appfactory/sdk'

/** Maximum weight of a schema, a configuration or a default for a check of negligible time. */
const most = { whole: 1000, fallback: 50 }

/** Keywords whose check costs nothing, or is linear in their own value. */
const plainKeywords = new Set([
  ...['$schema', '$comment', 'title', 'description', 'examples', 'deprecated', 'readOnly', 'writeOnly'],
  ...['type', 'enum', 'const', 'default', 'required', 'nullable'],
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  ...['minLength', 'maxLength', 'minItems', 'maxItems', 'minProperties', 'maxProperties'],
])

/** Keywords that apply each of their schemas once to the value, or to a part of it. */
const schemaKeywords = new Set(['items', 'additionalProperties', 'anyOf', 'oneOf', 'allOf'])

/**
 * Whether a check is certainly quick: a small schema and a small configuration, no keyword with superlinear cost (patterns,
 * formats, references, unique items), and no unknown keyword.
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

/** Counts values, plus the length of texts, up to `limit` only. */
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
