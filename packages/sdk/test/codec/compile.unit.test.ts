import { wireSchema } from '@appfactory/sdk/contracts'
import {
  issuesText,
  compileCodec as publicCompileCodec,
  toCamelCase,
  toSnakeCase,
} from '@appfactory/sdk/internal'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { Bytes } from '../../src/bytes.js'
import { type Converted, compileCodec } from '../../src/codec/compile.js'

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array)

function decode(schema: z.ZodType, value: unknown): Converted {
  return compileCodec(wireSchema(schema, 'input'), 'decode')(value)
}

function encode(schema: z.ZodType, value: unknown): Converted {
  return compileCodec(wireSchema(schema, 'output'), 'encode')(value)
}

/** As JSON.parse makes it: `__proto__` is a key like any other. */
function json(text: string): unknown {
  return JSON.parse(text)
}

describe('names', () => {
  const schema = z.object({
    voiceId: z.string(),
    nested: z.object({ sampleRate: z.number() }),
    list: z.array(z.object({ startMs: z.number() })),
  })
  const wire = { voice_id: 'a', nested: { sample_rate: 1 }, list: [{ start_ms: 2 }] }
  const local = { voiceId: 'a', nested: { sampleRate: 1 }, list: [{ startMs: 2 }] }

  it('are renamed both ways, at every depth', () => {
    expect(decode(schema, wire)).toEqual({ value: local, issues: [] })
    expect(encode(schema, local)).toEqual({ value: wire, issues: [] })
  })

  it('of an author’s map are never renamed, at no depth', () => {
    const withMap = z.object({ providerOptions: z.record(z.string(), z.unknown()) })
    const map = { snake_case: { camelCase: [{ Any_Case: 1 }] }, camelCase: 2 }
    expect(decode(withMap, { provider_options: map })).toEqual({
      value: { providerOptions: map },
      issues: [],
    })
    expect(encode(withMap, { providerOptions: map })).toEqual({
      value: { provider_options: map },
      issues: [],
    })
  })

  it('of keys that an open object does not know are never renamed, so that no two become one', () => {
    const open = z.looseObject({ voiceId: z.string() })
    const extra = { extraKey: 1, extra_key: 2, _x: 3, X: 4, 'kebab-key': { snake_case: 5, camelCase: 6 } }
    const wire = { voice_id: 'x', ...extra }
    expect(encode(open, { voiceId: 'x', ...extra })).toEqual({ value: wire, issues: [] })
    expect(decode(open, wire)).toEqual({ value: { voiceId: 'x', ...extra }, issues: [] })
  })

  it('of a map’s values are renamed as their schema says', () => {
    const map = z.object({ voices: z.record(z.string(), z.object({ sampleRate: z.number() })) })
    expect(decode(map, { voices: { my_voice: { sample_rate: 8 } } }).value).toEqual({
      voices: { my_voice: { sampleRate: 8 } },
    })
  })

  it.each(['voiceId', 'audio', 'topP', 'a1', 'maxTokens2Send'])('%s goes round', (name) => {
    expect(toCamelCase(toSnakeCase(name))).toBe(name)
  })
})

