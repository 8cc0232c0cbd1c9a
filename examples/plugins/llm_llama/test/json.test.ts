import { type ChatMessage, type GenerationOptions, type ResponseFormat, textOf } from '@appfactory/sdk'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import LlamaPlugin from '../src/index.js'

const plugin = new LlamaPlugin()
const templated = new LlamaPlugin()
const story: ChatMessage[] = [{ role: 'user', content: 'tell me a story' }]

beforeAll(async () => {
  await plugin.initialize({})
  await templated.initialize({ prompt_format: 'template', parallel: 1 })
})

afterAll(async () => {
  await plugin.shutdown()
  await templated.shutdown()
})

function written(schema: object): Pick<GenerationOptions, 'responseFormat' | 'seed'> {
  return { responseFormat: { type: 'json_schema', schema: { ...schema } }, seed: 1 }
}

const node = { type: 'object', properties: { next: { anyOf: [{ $ref: '#' }, { type: 'null' }] } } }

describe('answers of a schema', () => {
  it.each<[string, object]>([
    ['strings', { type: 'object', properties: { name: { type: 'string' }, city: { type: 'string' } } }],
    ['numbers', { type: 'object', properties: { a: { type: 'integer' }, b: { type: 'number' } } }],
    ['choices', { type: 'array', items: { enum: ['a', 1, null, true] }, minItems: 2, maxItems: 3 }],
    ['a range', { type: 'integer', minimum: 3, maximum: 7 }],
    [
      'any integer, as Zod words it',
      { type: 'integer', minimum: -9007199254740991, maximum: 9007199254740991 },
    ],
    ['a constant', { const: 'yes' }],
    ['several types', { type: ['object', 'null'], properties: { a: { type: ['boolean', 'null'] } } }],
    ['one of several', { anyOf: [{ type: 'boolean' }, { type: 'object', properties: { a: { const: 1 } } }] }],
    [
      'definitions',
      {
        $ref: '#/$defs/a~1b',
        $defs: { 'a/b': { type: 'array', items: { $ref: '#/$defs/c' } }, c: { type: 'boolean' } },
      },
    ],
    [
      'old definitions',
      {
        type: 'object',
        properties: { x: { $ref: '#/definitions/x' } },
        definitions: { x: { type: 'null' } },
      },
    ],
    ['itself', node],
    [
      'a tuple',
      { type: 'array', prefixItems: [{ type: 'boolean' }, { type: 'null' }], items: false, minItems: 2 },
    ],
    ['a date', { type: 'string', format: 'date' }],
    ['lengths', { type: 'string', minLength: 3, maxLength: 5 }],
    [
      'a record, as Zod words it',
      {
        type: 'object',
        propertyNames: { type: 'string' },
        additionalProperties: { type: 'boolean' },
        maxProperties: 2,
      },
    ],
    ['what only required names', { type: 'object', required: ['a'], properties: {} }],
    [
      'words that are no rules',
      { title: 'T', description: 'D', type: 'boolean', examples: [true], 'x-y': 1 },
    ],
    [
      'odd names',
      { type: 'object', properties: { 'ä "\\\n': { type: 'boolean' }, __proto__x: { type: 'null' } } },
    ],
  ])('keep to it: %s', async (_name, schema) => {
    const { message, finishReason } = await plugin.chat(story, written(schema))
    expect(finishReason).toBe('stop')
    const value: unknown = JSON.parse(textOf(message))
    const fits = new Ajv2020({ strict: false, validateFormats: false }).compile(schema)
    expect(fits(value), textOf(message)).toBe(true)
  })

  it.each<[string, object]>([
    ['pattern', { type: 'string', pattern: '^a' }],
    ['multipleOf', { type: 'integer', minimum: 0, maximum: 9, multipleOf: 3 }],
    ['properties.n.minimum', { type: 'object', properties: { n: { type: 'number', minimum: 0 } } }],
    ['items.not', { type: 'array', items: { not: { type: 'null' } } }],
    ['uniqueItems', { type: 'array', uniqueItems: true }],
    ['allOf', { allOf: [{ type: 'object' }, { required: ['a'] }] }],
    ['anyOf', { anyOf: [{ required: ['a'] }], properties: {} }],
    ['type', { type: 'hiccup' }],
    ['enum', { enum: [{}] }],
    ['enum', { enum: [] }],
    ['$ref', { $ref: 'https://example.com/schema' }],
    ['$ref', { $ref: '#/$defs/gone' }],
    ['minLength', { type: 'string', minLength: 1e9 }],
    ['maxItems', { type: 'array', maxItems: -1 }],
    ['maxProperties', { type: 'object', properties: { a: {}, b: {} }, maxProperties: 1 }],
    ['properties.a', { type: 'object', properties: { a: false } }],
  ])('are refused where no grammar can: %s', async (place, schema) => {
    const path = expect.stringMatching(`^response_format\\.schema\\.${place.replace(/[$.]/g, '\\$&')}`)
    await expect(plugin.chat(story, written(schema))).rejects.toMatchObject({
      codeName: 'INVALID_PARAMS',
      data: { issues: [{ path }] },
    })
  })

  it('are refused where a schema is nothing but itself, and the model works on', async () => {
    const loop = { $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/a' } } }
    await expect(plugin.chat(story, written(loop))).rejects.toMatchObject({ codeName: 'INVALID_PARAMS' })
    expect(textOf((await plugin.chat(story, written({ const: 1 }))).message)).toBe('1')
  })

  it('are any object where no schema is given, in both formats, whole and streamed', async () => {
    const responseFormat: ResponseFormat = { type: 'json' }
    for (const asked of [plugin, templated]) {
      let text = ''
      for await (const chunk of asked.streamChat(story, { responseFormat, seed: 2 })) text += chunk.text
      expect(typeof JSON.parse(text)).toBe('object')
    }
    const { text } = await plugin.complete('A list:', { responseFormat, seed: 2 })
    expect(typeof JSON.parse(text)).toBe('object')
  })

  it('may be cut where the client asks for few tokens', async () => {
    const answer = await plugin.chat(story, { ...written({ type: 'string', minLength: 30 }), maxTokens: 3 })
    expect(answer.finishReason).toBe('length')
  })
})
