import type { JsonSchema } from '@appfactory/sdk'

/** Whether `value` matches the part of the schema at a JSON pointer. */
export type Matches = (pointer: string, value: unknown) => boolean

/** A part of the schema, and its JSON pointer. */
interface Part {
  schema: unknown
  at: string
}

/**
 * Fills in the defaults of a JSON Schema, in place: also those behind `$ref` and in `allOf`, and those of the alternative of
 * `anyOf`, `oneOf` or `if` that the value matches. A missing property without a default stays missing, with all defaults inside it.
 */
export function fillDefaults(root: JsonSchema, value: unknown, matches: Matches): void {
  new Defaults(root, matches).fill({ schema: root, at: '' }, value)
}

class Defaults {
  readonly #root: JsonSchema
  readonly #matches: Matches

  constructor(root: JsonSchema, matches: Matches) {
    this.#root = root
    this.#matches = matches
  }

  /** @param references The `$ref`s followed for the same value, to detect cycles. */
  fill({ schema, at }: Part, value: unknown, references: readonly string[] = []): void {
    if (!isObject(schema) || typeof value !== 'object' || value === null) return
    const target = this.#resolve(schema, references)
    if (target) this.fill(target, value, [...references, target.at])
    for (const part of partsOf(schema, at, 'allOf')) this.fill(part, value, references)
    if (Array.isArray(value)) this.#fillItems({ schema, at }, value)
    else if (isObject(value)) this.#fillProperties({ schema, at }, value)
    this.#fillAlternative({ schema, at }, value, references)
    this.#fillCondition({ schema, at }, value, references)
  }

