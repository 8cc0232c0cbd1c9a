import { once } from 'node:events'
import type { LLMContract, STTContract } from '@appfactory/sdk'
import { expect, test } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { temporaryFolder, writePlugin } from '../fixtures/plugins.js'
import { counter, listener, llm, stateless, swapStep, textOf } from '../fixtures/swapping.js'

test('a plugin in quarantine can’t be swapped for one of another contract either', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'one', counter('one'), llm)
  writePlugin(root, 'two', counter('two'), llm)
  writePlugin(root, 'ears', listener('ears'), { contract: 'stt' })
  await using host = new PluginHost({ pluginsDir: root, restart: { maxCrashes: 1 } })
  const plugin = await host.load<LLMContract>('one')
  await expect(plugin.complete('exit')).rejects.toMatchObject({ codeName: 'PLUGIN_CRASHED' })
  await expect(host.swap('one', 'ears')).rejects.toMatchObject({
    codeName: 'HOTSWAP_FAILED',
    data: { step: 'probe', cause: { name: 'CONTRACT_MISMATCH' } },
  })
  await host.swap('one', 'two')
  expect(await textOf(plugin.complete('x'))).toBe('two 1 1,2,255')
})

test('sessions that are begun at once do not pass maxSessions; one that could not be begun does not count', async () => {
  const root = temporaryFolder()
  const picky = listener('ears').replace(
    'async startStream() {',
    "async startStream({ language }) { if (language === 'xx') throw new Error('no');",
  )
  writePlugin(root, 'ears', picky, { contract: 'stt' })
  await using host = new PluginHost({ pluginsDir: root, maxSessions: 2 })
  const ears = await host.load<STTContract>('ears')
  await expect(ears.startStream({ language: 'xx' })).rejects.toMatchObject({ codeName: 'INTERNAL_ERROR' })
  const begun = await Promise.allSettled(Array.from({ length: 10 }, () => ears.startStream()))
  const ids = begun.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  expect(ids).toHaveLength(2)
  const refused = begun.flatMap((each) => (each.status === 'rejected' ? [each.reason.codeName] : []))
  expect(refused).toEqual(Array.from({ length: 8 }, () => 'RESOURCE_EXHAUSTED'))
  await ears.endStream(ids[0] ?? '')
  expect(await ears.startStream()).toEqual(expect.any(String))
})

test('a session of the old one goes on while the new one is in quarantine', async () => {
  const root = temporaryFolder()
  const deadly = listener('new').replace('async getLanguages() {', 'async getLanguages() { process.exit(1);')
  writePlugin(root, 'ears', listener('old'), { contract: 'stt' })
  writePlugin(root, 'ears2', deadly, { contract: 'stt' })
  await using host = new PluginHost({ pluginsDir: root, restart: { maxCrashes: 1 } })
  const ears = await host.load<STTContract>('ears')
  const id = await ears.startStream()
  await host.swap('ears', 'ears2')
  await expect(ears.getLanguages()).rejects.toMatchObject({ codeName: 'PLUGIN_CRASHED' })
  await expect(ears.startStream()).rejects.toMatchObject({ codeName: 'PLUGIN_QUARANTINED' })
  expect(await ears.feedAudio(id, new Uint8Array(3))).toMatchObject({ partial: 'old' })
  expect((await ears.endStream(id)).text).toBe('old 3')
})

test('calls of sessions fail too once the plugin is being unloaded', async () => {
  const root = temporaryFolder()
  const slow = listener('ears').replace(
    'async getLanguages() {',
    'async getLanguages() { await new Promise(() => setTimeout(() => {}, 1e6));',
  )
  writePlugin(root, 'ears', slow, { contract: 'stt' })
  await using host = new PluginHost({ pluginsDir: root })
  const ears = await host.load<STTContract>('ears')
  const id = await ears.startStream()
  const slowCall = expect(ears.getLanguages()).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_READY' })
  const closing = once(host, 'status')
  const unloading = ears.unload()
  await closing
  await expect(ears.feedAudio(id, new Uint8Array(3))).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_READY' })
  await host.unload('ears', { force: true })
  await slowCall
  await unloading
})

/** Lives through its start and its probe, and dies of the health check after the switch. */
const dying = `async healthCheck() {
  this.checks = (this.checks ?? 0) + 1
  if (this.checks === 1) return { status: this.status }
  await new Promise((resolve) => setTimeout(resolve, 500))
  process.exit(1)
}`

test('the name that a plugin had before the switch is not free until it can’t come back any more', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'one', stateless('one'), llm)
  writePlugin(
    root,
    'two',
    counter('two', `captureState = undefined; restoreState = undefined; ${dying}`),
    llm,
  )
  await using host = new PluginHost({ pluginsDir: root })
  const plugin = await host.load<LLMContract>('one')
  const swapping = expect(host.swap('one', 'two')).rejects.toMatchObject({
    codeName: 'HOTSWAP_FAILED',
    data: { step: 'confirm', rollback_performed: true },
  })
  await swapStep(host, 'switch')
  await expect(host.load('one')).rejects.toMatchObject({ codeName: 'PLUGIN_ALREADY_LOADED' })
  await swapping
  expect(await textOf(plugin.complete('x'))).toBe('one 1 1,2,255')
  // The name of the one that failed is free again.
  expect((await host.load('two')).name).toBe('two')
})

