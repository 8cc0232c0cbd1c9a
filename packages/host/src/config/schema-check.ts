// Checks a configuration against a JSON Schema, in the calling thread. The schema determines how long that takes.
import { createRequire } from 'node:module'
import type { JsonSchema } from '@appfactory/sdk'
import { describeThrown, listed } from '@appfactory/sdk/internal'
import type { ErrorObject, ValidateFunction } from 'ajv'
import type { Config } from './config.js'
import { fillDefaults } from './schema-defaults.js'

/** The result of a check. */
export type Verdict =
  /** Valid, with defaults filled in. */
  | { kind: 'fits'; config: Config }
  /** Invalid: the first of `total` issues. */
  | { kind: 'misfits'; issues: { path: string; message: string }[]; total: number }
  /** The schema is invalid or can't be used. */
  | { kind: 'unusable'; reason: string }

/** Maximum number of issues that are worded: nobody reads more. */
const mostIssues = 20

type Dialect = 'draft-07' | '2019-09' | '2020-12'

/** Ajv, for each dialect, and its formats. */
interface Engines {
  'draft-07': typeof import('ajv').Ajv
  '2019-09': typeof import('ajv/dist/2019.js').Ajv2019
  '2020-12': typeof import('ajv/dist/2020.js').Ajv2020
  addFormats: typeof import('ajv-formats')['default']['default']
}

let loaded: Engines | undefined

/**
 * Loads Ajv at the first check: that takes 0.1 s, and most hosts check nothing. By `require`, which reads a file again after a
 * failure, where `import()` would fail for ever.
 */
export function engines(): Engines {
  if (loaded) return loaded
  const require = createRequire(import.meta.url)
  const { Ajv } = require('ajv')
  const { Ajv2019 } = require('ajv/dist/2019.js')
  const { Ajv2020 } = require('ajv/dist/2020.js')
  const { default: addFormats } = require('ajv-formats')
  loaded = { 'draft-07': Ajv, '2019-09': Ajv2019, '2020-12': Ajv2020, addFormats }
  return loaded
}

/**
 * Checks `config`, or only the schema if there is no `config`. Fills in defaults, in place.
 *
 * @throws what prevented Ajv from being loaded.
 * @param onCompiled Called when the schema is compiled and the check of the configuration begins.
 */
export function checkAgainst(
  schema: JsonSchema,
  config: Config | undefined,
  onCompiled: () => void = () => {},
): Verdict {
  engines()
  let compiled: Compiled
  try {
    compiled = compile(schema)
  } catch (error) {
    return { kind: 'unusable', reason: `is not a JSON Schema: ${describeThrown(error).message}` }
  }
  onCompiled()
  if (config === undefined) return { kind: 'fits', config: {} }
  try {
    fillDefaults(compiled.schema, config, compiled.matches)
    const { check } = compiled
    if (check(config)) return { kind: 'fits', config }
    const errors = check.errors ?? []
    const issues = errors
      .slice(0, mostIssues)
      .map((error) => ({ path: pathOf(error), message: messageOf(error) }))
    return { kind: 'misfits', issues, total: errors.length }
  } catch (error) {
    return { kind: 'unusable', reason: `can’t be used: ${whyUnusable(error)}` }
  }
}

function whyUnusable(error: unknown): string {
  const { name, message } = describeThrown(error)
  if (name !== 'RangeError') return message
  return 'it refers to itself for the same value, or for its own defaults, without end. Look for a $ref, or a default below one, that leads back to where it is'
}

interface Compiled {
  /** As it was compiled. */
  schema: JsonSchema
  check: ValidateFunction
  matches(pointer: string, value: unknown): boolean
}

/** Compiles in the first dialect that the schema matches; patterns with Unicode rules if they are valid with them. */
function compile(schema: JsonSchema): Compiled {
  let failure: unknown
  for (const dialect of dialectsOf(schema['$schema'])) {
    for (const unicodeRegExp of [true, false]) {
      try {
        return compileAs(dialect, unicodeRegExp, modernised(schema) as JsonSchema)
      } catch (error) {
        failure ??= error
        if (!/regular expression/i.test(describeThrown(error).message)) break
      }
    }
  }
  throw failure
}

