import { createAppFactory } from '@appfactory/ai-sdk-provider'
import { createAppFactory as createForV6 } from '@appfactory/ai-sdk-provider/v6'
import {
  APICallError,
  createProviderRegistry,
  embed,
  embedMany,
  NoSuchModelError,
  defaultEmbeddingSettingsMiddleware as settings,
  wrapEmbeddingModel,
} from 'ai'
import { embedMany as embedManyV6, embed as embedV6 } from 'ai-v6'
import { expect, it } from 'vitest'
import { detailsOf, hostOfTests } from './setup.js'

const { host } = hostOfTests(['counting_embedder', 'tool_llm'])
const model = (id = 'counting_embedder') => createAppFactory({ host: host() }).embedding(id)

async function calls(): Promise<unknown[]> {
  const { calls } = await detailsOf(host(), 'counting_embedder')
  return Array.isArray(calls) ? calls : []
}

it('embeds a text with every setting', async () => {
  const { embedding, usage, warnings, providerMetadata } = await embed({
    model: model('counting_embedder/small'),
    value: 'abc',
    providerOptions: { appfactory: { dimensions: 2, pooling: 'mean' } },
  })
  expect([embedding, usage]).toEqual([[3, 0], { tokens: 1 }])
  expect(warnings).toEqual([{ type: 'other', message: 'rounded' }])
  expect(providerMetadata).toEqual({ appfactory: { model: 'small' } })
  expect((await calls()).at(-1)).toEqual({
    count: 1,
    options: { model: 'small', dimensions: 2, providerOptions: { pooling: 'mean' } },
  })
})

it('embeds many texts in their order, in several calls', async () => {
  const values = Array.from({ length: 150 }, (_, index) => 'x'.repeat(index))
  const { embeddings, usage } = await embedMany({ model: model(), values })
  expect(embeddings).toEqual(values.map(({ length }) => [length, length % 64]))
  expect(usage).toEqual({ tokens: 150 })
  expect((await calls()).slice(-3)).toMatchObject([{ count: 64 }, { count: 64 }, { count: 22 }])
})

it('refuses more values than a call may have, and values that are no text', async () => {
  const { doEmbed, maxEmbeddingsPerCall } = model()
  const values = Array.from({ length: Number(maxEmbeddingsPerCall) + 1 }, () => 'x')
  await expect(doEmbed({ values })).rejects.toMatchObject({ name: 'AI_TooManyEmbeddingValuesForCallError' })
  await expect(embed({ model: model(), value: JSON.parse('5') })).rejects.toMatchObject({ statusCode: 400 })
})

it('is in a registry, and can be wrapped', async () => {
  const registry = createProviderRegistry({ local: createAppFactory({ host: host() }) })
  const wrapped = wrapEmbeddingModel({
    model: registry.embeddingModel('local:counting_embedder'),
    middleware: settings({ settings: { providerOptions: { appfactory: { dimensions: 2 } } } }),
  })
  expect((await embed({ model: wrapped, value: 'ab' })).embedding).toEqual([2, 0])
  expect((await calls()).at(-1)).toMatchObject({ options: { dimensions: 2 } })
})

it('gives errors of the AI SDK', async () => {
  for (const id of ['nobody', 'tool_llm']) {
    const error = await embed({ model: model(id), value: 'x' }).catch((thrown: unknown) => thrown)
    expect(NoSuchModelError.isInstance(error), id).toBe(true)
    expect(error).toMatchObject({ modelId: id, modelType: 'embeddingModel' })
  }
  const error = await embed({ model: model(), value: 'refuse', maxRetries: 0 }).catch((thrown) => thrown)
  expect(APICallError.isInstance(error) && [error.statusCode, error.isRetryable]).toEqual([400, false])
  const other = { appfactory: { dimensions: 3 } }
  await expect(embed({ model: model(), value: 'x', providerOptions: other })).rejects.toMatchObject({
    statusCode: 400,
    message: expect.stringContaining('dimensions'),
  })
})

it('is aborted', async () => {
  const abort = new AbortController()
  const embedding = embed({ model: model(), value: 'slow', abortSignal: abort.signal })
  const failed = expect(embedding).rejects.toThrow('enough')
  await expect.poll(async () => (await detailsOf(host(), 'counting_embedder'))['calls_in_flight']).toBe(1)
  abort.abort(new Error('enough'))
  await failed
  await expect.poll(async () => (await detailsOf(host(), 'counting_embedder'))['calls_in_flight']).toBe(0)
})

it('embeds in ai 6', async () => {
  const older = createForV6({ host: host() }).embeddingModel('counting_embedder')
  expect((await embedV6({ model: older, value: 'abc' })).embedding).toEqual([3, 0])
  const { embeddings } = await embedManyV6({ model: older, values: Array.from({ length: 65 }, () => 'x') })
  expect(embeddings.map(([, place]) => place).slice(-2)).toEqual([63, 0])
})

it('goes on after a crash', async () => {
  const crashed = embed({ model: model(), value: 'crash', maxRetries: 0 }).catch((thrown: unknown) => thrown)
  expect(await crashed).toMatchObject({ statusCode: 502, isRetryable: true })
  expect((await embed({ model: model(), value: 'ab' })).embedding).toEqual([2, 0])
})
