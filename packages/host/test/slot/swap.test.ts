import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { LLMContract, STTContract, TTSContract } from '@appfactory/sdk'
import { expect, test } from 'vitest'
import { type HostEvents, PluginHost } from '../../src/index.js'
import { isAlive, temporaryFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'
import { counter, listener, llm, retirement, stateless, textOf } from '../fixtures/swapping.js'

test('a plugin’s state, bytes included, goes to its successor; the handle stays', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'one', counter('one'), llm)
  writePlugin(root, 'two', counter('two', 'bytes = new Uint8Array()'), { ...llm, version: '2.0.0' })
  await using host = new PluginHost({ pluginsDir: root })
  const plugin = await host.load<LLMContract>('one')
  const pid = Number((await plugin.complete('x')).text.split(' ')[3])
  const result = await host.swap('one', 'two')
  expect(result).toEqual({
    oldPlugin: 'one',
    newPlugin: 'two',
    oldVersion: '1.0.0',
    newVersion: '2.0.0',
    statePreserved: true,
    durationMs: expect.any(Number),
    heldCalls: 0,
  })
  expect(await textOf(plugin.complete('x'))).toBe('two 2 1,2,255')
  expect(plugin.name).toBe('two')
  expect(host.active('llm')).toBe('two')
  expect(await host.call('one', 'complete', { prompt: 'x' })).toMatchObject({
    text: expect.stringContaining('two 3'),
  })
  const listed = (await host.list()).map(({ name, loaded }) => [name, loaded])
  expect(listed).toEqual([
    ['one', false],
    ['two', true],
  ])
  await expect(host.unload('one')).rejects.toMatchObject({
    codeName: 'PLUGIN_NOT_READY',
    data: { successor: 'two' },
  })
  await expect.poll(() => isAlive(pid)).toBe(false)
  // The old name is free again.
  const again = await host.load<LLMContract>('one')
  expect(await textOf(again.complete('x'))).toBe('one 1 1,2,255')
})

test('without state to keep, or where it is not wanted, the new plugin starts afresh', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'one', stateless('one'), llm)
  writePlugin(root, 'two', counter('two'), llm)
  writePlugin(root, 'three', counter('three'), llm)
  await using host = new PluginHost({ pluginsDir: root })
  const plugin = await host.load<LLMContract>('one')
  await plugin.complete('x')
  expect(await host.swap('one', 'two')).toMatchObject({ statePreserved: false })
  expect(await textOf(plugin.complete('x'))).toBe('two 1 1,2,255')
  expect(await host.swap('two', 'three', { preserveState: false })).toMatchObject({ statePreserved: false })
  expect(await textOf(plugin.complete('x'))).toBe('three 1 1,2,255')
})

test('a plugin is started anew from its files by a swap for itself, with its configuration', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'one', counter('old'), llm)
  await using host = new PluginHost({ pluginsDir: root })
  const plugin = await host.load<LLMContract>('one', { config: { voice: 'x' } })
  await plugin.complete('x')
  writePlugin(
    root,
    'one',
    counter('new', 'async chat() { return { role: "assistant", content: JSON.stringify(this.config) } }'),
    {
      ...llm,
      version: '1.1.0',
    },
  )
  expect(await host.swap('one', 'one')).toMatchObject({
    oldVersion: '1.0.0',
    newVersion: '1.1.0',
    statePreserved: true,
  })
  expect(await textOf(plugin.complete('x'))).toBe('new 2 1,2,255')
  expect((await plugin.chat([{ role: 'user', content: '' }])).message.content).toBe('{"voice":"x"}')
  expect(await host.list()).toMatchObject([{ name: 'one', version: '1.1.0' }])
})

