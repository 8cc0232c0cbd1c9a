import { isUint8Array } from 'node:util/types'
import { Bytes, bytesOfBase64, plainBytes } from '../bytes.js'
import { closest } from '../closest.js'
import type { JsonSchema } from '../descriptor.js'
import { listed } from '../quote.js'
import { toCamelCase } from '../wire-names.js'
import { firstIssues, type Issue, Issues, nameValue, type Path } from './issues.js'

/** A converted value, and its problems. With issues, the value must not be used. */
export interface Converted {
  value: unknown
  issues: Issue[]
}

/**
 * Checks a value against the schema and converts it in the same pass: `decode` from the wire (snake_case, base64) to
 * TypeScript (camelCase, Uint8Array), with defaults filled in; `encode` the other way.
 */
export type Codec = (value: unknown) => Converted

export type Direction = 'decode' | 'encode'
type Convert = (value: unknown, path: Path, issues: Issues) => unknown

/** How deep a value may be nested: deeper ones would overflow the stack. */
const maxDepth = 1000

/** What is open inside of an object or a list counts for less than if all of it were. */
const openInside = 1e-4

/** Where an alternative takes tagged bytes for any object, each other one knows them better. */
const foreignBytes = 1e200

export interface CodecOptions {
  /** `decode` fills in defaults. Default: true; false if the author's own schema does it. */
  fillsDefaults?: boolean
  /** What the schema leaves open must be what JSON can carry, or `encode` says where it is not. Default: false. */
  strict?: boolean
  /** Beside that, anything with a `toJSON()`, such as a Date: what that returns is carried. Default: false. */
  takesToJson?: boolean
}

/** The shared state while one schema is compiled. */
interface Scope extends CodecOptions {
  direction: Direction
  root: JsonSchema
  references: Map<string, Convert>
}

interface Property {
  /** Name in the source and in the target. */
  from: string
  to: string
  required: boolean
  /** Whether null means absent: if the property is optional and can't be null. */
  nullIsAbsent: boolean
  /** Makes the value of an absent one. */
  fallback: (() => unknown) | undefined
  convert: Convert
}

/** Compiles a schema of the wire. Unknown keywords are left to the author's own schema. */
export function compileCodec(schema: JsonSchema, direction: Direction, options: CodecOptions = {}): Codec {
  const convert = compile(schema, { ...options, direction, root: schema, references: new Map() })
  return (value) => {
    const issues = new Issues()
    const converted = convert(value, [], issues)
    return {
      value: converted,
      issues: issues.count === 0 ? issues.first : firstIssues(issues.first, issues.count),
    }
  }
}

/** A codec that is compiled when it is first used. */
export function lazyCodec(compile: () => Codec): Codec {
  let codec: Codec | undefined
  return (value) => {
    codec ??= compile()
    return codec(value)
  }
}

function compile(schema: JsonSchema, scope: Scope): Convert {
  if (schema['contentEncoding'] === 'base64') return scope.direction === 'decode' ? decodeBytes : encodeBytes
  if (typeof schema['$ref'] === 'string') return compileReference(schema['$ref'], scope)
  if (Array.isArray(schema['allOf'])) return compileAllOf(schema['allOf'] as JsonSchema[], scope)
  const alternatives = schema['anyOf'] ?? schema['oneOf']
  if (Array.isArray(alternatives)) return compileAnyOf(alternatives as JsonSchema[], scope)
  if (Array.isArray(schema['enum'])) return compileEnum(schema['enum'])
  if ('const' in schema) return compileEnum([schema['const']])
  if (Array.isArray(schema['type'])) {
    return compileAnyOf(
      schema['type'].map((type) => ({ ...schema, type })),
      scope,
    )
  }
  switch (schema['type']) {
    case 'object':
      return compileObject(schema, scope)
    case 'array':
      return compileArray(schema, scope)
    case 'string':
      return compileString(schema)
    case 'number':
    case 'integer':
      return compileNumber(schema)
    case 'boolean':
      return (value, path, issues) =>
        typeof value === 'boolean' ? value : wrong(value, 'true or false', path, issues)
    case 'null':
      return (value, path, issues) => (value === null ? value : wrong(value, 'null', path, issues))
    default:
      return isStrict(scope) ? requireJson(scope) : keep
  }
}

