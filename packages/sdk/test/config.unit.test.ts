import { configInvalid } from '@appfactory/sdk/internal'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { z as z3 } from 'zod/v3'
import { configJsonSchema, configSchemaOf, parseConfig, parseConfigOf } from '../src/config.js'

const schemas = [
  [
    'Zod 4',
    z.object({
      apiKey: z.string(),
      timeout: z.number().int().min(1).max(300).default(30),
      limits: z.object({ requests: z.number().default(5) }).default({ requests: 5 }),
    }),
  ],
  [
    'Zod 3',
    z3.object({
      apiKey: z3.string(),
      timeout: z3.number().int().min(1).max(300).default(30),
      limits: z3.object({ requests: z3.number().default(5) }).default({}),
    }),
  ],
] as const

describe.each(schemas)('a configuration with a schema of %s', (_, schema) => {
  it('has its defaults filled in', () => {
    expect(parseConfig('plugin', schema, { apiKey: 'k' })).toEqual({
      apiKey: 'k',
      timeout: 30,
      limits: { requests: 5 },
    })
  })

  it('is CONFIG_INVALID with every path where it breaks the schema', () => {
    const error = caught(() => parseConfig('plugin', schema, { timeout: 0, limits: { requests: 'many' } }))
    expect(error).toMatchObject({ codeName: 'CONFIG_INVALID' })
    const { issues } = (error as { data: { issues: { path: string }[] } }).data
    expect(issues.map(({ path }) => path).sort()).toEqual(['apiKey', 'limits.requests', 'timeout'])
    for (const path of ['apiKey', 'limits.requests', 'timeout'])
      expect((error as Error).message).toContain(`${path}:`)
  })

  it('has a JSON Schema', async () => {
    const json = await configJsonSchema(schema)
    expect(json).toMatchObject({
      type: 'object',
      properties: {
        apiKey: { type: 'string' },
        timeout: { type: 'integer', minimum: 1, maximum: 300, default: 30 },
      },
      required: ['apiKey'],
    })
  })

  it('is found on the plugin’s class', () => {
    expect(configSchemaOf(Object.assign(class {}, { configSchema: schema }))).toBe(schema)
  })
})

describe('without a schema', () => {
  it('a configuration is taken as it is', () => {
    const config = { anything: [1, 2] }
    expect(parseConfig('plugin', undefined, config)).toBe(config)
  })

  it.each([undefined, null, 'text', {}, { parse: () => {} }])('%o is none', (configSchema) => {
    expect(configSchemaOf(Object.assign(class {}, { configSchema }))).toBeUndefined()
  })
})

it.each([5, 'text', {}, () => true, { parse: () => {} }])(
  '%o as a configSchema is refused, not left out',
  (configSchema) => {
    const pluginClass = Object.assign(class {}, { configSchema })
    expect(caught(() => parseConfigOf('plugin', pluginClass, {}))).toMatchObject({
      codeName: 'CONFIG_INVALID',
    })
    expect(parseConfigOf('plugin', class {}, { a: 1 })).toEqual({ a: 1 })
  },
)

it('a schema that no JSON Schema can express is told, and what it has instead is used', async () => {
  const standard = { validate: (value: unknown) => ({ value }) }
  await expect(configJsonSchema({ '~standard': standard })).rejects.toMatchObject({
    codeName: 'CONFIG_INVALID',
  })
  const jsonSchema = { input: () => ({ type: 'object' }) }
  expect(await configJsonSchema({ '~standard': { ...standard, jsonSchema } })).toEqual({ type: 'object' })
})

it.each<[string, unknown, string]>([
  ['nothing', undefined, 'config: could not be checked'],
  ['a number', 5, 'config: could not be checked'],
  ['issues that are no list', { issues: 5 }, 'config: could not be checked'],
  [
    'issues without words',
    { issues: [null, { path: [Symbol('s'), { key: 'k' }, 0] }] },
    'Symbol(s).k.0: is not',
  ],
])('a schema that answers %s is told as that', async (_, answer, words) => {
  for (const result of [answer, Promise.resolve(answer)]) {
    const validate = () => result as never
    const parsed = (async () => parseConfig('plugin', { '~standard': { validate } }, {}))()
    await expect(parsed).rejects.toMatchObject({
      codeName: 'CONFIG_INVALID',
      message: expect.stringContaining(words),
    })
  }
})

it('thousands of issues make a short error that says how many there are', () => {
  const issues = Array.from({ length: 5000 }, (_, index) => ({
    path: `a.${index}`,
    message: 'x'.repeat(5000),
  }))
  const error = configInvalid('plugin', issues)
  expect(error.message).toContain('4980 more')
  expect(error.message.length).toBeLessThan(30_000)
  expect((error.data as { issues: unknown[] }).issues).toHaveLength(20)
})

it('a fault of the whole configuration has a name too', () => {
  expect(configInvalid('plugin', [{ path: '', message: 'must be an object' }]).message).toContain(
    'config: must be',
  )
})

function caught(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}
