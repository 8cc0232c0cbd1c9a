import { closest } from '../closest.js'
import { listed, shortened } from '../quote.js'
import { Bytes } from '../wire/bytes.js'
import type { JsonSchema, MethodDescriptor } from './contract.js'
import { toCamelCase, toSnakeCase } from './names.js'

/** What is wrong with a value, and where: `messages[0].role`. */
export interface Issue {
  path: string
  message: string
}

/** A value in the other form, and what is wrong with it. With issues, the value is not to be used. */
export interface Converted {
  value: unknown
  issues: Issue[]
}

/**
 * Checks a value against the schema and converts it in the same pass: `decode` from the wire (snake_case, base64) to
 * TypeScript (camelCase, Uint8Array), with defaults filled in; `encode` the other way.
 */
export type Codec = (value: unknown) => Converted

type Direction = 'decode' | 'encode'
type Path = (string | number)[]
type Convert = (value: unknown, path: Path, issues: Issue[]) => unknown

/** What all parts of one schema share while it is compiled. */
interface Scope {
  direction: Direction
  root: JsonSchema
  references: Map<string, Convert>
}

interface Property {
  /** Its name in the value that is converted, and in what becomes of it. */
  from: string
  to: string
  required: boolean
  fallback: unknown
  convert: Convert
}

/** The codecs of one method, each made when it is first needed. */
export class MethodCodecs {
  readonly method: MethodDescriptor
  /** The wire name of the argument that may arrive as a stream. */
  readonly inputName: string | undefined

  constructor(method: MethodDescriptor) {
    this.method = method
    const { properties = {} } = objectSchema(method.args)
    this.inputName = Object.keys(properties).find(
      (wire) => localName(wire, properties[wire] ?? {}) === method.input,
    )
  }

