import { type Manifest, PluginError, PluginStatus } from '@appfactory/sdk'
import {
  type HandshakeResult,
  type HealthResult,
  type Issue,
  isAnswer,
  isMethodName,
  issuesText,
  nameValue,
  protocolVersions,
} from '@appfactory/sdk/internal'

// What the answers of a plugin's process must look like: it may have any SDK, or none.

/** Adds to `issues` what is wrong with `value`. */
type Check = (value: unknown, path: string, issues: Issue[]) => void

/** So many are enough to see what is wrong; a plugin decides how long its answer is. */
const maxIssues = 10

const text = must('be a string', (value) => typeof value === 'string')
const wireName = must('be a name in snake_case', (value) => matches(value, /^[a-z][a-z0-9_]*$/))
const methodName = must(
  'be a name in camelCase that no handle has already',
  (value) => typeof value === 'string' && isMethodName(value),
)
const flag = must('be true or false', (value) => typeof value === 'boolean')
const number = must('be a number', (value) => typeof value === 'number')
const schemaList = listOf(schema)

/** Keywords of a JSON Schema that the host works with. What else there is, is left to the author. */
const keywords: Record<string, Check> = {
  type: anyOf(text, listOf(text)),
  properties: mapOf(schema),
  required: listOf(text),
  $defs: mapOf(schema),
  $ref: text,
  anyOf: schemaList,
  oneOf: schemaList,
  allOf: schemaList,
  prefixItems: schemaList,
  items: anyOf(flag, schema),
  additionalProperties: anyOf(flag, schema),
  enum: listOf(() => {}),
  contentEncoding: text,
  minItems: number,
  maxItems: number,
  minLength: number,
  maxLength: number,
  minimum: number,
  maximum: number,
  exclusiveMinimum: number,
  exclusiveMaximum: number,
}

const method = shape({
  name: methodName,
  wire: wireName,
  description: text,
  kind: oneOf(['call', 'stream']),
  required: flag,
  idempotent: flag,
  parameters: orNull(listOf(text)),
  input: orNull(text),
  bare: orNull(text),
  unwrap: orNull(text),
  session: orNull(oneOf(['open', 'use', 'close'])),
  args: schema,
  result: schema,
  piece: orNull(schema),
})

const handshake = shape({
  protocol_version: number,
  sdk_version: text,
  contract: shape({ name: text, version: text, description: text, methods: listOf(method) }),
  capabilities: listOf(text),
  config_schema: orNull(must('be a JSON Schema', isObject)),
  byte_channels: listOf(text),
})

const health = shape({
  status: oneOf(Object.keys(PluginStatus)),
  message: text,
  details: must('be an object', isObject),
  latency_ms: orNull(number),
  memory_mb: orNull(number),
})

/**
 * Checks what a plugin answered to the handshake.
 *
 * @throws PluginError PROTOCOL_VERSION_UNSUPPORTED; CONTRACT_MISMATCH, which names what is missing or wrong.
 */
export function checkHandshake(manifest: Manifest, answer: unknown): asserts answer is HandshakeResult {
  // What an answer of another version looks like is not for this one to say.
  checkVersion(manifest.name, answer)
  refuse(manifest.name, 'handshake', issuesOf(handshake, answer))
  const { name, methods } = (answer as HandshakeResult).contract
  refuse(manifest.name, 'handshake', [
    ...differences(name, manifest.contract),
    ...repeated(methods.map((each) => each.name)).map((index) => again(`contract.methods[${index}].name`)),
    ...repeated(methods.map((each) => each.wire)).map((index) => again(`contract.methods[${index}].wire`)),
  ])
}

/**
 * Checks what a plugin answered to a health check.
 *
 * @throws PluginError CONTRACT_MISMATCH, which names what is missing or wrong.
 */
export function checkHealth(plugin: string, answer: unknown): asserts answer is HealthResult {
  refuse(plugin, 'health check', issuesOf(health, answer))
}

/** Why a runtime can refuse the handshake. */
const refusals = new Set([
  'CONTRACT_MISMATCH',
  'DEPENDENCY_MISSING',
  'PLUGIN_LOAD_FAILED',
  'PROTOCOL_VERSION_UNSUPPORTED',
])

/** A runtime that refuses the handshake speaks for the host, and for no code of the plugin: the error is the host's own then. */
export function verdictOf(error: unknown): unknown {
  if (!(error instanceof PluginError) || !isAnswer(error) || !refusals.has(error.codeName ?? '')) return error
  return new PluginError(error.code, error.message, error.data)
}

