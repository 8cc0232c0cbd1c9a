import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { PluginHost } from '../src/host.js'
import { Readiness } from '../src/metrics/readiness.js'
import { temporaryFolder, ttsPlugin, writePlugin } from './fixtures/plugins.js'

const voiced = ttsPlugin(`
  async initialize({ voice, key }) { this.voice = voice; this.key = key }
  async getVoices() { return [{ id: this.voice, name: [this.key, process.env.KEY].join(), language: 'en' }] }`)

test('an application reads configurations again: settings lie over the file, and under what load() was given', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'speaker', voiced, { default_config: { voice: 'plain', key: 'none' } })
  await using host = new PluginHost({ pluginsDir: root, plugins: { speaker: { config: { voice: 'deep' } } } })
  await host.load('speaker', { config: { key: 'mine' } })
  const voice = async () => host.call('speaker', 'get_voices')
  expect(await voice()).toMatchObject([{ id: 'deep', name: 'mine,' }])
  expect(await host.reload()).toEqual({ swapped: [], unchanged: ['speaker'], failed: [] })

  const plugins = { speaker: { config: { voice: 'high', key: 'theirs' }, env: { KEY: 'k' } } }
  const [first, second] = await Promise.all([host.reload({ plugins }), host.reload({ plugins })])
  expect([first, second]).toMatchObject([{ swapped: ['speaker'] }, { unchanged: ['speaker'] }])
  expect(await voice()).toMatchObject([{ id: 'high', name: 'mine,k' }])

  for (const wrong of [{ plugns: {} }, { logLevel: 'debug' }, { plugins: { speaker: { cofig: {} } } }])
    await expect(host.reload(wrong as object)).rejects.toBeInstanceOf(TypeError)
  expect(await voice()).toMatchObject([{ id: 'high' }])
  await host.close()
  await expect(host.reload()).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_READY' })
})

test('a plugin that is being loaded is not started a second time', async () => {
  const root = temporaryFolder()
  const slow = ttsPlugin('async initialize() { await new Promise((resolve) => setTimeout(resolve, 500)) }')
  writePlugin(root, 'slow', slow)
  await using host = new PluginHost({ pluginsDir: root })
  const [, reloaded] = await Promise.all([host.load('slow'), host.reload()])
  expect(reloaded).toEqual({ swapped: [], unchanged: ['slow'], failed: [] })
})

test('a host whose folder was not there at first is ready once it was found', async () => {
  const dir = join(temporaryFolder(), 'later')
  await using host = new PluginHost({ pluginsDir: dir })
  const readiness = new Readiness(host)
  const look = async (): Promise<void> => {
    readiness.starting()
    await host.list().catch((error) => readiness.failed(error))
    readiness.started()
  }
  await look()
  expect(readiness.obstacles()).toHaveLength(1)
  mkdirSync(dir)
  await look()
  expect(readiness.obstacles()).toEqual([])
})
