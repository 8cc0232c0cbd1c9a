import { once } from 'node:events'
import type { TTSContract } from '@appfactory/sdk'
import { expect, test } from 'vitest'
import { internalsOf } from '../../src/host.js'
import { PluginHost } from '../../src/index.js'
import { temporaryFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'

test('a plugin whose answers are left in its pipes is neither taken for one in a loop nor for a sick one', async () => {
  const root = temporaryFolder()
  const members = "async getVoices() { return [{ id: 'one', name: 'x'.repeat(2e6), language: 'en' }] }"
  writePlugin(root, 'held', ttsPlugin(members))
  writePlugin(root, 'looping', ttsPlugin('async getVoices() { for (;;); }'))
  const limits = { unresponsiveTimeoutMs: 1000, healthIntervalMs: 200, healthTimeoutMs: 500 }
  const options = { pluginsDir: root, ...limits, restart: { firstDelayMs: 1 } }
  await using host = new PluginHost(options)
  await using other = new PluginHost(options)
  const plugin = await host.load<TTSContract>('held')
  const crashes: unknown[] = []
  host.on('crash', (crash) => crashes.push(crash))
  let release = (): void => {}
  let room: Promise<void> | undefined = new Promise((resolve) => {
    release = () => {
      room = undefined
      resolve()
    }
  })
  const stuck = { room: () => room }
  const { calls } = internalsOf(host)
  const answers = Array.from({ length: 5 }, () => calls.call('held', 'get_voices', {}, stuck))
  // For that long, silence is noticed elsewhere: twice.
  const looping = await other.load<TTSContract>('looping')
  for (let loops = 0; loops < 2; loops++) {
    const crash = once(other, 'crash')
    await expect(looping.getVoices()).rejects.toMatchObject({ codeName: 'PLUGIN_CRASHED' })
    await crash
  }
  release()
  for (const answer of await Promise.all(answers)) expect(JSON.stringify(answer)).toContain('x'.repeat(2e6))
  expect(crashes).toEqual([])
  expect((await plugin.health()).details).toMatchObject({ restarts: 0 })
})

test('a plugin whose answers are left in its pipes can be unloaded', async () => {
  const root = temporaryFolder()
  const members = "async getVoices() { return [{ id: 'one', name: 'x'.repeat(2e6), language: 'en' }] }"
  writePlugin(root, 'held', ttsPlugin(members))
  await using host = new PluginHost({ pluginsDir: root, drainTimeoutMs: 200 })
  const plugin = await host.load<TTSContract>('held')
  const stuck = { room: () => new Promise<void>(() => {}) }
  const { calls, catalogue } = internalsOf(host)
  // More than the pipe takes: the plugin can’t leave before it is read.
  const answers = Promise.allSettled(
    Array.from({ length: 5 }, () => calls.call('held', 'get_voices', {}, stuck)),
  )
  await plugin.unload()
  expect(catalogue.isLoaded('held')).toBe(false)
  await answers
})
