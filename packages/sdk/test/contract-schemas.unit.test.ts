import { defineContract, type PluginBase } from '@appfactory/sdk'
import { describeContract, wireSchema } from '@appfactory/sdk/contracts'
import { MethodCodecs } from '@appfactory/sdk/internal'
import fc from 'fast-check'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { z as z3 } from 'zod/v3'
import { compileCodec } from '../src/codec/compile.js'
import { all, connect } from './connect.js'

// The stack of an error that nobody foresaw goes to the log.
beforeEach(() => void vi.spyOn(console, 'error').mockImplementation(() => {}))

const bytes = z.instanceof(Uint8Array)

type Method = (args: never) => unknown

/** A plugin of one method, as an application sees it: arguments and results pass both ends' codecs. */
async function pluginOf(method: { args?: z.ZodType; result?: z.ZodType; piece?: z.ZodType }, body: Method) {
  const { args = z.object({}), result = z.any(), piece } = method
  const kind = piece ? 'stream' : 'call'
  const definition = {
    name: 'own',
    version: '1.0.0',
    methods: { run: { kind, args, result, ...(piece ? { piece } : {}) } },
  }
  const Contract = defineContract(definition as Parameters<typeof defineContract>[0])
  class Plugin extends Contract {
    initialize(): void {}
    shutdown(): void {}
    healthCheck() {
      return { status: this.status }
    }
    run = body
  }
  const { call, stream } = await connect(Plugin as unknown as new () => PluginBase<never>)
  const [described] = describeContract(definition as Parameters<typeof describeContract>[0]).methods
  if (!described) throw new Error('no method')
  const codecs = new MethodCodecs(described)
  const sent = (value: unknown) => converted(codecs.encodeArgs(value)) as Record<string, unknown>
  return {
    wire: (wireArgs: Record<string, unknown> = {}) => call('run', wireArgs),
    run: async (value: unknown = {}) => converted(codecs.decodeResult(await call('run', sent(value)))),
    pieces: async (value: unknown = {}) =>
      (await all(stream('run', sent(value)))).map((item) => converted(codecs.decodePiece(item))),
  }
}

function converted({ value, issues }: { value: unknown; issues: unknown[] }): unknown {
  expect(issues).toEqual([])
  return value
}

