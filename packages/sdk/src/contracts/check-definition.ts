import type { z } from 'zod'
import { namePattern } from '../name-pattern.js'
import { methodNamePattern, reservedNames, toCamelCase, toSnakeCase } from '../wire-names.js'
import type { ContractDefinition, MethodDefinition } from './contract.js'

/** Types that JSON lacks, by Zod's names: a description, and an alternative. */
const notJson: Record<string, string> = {
  date: 'a Date: use z.iso.datetime(), or z.coerce.date() for an argument',
  bigint: 'a bigint: use z.string()',
  symbol: 'a symbol',
  set: 'a Set: use z.array()',
  map: 'a Map: use z.record()',
  nan: 'NaN',
  function: 'a function',
  promise: 'a promise',
  file: 'a File: use z.instanceof(Uint8Array)',
}

type Side = 'input' | 'output'

/** One part of a schema: the part itself, where it is, and whether JSON carries what goes into it or what comes out. */
interface Part {
  schema: unknown
  path: string
  side: Side
}

/** @throws TypeError where a name breaks a rule, or a schema is none of Zod 4 or has what JSON can't carry. */
export function checkDefinition({ name, methods }: ContractDefinition): void {
  if (!namePattern.test(name)) {
    throw new TypeError(`A contract's name is lower-case words joined by _ or -, not "${name}"`)
  }
  for (const [method, definition] of Object.entries(methods)) {
    if (!methodNamePattern.test(method))
      throw new TypeError(`${name}: a method's name is in camelCase, not "${method}"`)
    if (reservedNames.has(method))
      throw new TypeError(`${name}: the name "${method}" is taken by every plugin; choose another`)
    if (definition.kind === 'stream' && !definition.piece)
      throw new TypeError(`${name}.${method}: a stream needs the schema of a piece`)
    checkSchemas(`${name}.${method}`, definition)
  }
}

function checkSchemas(method: string, { args, result, piece }: MethodDefinition): void {
  const rest: Part[] = [
    { schema: args, path: `${method}.args`, side: 'input' },
    { schema: result, path: `${method}.result`, side: 'output' },
    ...(piece ? [{ schema: piece, path: `${method}.piece`, side: 'output' as const }] : []),
  ]
  const seen = { input: new Set<unknown>(), output: new Set<unknown>() }
  for (let part = rest.pop(); part; part = rest.pop()) {
    if (seen[part.side].has(part.schema)) continue
    seen[part.side].add(part.schema)
    const schema = asZod4(part)
    checkPart(schema, part)
    rest.push(...partsOf(schema, part))
  }
}

/** A schema of Zod 4 and all schemas inside of it. */
export function everySchema(root: z.ZodType): Set<z.core.$ZodTypes> {
  const found = new Set<z.core.$ZodTypes>()
  const rest: Part[] = [{ schema: root, path: '', side: 'input' }]
  for (let part = rest.pop(); part; part = rest.pop()) {
    const schema = asZod4(part)
    if (found.has(schema)) continue
    found.add(schema)
    rest.push(...partsOf(schema, { ...part, side: 'input' }), ...partsOf(schema, { ...part, side: 'output' }))
  }
  return found
}

function asZod4({ schema, path }: Part): z.core.$ZodTypes {
  if (typeof schema === 'object' && schema !== null && '_zod' in schema) return schema as z.core.$ZodTypes
  throw new TypeError(`${path}: must be a schema of Zod 4 (npm install zod@^4; of zod 3.25, import 'zod/v4')`)
}

function checkPart(schema: z.core.$ZodTypes, { path, side }: Part): void {
  const { def } = schema._zod
  const isCoerced = side === 'input' && 'coerce' in def && def.coerce === true
  const foreign = isCoerced ? undefined : notJson[def.type]
  if (foreign) throw cannotCarry(path, foreign)
  if (def.type === 'literal' && def.values.some((value) => typeof value === 'bigint'))
    throw cannotCarry(path, 'a bigint: use z.string()')
  const { Class } = schema._zod.bag as { Class?: { name: string } }
  if (def.type === 'custom' && Class && !isBytes(schema))
    throw cannotCarry(
      path,
      `a ${Class.name}: bytes are z.instanceof(Uint8Array), anything else is z.object()`,
    )
  if (def.type === 'object') checkNames(Object.keys(def.shape), path)
}

function cannotCarry(path: string, what: string): TypeError {
  return new TypeError(`${path}: JSON can't carry ${what}`)
}

function checkNames(keys: readonly string[], path: string): void {
  for (const key of keys) {
    const camel = toCamelCase(toSnakeCase(key))
    if (camel !== key)
      throw new TypeError(
        `${path}.${key}: a contract's properties are named in camelCase: ${camel}, not ${key}`,
      )
  }
}

/** Sizes of bytes of which a schema for bytes takes one, whatever else it demands. */
const sampleSizes = [0, 1, 1024]

/** Any custom check that takes a Uint8Array and refuses a string stands for bytes; `refine()` may demand more of them. */
export function isBytes({ _zod: { def } }: z.core.$ZodTypes): boolean {
  if (def.type !== 'custom') return false
  return sampleSizes.some((size) => accepts(def, new Uint8Array(size))) && !accepts(def, '')
}

/** Without the checks that were added to it. */
function accepts({ fn }: z.core.$ZodCustomDef, value: unknown): boolean {
  try {
    return Reflect.apply(fn, undefined, [value]) === true
  } catch {
    return false
  }
}

/** The schemas inside a schema. One that is declared further down in its module is not initialized yet. */
function partsOf(schema: z.core.$ZodTypes, part: Part): Part[] {
  try {
    return innerSchemas(schema, part.side).map(([inner, step]) => ({
      schema: inner,
      path: part.path + step,
      side: part.side,
    }))
  } catch (error) {
    if (error instanceof ReferenceError) return []
    throw error
  }
}

function innerSchemas({ _zod: { def } }: z.core.$ZodTypes, side: Side): [schema: unknown, step: string][] {
  switch (def.type) {
    case 'object': {
      const properties = Object.entries(def.shape).map(([key, inner]): [unknown, string] => [
        inner,
        `.${key}`,
      ])
      return def.catchall ? [...properties, [def.catchall, '.*']] : properties
    }
    case 'record':
      return [[def.valueType, '.*']]
    case 'array':
      return [[def.element, '[]']]
    case 'tuple': {
      const items = def.items.map((inner, index): [unknown, string] => [inner, `[${index}]`])
      return def.rest ? [...items, [def.rest, '[]']] : items
    }
    case 'union':
      return def.options.map((option) => [option, ''])
    case 'intersection':
      return [def.left, def.right].map((inner) => [inner, ''])
    case 'lazy':
      return [[def.getter(), '']]
    case 'pipe':
      return pipeEnd(def, side)
    case 'success':
      return side === 'input' ? [[def.innerType, '']] : []
    default:
      return 'innerType' in def ? [[def.innerType, '']] : []
  }
}

/** A transform, first or last: its input or output has no schema. */
function pipeEnd(
  { in: first, out: last }: z.core.$ZodPipeDef,
  side: Side,
): [schema: unknown, step: string][] {
  const end = side === 'input' ? first : last
  return (end as z.core.$ZodTypes)._zod.def.type === 'transform' ? [] : [[end, '']]
}
