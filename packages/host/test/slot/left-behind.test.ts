import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { LLMContract, STTContract } from '@appfactory/sdk'
import { expect, test, vi } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { notesProcess, processesOf, runningOf, temporaryFolder, writePlugin } from '../fixtures/plugins.js'
import { counter, listener, llm, stateless, swapStep, textOf } from '../fixtures/swapping.js'

/** Waits in `where` until its folder has the file `go`. */
const untilGo = (where: string): string => `
  async ${where} {
    while (!existsSync(new URL('go', import.meta.url))) await new Promise((resolve) => setTimeout(resolve, 10))
  }`
const readsFiles = "import { existsSync } from 'node:fs'\n"

test('a plugin that is only described leaves no process', async () => {
  const root = temporaryFolder()
  const dir = writePlugin(root, 'one', notesProcess + counter('one'), llm)
  await using host = new PluginHost({ pluginsDir: root })
  expect((await host.describe('one')).contract.name).toBe('llm')
  expect(processesOf(dir)).toHaveLength(1)
  await expect.poll(() => runningOf(dir)).toEqual([])
  await host.load('one')
  expect(runningOf(dir)).toHaveLength(1)
})

test('a restart that a swap came before is not made: what was swapped in serves on alone', async () => {
  const root = temporaryFolder()
  const one = writePlugin(root, 'one', notesProcess + stateless('one'), llm)
  const two = writePlugin(root, 'two', notesProcess + stateless('two'), llm)
  // The whole of each wait.
  vi.spyOn(Math, 'random').mockReturnValue(0)
  await using host = new PluginHost({ pluginsDir: root, restart: { firstDelayMs: 1500 } })
  const plugin = await host.load<LLMContract>('one')
  await expect(plugin.complete('exit')).rejects.toMatchObject({ codeName: 'PLUGIN_CRASHED' })
  await host.swap('one', 'two')
  const [pid] = runningOf(two)
  await delay(1600)
  vi.restoreAllMocks()
  expect([processesOf(one).length, processesOf(two), runningOf(two)]).toEqual([1, [pid], [pid]])
  expect(await textOf(plugin.complete('x'))).toBe('two 1 1,2,255')
  expect(await host.health('two')).toMatchObject({ status: 'READY', details: { restarts: 0 } })
})

test('a restart that a swap overtakes in initialize() is ended', async () => {
  const root = temporaryFolder()
  const dir = writePlugin(root, 'one', notesProcess + stateless('one'), llm)
  writePlugin(root, 'two', stateless('two'), llm)
  await using host = new PluginHost({ pluginsDir: root, restart: { firstDelayMs: 1 } })
  const plugin = await host.load<LLMContract>('one')
  const hanging = stateless('one').replace(
    'async initialize(config) { this.config = config }',
    untilGo('initialize()'),
  )
  writePlugin(root, 'one', readsFiles + notesProcess + hanging, llm)
  await expect(plugin.complete('exit')).rejects.toMatchObject({ codeName: 'PLUGIN_CRASHED' })
  await expect.poll(() => processesOf(dir).length).toBe(2)
  await host.swap('one', 'two')
  writeFileSync(join(dir, 'go'), '')
  await expect.poll(() => runningOf(dir)).toEqual([])
  expect(await textOf(plugin.complete('x'))).toBe('two 1 1,2,255')
})

test('a new one that fails its swap leaves no process, and the old one serves', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'one', counter('one'), llm)
  const broken = counter('two', 'restoreState() { throw new Error("no room") }')
  const dir = writePlugin(root, 'two', notesProcess + broken, llm)
  await using host = new PluginHost({ pluginsDir: root })
  const plugin = await host.load<LLMContract>('one')
  await expect(host.swap('one', 'two')).rejects.toMatchObject({ data: { step: 'restore' } })
  expect(processesOf(dir)).toHaveLength(1)
  await expect.poll(() => runningOf(dir)).toEqual([])
  expect(await textOf(plugin.complete('x'))).toBe('one 1 1,2,255')
})

