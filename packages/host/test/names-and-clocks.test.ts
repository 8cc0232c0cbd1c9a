import { renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { TTSContract } from '@appfactory/sdk'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { PluginHost } from '../src/index.js'
import { Gate } from '../src/tester/gate.js'
import { temporaryFolder, ttsPlugin, writePlugin } from './fixtures/plugins.js'
import { counter, llm, stateless, swapStep } from './fixtures/swapping.js'

const complete = { prompt: 'x' }

describe('the former name of a plugin that was swapped', () => {
  test('still leads to its successor when a load under that name fails', async () => {
    const root = temporaryFolder()
    writePlugin(root, 'a', stateless('a'), {
      ...llm,
      config_schema: { type: 'object', properties: { speed: { type: 'number' } } },
    })
    writePlugin(root, 'b', stateless('b'), llm)
    await using host = new PluginHost({ pluginsDir: root })
    await host.load('a')
    await host.swap('a', 'b')
    await expect(host.load('a', { config: { speed: 'fast' } })).rejects.toMatchObject({
      codeName: 'CONFIG_INVALID',
    })
    expect(await host.call('a', 'complete', complete)).toMatchObject({ text: expect.stringContaining('b 1') })
    await host.load('a')
    expect(await host.call('a', 'complete', complete)).toMatchObject({ text: expect.stringContaining('a 1') })
    expect(await host.call('b', 'complete', complete)).toMatchObject({ text: expect.stringContaining('b 2') })
  })

  test('is the former name of what was swapped in while it was loaded', async () => {
    const root = temporaryFolder()
    writePlugin(root, 'a', stateless('a'), llm)
    writePlugin(root, 'b', stateless('b'), llm)
    writePlugin(root, 'c', stateless('c'), llm)
    await using host = new PluginHost({ pluginsDir: root })
    await host.load('a')
    await host.swap('a', 'b')
    const loading = host.load('a')
    await host.swap('a', 'c')
    await loading
    expect(await host.call('a', 'complete', complete)).toMatchObject({ text: expect.stringContaining('c 1') })
  })
})

test('a swap during the first load takes no plugin of another contract', async () => {
  const root = temporaryFolder()
  writePlugin(
    root,
    'speaker',
    ttsPlugin('async initialize() { await new Promise((r) => setTimeout(r, 1500)) }'),
  )
  writePlugin(root, 'writer', counter('writer'), llm)
  writePlugin(root, 'other', ttsPlugin())
  await using host = new PluginHost({ pluginsDir: root })
  const loading = host.load<TTSContract>('speaker')
  await expect(host.swap('speaker', 'writer')).rejects.toMatchObject({
    codeName: 'HOTSWAP_FAILED',
    data: { cause: { name: 'CONTRACT_MISMATCH' } },
  })
  expect(await host.swap('speaker', 'other')).toMatchObject({ newPlugin: 'other' })
  await (await loading).synthesize('Hello')
})

test('a crash of a plugin that has come back after a swap is emitted once', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'old', stateless('old'), llm)
  // Well when it is probed; dies when it is confirmed.
  const members = `checks = 0
    async healthCheck() { if (++this.checks > 1) process.exit(1); return { status: 'READY' } }`
  writePlugin(
    root,
    'new',
    stateless('new').replace(/class Counter extends Stateful \{/, `$& ${members}`),
    llm,
  )
  await using host = new PluginHost({ pluginsDir: root, restart: { firstDelayMs: 1 } })
  await host.load('old')
  await expect(host.swap('old', 'new')).rejects.toMatchObject({ codeName: 'HOTSWAP_FAILED' })
  const crashes: string[] = []
  host.on('crash', ({ plugin }) => crashes.push(plugin))
  await host.call('old', 'complete', { prompt: 'exit' }).catch(() => {})
  await host.call('old', 'complete', complete)
  expect(crashes).toEqual(['old'])
  expect((await host.health('old')).details).toMatchObject({ restarts: 1 })
})

