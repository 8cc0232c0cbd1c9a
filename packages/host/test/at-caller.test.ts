import { inspect } from 'node:util'
import type { TTSContract } from '@appfactory/sdk'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type PluginHandle, PluginHost } from '../src/index.js'
import { makeFolder, ttsPlugin, writePlugin } from './fixtures/plugins.js'

const folder = makeFolder()
const host = new PluginHost({ pluginsDir: folder.path })

beforeAll(() => {
  writePlugin(
    folder.path,
    'voice',
    ttsPlugin(`
      async synthesize(text) {
        if (text === 'exit') process.exit(3)
        if (text === 'wait') await new Promise(() => {})
        throw new PluginError('TTS_VOICE_NOT_FOUND', 'No such voice', { voice: 'x' })
      }`),
  )
})

afterAll(async () => {
  await host.close()
  folder.remove()
})

async function failure(work: () => Promise<unknown>): Promise<Error> {
  try {
    await work()
  } catch (error) {
    if (error instanceof Error) return error
  }
  return expect.unreachable('it did not fail')
}

/** The function of the first frame of a stack. */
function firstFrame(error: Error): string | undefined {
  return /^ {4}at (?:async )?(\S+)/m.exec(error.stack ?? '')?.[1]
}

describe('the stack of an error begins at the application’s own call', () => {
  test.for<[string, (tts: PluginHandle<TTSContract>) => Promise<unknown>, string]>([
    [
      'a method of a handle',
      async function ask(tts) {
        await tts.synthesize('x')
      },
      'TTS_VOICE_NOT_FOUND',
    ],
    [
      'an argument that is refused',
      async function ask(tts) {
        await tts.synthesize(7 as never)
      },
      'INVALID_PARAMS',
    ],
    [
      'a stream',
      async function ask(tts) {
        for await (const _ of tts.synthesizeStream('One.'));
      },
      'TTS_VOICE_NOT_FOUND',
    ],
    [
      'host.call',
      async function ask() {
        await host.call('voice', 'synthesize', { text: 'x' })
      },
      'TTS_VOICE_NOT_FOUND',
    ],
    [
      'host.stream',
      async function ask() {
        for await (const _ of host.stream('voice', 'synthesize_stream', { text: 'x' }));
      },
      'TTS_VOICE_NOT_FOUND',
    ],
    [
      'host.load',
      async function ask() {
        await host.load('nobody')
      },
      'PLUGIN_NOT_FOUND',
    ],
  ])('%s', async ([, ask, codeName]) => {
    const error = await failure(() => loaded().then(ask))
    expect(error).toMatchObject({ codeName, name: 'PluginError' })
    const { stack = '' } = error
    expect(firstFrame(error)).toBe('ask')
    expect(stack).toMatch(/^PluginError: .+\n/)
    expect(stack).toContain('at-caller.test.ts')
  })
})

let voice: Promise<PluginHandle<TTSContract>> | undefined
const loaded = (): Promise<PluginHandle<TTSContract>> => (voice ??= host.load<TTSContract>('voice'))

test('calls that fail together each have a stack of their own', async () => {
  const tts = await loaded()
  async function first(): Promise<void> {
    await tts.synthesize('wait')
  }
  async function second(): Promise<void> {
    await tts.synthesize('exit')
  }
  const errors = await Promise.all([failure(first), failure(second)])
  expect(errors.map(firstFrame)).toEqual(['first', 'second'])
  for (const error of errors)
    expect(error).toMatchObject({ codeName: 'PLUGIN_CRASHED', data: { plugin: 'voice' } })
})

test('Node prints the name of the code; the reason of an abort is the cause', async () => {
  const tts = await loaded()
  const printed = inspect(await failure(() => tts.synthesize('x')))
  expect(printed).toMatch(
    /PluginError: No such voice\n(.|\n)*code: 1001,(.|\n)*codeName: 'TTS_VOICE_NOT_FOUND'/,
  )
  const reason = new Error('the user left')
  const before = await failure(() => tts.synthesize('wait', undefined, { signal: AbortSignal.abort(reason) }))
  const controller = new AbortController()
  const call = failure(() => tts.synthesize('wait', undefined, { signal: controller.signal }))
  controller.abort(reason)
  for (const error of [before, await call])
    expect(error).toMatchObject({ codeName: 'REQUEST_CANCELLED', cause: reason })
})
