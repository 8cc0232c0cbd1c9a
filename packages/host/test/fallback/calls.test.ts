import { once } from 'node:events'
import type { LLMContract, STTContract, SynthesisResult, TTSContract } from '@appfactory/sdk'
import { LLMContract as LLM, TTSContract as TTS } from '@appfactory/sdk'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FallbackEvent, PluginHost } from '../../src/index.js'
import { makeFolder } from '../fixtures/plugins.js'
import { writeEngines } from './engines.js'

const folder = makeFolder()
let host: PluginHost

beforeAll(async () => {
  writeEngines(folder.path)
  host = new PluginHost({ pluginsDir: folder.path, restart: { firstDelayMs: 1, maxCrashes: 100 } })
  await Promise.all(['one', 'two', 'three'].map((name) => host.load(name)))
})

afterAll(async () => {
  await host.close({ force: true })
  folder.remove()
})

let names = 0

/** A fallback of its own for each test: what one learns of the plugins does not reach the others. */
function freshName(): string {
  names += 1
  return `voice-${names}`
}

function speakerOf({ metadata }: SynthesisResult): unknown {
  return metadata?.['plugin']
}

/** The next event that another plugin serves. */
async function change(name: string): Promise<FallbackEvent> {
  for (;;) {
    const [event] = await once(host, 'fallback')
    if (event.plugin === name) return event
  }
}

/** Probes that come at once. */
const eager = { probeIntervalMs: 1, leaveAfter: 1 }
/** Probes that never come. */
const patient = { probeIntervalMs: Number.POSITIVE_INFINITY }

test('the first plugin answers, typed and by wire names, and the handle has the name of the fallback', async () => {
  const name = freshName()
  const voice = await host.fallback<TTSContract>(name, ['one', 'two'])
  expect(voice.name).toBe(name)
  expect(speakerOf(await voice.synthesize('Hello'))).toBe('one')
  expect(await host.call(name, 'synthesize', { text: 'Hello' })).toMatchObject({
    metadata: { plugin: 'one' },
  })
  const again = await host.get(TTS, name)
  expect(speakerOf(await again.synthesize('Hello'))).toBe('one')
  await expect(host.get(LLM, name)).rejects.toMatchObject({ codeName: 'CONTRACT_MISMATCH' })
})

test.each([
  ['fails', 'fail@one '],
  ['is killed by the call', 'crash@one '],
  ['gives up by itself', 'giveup@one '],
  ['says nothing', 'mute@one '],
  ['answers with a code of its own', 'own@one '],
])('the next plugin answers where one %s', async (_, text) => {
  const voice = await host.fallback<TTSContract>(freshName(), ['one', 'two'], patient)
  expect(speakerOf(await voice.synthesize(text))).toBe('two')
})

test('the next one is tried where one takes longer than an attempt may; the time of the call goes on', async () => {
  const voice = await host.fallback<TTSContract>(freshName(), ['one', 'two'], { attemptTimeoutMs: 30 })
  expect(speakerOf(await voice.synthesize('hang@one ', undefined, { timeoutMs: 60_000 }))).toBe('two')
})

test('the last plugin has all the time that is left, and not that of an attempt', async () => {
  const voice = await host.fallback<TTSContract>(freshName(), ['one', 'two'], { attemptTimeoutMs: 5 })
  const doomed = voice.synthesize('hang@one hang@two ', undefined, { timeoutMs: 60 })
  const error = await doomed.catch((reason: unknown) => reason)
  expect(error).toMatchObject({ codeName: 'CALL_TIMEOUT', data: { timeout_ms: 60 } })
})

test('without a time for attempts, each plugin has a share of the call’s', async () => {
  const voice = await host.fallback<TTSContract>(freshName(), ['one', 'two'])
  expect(speakerOf(await voice.synthesize('hang@one ', undefined, { timeoutMs: 400 }))).toBe('two')
})

test('what is the caller’s fault is answered at once, and marks no engine', async () => {
  const name = freshName()
  const voice = await host.fallback<TTSContract>(name, ['one', 'two'], { leaveAfter: 1, ...patient })
  for (let call = 0; call < 3; call++)
    await expect(voice.synthesize('Hi', 'bad')).rejects.toMatchObject({ codeName: 'TTS_VOICE_NOT_FOUND' })
  await expect(host.call(name, 'synthesize', { text: 7 })).rejects.toMatchObject({
    codeName: 'INVALID_PARAMS',
  })
  await expect(host.call(name, 'synthesize', { text: 'Hi' }, { timeoutMs: -1 })).rejects.toThrow(TypeError)
  expect((await host.health(name)).details).toMatchObject({ serving: 'one' })
})

