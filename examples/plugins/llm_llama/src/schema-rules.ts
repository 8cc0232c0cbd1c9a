import { PluginError } from '@appfactory/sdk'

/** Rules that a grammar can't keep. Words that are no rules, such as `title`, need no care. */
const impossible = [
  ...['not', 'if', 'dependentSchemas', 'dependentRequired', 'patternProperties', 'propertyNames', 'contains'],
  ...['pattern', 'multipleOf', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'],
]
const types = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'] as const
export const formats = ['date', 'time', 'date-time'] as const
/** Grammars grow with each repetition. A lower most than asked for is within the schema. */
export const mostRepeated = 1000
/** A range of integers up to this is written as a choice. */
const longestChoice = 256

/** A type of JSON Schema. */
export type Kind = (typeof types)[number]
type Literal = string | number | boolean | null

/** The values that a schema has the choice of. @throws PluginError INVALID_PARAMS. */
export function valuesIn(values: unknown, path: string): Literal[] {
  if (!Array.isArray(values) || values.length === 0 || !values.every(isLiteral))
    throw cannot(path, 'must be strings, numbers, booleans or null')
  return values
}

function isLiteral(value: unknown): value is Literal {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value)
}

/** The integers between two bounds, where they are few. */
export function rangeOf(schema: object): number[] | undefined {
  const [least, most] = [get(schema, 'minimum'), get(schema, 'maximum')]
  if (get(schema, 'type') !== 'integer' || typeof least !== 'number' || typeof most !== 'number')
    return undefined
  if (impossible.some((rule) => !['minimum', 'maximum'].includes(rule) && get(schema, rule) !== undefined))
    return undefined
  const first = Math.ceil(least)
  const length = Math.floor(most) - first + 1
  return length >= 1 && length <= longestChoice
    ? Array.from({ length }, (_, index) => first + index)
    : undefined
}

export function refuseImpossible(schema: object, path: string): void {
  const rule = impossible.find((each) => get(schema, each) !== undefined && !isKept(each, get(schema, each)))
  if (rule !== undefined) throw cannot(`${path}.${rule}`, 'can’t be kept by a grammar')
}

/** Whether anything keeps to it: libraries name such rules for any integer, and for any name. */
function isKept(rule: string, value: unknown): boolean {
  if (rule === 'propertyNames')
    return get(value, 'type') === 'string' && Object.keys(Object(value)).length === 1
  if (rule === 'minimum') return Number(value) <= Number.MIN_SAFE_INTEGER
  return rule === 'maximum' && Number(value) >= Number.MAX_SAFE_INTEGER
}

/** What a value may be; none: anything. */
export function kindsOf(schema: object, path: string): Kind[] {
  const given = get(schema, 'type')
  if (given === undefined) {
    if (get(schema, 'properties') ?? get(schema, 'required')) return ['object']
    return (get(schema, 'items') ?? get(schema, 'prefixItems')) ? ['array'] : []
  }
  return [given].flat().map((each) => {
    const known = types.find((type) => type === each)
    if (!known) throw cannot(`${path}.type`, `must be one of ${types.join(', ')}`)
    return known
  })
}

export function countIn(schema: object, key: string, path: string): number | undefined {
  const value = get(schema, key)
  if (value === undefined) return undefined
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0)
    throw cannot(`${path}.${key}`, 'must be a whole number that is not negative')
  if (key.startsWith('min') && value > mostRepeated)
    throw cannot(`${path}.${key}`, `must be at most ${mostRepeated}: a grammar grows with it`)
  return value
}

export function get(value: unknown, key: string): unknown {
  return isObject(value) && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** @param reason Whose subject is the member. */
export function cannot(path: string, reason: string): PluginError {
  const message = `${reason}. Leave it out, or check the answer for it yourself`
  return new PluginError('INVALID_PARAMS', `${path}: ${message}`, { issues: [{ path, message }] })
}