  #fillProperties({ schema, at }: Part & { schema: JsonSchema }, value: Record<string, unknown>): void {
    const properties = isObject(schema['properties']) ? schema['properties'] : {}
    for (const [name, property] of Object.entries(properties)) {
      if (Object.hasOwn(value, name) || name === '__proto__') continue
      const found = this.#defaultOf(property, [])
      if (found) value[name] = structuredClone(found.value)
    }
    const patterns = Object.entries(isObject(schema['patternProperties']) ? schema['patternProperties'] : {})
    for (const [name, item] of Object.entries(value)) {
      const matching = patterns.filter(([pattern]) => patternOf(pattern).test(name))
      if (Object.hasOwn(properties, name))
        this.fill({ schema: properties[name], at: join(at, 'properties', name) }, item)
      for (const [pattern, part] of matching)
        this.fill({ schema: part, at: join(at, 'patternProperties', pattern) }, item)
      if (!Object.hasOwn(properties, name) && matching.length === 0)
        this.fill({ schema: schema['additionalProperties'], at: join(at, 'additionalProperties') }, item)
    }
    for (const keyword of ['dependentSchemas', 'dependencies']) {
      const parts = isObject(schema[keyword]) ? schema[keyword] : {}
      for (const [name, part] of Object.entries(parts))
        if (Object.hasOwn(value, name)) this.fill({ schema: part, at: join(at, keyword, name) }, value)
    }
  }

  #fillItems({ schema, at }: Part & { schema: JsonSchema }, value: unknown[]): void {
    const places = [...partsOf(schema, at, 'prefixItems'), ...partsOf(schema, at, 'items')]
    for (const { schema: place } of places.slice(value.length)) {
      const found = this.#defaultOf(place, [])
      if (!found) break
      value.push(structuredClone(found.value))
    }
    const others = Array.isArray(schema['items']) ? 'additionalItems' : 'items'
    for (const [index, item] of value.entries())
      this.fill(places[index] ?? { schema: schema[others], at: join(at, others) }, item)
  }

  /** The first alternative that the value matches with its defaults filled in. */
  #fillAlternative(
    { schema, at }: Part & { schema: JsonSchema },
    value: object,
    references: readonly string[],
  ): void {
    for (const keyword of ['anyOf', 'oneOf']) {
      const parts = partsOf(schema, at, keyword)
      if (!parts.some((part) => this.#holdsDefault(part.schema))) continue
      for (const part of parts) {
        const filled = structuredClone(value)
        this.fill(part, filled, references)
        if (!this.#matches(part.at, filled)) continue
        // An object gets missing properties, an array missing items at its end.
        Object.assign(value, filled)
        break
      }
    }
  }

  #fillCondition(
    { schema, at }: Part & { schema: JsonSchema },
    value: object,
    references: readonly string[],
  ): void {
    if (!('if' in schema) || ![schema['then'], schema['else']].some((part) => this.#holdsDefault(part)))
      return
    const branch = this.#matches(join(at, 'if'), value) ? 'then' : 'else'
    this.fill({ schema: schema[branch], at: join(at, branch) }, value, references)
  }

  /** The default of a property: its own, otherwise one behind its `$ref` or in its `allOf`. */
  #defaultOf(schema: unknown, references: readonly string[]): { value: unknown } | undefined {
    if (!isObject(schema)) return undefined
    if (schema['default'] === null && refusesNull(schema)) return undefined
    if (Object.hasOwn(schema, 'default')) return { value: schema['default'] }
    const target = this.#resolve(schema, references)
    const found = target && this.#defaultOf(target.schema, [...references, target.at])
    if (found) return found
    for (const part of partsOf(schema, '', 'allOf')) {
      const inside = this.#defaultOf(part.schema, references)
      if (inside) return inside
    }
    return undefined
  }

  #holdsDefault(schema: unknown, references: readonly string[] = []): boolean {
    if (typeof schema !== 'object' || schema === null) return false
    if (Object.hasOwn(schema, 'default')) return true
    const target = isObject(schema) ? this.#resolve(schema, references) : undefined
    if (target && this.#holdsDefault(target.schema, [...references, target.at])) return true
    return Object.values(schema).some((part) => this.#holdsDefault(part, references))
  }

  /** The target of a `$ref` inside the document; undefined for any other, and for one that was already followed. */
  #resolve(schema: JsonSchema, references: readonly string[]): Part | undefined {
    const reference = schema['$ref']
    if (typeof reference !== 'string' || !/^#(\/|$)/.test(reference)) return undefined
    const at = reference.slice(1)
    if (references.includes(at)) return undefined
    let found: unknown = this.#root
    for (const key of at.split('/').slice(1).map(unescaped)) {
      if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined
      found = Reflect.get(found, key)
    }
    return { schema: found, at }
  }
}

/**
 * Removes what is null in a manifest's `default_config` and may not be: there, as in a `default`, null says that nothing is given.
 * Returns a copy.
 */
export function withoutNulls(schema: unknown, config: Record<string, unknown>): Record<string, unknown> {
  const properties = isObject(schema) && isObject(schema['properties']) ? schema['properties'] : {}
  const given = Object.entries(config).filter(([name, value]) => {
    return value !== null || !Object.hasOwn(properties, name) || !refusesNull(properties[name])
  })
  return Object.fromEntries(
    given.map(([name, value]) => [
      name,
      isObject(value) && Object.hasOwn(properties, name) ? withoutNulls(properties[name], value) : value,
    ]),
  )
}

/** Whether null is certainly no value of the schema, by its own `type` or `enum`. */
function refusesNull(schema: unknown): boolean {
  if (!isObject(schema) || schema['nullable'] === true) return false
  const { type, enum: values } = schema
  const types = Array.isArray(type) ? type : [type]
  return (type !== undefined && !types.includes('null')) || (Array.isArray(values) && !values.includes(null))
}

/** The schemas that a keyword holds in an array. */
function partsOf(schema: JsonSchema, at: string, keyword: string): Part[] {
  const parts = schema[keyword]
  if (!Array.isArray(parts)) return []
  return parts.map((part: unknown, index) => ({ schema: part, at: join(at, keyword, String(index)) }))
}

/** A JSON pointer, as after the # of a URI. */
function join(at: string, ...keys: string[]): string {
  const escaped = keys.map((key) => encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1')))
  return [at, ...escaped].join('/')
}

function unescaped(key: string): string {
  return decodeURIComponent(key).replaceAll('~1', '/').replaceAll('~0', '~')
}

/** As the check reads it: with Unicode rules, unless the pattern is invalid with them. */
function patternOf(pattern: string): RegExp {
  try {
    return new RegExp(pattern, 'u')
  } catch {
    return new RegExp(pattern)
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