test('an empty answer to an empty text is no failure; the last plugin’s is taken for an answer', async () => {
  const name = freshName()
  const voice = await host.fallback<TTSContract>(name, ['silent', 'two'], { leaveAfter: 1, ...patient })
  for (const text of ['', ' ', '…'])
    expect(await voice.synthesize(text)).toMatchObject({
      audio: new Uint8Array(),
      metadata: { plugin: 'silent' },
    })
  expect((await host.health(name)).details).toMatchObject({ serving: 'silent' })
  const pieces = []
  for await (const piece of voice.synthesizeStream('none@two ')) pieces.push(piece)
  expect(pieces).toEqual([])
  expect((await host.health(name)).details).toMatchObject({ serving: 'two' })
})

test('where all fail, the error tells what each has said', async () => {
  const voice = await host.fallback<TTSContract>(freshName(), ['one', 'two'], patient)
  const error = await voice.synthesize('fail@one fail@two ').catch((reason: unknown) => reason)
  expect(error).toMatchObject({
    codeName: 'INTERNAL_ERROR',
    data: { attempts: [{ plugin: 'one' }, { plugin: 'two' }] },
  })
})

test('a call that was cancelled is not made again', async () => {
  const name = freshName()
  const voice = await host.fallback<TTSContract>(name, ['one', 'two'], { leaveAfter: 1, ...patient })
  const abort = new AbortController()
  const call = voice.synthesize('hang@one ', undefined, { signal: abort.signal })
  const inFlight = async (): Promise<unknown> => (await host.health('one')).details?.['calls_in_flight']
  await expect.poll(inFlight, { interval: 5 }).toBeGreaterThan(0)
  abort.abort()
  await expect(call).rejects.toMatchObject({ codeName: 'REQUEST_CANCELLED' })
  expect((await host.health(name)).details).toMatchObject({ serving: 'one' })
})

test('a call that is not to fall back goes to the first plugin only, also where that is passed over', async () => {
  const name = freshName()
  const voice = await host.fallback<TTSContract>(name, ['one', 'two'], { leaveAfter: 1, ...patient })
  const failed = voice.synthesize('fail@one ', undefined, { fallback: false })
  await expect(failed).rejects.toMatchObject({ codeName: 'INTERNAL_ERROR' })
  expect((await host.health(name)).details).toMatchObject({ serving: 'two' })
  const options = { fallback: false }
  await expect(host.call(name, 'synthesize', { text: 'fail@one ' }, options)).rejects.toThrow('broken')
  const first = host.stream(name, 'synthesize_stream', { text: 'fail@one ' }, options).next()
  await expect(first).rejects.toThrow('broken')
  expect(speakerOf(await voice.synthesize('Hello', undefined, options))).toBe('one')
  const wrong = host.call(name, 'synthesize', { text: '' }, JSON.parse('{"fallback":1}'))
  await expect(wrong).rejects.toThrow('fallback takes true, false or "restart", not 1')
})

test('voices, models and defaults are those of the plugin that is tried; options reach it too', async () => {
  const given = {
    plugin: 'two',
    voices: { alloy: 'slt', '*': 'rms' },
    defaults: { speed: 2, voice_id: 'kal' },
  }
  const voice = await host.fallback<TTSContract>(freshName(), ['one', given], { leaveAfter: 1, ...patient })
  const speak = (voiceId?: string, speed?: number): Promise<SynthesisResult> =>
    voice.synthesize('fail@one ', voiceId, speed === undefined ? {} : { speed })
  expect(await speak('alloy')).toMatchObject({ voiceId: 'slt', metadata: { options: { speed: 2 } } })
  expect(await speak('onyx', 1.5)).toMatchObject({ voiceId: 'rms', metadata: { options: { speed: 1.5 } } })
  expect(await speak()).toMatchObject({ voiceId: 'kal' })
  // A default is for the methods that have such an argument.
  expect(await voice.getVoices()).toMatchObject([{ id: 'two' }])
  const text = await host.fallback<LLMContract>(freshName(), [
    { plugin: 'llm_one', models: { 'gpt-4o': 'big' } },
    { plugin: 'llm_two', models: { '*': 'small' } },
  ])
  const asked = { model: 'gpt-4o' }
  expect((await text.chat([{ role: 'user', content: 'Hi' }], asked)).message.content).toBe('llm_one:big')
  expect((await text.chat([{ role: 'user', content: 'slow down' }], asked)).message.content).toBe(
    'llm_two:small',
  )
})

