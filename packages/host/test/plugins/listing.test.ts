import { readFileSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { temporaryFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'

vi.setConfig({ testTimeout: 60_000 })

test('a plugin that is not valid is logged at each look at the folders', async () => {
  const root = temporaryFolder()
  const plugins = join(root, 'plugins')
  const dir = writePlugin(plugins, 'broken', ttsPlugin(), { version: 'x' })
  writePlugin(plugins, 'speaker', ttsPlugin())
  const host = new PluginHost({ pluginsDir: plugins, logDir: join(root, 'logs') })
  for (let look = 0; look < 5; look++) await host.list()
  const manifest = readFileSync(join(dir, 'manifest.json'), 'utf8')
  writeFileSync(join(dir, 'manifest.json'), '{')
  for (let look = 0; look < 5; look++) await host.discover()
  // Once it is valid, the same reason is new again.
  writeFileSync(join(dir, 'manifest.json'), manifest.replace('"x"', '"1.0.0"'))
  expect(await host.discover()).toMatchObject({ valid: 2 })
  writeFileSync(join(dir, 'manifest.json'), '{')
  await host.discover()
  await host.close()
  const lines = readFileSync(join(root, 'logs/launcher.log'), 'utf8').split('\n')
  expect(lines.filter((line) => line.includes('not valid'))).toHaveLength(3)
})

test('a change of a plugin that was listed before stays unnoticed', async () => {
  const root = temporaryFolder()
  const dir = writePlugin(join(root, 'plugins'), 'speaker', ttsPlugin(), { description: 'one' })
  const manifest = join(dir, 'manifest.json')
  const text = readFileSync(manifest, 'utf8')
  await using host = new PluginHost({ pluginsDir: join(root, 'plugins') })
  const described = async (): Promise<unknown> => {
    const [plugin] = await host.list({ includeInvalid: true })
    return plugin && (plugin.valid ? plugin.description : 'not valid')
  }
  // What is older than the clock of the file system is kept.
  await delay(2100)
  expect(await described()).toBe('one')
  expect(await described()).toBe('one')
  writeFileSync(manifest, text.replace('one', 'two'))
  expect(await described()).toBe('two')
  writeFileSync(manifest, text.replace('one', 'six'))
  utimesSync(manifest, new Date(0), new Date(0))
  expect(await described()).toBe('six')
  await delay(2100)
  expect(await described()).toBe('six')
  // Whoever asks may change what was returned.
  const [found] = (await host.discover()).plugins
  if (found?.manifest) found.manifest.description = 'mine'
  expect(await described()).toBe('six')
  renameSync(join(dir, 'index.js'), join(dir, 'away.js'))
  expect(await described()).toBe('not valid')
  renameSync(join(dir, 'away.js'), join(dir, 'index.js'))
  expect(await described()).toBe('six')
  // Another folder in its place, behind a link that leads out.
  renameSync(dir, join(root, 'elsewhere'))
  symlinkSync(join(root, 'elsewhere'), dir, 'junction')
  expect(await described()).toBe('not valid')
  rmSync(dir)
  expect(await described()).toBeUndefined()
})
