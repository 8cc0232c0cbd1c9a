import { mkdirSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { checkAgainst } from '../../src/config/schema-check.js'
import { SchemaChecker } from '../../src/config/schema-checker.js'
import { isCheap } from '../../src/config/schema-cost.js'
import { PluginHost } from '../../src/index.js'
import { temporaryFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'

const tellConfig = ttsPlugin(
  `async healthCheck() { return { status: this.status, details: { config: this.config } } }`,
)

function newHost(root: string): PluginHost {
  const host = new PluginHost({ pluginsDir: root, configDir: join(root, 'config') })
  onTestFinished(() => host.close({ force: true }))
  return host
}

async function loadedConfig(
  host: PluginHost,
  name: string,
  config?: Record<string, unknown>,
): Promise<unknown> {
  const plugin = await host.load(name, { config })
  return (await plugin.health()).details?.['config']
}

const endless = `${'a'.repeat(60)}!`

describe('a config_schema that takes for ever', () => {
  const hostile = {
    'to match a pattern': {
      code: 'CONFIG_INVALID',
      schema: { properties: { tag: { type: 'string', pattern: '^(\\w+\\s?)*$' } } },
      config: { tag: endless },
    },
    'to match the names of properties': {
      code: 'CONFIG_INVALID',
      schema: { patternProperties: { '^(\\w+\\s?)*$': true } },
      config: { [endless]: 1 },
    },
    'to match a pattern that only older drafts allow': {
      code: 'CONFIG_INVALID',
      schema: { properties: { tag: { pattern: '^([\\w-.]+\\s?)*$' } } },
      config: { tag: endless },
    },
    'to match a pattern behind a reference': {
      code: 'CONFIG_INVALID',
      schema: {
        $defs: { tag: { pattern: '^(a|a)*$' } },
        properties: { tag: { $ref: '#/$defs/tag' } },
      },
      config: { tag: endless },
    },
    'to follow references that branch': {
      code: 'CONFIG_INVALID',
      schema: branching(60),
      config: { tag: 1 },
    },
    'to be read': { code: 'MANIFEST_INVALID', schema: unreadable(), config: {} },
  }

  const patterned = { properties: { tag: { type: 'string', pattern: '^a+$', default: 'aa' } } }

  for (const [title, { code, schema, config }] of Object.entries(hostile)) {
    test(`${title}: the plugin is refused, and the others never wait`, async () => {
      await using checker = new SchemaChecker({ deadlineMs: 1000 })
      let settled = false
      const refused = checker
        .complete('evil', schema, config)
        .catch((error: unknown) => error)
        .finally(() => {
          settled = true
        })
      let turns = 0
      for (; !settled; turns++) await delay(20)
      expect(await refused).toMatchObject({ codeName: code, data: { plugin: 'evil' } })
      expect(turns).toBeGreaterThan(5)
      // What comes after it has a new thread.
      expect(await checker.complete('patterned', patterned, {})).toEqual({ tag: 'aa' })
    })
  }

  test('ends in the time that a host gives it, and calls of other plugins go on meanwhile', async () => {
    const root = temporaryFolder()
    const { schema, config } = hostile['to match a pattern']
    writePlugin(root, 'evil', ttsPlugin(), { config_schema: schema, default_config: config })
    writePlugin(root, 'good', ttsPlugin())
    writePlugin(root, 'patterned', tellConfig, { config_schema: patterned })
    const host = newHost(root)
    await host.load('good')
    const refused = host.load('evil').catch((error: unknown) => error)
    let settled = false
    void refused.then(() => {
      settled = true
    })
    let answers = 0
    for (; !settled; answers++) {
      expect(await host.call('good', 'get_voices')).toHaveLength(1)
      await delay(20)
    }
    expect(await refused).toMatchObject({ codeName: 'CONFIG_INVALID', data: { plugin: 'evil' } })
    expect(answers).toBeGreaterThan(5)
    expect(await loadedConfig(host, 'patterned')).toEqual({ tag: 'aa' })
  })

  test('is no reason for close() to wait', async () => {
    const root = temporaryFolder()
    const { schema, config } = hostile['to match a pattern']
    writePlugin(root, 'evil', ttsPlugin(), { config_schema: schema, default_config: config })
    const host = newHost(root)
    const loads = [host.load('evil').catch((error: unknown) => error)]
    await new Promise((resolve) => setTimeout(resolve, 700))
    await host.close({ force: true })
    // The check at its deadline would have said CONFIG_INVALID.
    expect(await Promise.all(loads)).toEqual([expect.objectContaining({ codeName: 'PLUGIN_NOT_READY' })])
  })
})

describe('the thread that checks schemas', () => {
  const patterned = { properties: { tag: { type: 'string', pattern: '^a+$' } } }

  test('answers several questions in turn, each with its own answer', async () => {
    await using checker = new SchemaChecker()
    const answers = await Promise.allSettled(
      ['a', 'b', 'aa', 'c'].map((tag) => checker.complete('plugin', patterned, { tag })),
    )
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected'])
  })

  test('gives up what is not wanted any more, and goes on with the next', async () => {
    await using checker = new SchemaChecker({ deadlineMs: 30_000 })
    const endlessSchema = { properties: { tag: { pattern: '^(\\w+\\s?)*$' } } }
    const controller = new AbortController()
    const given = checker.complete('plugin', endlessSchema, { tag: endless }, controller.signal)
    setTimeout(() => controller.abort(), 500)
    await expect(given).rejects.toMatchObject({ codeName: 'REQUEST_CANCELLED' })
    expect(await checker.complete('plugin', patterned, { tag: 'a' })).toEqual({ tag: 'a' })
  })

  test('once closed, answers nothing, and waits for nothing', async () => {
    const checker = new SchemaChecker()
    await checker.close()
    await expect(checker.complete('plugin', patterned, {})).rejects.toMatchObject({
      codeName: 'PLUGIN_NOT_READY',
    })
    expect(await checker.complete('plugin', { type: 'object' }, { a: 1 })).toEqual({ a: 1 })
  })

  test('is not needed for plain schemas', () => {
    const plain = {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      properties: {
        voice: { type: 'string', enum: ['a', 'b'], default: 'a', description: 'Who speaks' },
        pattern: { type: 'number', minimum: 0, multipleOf: 0.1 },
        words: { type: 'array', items: { anyOf: [{ type: 'string', maxLength: 5 }, { type: 'null' }] } },
      },
      required: ['voice'],
      additionalProperties: false,
    }
    expect(isCheap(plain, { voice: 'a', words: ['b'] })).toBe(true)
  })

  test.each<[string, Record<string, unknown>, unknown?]>([
    ['a pattern', { properties: { a: { pattern: 'a' } } }],
    ['a pattern in an alternative', { anyOf: [{ items: { pattern: 'a' } }] }],
    ['patterns of names', { patternProperties: { a: true } }],
    ['a format', { properties: { a: { format: 'email' } } }],
    ['unique items', { properties: { a: { uniqueItems: true } } }],
    ['a reference', { properties: { a: { $ref: '#' } } }],
    ['a keyword that nobody knows', { surprise: 1 }],
    ['a large schema', { enum: Array.from({ length: 5000 }, (_, index) => index) }],
    ['a large configuration', { type: 'object' }, { a: Array.from({ length: 5000 }, () => 1) }],
    ['a long text', { type: 'object' }, { a: 'a'.repeat(100_000) }],
    ['a large default', { properties: { a: { default: Array.from({ length: 500 }, () => 1) } } }],
  ])('is needed for %s', (_, schema, config = {}) => {
    expect(isCheap(schema, config)).toBe(false)
  })
})

describe('the dialect of a config_schema', () => {
  const dialects = [
    undefined,
    'http://json-schema.org/draft-04/schema#',
    'http://json-schema.org/draft-06/schema#',
    'http://json-schema.org/draft-07/schema#',
    'https://json-schema.org/draft-07/schema',
    'https://json-schema.org/draft/2019-09/schema',
    'https://json-schema.org/draft/2020-12/schema',
    'http://json-schema.org/draft/2020-12/schema#',
    'http://json-schema.org/schema#',
    'https://example.org/my/own',
    './node_modules/somewhere.json',
  ]

  test.each(dialects)('may be %s', (dialect) => {
    const schema = {
      ...(dialect === undefined ? {} : { $schema: dialect }),
      type: 'object',
      properties: { speed: { type: 'number', minimum: 1, default: 2 } },
      additionalProperties: false,
    }
    expect(checkAgainst(schema, { speed: 0 })).toMatchObject({ kind: 'misfits', issues: [{ path: 'speed' }] })
    expect(checkAgainst(schema, {})).toEqual({ kind: 'fits', config: { speed: 2 } })
  })

  test('may be any in a manifest: discovery leaves it to the check', async () => {
    const root = temporaryFolder()
    for (const [index, $schema] of dialects.entries())
      writePlugin(root, `speaker${index}`, tellConfig, {
        config_schema: { $schema, additionalProperties: false },
      })
    const host = newHost(root)
    for (const index of dialects.keys())
      await expect(host.load(`speaker${index}`, { config: { speed: 0 } })).rejects.toMatchObject({
        codeName: 'CONFIG_INVALID',
      })
    expect(await loadedConfig(host, 'speaker1')).toEqual({})
  })

  test.each<[string, Record<string, unknown>, Record<string, unknown>, string]>([
    [
      'limits of draft-04',
      {
        $schema: 'http://json-schema.org/draft-04/schema#',
        id: 'my-config',
        properties: { a: { minimum: 1, exclusiveMinimum: true } },
      },
      { a: 1 },
      'a',
    ],
    ['tuples of draft-07', { properties: { a: { items: [{ type: 'string' }] } } }, { a: [1] }, 'a.0'],
    ['tuples of 2020-12', { properties: { a: { prefixItems: [{ type: 'string' }] } } }, { a: [1] }, 'a.0'],
    ['a property named id', { properties: { id: { type: 'string' } } }, { id: 1 }, 'id'],
    [
      'a pattern that is none by the rules of Unicode',
      { properties: { a: { pattern: '^[\\w-.]+$' } } },
      { a: '!' },
      'a',
    ],
    ['a key with a slash', { properties: { 'a/b~c': { type: 'string' } } }, { 'a/b~c': 1 }, 'a/b~c'],
    [
      'a key that nothing evaluates',
      { allOf: [{ properties: { a: true } }], unevaluatedProperties: false },
      { zzz: 1 },
      'zzz',
    ],
    ['a key that another one needs', { dependentRequired: { a: ['b'] } }, { a: 1 }, 'b'],
    ['a key that another one needs, in draft-07', { dependencies: { a: ['b'] } }, { a: 1 }, 'b'],
    ['a key that must be there', { properties: { c: { required: ['toString'] } } }, { c: {} }, 'c.toString'],
    ['a name that is not allowed', { propertyNames: { maxLength: 2 } }, { long: 1 }, 'long'],
  ])('%s: what does not fit has its path', (_, schema, config, path) => {
    const verdict = checkAgainst(schema, config)
    expect(verdict).toMatchObject({
      kind: 'misfits',
      issues: expect.arrayContaining([expect.objectContaining({ path })]),
    })
  })

  test.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ['a step of a tenth', { properties: { a: { multipleOf: 0.1 } } }, { a: 0.3 }],
    ['a step of a hundredth', { properties: { a: { multipleOf: 0.01 } } }, { a: 1.11 }],
    [
      'a step of a hundredth of a large number',
      { properties: { a: { multipleOf: 0.01 } } },
      { a: 1234567.89 },
    ],
    [
      'a pattern that is none by the rules of Unicode',
      { properties: { a: { pattern: '^[\\w-.]+$' } } },
      { a: 'a.b' },
    ],
    [
      'names that every object has',
      { properties: { toString: { type: 'string' }, constructor: { type: 'string' } } },
      {},
    ],
    [
      'a property named default',
      { properties: { default: { type: 'string' }, enum: { type: 'string' } } },
      { default: 'x', enum: 'y' },
    ],
  ])('%s: what fits is taken', (_, schema, config) => {
    expect(checkAgainst(schema, structuredClone(config))).toEqual({ kind: 'fits', config })
  })

  test('a step of a tenth still refuses what is none', () => {
    expect(checkAgainst({ properties: { a: { multipleOf: 0.1 } } }, { a: 0.35 })).toMatchObject({
      kind: 'misfits',
    })
  })

  test.each<[string, Record<string, unknown>]>([
    ['a type that is none', { type: 'nonsense' }],
    ['a reference to nowhere', { $ref: '#/$defs/nowhere' }],
    ['a pattern that is none', { properties: { a: { pattern: '(' } } }],
    ['$async', { $async: true }],
    [
      'defaults without end',
      {
        $defs: { node: { properties: { next: { $ref: '#/$defs/node', default: {} } } } },
        $ref: '#/$defs/node',
      },
    ],
  ])('%s is MANIFEST_INVALID', async (_, schema) => {
    // Defaults without end take a second to find out; a busy machine may need the two of a host for that.
    await using checker = new SchemaChecker({ deadlineMs: 30_000 })
    const checked = checker.complete('speaker', schema, {})
    await expect(checked).rejects.toMatchObject({ codeName: 'MANIFEST_INVALID' })
  })

  test('of many values that are allowed, the message has the first ones', () => {
    const allowed = Array.from({ length: 5000 }, (_, index) => `voice${index}`)
    const verdict = checkAgainst({ properties: { voice: { enum: allowed } } }, { voice: 'x' })
    const [issue] = verdict.kind === 'misfits' ? verdict.issues : []
    expect(issue?.message).toContain('"voice19",... 4,980 more')
    expect(issue?.message.length).toBeLessThan(1000)
  })
})

