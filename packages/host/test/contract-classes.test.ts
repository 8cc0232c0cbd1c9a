import { defineContract, isPluginError, LLMContract, type PluginError, TTSContract } from '@appfactory/sdk'
import { afterAll, beforeAll, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { type PluginHandle, PluginHost } from '../src/index.js'
import {
  linkZod,
  makeFolder,
  notesProcess,
  processesOf,
  runningOf,
  ttsPlugin,
  writePlugin,
} from './fixtures/plugins.js'

const count = { args: z.object({ text: z.string() }), result: z.object({ characters: z.number() }) }
const Counting = defineContract({ name: 'counting', version: '1.0.0', methods: { count } })
/** The same contract, a version later. */
const CountingMore = defineContract({
  ...{ name: 'counting', version: '1.1.0' },
  methods: { count, countWords: count },
})
abstract class OwnCounting extends Counting {
  abstract helper(): void
}

const counter = `${notesProcess}
import { defineContract } from '@appfactory/sdk'
import { z } from 'zod'
const count = { args: z.object({ text: z.string() }), result: z.object({ characters: z.number() }) }
const Counting = defineContract({ name: 'counting', version: '1.0.0', methods: { count } })
export default class Counter extends Counting {
  async initialize() {}
  async shutdown() {}
  async healthCheck() { return { status: this.status } }
  async count({ text }) { return { characters: text.length } }
}`

const folder = makeFolder()
const host = new PluginHost({ pluginsDir: folder.path })
let counterFolder: string
let speakerFolder: string

beforeAll(() => {
  speakerFolder = writePlugin(folder.path, 'speaker', notesProcess + ttsPlugin())
  counterFolder = writePlugin(folder.path, 'counter', counter, { contract: 'counting' })
  linkZod(counterFolder)
})

afterAll(async () => {
  await host.close()
  folder.remove()
})

async function failure(call: Promise<unknown>): Promise<PluginError> {
  const error: unknown = await call.catch((thrown: unknown) => thrown)
  if (isPluginError(error)) return error
  throw new Error('It was to fail with a PluginError', { cause: error })
}

test('a shipped contract is the type of the handle', async () => {
  await using tts = await host.load(TTSContract, 'speaker', { config: {} })
  expectTypeOf(tts).toEqualTypeOf<PluginHandle<TTSContract>>()
  expect((await tts.synthesize('Hello')).sampleRate).toBe(16_000)
  const again = await host.get(TTSContract, 'speaker')
  expectTypeOf(again).toEqualTypeOf<PluginHandle<TTSContract>>()
  expect(await again.getVoices()).toHaveLength(1)
})

test('so is one of defineContract(), and a class that extends it', async () => {
  await using plugin = await host.load(Counting, 'counter')
  expectTypeOf(plugin.count).returns.toEqualTypeOf<Promise<{ characters: number }>>()
  expect(await plugin.count({ text: 'four' })).toEqual({ characters: 4 })
  const own = await host.get(OwnCounting, 'counter')
  expectTypeOf(own.count).returns.toEqualTypeOf<Promise<{ characters: number }>>()
  expect(await own.count({ text: 'x' })).toEqual({ characters: 1 })
})

test('the name of another contract is refused before any process starts, with both names', async () => {
  const before = processesOf(speakerFolder).length
  const error = await failure(host.load(LLMContract, 'speaker'))
  expect(error).toMatchObject({
    codeName: 'CONTRACT_MISMATCH',
    data: { plugin: 'speaker', contract: 'tts', expected: 'llm' },
  })
  expect(error.message).toMatch(/"tts", not "llm"/)
  expect(processesOf(speakerFolder)).toHaveLength(before)
  // Nothing of it is loaded.
  expect((await host.health('speaker')).status).toBe('UNLOADED')
  await using tts = await host.load(TTSContract, 'speaker')
  expect(await failure(host.get(LLMContract, 'speaker'))).toMatchObject({ codeName: 'CONTRACT_MISMATCH' })
  expect(await tts.getVoices()).toHaveLength(1)
})

test('a plugin of an earlier version lacks a method: its process ends, and it is not loaded', async () => {
  expect(await failure(host.load(CountingMore, 'counter'))).toMatchObject({
    codeName: 'CONTRACT_MISMATCH',
    data: { plugin: 'counter', methods: ['countWords'] },
  })
  expect(processesOf(counterFolder).length).toBeGreaterThan(0)
  await expect.poll(() => runningOf(counterFolder)).toEqual([])
  expect((await host.health('counter')).status).toBe('UNLOADED')
})

test('what is no contract is refused', async () => {
  const notOne: unknown = class Engine {}
  await expect(Reflect.apply(host.load, host, [notOne, 'speaker'])).rejects.toThrow(
    /^load\(\) takes the name of a plugin, or a contract.*not the class Engine/,
  )
  await expect(Reflect.apply(host.get, host, [notOne, 'speaker'])).rejects.toThrow(TypeError)
  await expect(Reflect.apply(host.load, host, [undefined, 'speaker'])).rejects.toThrow(TypeError)
  // @ts-expect-error A class that is no contract is no argument either.
  await expect(host.load(Date, 'speaker')).rejects.toThrow(TypeError)
})

test('a method that the plugin does not have is an error that names those that it has', async () => {
  await using plugin = await host.load<LLMContract>('speaker')
  expect(() => plugin.chat([])).toThrow(
    expect.objectContaining({
      codeName: 'METHOD_NOT_FOUND',
      message: expect.stringMatching(/"speaker".*no method chat.*synthesize, getVoices/),
      data: expect.objectContaining({ methods: expect.arrayContaining(['synthesize']) }),
    }),
  )
  expect('chat' in plugin).toBe(false)
  // It can be awaited, printed and compared as any other object.
  expect(await Promise.resolve(plugin)).toBe(plugin)
  expect(`${plugin}`).toBe('[object Object]')
  expect(JSON.parse(JSON.stringify(plugin))).toEqual({ name: 'speaker', contract: 'tts' })
})