test('another version comes by its path, which must lie inside a plugins folder, symlinks followed', async () => {
  const root = temporaryFolder()
  const outside = temporaryFolder()
  writePlugin(root, 'one', counter('v1'), llm)
  mkdirSync(join(root, 'releases'))
  const second = writePlugin(join(root, 'releases'), 'one', counter('v2'), { ...llm, version: '2.0.0' })
  const foreign = writePlugin(outside, 'one', counter('foreign'), llm)
  mkdirSync(join(root, 'links'))
  symlinkSync(foreign, join(root, 'links', 'one'))
  await using host = new PluginHost({ pluginsDir: root, restart: { firstDelayMs: 1 } })
  const plugin = await host.load<LLMContract>('one')
  for (const path of [foreign, join(root, 'links', 'one'), join(root, '..', 'x'), join(root, 'nowhere')])
    await expect(host.swap('one', path)).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_FOUND' })
  expect(await textOf(plugin.complete('x'))).toBe('v1 1 1,2,255')
  expect(await host.swap('one', second)).toMatchObject({ newVersion: '2.0.0', statePreserved: true })
  expect((await host.list()).find(({ name }) => name === 'one')?.path).toBe(second)
  // A restart is one of the version that was swapped in.
  await expect(plugin.complete('exit')).rejects.toMatchObject({ codeName: 'PLUGIN_CRASHED' })
  expect(await textOf(plugin.complete('x'))).toBe('v2 1 1,2,255')
})

const failures: [step: string, members: string, manifest?: object, options?: object][] = [
  ['start', 'constructor() { super(); throw new Error("no") }'],
  ['start', 'async initialize() { throw new Error("no") }'],
  ['start', 'async initialize() { return false }'],
  [
    'start',
    'async initialize() { await new Promise(() => setTimeout(() => {}, 1e6)) }',
    {},
    { initializeTimeoutMs: 300 },
  ],
  ['start', '', { entry_point: 'missing.js' }],
  ['probe', 'async healthCheck() { return { status: "ERROR", message: "no" } }'],
  ['restore', 'async restoreState() { throw new Error("no") }'],
  ['restore', 'async restoreState() { process.exit(1) }'],
  [
    'restore',
    'async restoreState() { await new Promise(() => setTimeout(() => {}, 1e6)) }',
    {},
    { stateTimeoutMs: 300 },
  ],
  ['restore', 'restoreState = undefined'],
]

for (const [step, members, manifest = {}, options = {}] of failures) {
  test(`a swap whose new plugin fails at "${step}" (${members || JSON.stringify(manifest)}): the old one never stopped serving`, async () => {
    const root = temporaryFolder()
    writePlugin(root, 'one', counter('one'), llm)
    writePlugin(root, 'two', counter('two', members), { ...llm, ...manifest })
    await using host = new PluginHost({ pluginsDir: root, ...options })
    const plugin = await host.load<LLMContract>('one')
    const steps: HostEvents['swap'][0][] = []
    host.on('swap', (progress) => steps.push(progress))
    const before = await plugin.complete('x')
    await expect(host.swap('one', 'two')).rejects.toMatchObject({
      codeName: 'HOTSWAP_FAILED',
      data: { step, old_plugin: 'one', new_plugin: 'two', rollback_performed: false },
    })
    expect(steps.at(-1)).toMatchObject({ plugin: 'one', replacement: 'two', step, error: expect.any(String) })
    const after = await plugin.complete('x')
    expect([before.text.split(' ')[3], after.text.split(' ')[1]]).toEqual([after.text.split(' ')[3], '2'])
    expect(plugin.name).toBe('one')
    // Another try may succeed.
    writePlugin(root, 'two', counter('two'), llm)
    expect(await host.swap('one', 'two')).toMatchObject({ statePreserved: true })
  })
}