test('a second swap is refused as such, also where it is the same', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'one', counter('one'), llm)
  writePlugin(root, 'two', counter('two'), llm)
  await using host = new PluginHost({ pluginsDir: root })
  await host.load('one')
  const both = await Promise.allSettled([host.swap('one', 'two'), host.swap('one', 'two')])
  // Whose files were read sooner is the first.
  const [first, second] = both.toSorted((a, b) => a.status.localeCompare(b.status))
  expect(first).toMatchObject({ status: 'fulfilled' })
  expect(second).toMatchObject({
    reason: { codeName: 'HOTSWAP_FAILED', data: { cause: { name: 'PLUGIN_NOT_READY' } } },
  })
  await expect(host.load('two')).rejects.toMatchObject({ codeName: 'PLUGIN_ALREADY_LOADED' })
})

const hang = 'await new Promise(() => setTimeout(() => {}, 1e6))'

for (const [step, where, members, slow] of [
  ['drain', 'probe', '', true],
  ['capture', 'drain', `async captureState() { ${hang} }`, false],
  ['restore', 'capture', `async restoreState() { ${hang} }`, false],
] as const) {
  test(`a plugin that is unloaded in the step "${step}" of a swap does not wait for it`, async () => {
    const root = temporaryFolder()
    writePlugin(root, 'one', counter('one', members), llm)
    writePlugin(root, 'two', counter('two', members), llm)
    await using host = new PluginHost({ pluginsDir: root, drainTimeoutMs: 1e8, stateTimeoutMs: 1e8 })
    const plugin = await host.load<LLMContract>('one')
    const call = slow ? plugin.complete('wait 100000').catch((error) => error.codeName) : 'PLUGIN_NOT_READY'
    const swapping = host.swap('one', 'two').catch((error) => error.data)
    await swapStep(host, where)
    await plugin.health()
    await host.unload('one', { force: true })
    expect(await swapping).toMatchObject({ step, cause: { name: 'PLUGIN_NOT_READY' } })
    expect(await call).toBe('PLUGIN_NOT_READY')
    expect(host.status().pluginsLoaded).toBe(0)
  })
}

test('a close that is forced later ends the wait for calls in flight', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'one', counter('one'), llm)
  const host = new PluginHost({ pluginsDir: root, drainTimeoutMs: 1e8 })
  const plugin = await host.load<LLMContract>('one')
  const call = expect(plugin.complete('wait 100000')).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_READY' })
  const closed = host.close()
  await host.close({ force: true })
  await closed
  await call
})

test('a state may be longer than a message: what limits it is maxStateBytes', async () => {
  const root = temporaryFolder()
  const long = `
    captureState() { return { count: this.count, nested: [{ bytes: this.bytes }], text: 'ü'.repeat(2e6) } }
    restoreState(state) { if (state.text !== 'ü'.repeat(2e6)) throw new Error('not the same'); super.restoreState(state) }`
  writePlugin(root, 'one', counter('one', long), llm)
  writePlugin(root, 'two', counter('two', long), llm)
  await using host = new PluginHost({ pluginsDir: root, maxMessageBytes: 1e6, maxStateBytes: 4_000_200 })
  const plugin = await host.load<LLMContract>('one')
  await plugin.complete('x')
  expect(await host.swap('one', 'two')).toMatchObject({ statePreserved: true })
  expect(await textOf(plugin.complete('x'))).toBe('two 2 1,2,255')
  const state = await host.captureState('two')
  expect(state).toMatchObject({ count: 2, nested: [{ bytes: Uint8Array.of(1, 2, 255) }] })
  await host.restoreState('two', { ...(state as object), count: 10 })
  expect(await textOf(plugin.complete('x'))).toBe('two 11 1,2,255')
  const longer = { ...(state as object), more: 'x'.repeat(200) }
  await expect(host.restoreState('two', longer)).rejects.toMatchObject({ codeName: 'RESOURCE_EXHAUSTED' })
})

test('a plugin that was replaced and crashes before it has left is told as a crash, and not started again', async () => {
  const root = temporaryFolder()
  const deadly = listener('old').replace(
    'async feedAudio(id, audio) {',
    'async feedAudio() { process.exit(1);',
  )
  writePlugin(root, 'ears', deadly, { contract: 'stt' })
  writePlugin(root, 'ears2', listener('new'), { contract: 'stt' })
  await using host = new PluginHost({ pluginsDir: root, restart: { firstDelayMs: 1 } })
  const ears = await host.load<STTContract>('ears')
  const id = await ears.startStream()
  await host.swap('ears', 'ears2')
  const crashed = once(host, 'crash')
  await expect(ears.feedAudio(id, new Uint8Array(1))).rejects.toMatchObject({ codeName: 'PLUGIN_CRASHED' })
  expect(await crashed).toMatchObject([{ plugin: 'ears' }])
  expect((await ears.health()).details).toMatchObject({ restarts: 0, open_sessions: 0 })
})