describe('alternatives', () => {
  const shape = z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('circle'), radiusMm: z.number() }),
    z.object({ kind: z.literal('image'), pixels: bytes }),
  ])

  it('of a discriminated union are converted', () => {
    expect(decode(shape, { kind: 'circle', radius_mm: 5 })).toEqual({
      value: { kind: 'circle', radiusMm: 5 },
      issues: [],
    })
    const image = encode(shape, { kind: 'image', pixels: Uint8Array.of(1) })
    expect(JSON.parse(JSON.stringify(image))).toEqual({
      value: { kind: 'image', pixels_b64: 'AQ==' },
      issues: [],
    })
  })

  it('of a union are tried in order, and the closest says what is wrong', () => {
    const choice = z.object({
      toolChoice: z.union([z.enum(['auto', 'none']), z.strictObject({ toolName: z.string() })]),
    })
    expect(decode(choice, { tool_choice: 'auto' }).value).toEqual({ toolChoice: 'auto' })
    expect(decode(choice, { tool_choice: { tool_name: 'x' } }).value).toEqual({
      toolChoice: { toolName: 'x' },
    })
    expect(decode(choice, { tool_choice: { tool_name: 5 } }).issues).toMatchObject([
      { path: 'tool_choice.tool_name' },
    ])
    expect(decode(choice, { tool_choice: 'never' }).issues).toMatchObject([{ path: 'tool_choice' }])
  })

  it('of a union are of the kind that says what is wrong', () => {
    const texts = z.union([z.string().min(1), z.array(z.string()).min(1).max(2), z.int().min(1)])
    const issues = (value: unknown): string =>
      issuesText(decode(z.object({ texts }), { texts: value }).issues)
    expect(issues([])).toBe('texts: needs at least 1 item(s)')
    expect(issues(['a', 'b', 'c'])).toBe('texts: takes at most 2 item(s)')
    expect(issues(0)).toBe('texts: must be at least 1, not 0')
    expect(issues(true)).toBe('texts: must be a string, not true')
  })

  it('with null are checked too', () => {
    const schema = z.object({
      final: z.string().nullable(),
      size: z.object({ widthMm: z.number() }).nullable(),
    })
    expect(decode(schema, { final: null, size: null })).toEqual({
      value: { final: null, size: null },
      issues: [],
    })
    expect(decode(schema, { final: 'x', size: { width_mm: 1 } }).value).toEqual({
      final: 'x',
      size: { widthMm: 1 },
    })
    expect(decode(schema, { final: 5, size: null }).issues).toMatchObject([{ path: 'final' }])
  })

  it('of a tuple are converted by position', () => {
    const schema = z.object({ pair: z.tuple([z.string(), z.object({ startMs: z.number() })]) })
    expect(decode(schema, { pair: ['a', { start_ms: 1 }] })).toEqual({
      value: { pair: ['a', { startMs: 1 }] },
      issues: [],
    })
    expect(decode(schema, { pair: ['a', { start_ms: 'x' }] }).issues).toMatchObject([
      { path: 'pair[1].start_ms' },
    ])
    expect(decode(schema, { pair: ['a'] }).issues).toMatchObject([{ path: 'pair' }])
    expect(decode(schema, { pair: ['a', { start_ms: 1 }, 3] }).issues).toMatchObject([{ path: 'pair' }])
  })

  it('that refer to themselves are converted at every depth', () => {
    const node = z.object({
      nodeName: z.string(),
      get childNodes() {
        return z.array(node)
      },
    })
    const tree = { node_name: 'a', child_nodes: [{ node_name: 'b', child_nodes: [] }] }
    expect(decode(node, tree)).toEqual({
      value: { nodeName: 'a', childNodes: [{ nodeName: 'b', childNodes: [] }] },
      issues: [],
    })
    expect(decode(z.object({ rootNode: node }), { root_node: tree }).value).toEqual({
      rootNode: { nodeName: 'a', childNodes: [{ nodeName: 'b', childNodes: [] }] },
    })
  })
})

