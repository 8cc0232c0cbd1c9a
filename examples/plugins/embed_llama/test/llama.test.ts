import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import LlamaEmbedder from '../src/index.js'

const plugin = new LlamaEmbedder()

beforeAll(() => plugin.initialize({}))
afterAll(() => plugin.shutdown())

/** How much alike two texts are: the product of vectors of the length 1. */
async function likeness(one: string, other: string): Promise<number> {
  const { embeddings } = await plugin.embed([one, other])
  const [first = [], second = []] = embeddings
  return first.reduce((sum, value, index) => sum + value * (second[index] ?? 0), 0)
}

describe('embed', () => {
  it('puts texts of one topic near each other', async () => {
    const capital = 'What is the capital of France?'
    const fox = 'Tell me a story about a fox.'
    expect(await likeness(capital, capital)).toBeCloseTo(1)
    expect(await likeness(capital, 'The capital of Italy is Rome.')).toBeGreaterThan(
      await likeness(capital, fox),
    )
    expect(await likeness(fox, 'Once upon a time there was a fox.')).toBeGreaterThan(
      await likeness(fox, capital),
    )
  })

  it('gives calls at the same time their own vectors', async () => {
    const texts = ['one', 'two', 'three']
    const alone: number[][] = []
    for (const text of texts) alone.push(...(await plugin.embed([text])).embeddings)
    const together = await Promise.all(texts.map((text) => plugin.embed([text])))
    expect(together.flatMap(({ embeddings }) => embeddings)).toEqual(alone)
    expect((await plugin.embed(texts)).embeddings).toEqual(alone)
  })

  it('tells what it used, and its model', async () => {
    const [model] = await plugin.getModels()
    const { embeddings, ...rest } = await plugin.embed(['the fox'])
    expect(model).toMatchObject({ id: 'tiny', dimensions: embeddings[0]?.length, contextLength: 256 })
    expect(rest).toMatchObject({ model: 'tiny', usage: { promptTokens: expect.any(Number) } })
    expect(rest.usage?.promptTokens).toBeGreaterThan(1)
    expect((await plugin.embed(['the fox'], { model: 'tiny' })).embeddings).toEqual(embeddings)
  })

  it.each([
    ['an empty text', ['fox', ''], {}, 'INVALID_PARAMS'],
    ['a long text', ['a fox '.repeat(1000)], {}, 'LLM_CONTEXT_TOO_LONG'],
    ['an unknown model', ['fox'], { model: 'huge' }, 'LLM_MODEL_NOT_AVAILABLE'],
  ] as const)('refuses %s, and goes on', async (_, texts, options, codeName) => {
    await expect(plugin.embed([...texts], options)).rejects.toMatchObject({ codeName })
    expect((await plugin.embed(['fox'])).embeddings).toHaveLength(1)
  })

  it('stops between texts when it is cancelled', async () => {
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(plugin.embed(['fox'], { signal })).rejects.toThrow('enough')
  })

  it('takes what looks like a special token as text', async () => {
    expect(await likeness('</s>', '<s>')).toBeLessThan(0.999)
  })
})

describe('a model file', () => {
  it('that is not there, or none, is told with its path', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'embed-llama-'))
    const broken = new LlamaEmbedder()
    const model_path = join(folder, 'none.gguf')
    try {
      await expect(broken.initialize({ model_path })).rejects.toMatchObject({ codeName: 'MODEL_NOT_FOUND' })
      await writeFile(model_path, 'not a model')
      await broken.initialize({ model_path })
      await expect(broken.embed(['fox'])).rejects.toThrow(model_path)
    } finally {
      await broken.shutdown()
      await rm(folder, { recursive: true })
    }
  })
})