/** Whether bytes are a Buffer or not does not matter. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: [...value] }
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]))
}

describe('results', () => {
  it.each<[string, z.ZodType, unknown, unknown]>([
    ['a key that the schema strips', z.object({ n: z.number() }), { n: 1, debugInfo: 2 }, { n: 1 }],
    ['a default', z.object({ n: z.number().default(1) }), {}, { n: 1 }],
    [
      'a default inside of a list',
      z.array(z.object({ n: z.number().default(1) })),
      [{}, { n: 2 }],
      [{ n: 1 }, { n: 2 }],
    ],
    ['a transform', z.string().transform((text) => text.length), 'abc', 3],
    [
      'a transform to an object',
      z.object({ t: z.string().transform((text) => ({ byteLength: text.length, my_key: 1 })) }),
      { t: 'ab' },
      { t: { byteLength: 2, my_key: 1 } },
    ],
    ['a coercion', z.object({ n: z.coerce.number() }), { n: '5' }, { n: 5 }],
    ['a catch', z.object({ n: z.number().catch(3) }), { n: 'x' }, { n: 3 }],
    ['a preprocess', z.object({ n: z.preprocess((value) => value ?? 5, z.number()) }), {}, { n: 5 }],
    ['a trim', z.string().trim(), '  a ', 'a'],
    ['an asynchronous transform', z.string().transform(async (text) => text.length), 'abc', 3],
    ['bytes that stand alone', bytes, Uint8Array.of(1, 2), Buffer.of(1, 2)],
  ])('pass through the schema: %s', async (_, result, returned, arrives) => {
    const plugin = await pluginOf({ result }, () => returned)
    expect(plain(await plugin.run())).toEqual(plain(arrives))
    expect(plain(await plugin.run())).toEqual(plain(arrives))
  })

  it('that the schema refuses say where', async () => {
    const result = z.object({
      list: z.array(z.object({ evenNumber: z.number().refine((n) => n % 2 === 0) })),
    })
    let n = 1
    const plugin = await pluginOf({ result }, () => ({ list: [{ evenNumber: n }] }))
    await expect(plugin.run()).rejects.toMatchObject({
      codeName: 'INTERNAL_ERROR',
      message: expect.stringContaining('list.0.evenNumber'),
    })
    n = 2
    expect(await plugin.run()).toEqual({ list: [{ evenNumber: 2 }] })
  })

  it.each<[string, unknown]>([
    ['a Date', new Date(0)],
    ['a Set', new Set([1])],
    ['a Map', new Map([[1, 2]])],
    ['a bigint', 1n],
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
    ['NaN', Number.NaN],
    ['bytes', Uint8Array.of(1)],
  ])(
    'of a transform that makes %s fail with its path, in place of arriving as something else',
    async (_, made) => {
      const result = z.object({
        list: z.array(z.string().transform((text) => (text === 'fine' ? text : made))),
      })
      let text = 'x'
      const plugin = await pluginOf({ result }, () => ({ list: ['fine', text] }))
      await expect(plugin.run()).rejects.toMatchObject({
        codeName: 'INTERNAL_ERROR',
        message: expect.stringContaining('list[1]'),
      })
      text = 'fine'
      expect(await plugin.run()).toEqual({ list: ['fine', 'fine'] })
    },
  )

  it('pass pieces of a stream too, whether they arrive one by one or as one answer', async () => {
    const piece = z.object({ n: z.number().default(1), length: z.string().transform((text) => text.length) })
    async function* body() {
      yield { length: 'abc', more: true }
      yield { n: 2, length: '' }
    }
    const arrives = [
      { n: 1, length: 3 },
      { n: 2, length: 0 },
    ]
    const same = await pluginOf({ piece, result: z.array(piece) }, body)
    expect(await same.pieces()).toEqual(arrives)
    expect(await same.run()).toEqual(arrives)
    const other = await pluginOf(
      { piece, result: z.array(z.object({ n: z.number(), length: z.number() })) },
      body,
    )
    expect(await other.run()).toEqual(arrives)
  })

  it('aggregate pieces as their schema makes them', async () => {
    const Contract = defineContract({
      name: 'own',
      version: '1.0.0',
      methods: {
        run: {
          kind: 'stream',
          args: z.object({}),
          piece: z.object({ n: z.number().default(5) }),
          result: z.object({ sum: z.number() }),
          aggregate: (pieces: { n: number }[]) => ({
            sum: pieces.reduce((sum, { n }) => sum + n, 0),
            extra: 1,
          }),
        },
      },
    })
    class Plugin extends Contract {
      initialize(): void {}
      shutdown(): void {}
      healthCheck() {
        return { status: this.status }
      }
      async *run() {
        yield {}
        yield { n: 1 }
      }
    }
    const { call } = await connect(Plugin as unknown as new () => PluginBase<never>)
    expect(await call('run')).toEqual({ sum: 6 })
  })
})

describe('arguments', () => {
  it.each<[string, z.ZodType, unknown, unknown]>([
    ['a coerced number', z.object({ n: z.coerce.number().min(3) }), { n: '5' }, { n: 5 }],
    ['a coerced Date', z.object({ at: z.coerce.date() }), { at: new Date(0) }, { at: new Date(0) }],
    ['a coerced boolean', z.object({ yes: z.coerce.boolean() }), { yes: 1 }, { yes: true }],
    ['a text to be trimmed', z.object({ t: z.string().trim().max(2) }), { t: '  a  ' }, { t: 'a' }],
    ['what is preprocessed', z.object({ n: z.preprocess((value) => value ?? 5, z.number()) }), {}, { n: 5 }],
    ['what is caught', z.object({ n: z.number().catch(3) }), { n: 'x' }, { n: 3 }],
    [
      'a text that becomes a Date',
      z.object({ at: z.iso.datetime().transform((text) => new Date(text)) }),
      { at: '1970-01-01T00:00:00Z' },
      { at: new Date(0) },
    ],
    [
      'a default in other names',
      z.object({ opts: z.object({ maxRetries: z.number() }).default({ maxRetries: 3 }) }),
      {},
      { opts: { maxRetries: 3 } },
    ],
    [
      'null for an optional one',
      z.object({
        a: z.string().optional(),
        n: z.number().default(1),
        deep: z.object({ b: z.int().optional() }),
      }),
      { a: null, n: null, deep: { b: null } },
      { n: 1, deep: {} },
    ],
    [
      'null where it is a value',
      z.object({ a: z.string().nullish(), b: z.null().optional(), c: z.enum(['x']).nullable() }),
      { a: null, b: null, c: null },
      { a: null, b: null, c: null },
    ],
  ])('arrive as the schema makes them: %s', async (_, args, given, arrives) => {
    let seen: unknown
    const plugin = await pluginOf({ args }, (value) => {
      seen = value
      return null
    })
    await plugin.run(given)
    expect(seen).toEqual(arrives)
  })

  it.each<[string, z.ZodType]>([
    ['z.any()', z.any().default({ list: [] })],
    ['an object', z.looseObject({ list: z.array(z.number()) }).default({ list: [] })],
    ['nested any', z.object({ inner: z.any() }).default({ inner: { list: [] } })],
    [
      'an optional parent',
      z
        .any()
        .default({ deep: { deeper: { list: [] } } })
        .optional(),
    ],
  ])('that a call changes leave the default of the next call alone: %s', async (_, opts) => {
    const seen: string[] = []
    const plugin = await pluginOf({ args: z.object({ opts }) }, ({ opts: given }: { opts: object }) => {
      seen.push(JSON.stringify(given))
      spoil(given)
      return null
    })
    for (let call = 0; call < 3; call++) await plugin.run()
    expect(new Set(seen)).toHaveLength(1)
    expect(seen).toHaveLength(3)
  })

  it('that arrive beside a stream have defaults of their own too', () => {
    const schema = wireSchema(z.object({ opts: z.any().default({ deep: { list: [] } }) }), 'input')
    const decode = compileCodec(schema, 'decode')
    spoil(decode({}).value as object)
    expect(decode({}).value).toEqual({ opts: { deep: { list: [] } } })
  })

  it.each([
    ['refinement', z.string().refine(async (name) => name === 'free', 'is taken')],
    [
      'refinement inside of a transform',
      z
        .string()
        .transform(async (name) => name)
        .refine((name) => name === 'free'),
    ],
    [
      'check',
      z.string().check(async (context) => {
        await Promise.resolve()
        if (context.value !== 'free')
          context.issues.push({ code: 'custom', input: context.value, message: 'is taken' })
      }),
    ],
  ])('with an asynchronous %s are refused as INVALID_PARAMS, with their path', async (_, userName) => {
    const plugin = await pluginOf(
      { args: z.object({ userName }), result: z.string() },
      ({ userName }: { userName: string }) => userName,
    )
    for (let call = 0; call < 2; call++) {
      await expect(plugin.run({ userName: 'x' })).rejects.toMatchObject({
        codeName: 'INVALID_PARAMS',
        data: { issues: [{ path: 'user_name' }] },
      })
      expect(await plugin.run({ userName: 'free' })).toBe('free')
    }
  })

  it.each([
    ['the wire’s own check', z.object({ list: z.array(z.string()) }), 1, 130_000],
    ['a refinement', z.object({ list: z.array(z.string().refine((text) => text === 'x')) }), 'y', 30_000],
    ['a union', z.object({ list: z.union([z.array(z.string()), z.array(z.boolean())]) }), 1, 130_000],
  ])('with very many faults are refused in a few words, by %s', async (_, args, wrong, count) => {
    const plugin = await pluginOf(
      { args, result: z.number() },
      ({ list }: { list: unknown[] }) => list.length,
    )
    const error: unknown = await plugin
      .wire({ list: Array(count).fill(wrong) })
      .catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      codeName: 'INVALID_PARAMS',
      message: expect.stringContaining(`${count - 20} more`),
    })
    expect((error as Error).message.length).toBeLessThan(5000)
    expect((error as { data: { issues: unknown[] } }).data.issues).toHaveLength(21)
    expect(await plugin.wire({ list: ['x'] })).toBe(1)
  })

  it('nested so deep that they would overflow the stack are refused', async () => {
    const node = z.object({
      get next() {
        return z.union([node, z.null()])
      },
    })
    const plugin = await pluginOf({ args: node, result: z.string() }, () => 'fine')
    expect(await plugin.wire({ next: { next: null } })).toBe('fine')
    let deep: unknown = null
    for (let depth = 0; depth < 5000; depth++) deep = { next: deep }
    const { issues } = compileCodec(wireSchema(node, 'input'), 'decode')(deep)
    expect(issues).toHaveLength(1)
  })
})

function spoil(value: object): void {
  for (const item of Object.values(value)) if (typeof item === 'object' && item !== null) spoil(item)
  if (Array.isArray(value)) value.push('spoilt')
  else Object.assign(value, { spoilt: true })
}

describe('bytes', () => {
  const shapes: [string, z.ZodType, (data: Uint8Array) => unknown, (base64: string) => unknown][] = [
    ['alone', bytes, (data) => data, (base64) => base64],
    ['in a list', z.array(bytes), (data) => [data, data], (base64) => [base64, base64]],
    ['in a map', z.record(z.string(), bytes), (data) => ({ my_key: data }), (base64) => ({ my_key: base64 })],
    ['in a tuple', z.tuple([bytes, z.number()]), (data) => [data, 1], (base64) => [base64, 1]],
    ['in a union', z.union([bytes, z.number()]), (data) => data, (base64) => base64],
    ['or null', bytes.nullable(), (data) => data, (base64) => base64],
    [
      'of which there must be some',
      z.object({ rawData: bytes.refine(({ length }) => length > 2).describe('Sound.') }),
      (data) => ({ rawData: data }),
      (base64) => ({ raw_data_b64: base64 }),
    ],
    [
      'in a property',
      z.object({ rawData: bytes }),
      (data) => ({ rawData: data }),
      (base64) => ({ raw_data_b64: base64 }),
    ],
    [
      'in an optional property',
      z.object({ rawData: bytes.optional() }),
      (data) => ({ rawData: data }),
      (base64) => ({ raw_data_b64: base64 }),
    ],
    [
      'or null in a property',
      z.object({ rawData: bytes.nullable() }),
      (data) => ({ rawData: data }),
      (base64) => ({ raw_data: base64 }),
    ],
    [
      'in a named schema',
      z.object({ rawData: bytes.meta({ id: 'Raw/Data' }) }),
      (data) => ({ rawData: data }),
      (base64) => ({ raw_data: base64 }),
    ],
    ['or text', z.union([z.string(), bytes]), (data) => data, (base64) => ({ _b64: base64 })],
    [
      'or text, or null',
      z.union([bytes.nullable(), z.enum(['abcd'])]),
      (data) => data,
      (base64) => ({ _b64: base64 }),
    ],
    ['or anything', z.union([bytes, z.json()]), (data) => data, (base64) => ({ _b64: base64 })],
    [
      'in a list, or text in a list',
      z.union([z.array(bytes), z.array(z.string())]),
      (data) => [data],
      (base64) => [{ _b64: base64 }],
    ],
  ]

  it.each(shapes)('%s go round, and are base64 for who speaks JSON', async (_, schema, local, wire) => {
    const args = z.object({ v: schema })
    const plugin = await pluginOf({ args, result: z.object({ v: schema }) }, ({ v }: { v: unknown }) => ({
      v,
    }))
    const data = Uint8Array.of(1, 2, 255)
    expect(plain(await plugin.run({ v: local(data) }))).toEqual(plain({ v: local(data) }))
    const name = schema === bytes ? 'v_b64' : 'v'
    expect(await plugin.wire({ [name]: wire('AQL/') })).toEqual({ [name]: wire('AQL/') })
  })

  it.each<[string, z.ZodType, unknown]>([
    [
      'an open object',
      z.union([z.looseObject({ a: z.string().optional() }), z.object({ rawData: bytes })]),
      { rawData: Uint8Array.of(1) },
    ],
    ['any JSON', z.union([z.json(), z.record(z.string(), bytes)]), { my_key: Uint8Array.of(1) }],
    [
      'any JSON, in a list',
      z.union([z.json(), z.tuple([z.string().transform((text) => ({ text })), bytes])]),
      ['a', Uint8Array.of(1)],
    ],
    [
      'what a transform makes',
      z.union([z.string().transform((text) => ({ text })), z.looseObject({ userName: bytes })]),
      { userName: Uint8Array.of(1), _x: 1, X: 2 },
    ],
  ])('beside %s arrive at the alternative that sent them', async (_, v, value) => {
    const plugin = await pluginOf({ result: z.object({ v }) }, () => ({ v: value }))
    expect(plain(await plugin.run())).toEqual(plain({ v: v.parse(value) }))
  })

  it.each(['test', 'data', 'abcd', '', 'AQL/'])(
    'and text in one union stay what they are: %j',
    async (text) => {
      const v = z.union([bytes, z.string()])
      const plugin = await pluginOf(
        { args: z.object({ v }), result: z.object({ v }) },
        ({ v }: { v: unknown }) => ({ v }),
      )
      expect(await plugin.run({ v: text })).toEqual({ v: text })
      expect(plain(await plugin.run({ v: Uint8Array.of(7) }))).toEqual({ v: { bytes: [7] } })
      expect(await plugin.wire({ v: text })).toEqual({ v: text })
    },
  )
})

describe('schemas with names and data of the author', () => {
  it('keep the keys of a map of enum keys, and publish them as they are', async () => {
    const levels = z.record(z.enum(['low_freq', 'highFreq']), z.number())
    const plugin = await pluginOf(
      { args: z.object({ levels }), result: levels },
      ({ levels }: { levels: object }) => levels,
    )
    const given = { low_freq: 1, highFreq: 2 }
    expect(await plugin.run({ levels: given })).toEqual(given)
    expect(await plugin.wire({ levels: given })).toEqual(given)
    expect(wireSchema(levels, 'output')).toMatchObject({ required: ['low_freq', 'highFreq'] })
  })

  it.each([
    [[{ required: true }]],
    [[{ properties: null }]],
    [[{ properties: { snake_case: 1 }, items: null, anyOf: 5 }]],
    [[{ $defs: { x: 1 }, allOf: [null] }, 'text', null]],
  ])('publish examples as they are: %j', (examples) => {
    const schema = z.object({ userName: z.string() }).meta({ examples })
    expect(wireSchema(schema, 'input')).toMatchObject({ examples, required: ['user_name'] })
  })

  it.each(['app/User', 'a~b', 'a~1b', 'with space', 'user%2Fname', 'default', 'properties'])(
    'find what is named %j',
    async (id) => {
      const user = z.object({ userName: z.string() }).meta({ id })
      const plugin = await pluginOf(
        { args: z.object({ a: user, b: z.array(user) }), result: user },
        ({ b }: { b: unknown[] }) => b[0],
      )
      const wire = { user_name: 'ann' }
      expect(await plugin.wire({ a: wire, b: [wire] })).toEqual(wire)
      expect(await plugin.run({ a: { userName: 'x' }, b: [{ userName: 'y' }] })).toEqual({ userName: 'y' })
    },
  )

  it('keep keys of an open object as they were written', async () => {
    const open = z.looseObject({ userName: z.string() })
    const plugin = await pluginOf({ args: open, result: open }, (args) => args)
    const given = { userName: 'a', _x: 1, X: 2, my_key: 3, myKey: 4, 'a-b': 5 }
    expect(await plugin.run(given)).toEqual(given)
    expect(await plugin.wire({ user_name: 'a', my_key: 1 })).toEqual({ user_name: 'a', my_key: 1 })
  })

  it('publish defaults in the names of the wire', () => {
    const schema = z.object({ opts: z.object({ maxRetries: z.number() }).default({ maxRetries: 3 }) })
    expect(wireSchema(schema, 'input')).toMatchObject({
      properties: { opts: { default: { max_retries: 3 } } },
    })
  })
})

describe('defineContract refuses', () => {
  function define(parts: { args?: z.ZodType; result?: z.ZodType; piece?: z.ZodType }) {
    const method = { kind: parts.piece ? 'stream' : 'call', args: z.object({}), result: z.any(), ...parts }
    return () =>
      defineContract({ name: 'own', version: '1.0.0', methods: { run: method } } as Parameters<
        typeof defineContract
      >[0])
  }

  const foreign: [string, z.ZodType][] = [
    ['z.date()', z.date()],
    ['z.bigint()', z.bigint()],
    ['z.symbol()', z.symbol()],
    ['z.set()', z.set(z.string())],
    ['z.map()', z.map(z.string(), z.number())],
    ['z.nan()', z.nan()],
    ['z.promise()', z.promise(z.string())],
    ['z.function()', z.function() as unknown as z.ZodType],
    ['z.instanceof(Date)', z.instanceof(Date)],
    ['z.instanceof(Map)', z.instanceof(Map)],
    ['z.instanceof(Buffer)', z.instanceof(Buffer)],
    ['a literal bigint', z.literal([1n])],
  ]

  it.each(foreign)('%s, with its path', (_, schema) => {
    const inside = z.object({ list: z.array(z.object({ deepValue: schema.nullable().optional() })) })
    for (const side of ['args', 'result', 'piece'] as const) {
      const path = `own.run.${side}.list[].deepValue`
      expect(define({ [side]: inside })).toThrow(TypeError)
      expect(define({ [side]: inside })).toThrow(path)
    }
  })

  it.each<[string, z.ZodType]>([
    ['in a tuple', z.tuple([z.date()])],
    ['in a map', z.record(z.string(), z.date())],
    ['in a union', z.union([z.string(), z.date()])],
    ['in an intersection', z.object({ a: z.string() }).and(z.object({ b: z.date() }))],
    ['behind a default', z.object({ a: z.date().default(new Date()) })],
    ['in what is lazy', z.lazy(() => z.date())],
    ['as what is left over', z.object({}).catchall(z.date())],
    [
      'made by a transform',
      z
        .string()
        .transform((text) => new Date(text))
        .pipe(z.date()),
    ],
    [
      'made by a codec',
      z.codec(z.iso.datetime(), z.date(), {
        decode: (text) => new Date(text),
        encode: (date) => date.toISOString(),
      }),
    ],
    ['made by coercion', z.object({ a: z.coerce.date() })],
  ])('a Date of a result %s', (_, result) => {
    expect(define({ result })).toThrow(TypeError)
  })

  it('no argument that the schema itself makes a Date of', () => {
    const at = z.codec(z.iso.datetime(), z.date(), {
      decode: (text) => new Date(text),
      encode: (date) => date.toISOString(),
    })
    expect(
      define({ args: z.object({ at, and: z.coerce.date(), or: z.preprocess((text) => text, z.date()) }) }),
    ).not.toThrow()
  })

  it.each(['args', 'result', 'piece'])('a schema of Zod 3 as %s', (side) => {
    const old = z3.object({ a: z3.string() }) as unknown as z.ZodType
    expect(define({ [side]: old })).toThrow(TypeError)
    expect(define({ [side]: old })).toThrow('Zod 4')
    expect(define({ [side]: z.object({ inner: old }) })).toThrow(`own.run.${side}.inner`)
    expect(define({ [side]: z.object({ inner: z.string() }) })).not.toThrow()
  })

  it.each(['my_key', '_x', 'a_1', 'snake_case_name'])('the property %s', (key) => {
    const schema = z.array(z.object({ outer: z.object({ [key]: z.string() }) }))
    expect(define({ result: schema })).toThrow(TypeError)
    expect(define({ result: schema })).toThrow(`own.run.result[].outer.${key}`)
  })

  it('nothing of a recursive schema, nor of one that is written further down', () => {
    const node = z.object({
      label: z.string(),
      get next() {
        return node.optional()
      },
    })
    const later = z.lazy(() => below)
    expect(define({ args: z.object({ node, later }), result: node })).not.toThrow()
    const below = z.string()
  })
})

// ── Whatever the schema ────────────────────────────────────────────────────────────────────────────────────────────

interface Shape {
  schema: z.ZodType
  /** What may be given for it. */
  value: fc.Arbitrary<unknown>
}