describe('bytes', () => {
  const schema = z.object({ audio: bytes, parts: z.array(z.object({ rawData: bytes })).optional() })

  it('are base64 in a …_b64 field', () => {
    const local = { audio: Uint8Array.of(1, 2, 255), parts: [{ rawData: Uint8Array.of(7) }] }
    const encoded = encode(schema, local)
    const json: unknown = JSON.parse(JSON.stringify(encoded))
    expect(json).toEqual({ value: { audio_b64: 'AQL/', parts: [{ raw_data_b64: 'Bw==' }] }, issues: [] })
    const { value } = decode(schema, (json as typeof encoded).value)
    expect([...(value as typeof local).audio]).toEqual([1, 2, 255])
  })

  it('go round, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), (audio) => {
        const { value, issues } = decode(schema, encode(schema, { audio }).value)
        expect(issues).toEqual([])
        expect(Buffer.compare((value as { audio: Uint8Array }).audio, audio)).toBe(0)
      }),
    )
  })

  it('of a view go without their surroundings', () => {
    const { value } = encode(schema, { audio: Uint8Array.of(9, 1, 2, 9).subarray(1, 3) })
    expect(JSON.stringify(value)).toBe('{"audio_b64":"AQI="}')
  })

  it.each([5, null, {}, [1, 2], '!!!!', 'AAA*', 'A', 'AAAAA', 'AQ==AQ=='])(
    '%o are none on the wire',
    (audio) => {
      expect(decode(schema, { audio_b64: audio }).issues).toMatchObject([{ path: 'audio_b64' }])
    },
  )

  it.each(['', 'AQ==', 'AQ', 'AQL/', 'AQL_'])('%o are some', (audio) => {
    expect(decode(schema, { audio_b64: audio }).issues).toEqual([])
  })

  it('are plain, and no Buffer: its slice() shares its memory, and its JSON is another', () => {
    const sent = Buffer.alloc(5000, 7)
    const { value } = decode(schema, { audio_b64: new Bytes(sent) })
    const { audio } = value as { audio: Uint8Array<ArrayBuffer> }
    expect(Object.getPrototypeOf(audio)).toBe(Uint8Array.prototype)
    // Not copied.
    expect(audio.buffer).toBe(sent.buffer)
    for (const size of [1, 3000, 9000]) {
      const text = Buffer.alloc(size, 7).toString('base64')
      const { audio: inline } = decode(schema, { audio_b64: text }).value as { audio: Uint8Array }
      expect(Object.getPrototypeOf(inline)).toBe(Uint8Array.prototype)
      // Nothing of others is in its memory.
      expect([inline.byteOffset, inline.buffer.byteLength]).toEqual([0, size])
    }
  })

  it('with line ends, as mail and base64(1) have them, are the same', () => {
    const audio = Buffer.from(Array.from({ length: 200 }, (_, index) => index))
    for (const end of ['\n', '\r\n']) {
      const text = `${audio.toString('base64').replace(/(.{76})/g, `$1${end}`)}${end}`
      const { value, issues } = decode(schema, { audio_b64: text })
      expect(issues).toEqual([])
      expect(Buffer.compare((value as { audio: Uint8Array }).audio, audio)).toBe(0)
    }
    expect(decode(schema, { audio_b64: 'AQ=\n=\n' }).issues).toEqual([])
  })

  it('that are none say why', () => {
    const why = (text: string): unknown => decode(schema, { audio_b64: text }).issues[0]?.message
    expect(why(`${'AAAA'.repeat(20)}*`)).toContain('"*"')
    expect(why(`data:audio/wav;base64,${'AAAA'.repeat(20)}`)).toContain('":"')
    expect(why('AAAAA')).toContain('length')
  })

  it('must be a Uint8Array in TypeScript', () => {
    expect(encode(schema, { audio: 'AQL/' }).issues).toMatchObject([{ path: 'audio' }])
  })
})

