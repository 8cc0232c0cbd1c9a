import { PluginError } from '@appfactory/sdk'
import { describe, expect, test } from 'vitest'
import { checkHandshake, checkHealth, verdictOf } from '../../src/instance/handshake.js'

const manifest = {
  ...{ name: 'one', version: '1.0.0', contract: 'tts', entry_point: 'index.js' },
  ...{ runtime: 'node' as const, dependencies: [] },
}

const method = {
  ...{ name: 'sayIt', wire: 'say_it', description: '', kind: 'call', required: true, idempotent: false },
  ...{ parameters: null, input: null, bare: null, unwrap: null, session: null },
  ...{ args: {}, result: {}, piece: null },
}

function answerWith(changes: object = {}, methods: readonly unknown[] = [method]): object {
  return {
    ...{ protocol_version: 1, sdk_version: '1.0.0' },
    contract: { name: 'tts', version: '1.0.0', description: '', methods },
    ...{ capabilities: ['say_it'], config_schema: null, byte_channels: [] },
    ...changes,
  }
}

/** An answer whose one method is like this. */
function withMethod(changes: object): object {
  return answerWith({}, [{ ...method, ...changes }])
}

/** An answer with a method whose arguments are described by this schema. */
function withArgs(args: unknown): object {
  return withMethod({ args })
}

/** Where an answer to the handshake is wrong. */
function wrongPlaces(answer: unknown): string[] {
  try {
    checkHandshake(manifest, answer)
    return []
  } catch (error) {
    expect(error).toMatchObject({ codeName: 'CONTRACT_MISMATCH', data: { plugin: 'one' } })
    return ((error as PluginError).data as { issues: { path: string }[] }).issues.map(({ path }) => path)
  }
}

describe('an answer to the handshake', () => {
  test('that is as it should be is taken, whatever else is in it', () => {
    expect(wrongPlaces(answerWith())).toEqual([])
    expect(wrongPlaces(answerWith({ future: 1, config_schema: {}, byte_channels: ['fd3'] }))).toEqual([])
    expect(wrongPlaces(answerWith({}, []))).toEqual([])
    const session = { kind: 'stream', session: 'use', input: 'a', bare: 'b', unwrap: 'c', parameters: ['d'] }
    expect(wrongPlaces(withMethod({ ...session, piece: { type: 'string' } }))).toEqual([])
  })

  test.each([null, 'text', 1, [], undefined])('that is %j is refused', (answer) => {
    expect(wrongPlaces(answer)).toEqual([''])
  })

  test.each(Object.keys(answerWith()).filter((name) => name !== 'contract'))(
    'without %s, or with something else there, is refused by name',
    (name) => {
      const { [name]: _, ...rest } = answerWith() as Record<string, unknown>
      expect(wrongPlaces(rest)).toEqual([name])
      expect(wrongPlaces(answerWith({ [name]: true }))).toEqual([name])
      // What is inherited is not there.
      expect(wrongPlaces(Object.assign(Object.create({ [name]: [] }), rest))).toEqual([name])
    },
  )

  test.each(Object.keys(method))(
    'with a method without %s, or with something else there, is refused',
    (name) => {
      const { [name]: _, ...rest } = method as Record<string, unknown>
      const path = `contract.methods[0].${name}`
      expect(wrongPlaces(answerWith({}, [rest]))).toEqual([path])
      expect(wrongPlaces(withMethod({ [name]: 5 }))).toEqual([path])
    },
  )

  test.each([
    ['name', ['say_it', 'Say', 'call', 'then', '', 5]],
    ['wire', ['sayIt', 'Say', '1say', 'say-it', 'say it', ' say', 'say!', '', 5, ['say']]],
    ['kind', ['calls', null]],
    ['session', ['begin', 'Open', '']],
    ['parameters', [['a', 1], 'a', {}]],
    ['args', [null, [], 'object']],
    ['piece', [[], 'object']],
  ])('with a method whose %s can’t be used is refused', (name, values) => {
    for (const value of values)
      expect(wrongPlaces(withMethod({ [name]: value }))[0]).toMatch(`contract.methods[0].${name}`)
  })

  test('of another contract than the manifest’s is refused', () => {
    const contract = { name: 'stt', version: '1.0.0', description: '', methods: [] }
    expect(wrongPlaces(answerWith({ contract }))).toEqual(['contract.name'])
    for (const member of ['name', 'version', 'description', 'methods'])
      expect(wrongPlaces(answerWith({ contract: { ...contract, [member]: 5 } }))).toEqual([
        `contract.${member}`,
      ])
    expect(wrongPlaces(answerWith({ contract: [] }))).toEqual(['contract'])
  })

  test('that names two methods alike, here or on the wire, is refused at the second', () => {
    const other = { ...method, name: 'singIt', wire: 'sing_it' }
    const same = [method, other, { ...method, name: 'hum' }, { ...method, wire: 'hum' }]
    expect(wrongPlaces(answerWith({}, same))).toEqual([
      'contract.methods[3].name',
      'contract.methods[2].wire',
    ])
    const many = Array.from({ length: 30 }, () => method)
    expect(wrongPlaces(answerWith({}, many))).toHaveLength(20)
  })

  test('that is wrong everywhere is told of ten places at most', () => {
    expect(
      wrongPlaces(
        answerWith(
          {},
          Array.from({ length: 30 }, () => 5),
        ),
      ),
    ).toHaveLength(10)
    expect(wrongPlaces(answerWith({ capabilities: Array.from({ length: 30 }, () => 5) }))).toHaveLength(10)
    const wrongSchemas = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`p${index}`, 5]))
    expect(wrongPlaces(withArgs({ properties: wrongSchemas }))).toHaveLength(10)
    const eleven = Array.from({ length: 11 }, () => ({ type: 5, required: 5, $ref: 5, minimum: '1' }))
    expect(wrongPlaces(withArgs({ anyOf: eleven }))).toHaveLength(10)
    const nine = Array.from({ length: 9 }, () => 5)
    expect(wrongPlaces(answerWith({ capabilities: nine, sdk_version: 5, byte_channels: nine }))).toHaveLength(
      10,
    )
  })
})

