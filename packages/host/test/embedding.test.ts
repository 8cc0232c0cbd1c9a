import type { EmbeddingContract } from '@appfactory/sdk'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type PluginHandle, PluginHost } from '../src/index.js'
import { runCommand } from './fixtures/command.js'
import { makeFolder, writePlugin } from './fixtures/plugins.js'
import { startHost } from './server/client.js'

/** Its vectors have the number of characters, and ones. The text "lost" has none. */
const counter = `
import { EmbeddingContract, PluginError } from '@appfactory/sdk'
export default class Counter extends EmbeddingContract {
  async initialize() {}
  async shutdown() {}
  async healthCheck() { return { status: this.status } }
  async embed(texts, { model = 'small', dimensions = 3, providerOptions } = {}) {
    if (model !== 'small') throw new PluginError('LLM_MODEL_NOT_AVAILABLE', 'there is small')
    const kept = texts.filter((text) => text !== 'lost')
    const vectors = kept.map((text) => Float32Array.from({ length: Math.min(dimensions, 4) }, (_, at) => (at ? 1 : text.length)))
    return { embeddings: vectors, model, usage: { promptTokens: texts.length }, metadata: { given: providerOptions } }
  }
  async getModels() { return [{ id: 'small', dimensions: 3 }] }
}`

const folder = makeFolder()
const host = new PluginHost({ pluginsDir: folder.path })
let embedder: PluginHandle<EmbeddingContract>

beforeAll(async () => {
  writePlugin(folder.path, 'counter', counter, { contract: 'embedding' })
  embedder = await host.load<EmbeddingContract>('counter')
})

afterAll(async () => {
  await host.close()
  folder.remove()
})

test('a handle returns plain vectors of a plugin’s own, and takes its options', async () => {
  const providerOptions = { camelCase: 1, snake_case: 2 }
  expect(await embedder.embed(['one', 'three'], { dimensions: 2, providerOptions })).toEqual({
    embeddings: [
      [3, 1],
      [5, 1],
    ],
    model: 'small',
    usage: { promptTokens: 2 },
    metadata: { given: providerOptions },
  })
  expect(await embedder.getModels()).toEqual([{ id: 'small', dimensions: 3 }])
})

test.each([
  ['no texts', { texts: [] }, 'INVALID_PARAMS'],
  ['a text that is a number', { texts: [1] }, 'INVALID_PARAMS'],
  ['dimensions that the model does not have', { texts: ['a'], dimensions: 9 }, 'INVALID_PARAMS'],
  ['an unknown model', { texts: ['a'], model: 'huge' }, 'LLM_MODEL_NOT_AVAILABLE'],
  ['a text that gets no vector', { texts: ['a', 'lost'] }, 'INTERNAL_ERROR'],
])('%s: the call fails, and the next one is answered', async (_, args, codeName) => {
  await expect(host.call('counter', 'embed', args)).rejects.toMatchObject({ codeName })
  expect(await host.call('counter', 'embed', { texts: ['a'] })).toMatchObject({ embeddings: [[1, 1, 1]] })
})

test('on stdio it is described, and called by the name of its contract', async () => {
  const files = {
    'counter/manifest.json': JSON.stringify({
      ...{ name: 'counter', version: '1.0.0', contract: 'embedding', entry_point: 'index.js' },
    }),
    'counter/package.json': '{"type":"module"}',
    'counter/index.js': counter,
  }
  const client = startHost(files)
  await client.result('plugin/load', { name: 'counter' })
  expect(await client.result('plugin/describe', { name: 'counter' })).toMatchObject({
    methods: [{ name: 'embed', args: { required: ['texts'] } }, { name: 'get_models' }],
  })
  expect(await client.result('embedding/embed', { texts: ['one'], dimensions: null })).toMatchObject({
    embeddings: [[3, 1, 1]],
    usage: { prompt_tokens: 1 },
  })
})

test('appfactory-host test runs all checks of the contract', async () => {
  const { status, stdout } = await runCommand(folder.path, 'test', 'counter', '--json')
  const { contract, failed, results }: { contract: string; failed: number; results: { id: string }[] } =
    JSON.parse(stdout)
  expect({ status, contract, failed }, stdout).toEqual({ status: 0, contract: 'embedding', failed: 0 })
  expect(results.map(({ id }) => id)).toEqual(
    expect.arrayContaining([
      'embedding.embed.order',
      'embedding.embed.dimensions',
      'embedding.get_models.unique',
    ]),
  )
})
