import { expect, test } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { temporaryFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'

test('a plugin is asked how it is, and what it is, by a name that it had before a swap too', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'first', ttsPlugin())
  writePlugin(root, 'second', ttsPlugin(), { version: '2.0.0' })
  await using host = new PluginHost({ pluginsDir: root })
  await host.load('first')
  await host.swap('first', 'second')
  expect(await host.health('first')).toMatchObject({ status: 'READY', message: 'fine' })
  expect((await host.describe('first')).plugin.manifest?.version).toBe('2.0.0')
  await host.load('first')
  expect((await host.describe('first')).plugin.manifest?.version).toBe('1.0.0')
})