describe('a schema in the answer', () => {
  test.each<object>([
    { type: 'string', enum: [1, null, {}], contentEncoding: 'base64', minLength: 0, maxLength: 5 },
    { type: ['string', 'null'] },
    { type: 'array', items: { type: 'string' }, prefixItems: [{}], minItems: 0, maxItems: 5 },
    { items: false, additionalProperties: true },
    { properties: { a: { type: 'number' } }, required: ['a'], additionalProperties: { type: 'string' } },
    { anyOf: [{}], oneOf: [{}], allOf: [{}], $defs: { a: {} }, $ref: '#/$defs/a' },
    { minimum: 0, maximum: 1, exclusiveMinimum: 0, exclusiveMaximum: 1 },
    { 'x-own': 5, pattern: 5, toString: 5, constructor: null },
  ])('like %j is taken', (args) => {
    expect(wrongPlaces(withArgs(args))).toEqual([])
  })

  test.each<[string, object]>([
    ['type', { type: 5 }],
    ['type[1]', { type: ['string', 5] }],
    ['properties', { properties: [] }],
    ['properties.a', { properties: { a: 5 } }],
    ['properties.a.type', { properties: { a: { type: 5 } } }],
    ['required', { required: 'a' }],
    ['required[0]', { required: [5] }],
    ['$defs.a', { $defs: { a: true } }],
    ['$ref', { $ref: 5 }],
    ['anyOf', { anyOf: {} }],
    ['oneOf[0]', { oneOf: [5] }],
    ['allOf[0].type', { allOf: [{ type: 5 }] }],
    ['prefixItems', { prefixItems: {} }],
    ['items', { items: [] }],
    ['items.type', { items: { type: 5 } }],
    ['additionalProperties', { additionalProperties: 'no' }],
    ['enum', { enum: {} }],
    ['contentEncoding', { contentEncoding: true }],
    ...['minItems', 'maxItems', 'minLength', 'maxLength', 'minimum', 'maximum'].map(
      (keyword): [string, object] => [keyword, { [keyword]: '5' }],
    ),
    ...['exclusiveMinimum', 'exclusiveMaximum'].map((keyword): [string, object] => [
      keyword,
      { [keyword]: true },
    ]),
    [`properties.${'x'.repeat(80)}`, { properties: { ['x'.repeat(500)]: 5 } }],
  ])('that is wrong at %s is refused by that name', (path, args) => {
    expect(wrongPlaces(withArgs(args))).toEqual([`contract.methods[0].args.${path}`])
  })
})

describe('a protocol', () => {
  function refusalOf(answer: unknown): unknown {
    try {
      checkHandshake(manifest, answer)
      return undefined
    } catch (error) {
      return error
    }
  }

  test('of another version is refused, whatever else that answers', () => {
    const unsupported = { codeName: 'PROTOCOL_VERSION_UNSUPPORTED' }
    expect(refusalOf({ protocol_version: 99 })).toMatchObject(unsupported)
    expect(refusalOf(answerWith({ protocol_version: 0 }))).toMatchObject(unsupported)
    expect(refusalOf({ protocol_version: 99, sdk_version: `9.9${'x'.repeat(500)}` })).toMatchObject({
      ...unsupported,
      message: expect.stringMatching(/SDK 9\.9x{37}\)/),
    })
    expect(refusalOf({ protocol_version: 99, sdk_version: 5 })).toMatchObject({
      message: expect.not.stringContaining('SDK 5'),
    })
  })

  test('without a version is no other version', () => {
    expect(refusalOf(answerWith({ protocol_version: '99' }))).toMatchObject({ codeName: 'CONTRACT_MISMATCH' })
  })
})

describe('an answer to a health check', () => {
  const healthy = { status: 'READY', message: '', details: {}, latency_ms: null, memory_mb: null }

  test('that is as it should be is taken', () => {
    expect(() => checkHealth('one', healthy)).not.toThrow()
    expect(() => checkHealth('one', { ...healthy, latency_ms: 1, memory_mb: 2, more: 3 })).not.toThrow()
  })

  test.each([
    ['status', 'FINE'],
    ['message', null],
    ['details', []],
    ['details', null],
    ['latency_ms', '5'],
    ['memory_mb', {}],
  ])('with another %s, such as %j, is refused', (name, value) => {
    expect(() => checkHealth('one', { ...healthy, [name]: value })).toThrow(
      expect.objectContaining({
        codeName: 'CONTRACT_MISMATCH',
        data: { plugin: 'one', issues: [expect.objectContaining({ path: name })] },
      }),
    )
  })
})

test('an error of this end stays what it is', () => {
  for (const error of [new PluginError('CONTRACT_MISMATCH'), new Error('broken'), undefined])
    expect(verdictOf(error)).toBe(error)
})