test('a plugin that has not the voice of the first speaks with its own', async () => {
  const given = { plugin: 'two', defaults: { voice_id: 'kal' } }
  const voice = await host.fallback<TTSContract>(freshName(), ['one', given], { leaveAfter: 1, ...patient })
  expect(await voice.synthesize('Hello', 'ones')).toMatchObject({ voiceId: 'ones' })
  const spoken = await voice.synthesize('fail@one ', 'ones')
  expect(spoken).toMatchObject({ voiceId: 'kal', metadata: { plugin: 'two' } })
  for await (const piece of voice.synthesizeStream('Hello', 'ones'))
    expect(piece).toMatchObject({ voiceId: 'kal' })
  const silent = await host.fallback<TTSContract>(
    freshName(),
    ['one', { plugin: 'two', defaults: { voice_id: 'bad' } }],
    patient,
  )
  const refused = silent.synthesize('fail@one ', 'ones')
  await expect(refused).rejects.toMatchObject({ codeName: 'TTS_VOICE_NOT_FOUND' })
})

test('a configuration reaches plugins that are not active', async () => {
  const voice = await host.fallback<TTSContract>(freshName(), ['one', 'two'], patient)
  await host.reload({ plugins: { two: { config: { pace: 'slow' } } } })
  expect((await voice.synthesize('fail@one ')).metadata).toMatchObject({
    plugin: 'two',
    config: { pace: 'slow' },
  })
})

test('a plugin that has failed leaves, and comes back when probes succeed; each change is an event', async () => {
  const name = freshName()
  const voice = await host.fallback<TTSContract>(name, ['one', 'two'], { ...eager, returnAfter: 3 })
  const changes: FallbackEvent[] = []
  const listen = (event: FallbackEvent): void => void (event.plugin === name && changes.push(event))
  host.on('fallback', listen)
  const left = change(name)
  await voice.synthesize('fail@one ')
  expect(await left).toMatchObject({
    serving: 'two',
    previous: 'one',
    reason: expect.stringContaining('broken'),
  })
  const back = changes.length === 1 ? await change(name) : changes[1]
  expect(back).toMatchObject({ serving: 'one', previous: 'two', reason: '"one" is up' })
  expect(speakerOf(await voice.synthesize('Hello'))).toBe('one')
  host.off('fallback', listen)
  expect(host.metrics()).toContain(`appfactory_fallback_serving{fallback="${name}",plugin="one"} 1`)
  expect(host.metrics()).toContain(`appfactory_fallback_passed_over_total{fallback="${name}",plugin="one"} 1`)
})

test('a plugin that is killed is passed over at once, and its restart alone does not bring it back', async () => {
  const name = freshName()
  const voice = await host.fallback<TTSContract>(name, ['three', 'two'], patient)
  const left = change(name)
  expect(speakerOf(await voice.synthesize('crash@three '))).toBe('two')
  expect(await left).toMatchObject({ serving: 'two', previous: 'three' })
  await expect.poll(async () => (await host.health('three')).status).toBe('READY')
  expect(speakerOf(await voice.synthesize('Hello'))).toBe('two')
})

test('where all are away, they are asked all the same, and one that answers is back', async () => {
  const name = freshName()
  const voice = await host.fallback<TTSContract>(name, ['one', 'two'], { leaveAfter: 1, ...patient })
  await expect(voice.synthesize('fail@one fail@two ')).rejects.toThrow('broken')
  expect(await host.health(name)).toMatchObject({ status: 'ERROR', details: { serving: null } })
  expect(speakerOf(await voice.synthesize('Hello'))).toBe('one')
  expect((await host.health(name)).details).toMatchObject({ serving: 'one' })
})

test('a swap of a plugin changes nothing for the fallback', async () => {
  const name = freshName()
  const voice = await host.fallback<TTSContract>(name, ['one', 'two'], patient)
  await host.swap('one', 'one')
  expect(speakerOf(await voice.synthesize('Hello'))).toBe('one')
})

test('a session stays with the plugin that began it', async () => {
  const name = freshName()
  const ears = await host.fallback<STTContract>(name, ['ear_one', 'ear_two'], { leaveAfter: 1, ...patient })
  const session = await ears.startStream()
  // Its errors are no reason to ask another plugin, nor to pass this one over.
  await expect(ears.feedAudio(session, new Uint8Array([1]))).rejects.toMatchObject({
    codeName: 'INTERNAL_ERROR',
  })
  expect(await ears.transcribe(new Uint8Array([1]))).toMatchObject({ text: 'ear_two' })
  expect(await ears.transcribe(new Uint8Array([0]))).toMatchObject({ text: 'ear_two' })
  expect(await ears.feedAudio(session, new Uint8Array([0]))).toMatchObject({ partial: 'ear_one' })
  const next = await ears.startStream()
  expect(await ears.feedAudio(next, new Uint8Array([0]))).toMatchObject({ partial: 'ear_two' })
  expect(await ears.endStream(session)).toMatchObject({ text: 'ear_one' })
})