  readonly decodeArgs: Codec = lazyCodec(() => this.method.args, 'decode')
  readonly encodeArgs: Codec = lazyCodec(() => this.method.args, 'encode')
  readonly decodeResult: Codec = lazyCodec(() => this.method.result, 'decode')
  readonly encodeResult: Codec = lazyCodec(() => this.method.result, 'encode')
  readonly decodePiece: Codec = lazyCodec(() => this.method.piece ?? {}, 'decode')
  readonly encodePiece: Codec = lazyCodec(() => this.method.piece ?? {}, 'encode')
  /** The arguments but for the one that arrives as a stream. */
  readonly decodeArgsWithoutInput: Codec = lazyCodec(() => this.#argsWithoutInput(), 'decode')
  readonly encodeArgsWithoutInput: Codec = lazyCodec(() => this.#argsWithoutInput(), 'encode')
  /** One item of the argument that arrives as a stream. */
  readonly decodeInput: Codec = lazyCodec(() => this.#inputSchema(), 'decode')
  readonly encodeInput: Codec = lazyCodec(() => this.#inputSchema(), 'encode')

  #inputSchema(): JsonSchema {
    const { properties = {} } = objectSchema(this.method.args)
    return { ...properties[this.inputName ?? ''], $defs: this.method.args['$defs'] }
  }

  #argsWithoutInput(): JsonSchema {
    const { properties = {}, required = [] } = objectSchema(this.method.args)
    const rest = Object.fromEntries(Object.entries(properties).filter(([wire]) => wire !== this.inputName))
    return {
      ...this.method.args,
      properties: rest,
      required: required.filter((wire) => wire !== this.inputName),
    }
  }
}

function lazyCodec(schema: () => JsonSchema, direction: Direction): Codec {
  let codec: Codec | undefined
  return (value) => {
    codec ??= compileCodec(schema(), direction)
    return codec(value)
  }
}

function objectSchema(schema: JsonSchema): { properties?: Record<string, JsonSchema>; required?: string[] } {
  return schema
}

/** Compiles a schema of the wire. Keywords that it does not know are left to the author's own schema to check. */
export function compileCodec(schema: JsonSchema, direction: Direction): Codec {
  const convert = compile(schema, { direction, root: schema, references: new Map() })
  return (value) => {
    const issues: Issue[] = []
    return { value: convert(value, [], issues), issues }
  }
}

function compile(schema: JsonSchema, scope: Scope): Convert {
  if (schema['contentEncoding'] === 'base64') return scope.direction === 'decode' ? decodeBytes : encodeBytes
  if (typeof schema['$ref'] === 'string') return compileReference(schema['$ref'], scope)
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
      return (value) => value
  }
}

function compileObject(schema: JsonSchema, scope: Scope): Convert {
  const properties = propertiesOf(schema, scope)
  const { additionalProperties = true } = schema
  const convertOther =
    typeof additionalProperties === 'object' ? compile(additionalProperties as JsonSchema, scope) : undefined
  // A map (an object without known properties) belongs to its author: its keys are never renamed.
  const renameOther =
    properties.length === 0 ? keep : scope.direction === 'decode' ? toCamelCase : toSnakeCase
  const decodes = scope.direction === 'decode'
  const byName = new Map(properties.map((property) => [property.from, property]))
  const taken = new Set(properties.map((property) => property.to))
  const expected = properties.filter(
    ({ required, fallback }) => required || (fallback !== undefined && decodes),
  )
  return (value, path, issues) => {
    if (!isPlainObject(value)) return wrong(value, 'an object', path, issues)
    const converted: Record<string, unknown> = {}
    for (const key of Object.keys(value)) {
      const item = value[key]
      if (item === undefined) continue
      const property = byName.get(key)
      path.push(key)
      if (property) converted[property.to] = property.convert(item, path, issues)
      else if (renameOther(key) === '__proto__')
        issues.push({ path: pathText(path), message: 'this name is not allowed' })
      else if (additionalProperties === false)
        issues.push({ path: pathText(path), message: unknownKey(key, byName) })
      else if (taken.has(renameOther(key)))
        issues.push({ path: pathText(path), message: unknownKey(key, byName) })
      else converted[renameOther(key)] = convertOther ? convertOther(item, path, issues) : item
      path.pop()
    }
    for (const property of expected) {
      if (value[property.from] !== undefined) continue
      if (property.fallback !== undefined && decodes) converted[property.to] = property.fallback
      else if (property.required)
        issues.push({ path: pathText([...path, property.from]), message: 'is required' })
    }
    return converted
  }
}

function keep(name: string): string {
  return name
}

function propertiesOf(schema: JsonSchema, scope: Scope): Property[] {
  const { properties = {}, required = [] } = schema as {
    properties?: Record<string, JsonSchema>
    required?: string[]
  }
  return Object.entries(properties).map(([wire, property]) => {
    const local = localName(wire, property)
    const [from, to] = scope.direction === 'decode' ? [wire, local] : [local, wire]
    return {
      from,
      to,
      required: required.includes(wire),
      fallback: property['default'],
      convert: compile(property, scope),
    }
  })
}

function localName(wire: string, schema: JsonSchema): string {
  return toCamelCase(schema['contentEncoding'] === 'base64' ? wire.replace(/_b64$/, '') : wire)
}

function compileArray(schema: JsonSchema, scope: Scope): Convert {
  const { minItems = 0, maxItems = Number.POSITIVE_INFINITY } = schema as {
    minItems?: number
    maxItems?: number
  }
  const { prefixItems = [], items } = schema as { prefixItems?: JsonSchema[]; items?: JsonSchema | boolean }
  const converts = prefixItems.map((item) => compile(item, scope))
  const convertOther = typeof items === 'object' ? compile(items, scope) : undefined
  return (value, path, issues) => {
    if (!Array.isArray(value)) return wrong(value, 'an array', path, issues)
    if (value.length < minItems)
      issues.push({ path: pathText(path), message: `needs at least ${minItems} item(s)` })
    if (value.length > maxItems)
      issues.push({ path: pathText(path), message: `takes at most ${maxItems} item(s)` })
    return value.map((item, index) => {
      const convert = converts[index] ?? convertOther
      if (!convert) return item
      path.push(index)
      const converted = convert(item, path, issues)
      path.pop()
      return converted
    })
  }
}

function compileString(schema: JsonSchema): Convert {
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY } = schema as {
    minLength?: number
    maxLength?: number
  }
  return (value, path, issues) => {
    if (typeof value !== 'string') return wrong(value, 'a string', path, issues)
    if (value.length < minLength)
      issues.push({ path: pathText(path), message: `must have at least ${minLength} character(s)` })
    if (value.length > maxLength)
      issues.push({ path: pathText(path), message: `must have at most ${maxLength} characters` })
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
      issues.push({
        path: pathText(path),
        message: `must be ${value < minimum ? `at least ${minimum}` : `more than ${exclusiveMinimum}`}, not ${value}`,
      })
    if (value > maximum || value >= exclusiveMaximum)
      issues.push({
        path: pathText(path),
        message: `must be ${value > maximum ? `at most ${maximum}` : `less than ${exclusiveMaximum}`}, not ${value}`,
      })
    return value
  }
}