function checkVersion(plugin: string, answer: unknown): void {
  const { protocol_version: version, sdk_version: sdk } = isObject(answer) ? answer : {}
  if (typeof version !== 'number' || protocolVersions.some((ours) => ours === version)) return
  const who = typeof sdk === 'string' ? ` (SDK ${sdk.slice(0, 40)})` : ''
  throw new PluginError(
    'PROTOCOL_VERSION_UNSUPPORTED',
    `Plugin "${plugin}"${who} speaks protocol version ${version}, this host ${protocolVersions.join(', ')}. Update the older of the two`,
  )
}

function refuse(plugin: string, what: string, issues: readonly Issue[]): void {
  if (issues.length === 0) return
  throw new PluginError(
    'CONTRACT_MISMATCH',
    `Plugin "${plugin}": its answer to the ${what} can’t be used: ${issuesText(issues)}. Correct it, or update the plugin’s SDK`,
    { plugin, issues },
  )
}

function issuesOf(check: Check, value: unknown): Issue[] {
  const issues: Issue[] = []
  check(value, '', issues)
  return issues
}

function differences(name: string, wanted: string): Issue[] {
  if (name === wanted) return []
  const message = `must be "${wanted}", as in the manifest, not ${nameValue(name)}`
  return [{ path: 'contract.name', message }]
}

/** Where a name stands that was there before. */
function repeated(names: readonly string[]): number[] {
  const seen = new Set<string>()
  const places = [...names.keys()].filter((index) => {
    const name = names[index] ?? ''
    const isAgain = seen.has(name)
    seen.add(name)
    return isAgain
  })
  return places.slice(0, maxIssues)
}

function again(path: string): Issue {
  return { path, message: 'must be of this method alone, and another has it' }
}

function must(what: string, holds: (value: unknown) => boolean): Check {
  return (value, path, issues) => {
    if (!holds(value)) issues.push({ path, message: `must ${what}, not ${nameValue(value)}` })
  }
}

/** An object with these members, and perhaps others. */
function shape(members: Record<string, Check>): Check {
  const entries = Object.entries(members)
  return (value, path, issues) => {
    if (!isObject(value)) {
      wrong('an object', value, path, issues)
      return
    }
    for (const [name, check] of entries) {
      if (issues.length >= maxIssues) return
      const at = path === '' ? name : `${path}.${name}`
      if (Object.hasOwn(value, name)) check(value[name], at, issues)
      else issues.push({ path: at, message: 'is required' })
    }
  }
}

/** A JSON Schema, as far as the host works with it. */
function schema(value: unknown, path: string, issues: Issue[]): void {
  if (!isObject(value)) {
    wrong('a JSON Schema', value, path, issues)
    return
  }
  for (const [keyword, given] of Object.entries(value)) {
    if (issues.length >= maxIssues) return
    if (Object.hasOwn(keywords, keyword)) keywords[keyword]?.(given, `${path}.${keyword}`, issues)
  }
}

function listOf(item: Check): Check {
  return (value, path, issues) => {
    if (!Array.isArray(value)) {
      wrong('an array', value, path, issues)
      return
    }
    for (const [index, each] of value.entries()) {
      if (issues.length >= maxIssues) return
      item(each, `${path}[${index}]`, issues)
    }
  }
}

function mapOf(item: Check): Check {
  return (value, path, issues) => {
    if (!isObject(value)) {
      wrong('an object', value, path, issues)
      return
    }
    for (const [key, each] of Object.entries(value)) {
      if (issues.length >= maxIssues) return
      item(each, `${path}.${key.slice(0, 80)}`, issues)
    }
  }
}

/** The first of two that fits; where none does, what is wrong for the second. */
function anyOf(first: Check, second: Check): Check {
  return (value, path, issues) => {
    const own: Issue[] = []
    first(value, path, own)
    if (own.length > 0) second(value, path, issues)
  }
}

function orNull(check: Check): Check {
  return (value, path, issues) => {
    if (value !== null) check(value, path, issues)
  }
}

function oneOf(words: readonly unknown[]): Check {
  return must(`be one of ${words.join(', ')}`, (value) => words.includes(value))
}

function wrong(expected: string, value: unknown, path: string, issues: Issue[]): void {
  issues.push({ path, message: `must be ${expected}, not ${nameValue(value)}` })
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function matches(value: unknown, pattern: RegExp): boolean {
  return typeof value === 'string' && pattern.test(value)
}
