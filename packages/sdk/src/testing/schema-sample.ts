import { lookUp } from '../codec/compile.js'
import type { JsonSchema } from '../descriptor.js'
import { sampleAudio } from './sample-audio.js'

/** Texts for the formats of JSON Schema that a plugin is likely to ask for. */
const textsByFormat: Record<string, string> = {
  email: 'someone@example.org',
  uri: 'https://example.org/',
  url: 'https://example.org/',
  uuid: '9b2f1c9e-4c7e-4c39-8f0a-3d8f7a0c7d11',
  'date-time': '2025-01-31T12:00:00Z',
  date: '2025-01-31',
  time: '12:00:00Z',
  ipv4: '192.0.2.1',
}

/**
 * A value that a schema of the wire accepts: required properties only, bytes as a WAV file. `variant` makes another one of the
 * same kind. A pattern can't be guessed: its author must give samples.
 */
export function sampleOf(schema: JsonSchema, variant = 0, root: JsonSchema = schema): unknown {
  if (schema['contentEncoding'] === 'base64') return sampleBytes(variant)
  if (typeof schema['$ref'] === 'string') return sampleOf(lookUp(schema['$ref'], root), variant, root)
  if ('const' in schema) return schema['const']
  if (Array.isArray(schema['enum'])) return schema['enum'][variant % schema['enum'].length]
  const alternatives = schema['anyOf'] ?? schema['oneOf'] ?? schema['allOf']
  if (Array.isArray(alternatives)) return sampleOf(alternatives[0] as JsonSchema, variant, root)
  const type = Array.isArray(schema['type']) ? schema['type'][0] : schema['type']
  if (type === 'object') return sampleObject(schema, variant, root)
  if (type === 'array') return sampleArray(schema, variant, root)
  if (type === 'string') return sampleText(schema, variant)
  if (type === 'number' || type === 'integer') return sampleNumber(schema, variant)
  return type === 'boolean' ? variant % 2 === 0 : null
}

function sampleBytes(variant: number): string {
  return Buffer.from(sampleAudio({ durationMs: variant === 0 ? 1000 : 500 })).toString('base64')
}

function sampleObject(schema: JsonSchema, variant: number, root: JsonSchema): Record<string, unknown> {
  const {
    properties = {},
    required = [],
    additionalProperties = {},
  } = schema as {
    properties?: Record<string, JsonSchema>
    required?: string[]
    additionalProperties?: JsonSchema
  }
  return Object.fromEntries(
    required.map((name) => [name, sampleOf(properties[name] ?? additionalProperties, variant, root)]),
  )
}

function sampleArray(schema: JsonSchema, variant: number, root: JsonSchema): unknown[] {
  const {
    minItems = 1,
    prefixItems = [],
    items = {},
  } = schema as { minItems?: number; prefixItems?: JsonSchema[]; items?: JsonSchema }
  return Array.from({ length: Math.max(1, minItems) }, (_, index) =>
    sampleOf(prefixItems[index] ?? items, variant + index, root),
  )
}

function sampleText(schema: JsonSchema, variant: number): string {
  const {
    format,
    minLength = 0,
    maxLength = Number.POSITIVE_INFINITY,
  } = schema as {
    format?: string
    minLength?: number
    maxLength?: number
  }
  const known = format === undefined ? undefined : textsByFormat[format]
  const text = known ?? (variant === 0 ? 'sample' : `another sample ${variant}`)
  return text.padEnd(minLength, '.').slice(0, maxLength)
}

function sampleNumber(schema: JsonSchema, variant: number): number {
  const { minimum, exclusiveMinimum, maximum, exclusiveMaximum } = schema as Record<
    string,
    number | undefined
  >
  const step = schema['type'] === 'integer' ? 1 : 0.5
  const least = minimum ?? (exclusiveMinimum === undefined ? undefined : exclusiveMinimum + step)
  const most = maximum ?? (exclusiveMaximum === undefined ? undefined : exclusiveMaximum - step)
  // Zod writes the limits of an integer that has none.
  const start = least !== undefined && least > Number.MIN_SAFE_INTEGER ? least : Math.min(1, most ?? 1)
  return Math.min(start + variant * step, most ?? Number.POSITIVE_INFINITY)
}