const propertyNames = ['a', 'userName', 'rawData', 'topP', 'x1']
const mapKeys = ['my_key', 'myKey', '_x', 'X', 'a b', 'first_name', '1']

const leaf = fc.constantFrom<Shape>(
  { schema: z.string(), value: fc.string() },
  { schema: z.number(), value: fc.integer() },
  { schema: z.boolean(), value: fc.boolean() },
  { schema: z.enum(['on', 'Off_2']), value: fc.constantFrom('on', 'Off_2') },
  { schema: bytes, value: fc.uint8Array({ maxLength: 5 }) },
  { schema: z.string().transform((text) => text.length), value: fc.string() },
  { schema: z.string().transform((text) => ({ my_key: text, myKey: [text] })), value: fc.string() },
  { schema: z.string().trim(), value: fc.constantFrom(' a', 'b ', '') },
  {
    schema: z.json(),
    value: fc.constantFrom(null, 'test', -1.5, [true, 'a', { my_key: null }], { first_name: { myKey: [1] } }),
  },
)

const { shape } = fc.letrec<{ shape: Shape; inner: Shape }>((tie) => ({
  inner: fc.oneof({ maxDepth: 3 }, leaf, tie('shape')),
  shape: fc.oneof(
    { maxDepth: 3 },
    leaf,
    tie('inner').map(({ schema, value }) => ({
      schema: z.array(schema),
      value: fc.array(value, { maxLength: 3 }),
    })),
    fc.tuple(tie('inner'), tie('inner')).map(([a, b]) => ({
      schema: z.tuple([a.schema, b.schema]),
      value: fc.tuple(a.value, b.value),
    })),
    tie('inner').map(({ schema, value }) => ({
      schema: z.record(z.string(), schema),
      value: fc.dictionary(fc.constantFrom(...mapKeys), value),
    })),
    tie('inner').map(({ schema, value }) => ({ schema: schema.nullable(), value: fc.option(value) })),
    // Of two objects that nothing tells apart, the names of one may be those of the other on the wire.
    fc.tuple(leaf, tie('inner')).map(([a, b]) => ({
      schema: z.union([a.schema, b.schema]),
      value: fc.oneof(a.value, b.value),
    })),
    tie('inner').map(({ schema, value }) => ({ schema: schema.meta({ id: `x/${fresh()}` }), value })),
    fc
      .tuple(
        fc.uniqueArray(fc.constantFrom(...propertyNames), { minLength: 1 }),
        fc.array(tie('inner'), { minLength: 5, maxLength: 5 }),
        fc.boolean(),
        fc.boolean(),
      )
      .map(([names, inner, isOpen, isOptional]) => objectOf(names, inner as Shape[], isOpen, isOptional)),
  ),
})) as { shape: fc.Arbitrary<Shape> }

