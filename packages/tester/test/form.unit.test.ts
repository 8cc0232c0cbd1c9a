import { describe, expect, it } from 'vitest'
import type { Schema } from '../src/api/types.js'
import {
  configDefaults,
  initialValue,
  kindOf,
  requiredValues,
  resolve,
  variantName,
  variantOf,
  variantsOf,
} from '../src/form/schema.js'

describe('kindOf', () => {
  it.each<[Schema, string]>([
    [{ type: 'string' }, 'text'],
    [{ type: ['string', 'null'] }, 'text'],
    [{ type: 'string', contentEncoding: 'base64' }, 'bytes'],
    [{ enum: ['a', 2] }, 'enum'],
    [{ enum: [{ a: 1 }] }, 'json'],
    [{ type: 'integer' }, 'integer'],
    [{ type: 'boolean' }, 'boolean'],
    [{ type: 'array', items: { type: 'string' } }, 'list'],
    [{ type: 'array' }, 'json'],
    [{ type: 'object', properties: {} }, 'object'],
    [{ type: 'object', additionalProperties: {} }, 'json'],
    [{ type: ['string', 'number'] }, 'json'],
    [{}, 'json'],
  ])('%j is asked for as %s', (schema, kind) => {
    expect(kindOf(schema)).toBe(kind)
  })
})

describe('resolve', () => {
  const root: Schema = { $defs: { voice: { type: 'string', description: 'its own' } } }

  it('follows references inside the schema, and leaves null aside', () => {
    expect(resolve({ $ref: '#/$defs/voice' }, root)).toMatchObject({ type: 'string', description: 'its own' })
    expect(resolve({ $ref: '#/$defs/voice', description: 'here' }, root)).toMatchObject({
      description: 'here',
    })
    expect(resolve({ anyOf: [{ type: 'number' }, { type: 'null' }] }, root)).toMatchObject({ type: 'number' })
    expect(kindOf(resolve({ anyOf: [{ type: 'number' }, { type: 'string' }] }, root))).toBe('variants')
    expect(kindOf(resolve({ anyOf: [{ required: ['a'] }, { required: ['b'] }] }, root))).toBe('json')
  })

  it('takes choices of one value each for an enum, with their titles', () => {
    const schema: Schema = { oneOf: [{ const: 'a', title: 'First' }, { const: 2 }] }
    expect(resolve(schema, root)).toEqual({ enum: ['a', 2], titles: ['First', '2'] })
  })

  it('leaves a reference alone that leads nowhere', () => {
    expect(kindOf(resolve({ $ref: '#/$defs/none' }, root))).toBe('json')
  })
})

describe('a value of one of several forms', () => {
  const schema: Schema = {
    oneOf: [
      {
        title: 'a file',
        properties: { kind: { const: 'file' }, path: { type: 'string' } },
        required: ['kind'],
      },
      { properties: { kind: { const: 'url' }, url: { type: 'string' } }, required: ['kind', 'url'] },
      { type: 'integer' },
    ],
  }
  const variants = variantsOf(schema)

  it('is recognised by its type and by what the forms differ in', () => {
    const places = [{ kind: 'file' }, { kind: 'url', url: '' }, 7, { kind: 'url' }, 'text', null]
    expect(places.map((value) => variantOf(value, variants, schema))).toEqual([0, 1, 2, -1, -1, -1])
  })

  it('begins as a value of that form', () => {
    for (const [index, variant] of variants.entries())
      expect(variantOf(initialValue(variant, schema), variants, schema)).toBe(index)
    expect(variants.map((variant, index) => variantName(variant, schema, index))).toEqual([
      'a file',
      'url',
      'integer',
    ])
  })
})

describe('a schema that contains itself', () => {
  it.each<[string, Schema]>([
    ['by its root', { type: 'object', properties: { next: { $ref: '#' } }, required: ['next'] }],
    [
      'by a definition with an odd name',
      {
        $ref: '#/$defs/a~1b%20c',
        $defs: {
          'a/b c': { type: 'object', properties: { next: { $ref: '#/$defs/a~1b%20c' } }, required: ['next'] },
        },
      },
    ],
    [
      'in a list',
      {
        type: 'object',
        properties: { all: { type: 'array', minItems: 1, items: { $ref: '#' } } },
        required: ['all'],
      },
    ],
    ['and nothing else', { $ref: '#' }],
    [
      'in a circle',
      { $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/b' }, b: { allOf: [{ $ref: '#/$defs/a' }] } } },
    ],
    ['at a place that can’t be', { $ref: '#/$defs/50%' }],
  ])('%s begins somewhere', (_, schema) => {
    expect(JSON.stringify(initialValue(schema, schema)).length).toBeLessThan(100)
    expect(configDefaults(schema, { a: 1 })).toEqual({ a: 1 })
  })

  it('may hold null in place of itself', () => {
    const schema: Schema = {
      type: 'object',
      properties: { label: { type: 'string' }, next: { anyOf: [{ $ref: '#' }, { type: 'null' }] } },
      required: ['label', 'next'],
    }
    expect(requiredValues(schema, schema)).toEqual({ label: '', next: null })
  })
})

describe('what a form begins with', () => {
  it('is what must be there', () => {
    const schema: Schema = {
      type: 'object',
      properties: {
        messages: {
          type: 'array',
          minItems: 1,
          items: {
            type: 'object',
            properties: { role: { enum: ['system', 'user'] }, content: { type: 'string' } },
            required: ['role', 'content'],
          },
        },
        temperature: { type: 'number', default: 0.7 },
        count: { type: 'integer', minimum: 3 },
      },
      required: ['messages', 'count'],
    }
    expect(requiredValues(schema, schema)).toEqual({ messages: [{ role: 'user', content: '' }], count: 3 })
  })

  it('leaves out what a person has to choose', () => {
    const schema: Schema = {
      properties: { mood: { enum: ['calm', 'loud'] }, kind: { const: 'only' } },
      required: ['mood', 'kind'],
    }
    expect(requiredValues(schema, schema)).toEqual({ kind: 'only' })
  })

  it('is, of a configuration, its defaults with the manifest’s over them', () => {
    const schema: Schema = { properties: { a: { default: 1 }, b: { default: 2 }, c: {} } }
    expect(configDefaults(schema, { b: 3 })).toEqual({ a: 1, b: 3 })
  })
})