describe('checks', () => {
  const schema = z.strictObject({
    text: z.string().min(1).max(5),
    speed: z.number().min(0.1).max(10).optional(),
    count: z.int().optional(),
    ratio: z.number().gt(0).lt(1).optional(),
    mode: z.enum(['a', 'b']).optional(),
    flag: z.boolean().optional(),
    nothing: z.null().optional(),
    messages: z
      .array(z.object({ role: z.string() }))
      .min(1)
      .max(2)
      .optional(),
    maxTokens: z.int().default(1024),
  })

  it('fill in defaults on the way in, and only there', () => {
    expect(decode(schema, { text: 'x' }).value).toEqual({ text: 'x', maxTokens: 1024 })
    expect(decode(schema, { text: 'x', max_tokens: 5 }).value).toEqual({ text: 'x', maxTokens: 5 })
    expect(encode(z.object({ a: z.string().optional() }), {}).value).toEqual({})
  })

  it('take undefined for absent', () => {
    expect(decode(schema, { text: 'x', speed: undefined }).issues).toEqual([])
    expect(encode(z.object({ a: z.string() }), { a: undefined }).issues).toMatchObject([{ path: 'a' }])
  })

  it.each([
    ['text', {}],
    ['text', { text: 5 }],
    ['text', { text: '' }],
    ['text', { text: 'abcdef' }],
    ['speed', { text: 'x', speed: '1' }],
    ['speed', { text: 'x', speed: 0 }],
    ['speed', { text: 'x', speed: 11 }],
    ['speed', { text: 'x', speed: Number.NaN }],
    ['speed', { text: 'x', speed: Number.POSITIVE_INFINITY }],
    ['count', { text: 'x', count: 1.5 }],
    ['ratio', { text: 'x', ratio: 0 }],
    ['ratio', { text: 'x', ratio: 1 }],
    ['mode', { text: 'x', mode: 'c' }],
    ['flag', { text: 'x', flag: 1 }],
    ['nothing', { text: 'x', nothing: 0 }],
    ['messages', { text: 'x', messages: {} }],
    ['messages', { text: 'x', messages: [] }],
    ['messages', { text: 'x', messages: [{ role: 'a' }, { role: 'b' }, { role: 'c' }] }],
    ['messages[1].role', { text: 'x', messages: [{ role: 'a' }, { role: 7 }] }],
    ['messages[0]', { text: 'x', messages: [null] }],
    ['colour', { text: 'x', colour: 'red' }],
    ['max_tokens', { text: 'x', max_tokens: '5' }],
  ])('find the fault at %s', (path, value) => {
    expect(decode(schema, value).issues).toMatchObject([{ path }])
  })

  it('find every fault', () => {
    const { issues } = decode(schema, { speed: true, mode: 7 })
    expect(issues.map(({ path }) => path)).toEqual(['speed', 'mode', 'text'])
    expect(issuesText(issues).split('; ')).toHaveLength(3)
  })

  it.each([null, 'text', 5, [], Uint8Array.of(1)])('refuse %o as an object', (value) => {
    expect(decode(schema, value).issues).toMatchObject([{ path: '' }])
  })

  it.each([
    ['voiceId', 'voice_id'],
    ['VoiceID', 'voice_id'],
    ['audio', 'audio_b64'],
  ])('know what is meant by %s', (given, meant) => {
    const { issues } = decode(z.strictObject({ voiceId: z.string().optional(), audio: bytes.optional() }), {
      [given]: 'x',
    })
    expect(issues).toMatchObject([{ path: given, message: expect.stringContaining(meant) }])
  })
})

describe('a key called __proto__', () => {
  const hostile = '{"__proto__": {"polluted": true}}'

  it.each([
    ['a strict object', z.strictObject({})],
    ['an open object', z.looseObject({})],
    ['a map', z.record(z.string(), z.unknown())],
  ])('is refused as a key of %s', (_, schema) => {
    const { value, issues } = decode(schema, json(hostile))
    expect(issues).toMatchObject([{ path: '__proto__' }])
    expect((value as { polluted?: boolean }).polluted).toBeUndefined()
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })

  it('is refused at any depth that the schema knows', () => {
    const schema = z.object({ outer: z.array(z.looseObject({})) })
    expect(decode(schema, json(`{"outer": [${hostile}]}`)).issues).toMatchObject([
      { path: 'outer[0].__proto__' },
    ])
  })
})

it('is public under the same name', () => {
  expect(publicCompileCodec({ type: 'string' }, 'decode')('x')).toEqual({ value: 'x', issues: [] })
})