describe('defaults are filled in', () => {
  const $defs = {
    voice: { type: 'string', default: 'alto' },
    effects: { type: 'object', properties: { echo: { type: 'boolean', default: false } } },
    spoken: {
      properties: { engine: { const: 'spoken' }, voice: { $ref: '#/$defs/voice' } },
      additionalProperties: false,
      required: ['engine'],
    },
    sung: {
      properties: { engine: { const: 'sung' }, key: { default: 'C' } },
      additionalProperties: false,
      required: ['engine'],
    },
  }
  test.each<[string, Record<string, unknown>, Record<string, unknown>, Record<string, unknown>]>([
    [
      'of a property behind a reference',
      { properties: { voice: { $ref: '#/$defs/voice' } } },
      {},
      { voice: 'alto' },
    ],
    [
      'of a property in allOf',
      { properties: { voice: { allOf: [{ $ref: '#/$defs/voice' }] } } },
      {},
      { voice: 'alto' },
    ],
    ['of a schema that is a reference', { $ref: '#/$defs/effects' }, {}, { echo: false }],
    [
      'of a schema in allOf',
      { allOf: [{ $ref: '#/$defs/effects' }, { properties: { a: { default: 1 } } }] },
      {},
      { echo: false, a: 1 },
    ],
    [
      'inside an object that is there',
      { properties: { effects: { $ref: '#/$defs/effects' } } },
      { effects: {} },
      { effects: { echo: false } },
    ],
    [
      'inside an object that a default makes',
      { properties: { effects: { $ref: '#/$defs/effects', default: {} } } },
      {},
      { effects: { echo: false } },
    ],
    [
      'not inside an object that is not there',
      { properties: { effects: { $ref: '#/$defs/effects' } } },
      {},
      {},
    ],
    [
      'in items',
      { properties: { list: { items: { $ref: '#/$defs/effects' } } } },
      { list: [{}, { echo: true }] },
      { list: [{ echo: false }, { echo: true }] },
    ],
    [
      'in a tuple',
      { properties: { list: { prefixItems: [{ default: 1 }, { default: 2 }] } } },
      { list: [5] },
      { list: [5, 2] },
    ],
    [
      'in additional properties',
      { additionalProperties: { $ref: '#/$defs/effects' } },
      { one: {} },
      { one: { echo: false } },
    ],
    [
      'of the alternative that fits',
      { oneOf: [{ $ref: '#/$defs/spoken' }, { $ref: '#/$defs/sung' }] },
      { engine: 'sung' },
      { engine: 'sung', key: 'C' },
    ],
    [
      'of the branch that is taken',
      {
        if: { required: ['a'] },
        // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
        then: { properties: { b: { default: 1 } } },
        else: { properties: { c: { default: 2 } } },
      },
      {},
      { c: 2 },
    ],
    [
      'under names that every object has',
      {
        properties: {
          toString: { type: 'string', default: 'x' },
          constructor: { type: 'string', default: 'y' },
        },
      },
      {},
      { toString: 'x', constructor: 'y' },
    ],
    [
      'in a schema that refers to itself',
      { properties: { next: { $ref: '#' }, a: { default: 1 } } },
      { next: { next: {} } },
      { a: 1, next: { a: 1, next: { a: 1 } } },
    ],
  ])('%s', (_, schema, config, complete) => {
    expect(checkAgainst({ $defs, ...schema }, config)).toEqual({ kind: 'fits', config: complete })
  })
})