/** The name under which the engine knows the schema, for references to its parts. */
const key = 'config_schema'

function compileAs(dialect: Dialect, unicodeRegExp: boolean, schema: JsonSchema): Compiled {
  const engine = new (engines()[dialect])({
    allErrors: true,
    ownProperties: true,
    strict: false,
    logger: false,
    unicodeRegExp,
    // 0.3 is a multiple of 0.1, despite binary fractions.
    multipleOfPrecision: 6,
  })
  engines().addFormats(engine)
  const compiled = (at = ''): ValidateFunction => {
    const check = engine.getSchema(at === '' ? key : `${key}#${at}`)
    if (!check) throw new Error(`there is nothing at ${at}`)
    if ('$async' in check) throw new Error('$async schemas are not supported')
    return check
  }
  engine.addSchema(schema, key)
  return { schema, check: compiled(), matches: (at, value) => compiled(at)(value) === true }
}

/** Older drafts are read as draft-07. An unknown `$schema` is ignored. */
function dialectsOf(address: unknown): Dialect[] {
  if (typeof address !== 'string') return ['2020-12', 'draft-07']
  if (/draft-0[3467]/.test(address)) return ['draft-07']
  if (address.includes('2019-09')) return ['2019-09']
  return address.includes('2020-12') ? ['2020-12'] : ['2020-12', 'draft-07']
}

/** Keywords with data, which may look like a schema. */
const dataKeywords = new Set(['enum', 'const', 'default', 'examples'])

/** Keywords with schemas by arbitrary names. */
const mapKeywords = new Set([
  'properties',
  'patternProperties',
  'definitions',
  '$defs',
  'dependencies',
  'dependentSchemas',
])

/** A copy without `$schema`, with draft-04's spellings converted to those of later drafts. */
function modernised(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(modernised)
  if (typeof schema !== 'object' || schema === null) return schema
  const { $schema: dialect, id, ...rest } = schema as Record<string, unknown>
  const copy = Object.fromEntries(
    Object.entries(rest).map(([keyword, value]) => [keyword, modernisedKeyword(keyword, value)]),
  )
  if (typeof id === 'string' && String(dialect).includes('draft-04')) copy['$id'] ??= id
  for (const [limit, exclusive] of [
    ['minimum', 'exclusiveMinimum'],
    ['maximum', 'exclusiveMaximum'],
  ] as const) {
    if (typeof copy[exclusive] !== 'boolean') continue
    if (copy[exclusive] && typeof copy[limit] === 'number') copy[exclusive] = copy[limit]
    else delete copy[exclusive]
  }
  return copy
}

function modernisedKeyword(keyword: string, value: unknown): unknown {
  if (dataKeywords.has(keyword)) return value
  if (!mapKeywords.has(keyword) || typeof value !== 'object' || value === null || Array.isArray(value))
    return modernised(value)
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, modernised(part)]))
}

/** The params in which an error names a missing or unexpected property. */
const namedProperty: Record<string, string> = {
  required: 'missingProperty',
  dependentRequired: 'missingProperty',
  dependencies: 'missingProperty',
  additionalProperties: 'additionalProperty',
  unevaluatedProperties: 'unevaluatedProperty',
  propertyNames: 'propertyName',
}

function pathOf({ instancePath, keyword, params, propertyName }: ErrorObject): string {
  const name: unknown = propertyName ?? Reflect.get(params, namedProperty[keyword] ?? '')
  const keys = instancePath.split('/').slice(1)
  return [
    ...keys.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~')),
    ...(name === undefined ? [] : [String(name)]),
  ].join('.')
}

function messageOf({ keyword, params, message = 'is not valid' }: ErrorObject): string {
  switch (keyword) {
    case 'required':
      return 'is required'
    case 'dependentRequired':
    case 'dependencies':
      return `is required where ${String(Reflect.get(params, 'property'))} is given`
    case 'additionalProperties':
    case 'unevaluatedProperties':
      return 'is not known'
    case 'enum': {
      const allowed = Reflect.get(params, 'allowedValues') as readonly unknown[]
      return `must be one of [${listed(allowed, { separator: ',', show: JSON.stringify })}]`
    }
    default:
      return message
  }
}
