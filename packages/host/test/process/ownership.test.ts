import { getEventListeners, once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { PluginConnection } from '../../src/instance/connection.js'
import { PluginInstance } from '../../src/instance/instance.js'
import { PluginFigures } from '../../src/metrics/plugin-figures.js'
import { defaultInstanceLimits } from '../../src/options.js'
import {
  notesProcess,
  processesOf,
  runningOf,
  temporaryFolder,
  ttsPlugin,
  writePlugin,
} from '../fixtures/plugins.js'
import { counter, llm } from '../fixtures/swapping.js'

/** Imported for as long as `ms`, unless somebody ends it. */
const slowImport = (ms: number): string =>
  `${notesProcess}await new Promise((resolve) => setTimeout(resolve, ${ms}))\n`
const slow = slowImport(20_000) + ttsPlugin()
const slowStart = (ms: number): string =>
  notesProcess +
  ttsPlugin(`async initialize() { await new Promise((resolve) => setTimeout(resolve, ${ms})) }`)

/** Resolves when the plugin has begun `count` processes. */
async function begun(dir: string, count = 1): Promise<void> {
  while (processesOf(dir).length < count) await delay(10)
}

const cancelled = { codeName: 'REQUEST_CANCELLED' }
const notReady = { codeName: 'PLUGIN_NOT_READY' }

describe('a process that describe() has started', () => {
  test('is gone when the host is closed, and none is started after that', async () => {
    const root = temporaryFolder()
    const dir = writePlugin(root, 'slow', slow)
    const host = new PluginHost({ pluginsDir: root })
    const described = host.describe('slow').catch((error: unknown) => error)
    await begun(dir)
    await host.close()
    expect(runningOf(dir)).toEqual([])
    expect(await described).toMatchObject(notReady)
    await expect(host.describe('slow')).rejects.toMatchObject(notReady)
    expect(processesOf(dir)).toHaveLength(1)
  })

  test('is one for all who ask meanwhile, and ends when the last of them has left', async () => {
    const root = temporaryFolder()
    const dir = writePlugin(root, 'slow', slowImport(500) + ttsPlugin())
    await using host = new PluginHost({ pluginsDir: root })
    const leaving = new AbortController()
    const left = Array.from({ length: 30 }, () =>
      host.describe('slow', { signal: leaving.signal }).catch((error: unknown) => error),
    )
    const stayed = host.describe('slow')
    await begun(dir)
    leaving.abort()
    for (const each of left) expect(await each).toMatchObject(cancelled)
    expect((await stayed).contract.name).toBe('tts')
    expect(processesOf(dir)).toHaveLength(1)

    const all = new AbortController()
    const abandoned = host.describe('slow', { signal: all.signal }).catch((error: unknown) => error)
    await begun(dir, 2)
    all.abort()
    expect(await abandoned).toMatchObject(cancelled)
    // The next one is not the one that is being ended.
    expect((await host.describe('slow')).contract.name).toBe('tts')
    await host.close()
    expect(runningOf(dir)).toEqual([])
  })

  test('is not started for a caller that has left before', async () => {
    const root = temporaryFolder()
    const dir = writePlugin(root, 'fine', notesProcess + ttsPlugin())
    await using host = new PluginHost({ pluginsDir: root })
    await expect(host.describe('fine', { signal: AbortSignal.abort() })).rejects.toMatchObject(cancelled)
    expect(processesOf(dir)).toEqual([])
    await host.describe('fine')
  })
})

describe('a load that is cancelled', () => {
  test('ends what it has started, and nothing else', async () => {
    const root = temporaryFolder()
    const dir = writePlugin(root, 'slow', slow)
    await using host = new PluginHost({ pluginsDir: root })
    const cancelling = new AbortController()
    const loading = host.load('slow', { signal: cancelling.signal }).catch((error: unknown) => error)
    await begun(dir)
    cancelling.abort()
    expect(await loading).toMatchObject(cancelled)
    expect(runningOf(dir)).toEqual([])
    expect(host.status().pluginsLoaded).toBe(0)
    await expect(host.load('slow', { signal: AbortSignal.abort() })).rejects.toMatchObject(cancelled)
    expect(processesOf(dir)).toHaveLength(1)
  })

  test('of a plugin that is loaded already does not unload it', async () => {
    const root = temporaryFolder()
    writePlugin(root, 'speaker', ttsPlugin())
    await using host = new PluginHost({ pluginsDir: root })
    await host.load('speaker')
    const cancelling = new AbortController()
    const second = host.load('speaker', { signal: cancelling.signal })
    cancelling.abort()
    await expect(second).rejects.toMatchObject({ codeName: 'PLUGIN_ALREADY_LOADED' })
    expect(await host.call('speaker', 'get_voices')).toHaveLength(1)
  })

  test('while another caller loads the plugin does not end that load', async () => {
    const root = temporaryFolder()
    const dir = writePlugin(root, 'slow', slowStart(300))
    await using host = new PluginHost({ pluginsDir: root })
    const first = host.load('slow')
    await begun(dir)
    const cancelling = new AbortController()
    const second = host.load('slow', { signal: cancelling.signal }).catch((error: unknown) => error)
    cancelling.abort()
    expect(await second).toMatchObject({ codeName: 'PLUGIN_ALREADY_LOADED' })
    await first
    expect(await host.call('slow', 'get_voices')).toHaveLength(1)
  })

  test('when it is over has nothing to end any more', async () => {
    const root = temporaryFolder()
    writePlugin(root, 'speaker', ttsPlugin())
    await using host = new PluginHost({ pluginsDir: root })
    const cancelling = new AbortController()
    await host.load('speaker', { signal: cancelling.signal })
    cancelling.abort()
    expect(await host.call('speaker', 'get_voices')).toHaveLength(1)
  })
})

test('a swap of a plugin whose first load fails meanwhile leaves no process behind', async () => {
  const root = temporaryFolder()
  const failing = `async initialize(config) {
    await new Promise((resolve) => setTimeout(resolve, 400))
    if (!config.good) throw new Error('no engine')
  }`
  const dir = writePlugin(root, 'flaky', notesProcess + ttsPlugin(failing))
  const host = new PluginHost({ pluginsDir: root })
  const loading = host.load('flaky').catch((error: unknown) => error)
  await begun(dir)
  const swapping = host.swap('flaky', 'flaky', { config: { good: true } }).catch((error: unknown) => error)
  expect(await loading).toMatchObject({ codeName: 'PLUGIN_INITIALIZE_FAILED' })
  await swapping
  await host.close()
  expect(runningOf(dir)).toEqual([])
})

test('a load that fails before anything came up goes to ERROR, and not through a shutdown', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'broken', ttsPlugin(`initialize() { throw new Error('no engine') }`))
  await using host = new PluginHost({ pluginsDir: root })
  const seen: string[] = []
  host.on('status', ({ status }) => seen.push(status))
  await expect(host.load('broken')).rejects.toMatchObject({ codeName: 'PLUGIN_INITIALIZE_FAILED' })
  expect(seen).toEqual(['INITIALIZING', 'ERROR'])
})