let count = 0
function fresh(): number {
  count += 1
  return count
}

function objectOf(names: string[], inner: Shape[], isOpen: boolean, isOptional: boolean): Shape {
  const parts = names.map((name, index) => [name, inner[index] as Shape] as const)
  const properties = Object.fromEntries(
    parts.map(([name, { schema }]) => [name, isOptional ? schema.optional() : schema]),
  )
  const given = fc.record(Object.fromEntries(parts.map(([name, { value }]) => [name, value])), {
    requiredKeys: isOptional ? [] : names,
  })
  const extra = fc.dictionary(fc.constantFrom('_x', 'my_key', 'X', 'other-key'), fc.integer())
  return {
    schema: isOpen ? z.looseObject(properties) : z.object(properties),
    value: isOpen ? fc.tuple(given, extra).map(([own, more]) => ({ ...more, ...own })) : given,
  }
}

const cases = shape.chain(({ schema, value }) => fc.tuple(fc.constant(schema), value))

describe('whatever the schema', () => {
  it('the author’s method gets what the schema makes of what the caller passed', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ([schema, value]) => {
        let seen: unknown
        const plugin = await pluginOf({ args: z.object({ v: schema }) }, (args) => {
          seen = args
          return null
        })
        await plugin.run({ v: value })
        expect(plain(seen)).toEqual(plain({ v: schema.parse(value) }))
      }),
      { numRuns: 60 },
    )
  }, 60_000)

  it('the caller gets what the schema makes of what the author returned', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ([schema, value]) => {
        const plugin = await pluginOf({ result: z.object({ v: schema }) }, () => ({ v: value }))
        expect(plain(await plugin.run())).toEqual(plain({ v: schema.parse(value) }))
        const bare = await pluginOf({ result: schema }, () => value)
        expect(plain(await bare.run())).toEqual(plain(schema.parse(value)))
      }),
      { numRuns: 60 },
    )
  }, 60_000)
})
