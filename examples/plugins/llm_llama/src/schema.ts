import type { GbnfJsonSchema } from 'node-llama-cpp'
import {
  cannot,
  countIn,
  formats,
  get,
  isObject,
  type Kind,
  kindsOf,
  mostRepeated,
  rangeOf,
  refuseImpossible,
  valuesIn,
} from './schema-rules.js'

/** A schema as grammars are made of: less than JSON Schema has. */
export type GrammarSchema = GbnfJsonSchema<Record<string, never>>

/** How far schemas may go. */
export interface SchemaBounds {
  /** Longest string where the schema names no bound, in characters. */
  longestString: number | undefined
}

/** A JSON Schema for a grammar. @param path Where it stands, for the error. @throws PluginError INVALID_PARAMS where a grammar can’t keep to it. */
export function grammarSchema(schema: object, path: string, bounds: SchemaBounds): GrammarSchema {
  return new Conversion(schema, path, bounds).result()
}

/** Any object. */
export const anyObject: GrammarSchema = { type: 'object', additionalProperties: true }
const anything: GrammarSchema = {
  oneOf: [{ type: ['string', 'number', 'boolean', 'null'] }, anyObject, { type: 'array' }],
}

class Conversion {
  readonly #root: object
  readonly #path: string
  readonly #bounds: SchemaBounds
  /** By their names in the result. */
  readonly #definitions = new Map<string, GrammarSchema>()

  constructor(root: object, path: string, bounds: SchemaBounds) {
    this.#root = root
    this.#path = path
    this.#bounds = bounds
  }

  result(): GrammarSchema {
    const converted = this.#convert(this.#root, this.#path)
    if (this.#definitions.size === 0) return converted
    const $defs: Record<string, never> = Object.create(null)
    for (const [name, definition] of this.#definitions) Reflect.set($defs, name, definition)
    return { ...converted, $defs }
  }

  #convert(schema: unknown, path: string): GrammarSchema {
    if (schema === true) return anything
    if (!isObject(schema)) throw cannot(path, 'must be a schema that something fits')
    const description = get(schema, 'description')
    const converted = this.#withoutDescription(schema, path)
    return typeof description === 'string' ? { ...converted, description } : converted
  }

  #withoutDescription(schema: object, path: string): GrammarSchema {
    const reference = get(schema, '$ref')
    if (reference !== undefined) return this.#refer(reference, `${path}.$ref`)
    if (get(schema, 'const') !== undefined) return { enum: valuesIn([get(schema, 'const')], `${path}.const`) }
    const values = get(schema, 'enum')
    if (values !== undefined) return { enum: valuesIn(values, `${path}.enum`) }
    const range = rangeOf(schema)
    if (range) return { enum: range }
    refuseImpossible(schema, path)
    for (const key of ['anyOf', 'oneOf', 'allOf']) {
      const parts = get(schema, key)
      if (parts !== undefined) return this.#combine(schema, key, parts, path)
    }
    const kinds = kindsOf(schema, path)
    if (kinds.length === 0) return anything
    const each = kinds.map((kind) => this.#ofKind(kind, schema, path))
    const [first] = each
    return first && each.length === 1 ? first : { oneOf: each }
  }

  #refer(reference: unknown, path: string): GrammarSchema {
    const [, place, key] = /^#(?:\/(\$defs|definitions)\/([^/]+))?$/.exec(String(reference)) ?? []
    const name = key === undefined ? 'root' : `${place}/${key}`
    const target = key === undefined ? this.#root : get(get(this.#root, place ?? ''), unescaped(key))
    if (
      typeof reference !== 'string' ||
      !reference.startsWith('#') ||
      (key === undefined && reference !== '#')
    )
      throw cannot(path, 'must be "#" or begin with "#/$defs/"')
    if (target === undefined) throw cannot(path, 'names a schema that is not there')
    if (!this.#definitions.has(name)) {
      // It may refer to itself.
      this.#definitions.set(name, anything)
      this.#definitions.set(name, this.#convert(target, `${path}(${reference})`))
    }
    return { $ref: `#/$defs/${name}` }
  }