const states: [what: string, members: string, options: object, message: string][] = [
  ['too large', 'captureState() { return { big: "x".repeat(2000) } }', { maxStateBytes: 1000 }, '2010 bytes'],
  [
    'too many bytes',
    'captureState() { return { big: new Uint8Array(2000) } }',
    { maxStateBytes: 1000 },
    'bytes',
  ],
  ['a Map', 'captureState() { return { deep: [new Map()] } }', {}, 'deep.0 is Map'],
  ['a function', 'captureState() { return { deep: () => 1 } }', {}, 'deep is'],
  ['NaN', 'captureState() { return NaN }', {}, 'what it returned is NaN'],
  ['a cycle', 'captureState() { const a = {}; a.a = a; return a }', {}, 'a is a reference'],
  ['a throw', 'captureState() { throw new Error("no") }', {}, 'no'],
  [
    'too slow',
    'async captureState() { await new Promise(() => setTimeout(() => {}, 1e6)) }',
    { stateTimeoutMs: 200 },
    '200 ms',
  ],
]

for (const [what, members, options, message] of states) {
  test(`a state that is ${what} does not go anywhere, and the old one goes on`, async () => {
    const root = temporaryFolder()
    writePlugin(root, 'one', counter('one', members), llm)
    writePlugin(root, 'two', counter('two'), llm)
    await using host = new PluginHost({ pluginsDir: root, ...options })
    const plugin = await host.load<LLMContract>('one')
    await expect(host.swap('one', 'two')).rejects.toMatchObject({
      codeName: 'HOTSWAP_FAILED',
      message: expect.stringContaining(message),
      data: { step: 'capture' },
    })
    expect(await textOf(plugin.complete('x'))).toBe('one 1 1,2,255')
  })
}

test('a plugin of another contract does not fit, and says so', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'one', counter('one'), llm)
  writePlugin(root, 'speaker', ttsPlugin())
  await using host = new PluginHost({ pluginsDir: root })
  const plugin = await host.load<LLMContract>('one')
  await expect(host.swap('one', 'speaker')).rejects.toMatchObject({
    codeName: 'HOTSWAP_FAILED',
    data: { cause: { name: 'CONTRACT_MISMATCH' } },
  })
  await expect(host.swap('one', 'nobody')).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_FOUND' })
  await expect(host.swap('speaker', 'one')).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_READY' })
  await host.load('speaker')
  await expect(host.swap('one', 'speaker')).rejects.toMatchObject({ codeName: 'PLUGIN_ALREADY_LOADED' })
  expect(await textOf(plugin.complete('x'))).toBe('one 1 1,2,255')
})

test('a new one that dies of its first call is taken back where nothing is lost by it; else that is said', async () => {
  const root = temporaryFolder()
  const deadly =
    'async healthCheck() { this.checks = (this.checks ?? 0) + 1; if (this.checks > LAST) process.exit(1); return { status: this.status } }'
  writePlugin(root, 'one', counter('one'), llm)
  writePlugin(root, 'two', counter('two', deadly.replace('LAST', '2')), llm)
  writePlugin(root, 'three', stateless('three'), llm)
  writePlugin(root, 'four', counter('four', deadly.replace('LAST', '1')), llm)
  await using host = new PluginHost({ pluginsDir: root })
  const plugin = await host.load<LLMContract>('one')
  await plugin.complete('x')
  await expect(host.swap('one', 'two')).rejects.toMatchObject({
    codeName: 'HOTSWAP_FAILED',
    data: { step: 'confirm', rollback_performed: true },
  })
  expect(plugin.name).toBe('one')
  expect(await textOf(plugin.complete('x'))).toBe('one 2 1,2,255')
  await host.load('three')
  await expect(host.swap('three', 'four')).rejects.toMatchObject({ data: { rollback_performed: true } })
  expect(await host.call('three', 'complete', { prompt: 'x' })).toMatchObject({
    text: expect.stringContaining('three 1'),
  })
})