function compileObject(schema: JsonSchema, scope: Scope): Convert {
  const properties = propertiesOf(schema, scope)
  if (isTaggedBytes(properties)) return compileTaggedBytes(properties, scope)
  const { additionalProperties = true } = schema
  // Keys that the schema does not name are data: they are never renamed.
  const convertOther =
    typeof additionalProperties === 'object' && !isOpen(additionalProperties as JsonSchema)
      ? compile(additionalProperties as JsonSchema, scope)
      : keepOther(scope)
  const byName = new Map(properties.map((property) => [property.from, property]))
  const taken = new Set(properties.map((property) => property.to))
  const expected = properties.filter(({ required, fallback }) => required || fallback)
  return (value, path, issues) => {
    if (!isPlainObject(value)) return wrong(value, 'an object', path, issues)
    if (path.length > maxDepth) return tooDeep(value, issues)
    const { open } = issues
    const converted: Record<string, unknown> = {}
    for (const key of Object.keys(value)) {
      const item = value[key]
      if (item === undefined) continue
      const property = byName.get(key)
      if (property?.nullIsAbsent && item === null) continue
      path.push(key)
      if (property) converted[property.to] = property.convert(item, path, issues)
      else if (key === '__proto__') issues.add(path, 'this name is not allowed')
      else if (additionalProperties === false || taken.has(key))
        issues.add(path, () => unknownKey(key, byName))
      else {
        converted[key] = convertOther(item, path, issues)
        issues.open += key === bytesTag ? foreignBytes : 1
      }
      path.pop()
    }
    for (const { from, to, required, nullIsAbsent, fallback } of expected) {
      const given = Object.hasOwn(value, from) ? value[from] : undefined
      if (given !== undefined && !(nullIsAbsent && given === null)) continue
      if (fallback) converted[to] = fallback()
      else if (required) issues.add([...path, from], 'is required')
    }
    issues.open = open + (issues.open - open) * openInside
    return converted
  }
}

function propertiesOf(schema: JsonSchema, scope: Scope): Property[] {
  const { properties = {}, required = [] } = schema as {
    properties?: Record<string, JsonSchema>
    required?: string[]
  }
  return Object.entries(properties).map(([wire, property]) => {
    const local = localName(wire, property)
    const [from, to] = scope.direction === 'decode' ? [wire, local] : [local, wire]
    const isRequired = required.includes(wire)
    const convert = compile(property, scope)
    return {
      from,
      to,
      required: isRequired,
      nullIsAbsent: !isRequired && !takesNull(property, scope.root),
      fallback: fallbackOf(property['default'], convert, scope),
      convert,
    }
  })
}

/** Each call gets its own copy of a default, so that changing it does not affect the next call. */
function fallbackOf(value: unknown, convert: Convert, scope: Scope): (() => unknown) | undefined {
  const { direction, fillsDefaults = true } = scope
  if (value === undefined || direction === 'encode' || !fillsDefaults) return undefined
  if (typeof value !== 'object' || value === null) return () => value
  return () => convert(structuredClone(value), [], new Issues())
}

/** Whether a schema says that a value may be null. Where null is as good as any other value, it is one. */
function takesNull(schema: JsonSchema, root: JsonSchema, followed = 0): boolean {
  if (typeof schema['$ref'] === 'string')
    return followed < maxDepth && takesNull(lookUp(schema['$ref'], root), root, followed + 1)
  const alternatives = schema['anyOf'] ?? schema['oneOf']
  if (Array.isArray(alternatives))
    return (alternatives as JsonSchema[]).some((each) => !isOpen(each) && takesNull(each, root, followed + 1))
  if (Array.isArray(schema['enum'])) return schema['enum'].includes(null)
  if ('const' in schema) return schema['const'] === null
  if (Array.isArray(schema['type'])) return schema['type'].includes('null')
  return schema['type'] === 'null' || isOpen(schema)
}