test.each<[string, Record<string, unknown>]>([
  ['as a whole', { $ref: '#' }],
  ['by another part', { $defs: { a: { allOf: [{ $ref: '#' }] } }, allOf: [{ $ref: '#/$defs/a' }] }],
  ['below a default', { properties: { a: { $ref: '#', default: {} } } }],
])('a schema that refers to itself without end (%s) is told as that', (_, schema) => {
  expect(checkAgainst(schema, { b: 1 })).toEqual({
    kind: 'unusable',
    reason: expect.stringContaining('refers to itself'),
  })
  expect(checkAgainst({ type: 'object' }, { b: 1 })).toMatchObject({ kind: 'fits' })
})

describe('a schema in the plugin’s code decides alone', () => {
  /** A plugin that imports a library of the workspace. */
  function writeCoded(root: string, library: string, head: string, schema: string, manifest = {}): void {
    const source = `${head}\n${tellConfig.replace('class Speaker extends Base {', `class Speaker extends Base {\n static configSchema = ${schema}`)}`
    const dir = writePlugin(root, 'speaker', source, manifest)
    mkdirSync(join(dir, 'node_modules'))
    symlinkSync(packageOf(library), join(dir, 'node_modules', library), 'junction')
  }

  const zod = "import { z } from 'zod'"

  test.each<[string, string, Record<string, unknown>, unknown]>([
    [
      'a pattern that is none by the rules of Unicode',
      'z.object({ a: z.string().regex(/^[\\w-.]+$/) })',
      { a: 'x.y' },
      { a: 'x.y' },
    ],
    ['a pattern with flags', 'z.object({ a: z.string().regex(/^(gpu|cpu)$/i) })', { a: 'CPU' }, { a: 'CPU' }],
    [
      'coercion',
      'z.object({ a: z.coerce.number(), b: z.coerce.boolean() })',
      { a: '9000', b: 'yes' },
      { a: 9000, b: true },
    ],
    ['preprocessing', 'z.object({ a: z.preprocess((v) => v ?? 5, z.number()) })', {}, { a: 5 }],
    ['a value in place of a wrong one', 'z.object({ a: z.number().catch(3) })', { a: 'x' }, { a: 3 }],
    [
      'an address',
      'z.object({ a: z.url() })',
      { a: 'http://bücher.example/' },
      { a: 'http://bücher.example/' },
    ],
    ['a step of a tenth', 'z.object({ a: z.number().multipleOf(0.1) })', { a: 0.3 }, { a: 0.3 }],
    [
      'a default behind a transformation',
      'z.object({ a: z.string().transform((s) => s.length).default(3) })',
      {},
      { a: 3 },
    ],
    [
      'an asynchronous refinement',
      'z.object({ a: z.string().refine(async (s) => s !== "no") })',
      { a: 'yes' },
      { a: 'yes' },
    ],
    [
      'what is no JSON Schema',
      'z.object({ a: z.custom((v) => v > 1), b: z.function().optional() })',
      { a: 2 },
      { a: 2 },
    ],
  ])('Zod: %s', async (_, schema, config, complete) => {
    const root = temporaryFolder()
    writeCoded(root, 'zod', zod, schema)
    expect(await loadedConfig(newHost(root), 'speaker', config)).toEqual(complete)
  })

  test('also where the manifest has a copy of it, for forms', async () => {
    const root = temporaryFolder()
    writeCoded(root, 'zod', zod, 'z.object({ port: z.coerce.number().default(80) })', {
      config_schema: { type: 'object', properties: { port: { type: 'number', default: 80 } } },
    })
    const host = newHost(root)
    await expect(host.load('speaker', { config: { port: 'x' } })).rejects.toMatchObject({
      codeName: 'CONFIG_INVALID',
      data: { issues: [{ path: 'port' }] },
    })
    expect(await loadedConfig(host, 'speaker', { port: '9000' })).toEqual({ port: 9000 })
  })

  const libraries: [string, string, string][] = [
    [
      'valibot',
      "import * as v from 'valibot'",
      "v.object({ voice: v.optional(v.string(), 'alto'), deep: v.optional(v.object({ speed: v.number() })) })",
    ],
    [
      'valibot',
      "import * as v from 'valibot'",
      "v.objectAsync({ voice: v.optionalAsync(v.string(), 'alto'), deep: v.optional(v.object({ speed: v.number() })) })",
    ],
    [
      'arktype',
      "import { type } from 'arktype'",
      `type({ voice: "string = 'alto'", 'deep?': { speed: 'number' } })`,
    ],
    [
      'zod',
      zod,
      "z.object({ voice: z.string().default('alto'), deep: z.object({ speed: z.number() }).optional() })",
    ],
    [
      'zod',
      "import { z } from 'zod/v3'",
      "z.object({ voice: z.string().default('alto'), deep: z.object({ speed: z.number() }).optional() })",
    ],
  ]

  test.each(libraries)('%s: %s: %s', async (library, head, schema) => {
    const root = temporaryFolder()
    writeCoded(root, library, head, schema)
    const host = newHost(root)
    await expect(host.load('speaker', { config: { voice: 1, deep: { speed: 'x' } } })).rejects.toMatchObject({
      codeName: 'CONFIG_INVALID',
      data: { issues: expect.arrayContaining([expect.objectContaining({ path: 'deep.speed' })]) },
    })
    expect(await loadedConfig(host, 'speaker', { deep: { speed: 2 } })).toEqual({
      voice: 'alto',
      deep: { speed: 2 },
    })
  })

  test.each(['() => true', '{}', "'text'", '5', '[]', '{ parse() {} }'])(
    '%s is no schema, which is said',
    async (schema) => {
      const root = temporaryFolder()
      const members = `static configSchema = ${schema}`
      writePlugin(root, 'speaker', ttsPlugin(members))
      await expect(newHost(root).load('speaker')).rejects.toMatchObject({
        codeName: 'CONFIG_INVALID',
        message: expect.stringContaining('configSchema'),
      })
    },
  )
})

function packageOf(library: string): string {
  let folder = dirname(fileURLToPath(import.meta.resolve(library)))
  while (!folder.endsWith(`node_modules/${library}`)) folder = dirname(folder)
  return folder
}

/** Each part refers twice to the next one. */
function branching(depth: number): Record<string, unknown> {
  const $defs: Record<string, unknown> = { [`part${depth}`]: { type: 'object' } }
  for (let part = 0; part < depth; part++) {
    const $ref = `#/$defs/part${part + 1}`
    $defs[`part${part}`] = { properties: { x: true }, allOf: [{ $ref }, { $ref, minProperties: 1 }] }
  }
  return { $defs, $ref: '#/$defs/part0' }
}

/** Many parts that each refer to all others: compiling them takes long. */
function unreadable(): Record<string, unknown> {
  const names = Array.from({ length: 120 }, (_, index) => `part${index}`)
  const properties = Object.fromEntries(
    names.map((name) => [name, { anyOf: names.slice(0, 60).map((other) => ({ $ref: `#/$defs/${other}` })) }]),
  )
  return { $defs: Object.fromEntries(names.map((name) => [name, { properties }])), $ref: '#/$defs/part0' }
}