test('after a call that the new one has answered there is no way back: HOTSWAP_ROLLBACK_FAILED, and it is restarted', async () => {
  const root = temporaryFolder()
  const deadly = `async healthCheck() {
    this.checks = (this.checks ?? 0) + 1
    if (this.checks < 3 || this.config.after) return { status: this.status }
    await new Promise((resolve) => setTimeout(resolve, 300))
    process.exit(1)
  }`
  writePlugin(root, 'one', counter('one'), llm)
  writePlugin(root, 'two', counter('two', deadly), llm)
  await using host = new PluginHost({ pluginsDir: root, restart: { firstDelayMs: 1 } })
  const plugin = await host.load<LLMContract>('one')
  const swapped = new Promise<unknown>((resolve) =>
    host.on('swap', ({ step }) => step === 'switch' && resolve(plugin.complete('x'))),
  )
  await expect(host.swap('one', 'two')).rejects.toMatchObject({
    codeName: 'HOTSWAP_ROLLBACK_FAILED',
    message: expect.stringContaining('answered calls'),
    data: { step: 'confirm', rollback_performed: false },
  })
  expect(await swapped).toMatchObject({ text: expect.stringContaining('two 1') })
  expect(await textOf(plugin.complete('x'))).toBe('two 1 1,2,255')
})

test('a call that does not end in time stops a swap that carries state over; it ends as if nothing had been', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'one', counter('one'), llm)
  writePlugin(root, 'two', counter('two'), llm)
  await using host = new PluginHost({ pluginsDir: root, drainTimeoutMs: 100 })
  const plugin = await host.load<LLMContract>('one')
  const slow = plugin.complete('wait 2500')
  const swapping = host.swap('one', 'two')
  await expect(swapping).rejects.toMatchObject({ codeName: 'HOTSWAP_FAILED', data: { step: 'drain' } })
  expect(await textOf(plugin.complete('x'))).toBe('one 2 1,2,255')
  expect(await textOf(slow)).toBe('one 1 1,2,255')
})

test('calls in flight end on the old one; those that come while the state is carried over wait, and none is lost', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'one', counter('one'), llm)
  writePlugin(root, 'two', counter('two'), llm)
  await using host = new PluginHost({ pluginsDir: root })
  const plugin = await host.load<LLMContract>('one')
  const slow = plugin.complete('wait 3000')
  const tried = new Promise<void>((resolve) => host.on('swap', ({ step }) => step === 'probe' && resolve()))
  const swapping = host.swap('one', 'two')
  await tried
  // The next step holds calls until the slow one has ended.
  await delay(100)
  const held = Array.from({ length: 50 }, () => plugin.complete('x'))
  expect(await textOf(slow)).toBe('one 1 1,2,255')
  expect(await swapping).toMatchObject({ statePreserved: true, heldCalls: 50 })
  const answers = await Promise.all(held)
  const numbers = answers.map(({ text }) => Number(text.split(' ')[1])).sort((a, b) => a - b)
  expect(numbers).toEqual(Array.from({ length: 50 }, (_, index) => index + 2))
})

test('under load, no call is lost and none answered twice, with state and without', async () => {
  const root = temporaryFolder()
  for (const name of ['one', 'two']) writePlugin(root, name, counter(name), llm)
  for (const name of ['a', 'b']) writePlugin(root, name, stateless(name), llm)
  await using host = new PluginHost({ pluginsDir: root })
  await Promise.all([host.load('one'), host.load('a')])
  const numbers: Record<string, number[]> = {}
  let calls = 0
  let answers = 0
  let done = false
  const caller = async (plugin: string): Promise<void> => {
    while (!done) {
      const prompt = `call-${++calls}`
      const { text } = (await host.call(plugin, 'complete', { prompt })) as { text: string }
      answers += 1
      const [, number, , pid = '', answered] = text.split(' ')
      expect(answered).toBe(prompt)
      // Those with state count on where the one before ended, the others from 1 in each process.
      const counter = plugin === 'one' ? plugin : pid
      numbers[counter] = [...(numbers[counter] ?? []), Number(number)]
    }
  }
  const callers = Array.from({ length: 32 }, (_, index) => caller(index % 2 ? 'one' : 'a'))
  for (let round = 0; round < 4; round++) {
    const [from, to] = round % 2 ? ['two', 'one'] : ['one', 'two']
    const [left, right] = round % 2 ? ['b', 'a'] : ['a', 'b']
    await Promise.all([host.swap(from ?? '', to ?? ''), host.swap(left ?? '', right ?? '')])
    // The new one without state has answered, too.
    await expect.poll(() => Object.keys(numbers).length).toBe(1 + 2 + round)
  }
  done = true
  await Promise.all(callers)
  expect(answers).toBe(calls)
  expect(Object.keys(numbers)).toHaveLength(1 + 5)
  // Every number once: each call was done exactly once.
  for (const counted of Object.values(numbers))
    expect(counted.toSorted((a, b) => a - b)).toEqual(counted.map((_, index) => index + 1))
})