test('a contract of an author’s own falls back too; its own codes may be the caller’s fault', async () => {
  const name = freshName()
  await host.fallback(name, ['sort_one', 'sort_two'], { callerErrors: [4711], ...patient })
  const sort = (...numbers: number[]): Promise<unknown> => host.call(name, 'sort', { numbers })
  expect(await sort(0)).toEqual({ by: 'sort_one' })
  expect(await sort(1)).toEqual({ by: 'sort_two' })
  await expect(sort(2)).rejects.toMatchObject({ code: 4711, message: 'two is not sorted by sort_one' })
  const other = freshName()
  await host.fallback(other, ['sort_one', 'sort_two'], patient)
  await expect(host.call(other, 'sort', { numbers: [2] })).rejects.toMatchObject({
    code: 4711,
    data: { attempts: [{ plugin: 'sort_one' }, { plugin: 'sort_two' }] },
  })
})

test('a fallback that can’t be is refused, and its name is free again', async () => {
  const name = freshName()
  const refused = (plugins: string[], as = name): Promise<unknown> => host.fallback(as, plugins)
  await expect(refused(['one', 'llm_one'])).rejects.toMatchObject({ codeName: 'CONTRACT_MISMATCH' })
  await expect(refused(['one', 'nobody'])).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_FOUND' })
  await expect(refused(['one', 'two'], 'three')).rejects.toMatchObject({ codeName: 'PLUGIN_ALREADY_LOADED' })
  await expect(refused(['one', 'two'], 'broken')).rejects.toMatchObject({ codeName: 'PLUGIN_ALREADY_LOADED' })
  await expect(refused(['broken'])).rejects.toMatchObject({ codeName: 'PLUGIN_INITIALIZE_FAILED' })
  await expect(refused([])).rejects.toThrow('plugins are an array of 1 to 32 names')
  await expect(refused(['one', 'one'])).rejects.toThrow('"one" is there twice')
  await expect(refused(['one'], 'no name')).rejects.toThrow('so "no name" is none')
  const voice = await host.fallback<TTSContract>(name, ['one', 'two'])
  await expect(refused(['one'])).rejects.toMatchObject({ codeName: 'PLUGIN_ALREADY_LOADED' })
  await expect(refused(['one', name], 'outer')).rejects.toMatchObject({ codeName: 'INVALID_PARAMS' })
  await expect(host.load(name)).rejects.toMatchObject({ codeName: 'PLUGIN_ALREADY_LOADED' })
  await voice.unload()
  await expect(host.call(name, 'synthesize', { text: 'Hi' })).rejects.toMatchObject({
    codeName: 'PLUGIN_NOT_FOUND',
  })
  expect(await host.call('one', 'synthesize', { text: 'Hi' })).toMatchObject({ metadata: { plugin: 'one' } })
})

test('it is described while its first plugin is being unloaded', async () => {
  const name = freshName()
  await host.fallback(name, ['three', 'two'])
  const hanging = new AbortController()
  const options = { signal: hanging.signal }
  const call = expect(host.call('three', 'synthesize', { text: 'hang@three ' }, options)).rejects.toThrow()
  const unloading = host.unload('three')
  expect((await host.describe(name)).contract.name).toBe('tts')
  hanging.abort()
  await Promise.all([call, unloading])
  expect((await host.describe(name)).plugin.name).toBe('two')
  await host.load('three')
})

test('a plugin that can’t be loaded is passed over; one that is unloaded too', async () => {
  const name = freshName()
  const making = host.fallback<TTSContract>(name, ['broken', 'three', 'two'], patient)
  // Calls wait until it is known what can be called.
  expect(await host.call(name, 'synthesize', { text: 'Hi' })).toMatchObject({ metadata: { plugin: 'three' } })
  const voice = await making
  const { details } = await host.health(name)
  expect(details?.['plugins']).toMatchObject([{ plugin: 'broken', in_line: false }, { in_line: true }, {}])
  const listed = (await host.list()).find((plugin) => plugin.name === name)
  expect(listed).toMatchObject({ contract: 'tts', loaded: true, fallback: ['broken', 'three', 'two'] })
  const left = change(name)
  await host.unload('three')
  expect(await left).toMatchObject({ serving: 'two', previous: 'three', reason: '"three": it is not loaded' })
  expect(speakerOf(await voice.synthesize('Hello'))).toBe('two')
  await host.load('three')
})
