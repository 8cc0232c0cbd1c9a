import { request as httpRequest } from 'node:http'
import type { PluginHost } from '@appfactory/host'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, serveGateway } from '../src/index.js'
import { type Answer, json, post, startHost } from './visitor.js'

let host: PluginHost
let gateway: Gateway
beforeAll(async () => {
  host = await startHost(['letter_embedding', 'wave_tts'])
  gateway = await serveGateway(host, {
    port: 0,
    models: { 'text-embedding-3-small': 'letter_embedding/large' },
    limits: { drainTimeoutMs: 1 },
  })
})
afterAll(async () => {
  await gateway.close()
  await host.close({ force: true })
})

const embed = (input: unknown, more: object = {}): Promise<Answer> =>
  post(gateway.port, '/v1/embeddings', { model: 'letter_embedding', input, ...more })

describe('POST /v1/embeddings', () => {
  it.each([
    ['text', 'ab'],
    ['an array', ['ab']],
  ])('answers %s', async (_, input) => {
    const answer = await embed(input)
    expect(answer.status).toBe(200)
    expect(json(answer)).toEqual({
      object: 'list',
      data: [{ object: 'embedding', index: 0, embedding: [2, 97, Math.fround(0.1)] }],
      model: 'letter_embedding',
      usage: { prompt_tokens: 2, total_tokens: 2 },
    })
  })

  it('gives vectors as floats of 32 bits in base64', async () => {
    const { data } = json(await embed('ab', { encoding_format: 'base64' })) as {
      data: [{ embedding: string }]
    }
    const bytes = Buffer.from(data[0].embedding, 'base64')
    expect([0, 4, 8].map((at) => bytes.readFloatLE(at))).toEqual([2, 97, Math.fround(0.1)])
    expect(bytes).toHaveLength(12)
  })

  it('counts no tokens where the plugin counts none', async () => {
    const uncounted = await embed('/uncounted')
    expect(json(uncounted)).toMatchObject({ usage: { prompt_tokens: 0, total_tokens: 0 } })
    expect(uncounted.headers['x-appfactory-usage']).toBe('unknown')
    expect((await embed('counted')).headers['x-appfactory-usage']).toBeUndefined()
  })

  it('takes null for what is optional, and ignores who the user is', async () => {
    const answer = await embed('ab', { encoding_format: null, dimensions: null, user: 'ann' })
    expect(answer.status).toBe(200)
    expect(answer.headers['x-appfactory-ignored']).toBe('user')
  })

  it.each([
    [{ input: undefined }, 'input'],
    [{ input: null }, 'input'],
    [{ input: '' }, 'input'],
    [{ input: [] }, 'input'],
    [{ input: {} }, 'input'],
    [{ input: 5 }, 'input'],
    [{ input: [1, 2, 3] }, 'input'],
    [{ input: [[1, 2], [3]] }, 'input'],
    [{ input: ['a', ''] }, 'input[1]'],
    [{ input: ['a', 5] }, 'input[1]'],
    [{ input: ['a', null] }, 'input[1]'],
    [{ model: undefined }, 'model'],
    [{ model: 'wave_tts' }, 'model'],
    [{ encoding_format: 'int8' }, 'encoding_format'],
    [{ dimensions: 0 }, 'dimensions'],
    [{ dimensions: 1.5 }, 'dimensions'],
    [{ dimensions: '3' }, 'dimensions'],
    // What only the plugin can tell.
    [{ dimensions: 4 }, 'dimensions'],
  ])('refuses %j at %s', async (body, param) => {
    const answer = await embed('a', body)
    expect([answer.status, json(answer)]).toMatchObject([400, { error: { param } }])
    expect((await embed('a')).status).toBe(200)
  })

  it.each([
    ['too many texts', Array.from({ length: 2049 }, () => 'a')],
    ['too long a text', 'a'.repeat(262_145)],
  ])('refuses %s', async (_, input) => {
    const answer = await embed(input)
    expect([answer.status, json(answer)]).toMatchObject([400, { error: { param: 'input' } }])
  })

  it.each([
    ['/long', 400, 'context_length_exceeded'],
    ['/few', 500, 'internal_error'],
  ])('answers what goes wrong in the plugin at %s', async (input, status, code) => {
    const answer = await embed(['a', input])
    expect([answer.status, json(answer)]).toMatchObject([status, { error: { code } }])
  })

  it.each(['nobody', 'letter_embedding/huge'])('knows no model %s', async (model) => {
    const answer = await embed('a', { model })
    expect([answer.status, json(answer)]).toMatchObject([404, { error: { code: 'model_not_found' } }])
  })

  it('ends the call in the plugin when its client goes', async () => {
    const details = async (): Promise<unknown> => (await host.health('letter_embedding')).details
    const sent = httpRequest({
      host: '127.0.0.1',
      port: gateway.port,
      path: '/v1/embeddings',
      method: 'POST',
      headers: { 'content-type': 'application/json' },
    })
    sent.on('error', () => {})
    sent.end(JSON.stringify({ model: 'letter_embedding', input: '/wait' }))
    await expect.poll(details).toMatchObject({ aborts: 0, waiting: 1 })
    sent.destroy()
    await expect.poll(details).toMatchObject({ aborts: 1, waiting: 1 })
  })
})

describe('openai in Node', () => {
  const openai = (): OpenAI => new OpenAI({ baseURL: gateway.url, apiKey: 'none', maxRetries: 0 })

  it('embeds, by default in base64', async () => {
    const { data, model, usage } = await openai().embeddings.create({
      model: 'text-embedding-3-small',
      input: ['a', 'bcd'],
      dimensions: 2,
    })
    expect(data.map(({ embedding }) => embedding)).toEqual([
      [1, 97],
      [3, 98],
    ])
    expect([model, usage]).toEqual(['text-embedding-3-small', { prompt_tokens: 4, total_tokens: 4 }])
  })

  it('gets thousands of embeddings in their order', async () => {
    const input = Array.from({ length: 2048 }, (_, index) => 'x'.repeat(1 + (index % 300)))
    const { data } = await openai().embeddings.create({
      model: 'letter_embedding',
      input,
      encoding_format: 'float',
    })
    expect(data.map(({ index }) => index)).toEqual(input.map((_, index) => index))
    expect(data.map(({ embedding }) => embedding[0])).toEqual(input.map(({ length }) => length))
  })

  it('is told what is wrong by its own classes', async () => {
    const { embeddings } = openai()
    await expect(embeddings.create({ model: 'letter_embedding', input: [1, 2] })).rejects.toThrow(
      OpenAI.BadRequestError,
    )
    await expect(embeddings.create({ model: 'nobody', input: 'a' })).rejects.toThrow(OpenAI.NotFoundError)
  })

  it('lists the plugin and its models', async () => {
    const ids: string[] = []
    for await (const { id } of openai().models.list()) ids.push(id)
    expect(ids).toEqual([
      'letter_embedding',
      'letter_embedding/small',
      'letter_embedding/large',
      'wave_tts',
      'text-embedding-3-small',
    ])
    expect(await openai().models.retrieve('letter_embedding/large')).toMatchObject({ object: 'model' })
  })
})