test('streams and sessions stay with the instance that began them, until they end', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'ears', listener('old'), { contract: 'stt' })
  writePlugin(root, 'ears2', listener('new'), { contract: 'stt' })
  writePlugin(root, 'one', counter('one'), llm)
  writePlugin(root, 'two', counter('two'), llm)
  await using host = new PluginHost({ pluginsDir: root })
  const ears = await host.load<STTContract>('ears')
  const talker = await host.load<LLMContract>('one')
  const retired = Promise.all([retirement(host, 'ears'), retirement(host, 'one')])
  const old = await ears.startStream()
  await ears.feedAudio(old, new Uint8Array(10))
  const pieces = talker.streamComplete('x')[Symbol.asyncIterator]()
  const first = await pieces.next()
  await Promise.all([host.swap('ears', 'ears2'), host.swap('one', 'two')])
  // Both instances call their first session s1.
  const young = await ears.startStream()
  expect(young).not.toBe(old)
  expect(await ears.feedAudio(old, new Uint8Array(5))).toMatchObject({ partial: 'old' })
  expect(await ears.feedAudio(young, new Uint8Array(1))).toMatchObject({ partial: 'new' })
  expect((await ears.endStream(old)).text).toBe('old 15')
  expect((await ears.endStream(young)).text).toBe('new 1')
  let text = first.value?.text ?? ''
  for await (const piece of { [Symbol.asyncIterator]: () => pieces }) text += piece.text
  expect(text.split(' ').filter(Boolean)).toEqual(Array.from({ length: 20 }, (_, index) => `one${index + 1}`))
  await retired
  await expect(ears.feedAudio(old, new Uint8Array(1))).rejects.toThrow('no session')
  // What the plugin calls it is not what its client calls it.
  const last = await ears.startStream()
  await expect(ears.feedAudio('s2', new Uint8Array(1))).rejects.toMatchObject({ codeName: 'INVALID_PARAMS' })
  expect((await ears.endStream(last)).text).toBe('new 0')
})

test('sessions that are begun while the plugin starts, or starts again, are sessions as any other', async () => {
  const root = temporaryFolder()
  const fragile = listener('old').replace('async transcribe() {', 'async transcribe() { process.exit(1);')
  writePlugin(root, 'ears', fragile, { contract: 'stt' })
  writePlugin(root, 'ears2', listener('new'), { contract: 'stt' })
  await using host = new PluginHost({ pluginsDir: root, restart: { firstDelayMs: 1 } })
  const loading = host.load<STTContract>('ears')
  const early = (await host.call('ears', 'start_stream')) as { session_id: string }
  const ears = await loading
  expect((await ears.health()).details).toMatchObject({ open_sessions: 1 })
  const crash = expect(ears.transcribe(new Uint8Array(1))).rejects.toMatchObject({
    codeName: 'PLUGIN_CRASHED',
  })
  await crash
  const late = await ears.startStream()
  // The plugin counts from one again; the session that died with it is not the new one.
  await expect(ears.feedAudio(early.session_id, new Uint8Array(1))).rejects.toThrow('no session')
  await host.swap('ears', 'ears2')
  expect((await ears.endStream(late)).text).toBe('old 0')
  await expect(
    host.call('ears', 'feed_audio', { session_id: late, audio_b64: '' }, { retry: 1 }),
  ).rejects.toMatchObject({
    codeName: 'INVALID_PARAMS',
  })
})