/** Whether a schema leaves the type of a value open. */
export function isOpen(schema: JsonSchema): boolean {
  return !['type', '$ref', 'anyOf', 'oneOf', 'allOf', 'enum', 'const'].some((keyword) => keyword in schema)
}

/** What a property of the wire is called in TypeScript. */
export function localName(wire: string, schema: JsonSchema): string {
  return toCamelCase(schema['contentEncoding'] === 'base64' ? wire.replace(/_b64$/, '') : wire)
}

function compileArray(schema: JsonSchema, scope: Scope): Convert {
  const { minItems = 0, maxItems = Number.POSITIVE_INFINITY } = schema as {
    minItems?: number
    maxItems?: number
  }
  const { prefixItems = [], items } = schema as { prefixItems?: JsonSchema[]; items?: JsonSchema | boolean }
  const converts = prefixItems.map((item) => compile(item, scope))
  const convertOther = compile(typeof items === 'object' ? items : {}, scope)
  return (value, path, issues) => {
    if (!Array.isArray(value)) return wrong(value, 'an array', path, issues)
    if (path.length > maxDepth) return tooDeep(value, issues)
    if (value.length < minItems) issues.add(path, `needs at least ${minItems} item(s)`)
    if (value.length > maxItems) issues.add(path, `takes at most ${maxItems} item(s)`)
    const { open } = issues
    const converted = value.map((item, index) => {
      const convert = converts[index] ?? convertOther
      path.push(index)
      const convertedItem = convert(item, path, issues)
      path.pop()
      return convertedItem
    })
    issues.open = open + (issues.open - open) * openInside
    return converted
  }
}

function compileString(schema: JsonSchema): Convert {
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY } = schema as {
    minLength?: number
    maxLength?: number
  }
  return (value, path, issues) => {
    if (typeof value !== 'string') return wrong(value, 'a string', path, issues)
    if (value.length < minLength) issues.add(path, `must have at least ${minLength} character(s)`)
    if (value.length > maxLength) issues.add(path, `must have at most ${maxLength} characters`)
    return value
  }
}

function compileNumber(schema: JsonSchema): Convert {
  const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = schema as {
    minimum?: number
    maximum?: number
  }
  const { exclusiveMinimum = Number.NEGATIVE_INFINITY, exclusiveMaximum = Number.POSITIVE_INFINITY } =
    schema as { exclusiveMinimum?: number; exclusiveMaximum?: number }
  const integer = schema['type'] === 'integer'
  return (value, path, issues) => {
    if (typeof value !== 'number' || !Number.isFinite(value))
      return wrong(value, integer ? 'an integer' : 'a number', path, issues)
    if (integer && !Number.isInteger(value)) return wrong(value, 'an integer', path, issues)
    if (value < minimum || value <= exclusiveMinimum)
      issues.add(
        path,
        `must be ${value < minimum ? `at least ${minimum}` : `more than ${exclusiveMinimum}`}, not ${value}`,
      )
    if (value > maximum || value >= exclusiveMaximum)
      issues.add(
        path,
        `must be ${value > maximum ? `at most ${maximum}` : `less than ${exclusiveMaximum}`}, not ${value}`,
      )
    return value
  }
}

function compileEnum(values: readonly unknown[]): Convert {
  const expected = values.map((value) => JSON.stringify(value)).join(' or ')
  return (value, path, issues) => (values.includes(value) ? value : wrong(value, expected, path, issues))
}

/**
 * Of the alternatives without issues the one that knows the value best, so that both ends choose the same; where there is
 * none, the issues of the one that came closest.
 */