function compileEnum(values: readonly unknown[]): Convert {
  const expected = values.map((value) => JSON.stringify(value)).join(' or ')
  return (value, path, issues) => (values.includes(value) ? value : wrong(value, expected, path, issues))
}

/** The first alternative without issues; where there is none, the issues of the one that came closest. */
function compileAnyOf(alternatives: readonly JsonSchema[], scope: Scope): Convert {
  const converts = alternatives.map((schema) => compile(schema, scope))
  return (value, path, issues) => {
    let closest: Issue[] | undefined
    for (const convert of converts) {
      const own: Issue[] = []
      const converted = convert(value, path, own)
      if (own.length === 0) return converted
      if (!closest || isCloser(own, closest)) closest = own
    }
    issues.push(...(closest ?? []))
    return value
  }
}

/** An alternative is closer where it fails deeper inside, or as deep in fewer places. */
function isCloser(issues: readonly Issue[], others: readonly Issue[]): boolean {
  const difference = deepest(issues) - deepest(others)
  return difference > 0 || (difference === 0 && issues.length < others.length)
}

function deepest(issues: readonly Issue[]): number {
  return Math.max(...issues.map(({ path }) => (path === '' ? 0 : path.split(/[.[]/).length)))
}

/** A schema that contains itself is compiled when a value first gets that deep. */
function compileReference(reference: string, scope: Scope): Convert {
  return (value, path, issues) => {
    const convert = scope.references.get(reference) ?? compile(lookUp(reference, scope.root), scope)
    scope.references.set(reference, convert)
    return convert(value, path, issues)
  }
}

/** `#` or `#/$defs/name`, as they are in what Zod makes. */
function lookUp(reference: string, root: JsonSchema): JsonSchema {
  const keys = reference.split('/').slice(1)
  return keys.reduce((schema, key) => (schema[key] ?? {}) as JsonSchema, root)
}

function decodeBytes(value: unknown, path: Path, issues: Issue[]): unknown {
  if (value instanceof Bytes) return value.data
  if (value instanceof Uint8Array) return value
  if (typeof value !== 'string') return wrong(value, 'base64 text', path, issues)
  const decoded = Buffer.from(value, 'base64')
  const digits = value.length - (value.endsWith('==') ? 2 : value.endsWith('=') ? 1 : 0)
  if (digits % 4 === 1 || decoded.length !== Math.floor((digits * 3) / 4))
    return wrong(value, 'base64 text', path, issues)
  return decoded
}

function encodeBytes(value: unknown, path: Path, issues: Issue[]): unknown {
  return value instanceof Uint8Array ? new Bytes(value) : wrong(value, 'a Uint8Array', path, issues)
}

function wrong(value: unknown, expected: string, path: Path, issues: Issue[]): unknown {
  issues.push({ path: pathText(path), message: `must be ${expected}, not ${nameValue(value)}` })
  return value
}

function unknownKey(key: string, known: ReadonlyMap<string, unknown>): string {
  const names = [...known.keys()]
  const meant = closest(key, names)
  if (meant) return `is not known; did you mean ${meant}?`
  return names.length > 0
    ? `is not known; there is ${listed(names)}`
    : 'is not known; nothing is expected here'
}

/** A value as a person reads it in a message: short, with its type. */
export function nameValue(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'boolean' || typeof value === 'number')
    return String(value)
  if (typeof value === 'string')
    return value.length > 40
      ? `the string ${JSON.stringify(value.slice(0, 40))}…`
      : `the string ${JSON.stringify(value)}`
  if (Array.isArray(value)) return `an array of ${value.length}`
  return value instanceof Uint8Array
    ? `${value.length} bytes`
    : `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  )
}

/** `['messages', 0, 'role']` → `messages[0].role` */
function pathText(path: readonly (string | number)[]): string {
  return path
    .map((part, index) =>
      typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${shortened(part)}`,
    )
    .join('')
}

/** `text: is required; speed: must be a number, not true` */
export function issuesText(issues: readonly Issue[]): string {
  return issues.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ')
}