test('a session that nobody ends is given up at the deadline', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'ears', listener('old'), { contract: 'stt' })
  writePlugin(root, 'ears2', listener('new'), { contract: 'stt' })
  await using host = new PluginHost({ pluginsDir: root, retireTimeoutMs: 100 })
  const ears = await host.load<STTContract>('ears')
  const id = await ears.startStream()
  const retired = retirement(host, 'ears')
  await host.swap('ears', 'ears2')
  await retired
  await expect(ears.feedAudio(id, new Uint8Array(1))).rejects.toThrow('no session')
})

test('one swap at a time; unloading in the middle of one leaves nothing behind', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'one', counter('one'), llm)
  writePlugin(
    root,
    'two',
    counter('two', 'async initialize() { await new Promise((resolve) => setTimeout(resolve, 500)) }'),
    llm,
  )
  await using host = new PluginHost({ pluginsDir: root })
  await host.load('one')
  const first = host.swap('one', 'two')
  await delay(50)
  await expect(host.swap('one', 'one')).rejects.toMatchObject({ codeName: 'HOTSWAP_FAILED' })
  await expect(host.load('two')).rejects.toMatchObject({ codeName: 'PLUGIN_ALREADY_LOADED' })
  const failed = expect(first).rejects.toMatchObject({ codeName: 'HOTSWAP_FAILED' })
  await host.unload('one')
  await failed
  expect(host.status().pluginsLoaded).toBe(0)
  await host.load('two')
})

test('a swap mends a plugin in quarantine, and one that waits for its restart', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'one', counter('broken'), llm)
  await using host = new PluginHost({ pluginsDir: root, restart: { maxCrashes: 2, firstDelayMs: 1 } })
  const plugin = await host.load<LLMContract>('one')
  for (let crash = 0; crash < 2; crash++)
    await expect(plugin.complete('exit')).rejects.toMatchObject({ codeName: 'PLUGIN_CRASHED' })
  await expect(plugin.complete('x')).rejects.toMatchObject({ codeName: 'PLUGIN_QUARANTINED' })
  writePlugin(root, 'one', counter('mended'), llm)
  expect(await host.swap('one', 'one')).toMatchObject({ oldVersion: null, statePreserved: false })
  expect(await textOf(plugin.complete('x'))).toBe('mended 1 1,2,255')
})

test('an old plugin that crashes and comes back while its successor starts leaves no process behind', async () => {
  const root = temporaryFolder()
  const patient = 'async initialize() { await new Promise((resolve) => setTimeout(resolve, 1000)) }'
  writePlugin(root, 'one', stateless('one'), llm)
  writePlugin(
    root,
    'two',
    stateless('two').replace('async initialize(config) { this.config = config }', patient),
    llm,
  )
  await using host = new PluginHost({ pluginsDir: root, restart: { firstDelayMs: 1 } })
  const plugin = await host.load<LLMContract>('one')
  const swapping = host.swap('one', 'two')
  await expect(plugin.complete('exit')).rejects.toMatchObject({ codeName: 'PLUGIN_CRASHED' })
  const restarted = Number((await plugin.complete('x')).text.split(' ')[3])
  await swapping
  expect(await textOf(plugin.complete('x'))).toBe('two 1 1,2,255')
  await expect.poll(() => isAlive(restarted)).toBe(false)
})

test('each step of a swap is an event with its duration', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'one', counter('one'), llm)
  writePlugin(root, 'two', counter('two'), llm)
  await using host = new PluginHost({ pluginsDir: root })
  await host.load<TTSContract>('one')
  const steps: HostEvents['swap'][0][] = []
  host.on('swap', (progress) => steps.push(progress))
  const retired = retirement(host, 'one')
  await host.swap('one', 'two')
  await retired
  expect(steps.map(({ step }) => step)).toEqual([
    'start',
    'probe',
    'drain',
    'capture',
    'restore',
    'switch',
    'confirm',
    'retire',
  ])
  expect(steps[0]?.durationMs).toBeGreaterThan(0)
})