function compileAnyOf(alternatives: readonly JsonSchema[], scope: Scope): Convert {
  const converts = alternatives.map((schema) => compile(schema, scope))
  return (value, path, issues) => {
    const { count, open } = issues
    let best: { converted: unknown; open: number } | undefined
    let closest: Failed | undefined
    for (const [index, convert] of converts.entries()) {
      issues.open = open
      const converted = convert(value, path, issues)
      if (issues.count > count) {
        const own = { issues: issues.takeFrom(count), isOfKind: isOfKind(value, alternatives[index]) }
        if (!closest || isCloser(own, closest)) closest = own
      } else if (issues.open === open) return converted
      else if (!best || issues.open < best.open) best = { converted, open: issues.open }
    }
    issues.open = best?.open ?? open
    if (best) return best.converted
    if (closest) issues.addAll(closest.issues)
    return value
  }
}

/** An alternative that a value does not fit. */
interface Failed {
  issues: Issues
  isOfKind: boolean
}

/** An alternative is closer where it fails deeper inside, takes values of the kind, or fails as deep in fewer places. */
function isCloser(one: Failed, other: Failed): boolean {
  const difference = deepest(one.issues) - deepest(other.issues)
  if (difference !== 0) return difference > 0
  return one.isOfKind === other.isOfKind ? one.issues.count < other.issues.count : one.isOfKind
}

function isOfKind(value: unknown, schema: JsonSchema = {}): boolean {
  const { type } = schema
  if (Array.isArray(value)) return type === 'array'
  return type === typeof value || (type === 'integer' && typeof value === 'number')
}