describe('a running plugin is in the list', () => {
  test('where it was swapped in from a folder deeper inside', async () => {
    const root = temporaryFolder()
    writePlugin(root, 'a', stateless('a'), llm)
    const deeper = writePlugin(join(root, 'versions'), 'b', stateless('b'), llm)
    await using host = new PluginHost({ pluginsDir: root })
    await host.load('a')
    await host.swap('a', deeper)
    const listed = (await host.list()).map(({ name, loaded, path }) => ({ name, loaded, path }))
    expect(listed).toContainEqual({ name: 'b', loaded: true, path: deeper })
    expect(listed).toContainEqual({ name: 'a', loaded: false, path: join(root, 'a') })
    // Of two of one name, the one that runs.
    writePlugin(root, 'b', stateless('another b'), llm)
    const paths = (await host.list()).filter(({ name }) => name === 'b').map(({ path }) => path)
    expect(paths).toEqual([deeper])
  })

  test('where its folder is gone, or its manifest is not valid any more', async () => {
    const root = temporaryFolder()
    for (const name of ['gone', 'moved', 'spoilt']) writePlugin(root, name, stateless(name), llm)
    writePlugin(root, 'fine', stateless('fine'), llm)
    await using host = new PluginHost({ pluginsDir: root })
    for (const name of ['gone', 'moved', 'spoilt', 'fine']) await host.load(name)
    rmSync(join(root, 'gone'), { recursive: true })
    renameSync(join(root, 'moved'), join(root, 'elsewhere'))
    writePlugin(root, 'spoilt', stateless('spoilt'), { version: 'none' })
    const listed = (await host.list()).filter(({ loaded }) => loaded)
    expect(listed.map(({ name, valid }) => `${name} ${valid}`).sort()).toEqual([
      'fine true',
      'gone false',
      'moved false',
      'spoilt false',
    ])
    expect(await host.call('gone', 'complete', complete)).toHaveProperty('text')
  })
})

describe('a clock that is set', () => {
  const hour = 60 * 60 * 1000
  function setClock(ms: number): void {
    vi.useFakeTimers({ toFake: ['Date'] })
    onTestFinished(() => {
      vi.useRealTimers()
    })
    vi.setSystemTime(Date.now() + ms)
  }

  test.each([-hour, hour])('by %i ms brings no quarantine, and changes no uptime', async (ms) => {
    const root = temporaryFolder()
    writePlugin(root, 'flaky', counter('flaky'), llm)
    const restart = { firstDelayMs: 1, maxDelayMs: 1, maxCrashes: 3, windowMs: 1500 }
    await using host = new PluginHost({ pluginsDir: root, restart })
    await host.load('flaky')
    const crash = async (): Promise<void> => {
      await host.call('flaky', 'complete', { prompt: 'exit' }).catch(() => {})
      await host.call('flaky', 'complete', complete)
    }
    await crash()
    await crash()
    setClock(ms)
    // Those of before are out of the window by now.
    await delay(1600)
    await crash()
    expect(host.status().uptimeSeconds).toBeGreaterThan(0)
    expect(host.status().uptimeSeconds).toBeLessThan(600)
  })

  test('back makes no token of the tester live longer, and forward none shorter', () => {
    const gate = new Gate(1)
    const token = gate.issueToken()
    setClock(2 * hour)
    expect(gate.exchange(token)).toBeDefined()
  })
})

test('a swap that fails in its first step leaves the name of the old one as it was', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'a', stateless('a'), llm)
  writePlugin(root, 'broken', 'throw new Error("no engine")', llm)
  await using host = new PluginHost({ pluginsDir: root })
  await host.load('a')
  const step = swapStep(host, 'start', 'a')
  await expect(host.swap('a', 'broken')).rejects.toMatchObject({ codeName: 'HOTSWAP_FAILED' })
  await step
  expect(await host.call('a', 'complete', complete)).toHaveProperty('text')
})