test('an old one that there is no way back to leaves no process', async () => {
  const root = temporaryFolder()
  const deadly = `async healthCheck() {
    this.checks = (this.checks ?? 0) + 1
    if (this.checks < 3) return { status: this.status }
    while (this.count < 1) await new Promise((resolve) => setTimeout(resolve, 5))
    setTimeout(() => process.exit(1), 100)
    await new Promise(() => {})
  }`
  const dir = writePlugin(root, 'one', notesProcess + counter('one'), llm)
  writePlugin(root, 'two', counter('two', deadly), llm)
  await using host = new PluginHost({ pluginsDir: root, restart: { firstDelayMs: 1 } })
  const plugin = await host.load<LLMContract>('one')
  const swapped = swapStep(host, 'switch').then(() => plugin.complete('x'))
  await expect(host.swap('one', 'two')).rejects.toMatchObject({ codeName: 'HOTSWAP_ROLLBACK_FAILED' })
  await swapped
  await expect.poll(() => runningOf(dir)).toEqual([])
  expect(plugin.name).toBe('two')
})

test('closing gives up a session of a replaced plugin after the time for calls, not after that for sessions', async () => {
  const root = temporaryFolder()
  const dir = writePlugin(root, 'ears', notesProcess + listener('old'), { contract: 'stt' })
  writePlugin(root, 'ears2', listener('new'), { contract: 'stt' })
  const host = new PluginHost({ pluginsDir: root, drainTimeoutMs: 300, retireTimeoutMs: 1e8 })
  const ears = await host.load<STTContract>('ears')
  const id = await ears.startStream()
  await host.swap('ears', 'ears2')
  expect(await ears.feedAudio(id, new Uint8Array(3))).toMatchObject({ partial: 'old' })
  await host.close()
  expect(runningOf(dir)).toEqual([])
})

test('a stream stays with the instance that began it, which makes its pieces after the swap', async () => {
  const root = temporaryFolder()
  const slow = stateless('one').replace(
    'for (let n',
    `while (!existsSync(new URL('go', import.meta.url))) {
      yield 'wait '
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    for (let n`,
  )
  const dir = writePlugin(root, 'one', readsFiles + notesProcess + slow, llm)
  writePlugin(root, 'two', stateless('two'), llm)
  await using host = new PluginHost({ pluginsDir: root })
  const plugin = await host.load<LLMContract>('one')
  let text = ''
  for await (const piece of plugin.streamComplete('x')) {
    if (text === '') {
      await host.swap('one', 'two')
      writeFileSync(join(dir, 'go'), '')
    }
    text += piece.text
  }
  expect(text.replaceAll('wait ', '').trim().split(' ')).toEqual(
    Array.from({ length: 20 }, (_, index) => `one${index + 1}`),
  )
  await expect.poll(() => runningOf(dir)).toEqual([])
  expect(await textOf(plugin.complete('x'))).toBe('two 1 1,2,255')
})

test('a plugin that closes its output and lives on has crashed, and is started again', async () => {
  const root = temporaryFolder()
  const closing = stateless('one').replace(
    "if (prompt === 'exit') process.exit(1)",
    "if (prompt === 'close') { for (const fd of [1, 4]) try { closeSync(fd) } catch {} ; setInterval(() => {}, 1000); await new Promise(() => {}) }",
  )
  const dir = writePlugin(root, 'one', `import { closeSync } from 'node:fs'\n${notesProcess}${closing}`, llm)
  await using host = new PluginHost({ pluginsDir: root, restart: { firstDelayMs: 1 } })
  const plugin = await host.load<LLMContract>('one')
  const crashed = once(host, 'crash')
  await expect(plugin.complete('close')).rejects.toMatchObject({ codeName: 'PLUGIN_CRASHED' })
  await crashed
  expect(await textOf(plugin.complete('x'))).toBe('one 1 1,2,255')
  expect([processesOf(dir).length, runningOf(dir).length]).toEqual([2, 1])
})