test('a start that fails or succeeds leaves no listener on the signal that could have ended it', async () => {
  const root = temporaryFolder()
  const { signal } = new AbortController()
  const open = (name: string, source: string) => {
    const dir = writePlugin(root, name, source)
    return PluginConnection.open({
      dir,
      manifest: {
        ...{ name, version: '1.0.0', contract: 'tts', entry_point: 'index.js' },
        ...{ runtime: 'node', dependencies: [] },
      },
      entryFile: `${dir}/index.js`,
      limits: defaultInstanceLimits,
      env: {},
      log: () => {},
      figures: new PluginFigures(),
      signal,
    })
  }
  await expect(open('unfit', 'export default 42')).rejects.toMatchObject({ codeName: 'CONTRACT_MISMATCH' })
  expect(getEventListeners(signal, 'abort')).toEqual([])
  const broken = await open('broken', ttsPlugin(`initialize() { throw new Error('no engine') }`))
  expect(getEventListeners(signal, 'abort')).toHaveLength(1)
  await expect(PluginInstance.initialize(broken, {})).rejects.toMatchObject({
    codeName: 'PLUGIN_INITIALIZE_FAILED',
  })
  await broken.connection.kill()
  expect(getEventListeners(signal, 'abort')).toEqual([])
  const instance = await PluginInstance.initialize(await open('fine', ttsPlugin()), {})
  expect(getEventListeners(signal, 'abort')).toEqual([])
  await instance.stop()
  expect(await instance.ended).toBeUndefined()
})

describe('a host that is closed in the middle of everything leaves no process behind', () => {
  test.each([{ force: false }, { force: true }])('%o', async ({ force }) => {
    const root = temporaryFolder()
    const dirs = [
      writePlugin(root, 'described', slow),
      writePlugin(root, 'importing', slow),
      writePlugin(root, 'initializing', slowStart(20_000)),
      writePlugin(root, 'old', notesProcess + counter('old'), llm),
      writePlugin(root, 'new', slowImport(20_000) + counter('new'), llm),
      writePlugin(
        root,
        'unloaded',
        notesProcess + ttsPlugin('async shutdown() { await new Promise((r) => setTimeout(r, 200)) }'),
      ),
      writePlugin(root, 'crashing', notesProcess + counter('crashing'), llm),
    ]
    const host = new PluginHost({ pluginsDir: root, restart: { firstDelayMs: 1 } })
    await Promise.all(['old', 'unloaded', 'crashing'].map((name) => host.load(name)))
    const crash = once(host, 'crash')
    const inFlight = [
      host.describe('described'),
      host.load('importing'),
      host.load('initializing'),
      host.swap('old', 'new'),
      host.unload('unloaded'),
      host.call('old', 'complete', { prompt: 'wait 100' }),
      host.call('crashing', 'complete', { prompt: 'exit' }),
    ].map((work) =>
      work.then(
        () => 'done',
        () => 'failed',
      ),
    )
    for (const dir of dirs) await begun(dir)
    await crash
    await host.close({ force })
    expect(dirs.flatMap(runningOf)).toEqual([])
    // Nothing waits for ever, and nothing comes late.
    expect(await Promise.all(inFlight)).toHaveLength(7)
    const started = dirs.map((dir) => processesOf(dir).length)
    for (const name of ['described', 'old']) await host.describe(name).catch(() => {})
    await host.load('old').catch(() => {})
    await host.swap('old', 'new').catch(() => {})
    expect(dirs.map((dir) => processesOf(dir).length)).toEqual(started)
  })
})
