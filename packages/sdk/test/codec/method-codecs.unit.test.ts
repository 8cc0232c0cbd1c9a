import { expect, test } from 'vitest'
import { MethodCodecs } from '../../src/codec/method-codecs.js'

/** Takes bytes, perhaps piece by piece, and says how many there were. */
const hear = {
  ...{
    name: 'hear',
    wire: 'hear',
    description: '',
    kind: 'stream' as const,
    required: true,
    idempotent: false,
  },
  ...{ parameters: null, bare: null, unwrap: null, session: null, input: 'audio' },
  args: {
    type: 'object',
    properties: {
      audio_b64: { type: 'string', contentEncoding: 'base64' },
      sample_rate: { type: 'number', default: 8000 },
      bare_name: { $ref: '#/$defs/name' },
    },
    required: ['audio_b64', 'bare_name'],
    $defs: { name: { type: 'string' } },
  },
  result: { type: 'object', properties: { byte_count: { type: 'number' } }, required: ['byte_count'] },
  piece: { type: 'object', properties: { so_far: { type: 'number' } }, required: ['so_far'] },
}

const bytes = new Uint8Array([1, 2, 3])

test('arguments, results and pieces have the names of their side', () => {
  const codecs = new MethodCodecs(hear)
  const wire = { audio_b64: 'AQID', sample_rate: 1, bare_name: 'x' }
  expect(codecs.decodeArgs(wire)).toEqual({
    ...{ issues: [], value: { audio: bytes, sampleRate: 1, bareName: 'x' } },
  })
  const encoded = codecs.encodeArgs({ audio: bytes, sampleRate: 1, bareName: 'x' })
  expect(encoded).toMatchObject({ issues: [], value: { sample_rate: 1, bare_name: 'x' } })
  expect(codecs.encodeResult({ byteCount: 3 }).value).toEqual({ byte_count: 3 })
  expect(codecs.decodeResult({ byte_count: 3 }).value).toEqual({ byteCount: 3 })
  expect(codecs.encodePiece({ soFar: 3 }).value).toEqual({ so_far: 3 })
  expect(codecs.decodePiece({ so_far: 3 }).value).toEqual({ soFar: 3 })
})

test('an argument that arrives as a stream is neither asked for nor taken beside it; the others are', () => {
  const codecs = new MethodCodecs(hear)
  expect(codecs.inputName).toBe('audio_b64')
  expect(codecs.decodeArgsWithoutInput({ bare_name: 'x' })).toEqual({
    ...{ issues: [], value: { bareName: 'x', sampleRate: 8000 } },
  })
  expect(codecs.encodeArgsWithoutInput({ bareName: 'x' })).toMatchObject({
    ...{ issues: [], value: { bare_name: 'x' } },
  })
  const missing = codecs.decodeArgsWithoutInput({})
  expect(missing.issues.map(({ path }) => path)).toEqual(['bare_name'])
  expect(codecs.decodeArgsWithoutInput({ bare_name: 'x', audio_b64: 5 }).value).not.toHaveProperty('audio')
})

test('an item of it is what the argument would be', () => {
  const codecs = new MethodCodecs(hear)
  expect(codecs.decodeInput('AQID')).toEqual({ value: bytes, issues: [] })
  expect(codecs.decodeInput(5).issues).toHaveLength(1)
  expect(codecs.encodeInput(bytes).issues).toEqual([])
  const named = new MethodCodecs({ ...hear, input: 'bareName' })
  expect(named.inputName).toBe('bare_name')
  expect(named.decodeInput('x')).toEqual({ value: 'x', issues: [] })
  expect(named.decodeInput(5).issues).toHaveLength(1)
})

test('a method without a stream, arguments or pieces has codecs too', () => {
  const codecs = new MethodCodecs({ ...hear, input: null, args: { type: 'object' }, piece: null })
  expect(codecs.inputName).toBeUndefined()
  expect(codecs.decodeArgs({}).issues).toEqual([])
  expect(codecs.decodeArgsWithoutInput({})).toEqual({ value: {}, issues: [] })
  expect([codecs.decodePiece('x').value, codecs.encodePiece('x').value]).toEqual(['x', 'x'])
})

test('defaults are left to the author’s own schema where there is one', () => {
  const args = { audio_b64: 'AQID', bare_name: 'x' }
  expect(new MethodCodecs(hear).decodeArgs(args).value).toMatchObject({ sampleRate: 8000 })
  expect(new MethodCodecs(hear, { checked: true }).decodeArgs(args).value).not.toHaveProperty('sampleRate')
})