function deepest({ first }: Issues): number {
  return Math.max(...first.map(({ path }) => (path === '' ? 0 : path.split(/[.[]/).length)))
}

/** Each part of an intersection converts its own properties; unknown ones stay unchanged. */
function compileAllOf(parts: readonly JsonSchema[], scope: Scope): Convert {
  const converts = parts.map((schema) => compile(schema, scope))
  return (value, path, issues) => {
    if (!isPlainObject(value))
      return converts.reduce((each, convert) => convert(each, path, issues), value as unknown)
    const results = converts.map((convert) => convert(value, path, issues))
    const converted: Record<string, unknown> = {}
    // A key that a part has kept may be one that another part has renamed or converted.
    const renamed = new Set(
      Object.keys(value).filter((key) => results.some((result) => isPlainObject(result) && !(key in result))),
    )
    for (const result of results) {
      for (const [key, item] of Object.entries(result as Record<string, unknown>)) {
        const isKept = value[key] === item
        if (!renamed.has(key) && !(isKept && key in converted)) converted[key] = item
      }
    }
    return converted
  }
}

/** A schema that contains itself is compiled when a value first gets that deep. */
function compileReference(reference: string, scope: Scope): Convert {
  return (value, path, issues) => {
    const convert = scope.references.get(reference) ?? compile(lookUp(reference, scope.root), scope)
    scope.references.set(reference, convert)
    return convert(value, path, issues)
  }
}

/** The schema that a reference names: `#` or `#/$defs/name`, in which `~1` stands for `/` and `~0` for `~`. */
export function lookUp(reference: string, root: JsonSchema): JsonSchema {
  const keys = reference.split('/').slice(1)
  return keys.reduce(
    (schema, key) => (schema[key.replaceAll('~1', '/').replaceAll('~0', '~')] ?? {}) as JsonSchema,
    root,
  )
}

/** The name of bytes where the same place may hold text: `{ "_b64": "AQID" }`. */
export const bytesTag = '_b64'

function isTaggedBytes([first, second]: readonly Property[]): boolean {
  return first !== undefined && !second && (first.from === bytesTag || first.to === bytesTag)
}

function compileTaggedBytes([tagged]: readonly Property[], { direction }: Scope): Convert {
  if (direction === 'encode') {
    return (value, path, issues) => {
      const encoded = encodeBytes(value, path, issues)
      return encoded instanceof Bytes ? { [bytesTag]: encoded } : encoded
    }
  }
  return (value, path, issues) => {
    const holds = isPlainObject(value) && Object.keys(value).join() === bytesTag
    return holds && tagged
      ? tagged.convert(value[bytesTag], path, issues)
      : wrong(value, `an object with base64 text as its ${bytesTag}`, path, issues)
  }
}

function decodeBytes(value: unknown, path: Path, issues: Issues): unknown {
  if (value instanceof Bytes) return plainBytes(value.data)
  if (isUint8Array(value)) return plainBytes(value)
  if (typeof value !== 'string') return wrong(value, 'base64 text', path, issues)
  // Programs for mail, and base64(1) and openssl, put in line ends.
  const decoded = decodeBase64(value) ?? decodeBase64(value.replace(/[\r\n]+/g, ''))
  if (decoded) return decoded
  const stranger = /[^A-Za-z0-9+/_\-=\r\n]/.exec(value)?.[0]
  const why =
    stranger === undefined ? 'its length or its "=" is wrong' : `it holds ${JSON.stringify(stranger)}`
  return wrong(value, `base64 text (${why})`, path, issues)
}

function decodeBase64(text: string): Uint8Array | undefined {
  const decoded = bytesOfBase64(text)
  const digits = text.length - (text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0)
  return digits % 4 === 1 || decoded.length !== Math.floor((digits * 3) / 4) ? undefined : decoded
}

function encodeBytes(value: unknown, path: Path, issues: Issues): unknown {
  return isUint8Array(value) ? new Bytes(value) : wrong(value, 'a Uint8Array', path, issues)
}

function wrong(value: unknown, expected: string, path: Path, issues: Issues): unknown {
  issues.add(path, () => `must be ${expected}, not ${nameValue(value)}`)
  return value
}

function tooDeep(value: unknown, issues: Issues): unknown {
  issues.add([], `is nested more than ${maxDepth} deep, or contains itself`)
  return value
}

/** As what is open of a whole value, but counted with its key. */
function keepOther(scope: Scope): Convert {
  if (!isStrict(scope)) return (value) => value
  return (value, path, issues) => {
    checkJson(scope, value, path, issues)
    return value
  }
}

function isStrict({ strict, direction }: Scope): boolean {
  return strict === true && direction === 'encode'
}

function keep(value: unknown, _: Path, issues: Issues): unknown {
  issues.open += 1
  return value
}

/** What a schema leaves open, as it is: of anything but this JSON would lose something without a word. */
function requireJson(scope: Scope): Convert {
  return (value, path, issues) => {
    if (value !== undefined || path.length > 0) checkJson(scope, value, path, issues)
    return keep(value, path, issues)
  }
}

function checkJson(scope: Scope, value: unknown, path: Path, issues: Issues): void {
  if (path.length > maxDepth) tooDeep(value, issues)
  else if (scope.takesToJson && hasToJson(value)) return
  else if (Array.isArray(value) || isJsonObject(value)) {
    for (const [key, item] of Object.entries(value)) {
      if (item === undefined && !Array.isArray(value)) continue
      path.push(Array.isArray(value) ? Number(key) : key)
      checkJson(scope, item, path, issues)
      path.pop()
    }
  } else if (!isJsonPrimitive(value)) wrong(value, 'what JSON can carry', path, issues)
}

/** Not those of a Node Buffer, which is bytes. */
function hasToJson(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || isUint8Array(value)) return false
  return typeof Reflect.get(value, 'toJSON') === 'function'
}

function isJsonPrimitive(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  return value === null || typeof value === 'string' || typeof value === 'boolean'
}

/** Excludes Date, Map, RegExp and the like, whose data is not in their properties. */
function isJsonObject(value: unknown): value is object {
  return Object.prototype.toString.call(value) === '[object Object]'
}

function unknownKey(key: string, known: ReadonlyMap<string, unknown>): string {
  const names = [...known.keys()]
  const meant = closest(key, names)
  if (meant) return `is not known; did you mean ${meant}?`
  return names.length > 0
    ? `is not known; there is ${listed(names)}`
    : 'is not known; nothing is expected here'
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return !(isUint8Array(value) || value instanceof Bytes)
}