  #combine(schema: object, key: string, parts: unknown, path: string): GrammarSchema {
    const place = `${path}.${key}`
    if (!Array.isArray(parts) || parts.length === 0) throw cannot(place, 'must be an array of schemas')
    if (key === 'allOf' && parts.length > 1) throw cannot(place, 'can’t be more than one schema')
    const beside = ['properties', 'required', 'items', 'prefixItems', 'anyOf', 'oneOf', 'allOf'].find(
      (each) => each !== key && get(schema, each) !== undefined,
    )
    if (beside !== undefined) throw cannot(place, `can’t stand beside ${beside}`)
    return { oneOf: parts.map((part, index) => this.#convert(part, `${place}[${index}]`)) }
  }

  #ofKind(kind: Kind, schema: object, path: string): GrammarSchema {
    if (kind === 'object') return this.#object(schema, path)
    if (kind === 'array') return this.#array(schema, path)
    if (kind === 'string') return this.#string(schema, path)
    return { type: kind }
  }

  #object(schema: object, path: string): GrammarSchema {
    const given = get(schema, 'properties') ?? {}
    if (!isObject(given)) throw cannot(`${path}.properties`, 'must be an object of schemas')
    const required = get(schema, 'required') ?? []
    if (!Array.isArray(required)) throw cannot(`${path}.required`, 'must be an array of names')
    const entries = Object.entries(given).map(([name, inner]): [string, GrammarSchema] => [
      name,
      this.#convert(inner, `${path}.properties.${name.slice(0, 40)}`),
    ])
    const known = new Set(Object.keys(given))
    for (const name of required) if (!known.has(String(name))) entries.push([String(name), anything])
    const least = countIn(schema, 'minProperties', path) ?? 0
    const most = countIn(schema, 'maxProperties', path)
    if (most !== undefined && most < entries.length)
      throw cannot(
        `${path}.maxProperties`,
        'can’t be less than there are properties: all of them are written',
      )
    const properties = Object.fromEntries(entries)
    const others = get(schema, 'additionalProperties') ?? true
    // Where properties are named, those are enough.
    const isOpen = others !== false && (get(schema, 'properties') === undefined || least > entries.length)
    if (!isOpen) {
      if (least > entries.length) throw cannot(`${path}.minProperties`, 'is more than there can be')
      return { type: 'object', properties }
    }
    return {
      type: 'object',
      properties,
      additionalProperties: this.#convert(others, `${path}.additionalProperties`),
      minProperties: least,
      ...(most === undefined ? {} : { maxProperties: Math.min(most, Math.max(least, mostRepeated)) }),
    }
  }

  #array(schema: object, path: string): GrammarSchema {
    if (get(schema, 'uniqueItems') === true) throw cannot(`${path}.uniqueItems`, 'can’t be kept by a grammar')
    const given = get(schema, 'items')
    const [firstItems, restItems] = Array.isArray(given)
      ? [given, get(schema, 'additionalItems')]
      : [get(schema, 'prefixItems'), given]
    if (firstItems !== undefined && !Array.isArray(firstItems))
      throw cannot(`${path}.prefixItems`, 'must be an array of schemas')
    const prefix = firstItems?.map((item: unknown, index) =>
      this.#convert(item, `${path}.prefixItems[${index}]`),
    )
    const least = countIn(schema, 'minItems', path)
    const most = restItems === false ? (prefix?.length ?? 0) : countIn(schema, 'maxItems', path)
    return {
      type: 'array',
      ...(prefix ? { prefixItems: prefix } : {}),
      ...(restItems === undefined || restItems === false
        ? {}
        : { items: this.#convert(restItems, `${path}.items`) }),
      ...(least === undefined ? {} : { minItems: least }),
      ...(most === undefined ? {} : { maxItems: Math.min(most, mostRepeated) }),
    }
  }

  #string(schema: object, path: string): GrammarSchema {
    const format = formats.find((each) => each === get(schema, 'format'))
    if (format) return { type: 'string', format }
    const least = countIn(schema, 'minLength', path)
    const bound = this.#bounds.longestString
    const most =
      countIn(schema, 'maxLength', path) ?? (bound === undefined ? undefined : Math.max(bound, least ?? 0))
    return {
      type: 'string',
      ...(least === undefined ? {} : { minLength: least }),
      ...(most === undefined ? {} : { maxLength: Math.min(most, mostRepeated) }),
    }
  }
}

function unescaped(key: string): string {
  return decodeURIComponent(key).replaceAll('~1', '/').replaceAll('~0', '~')
}
