import { describe, expect, test } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { giveOddValue, type OddValue, writePlainPlugin } from '../fixtures/plain-plugin.js'
import { runningOf, temporaryFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'

const method = (...path: string[]): (string | number)[] => ['contract', 'methods', 0, ...path]

// handshake.unit.test.ts has the table of all that can be wrong.
describe('an answer that is not as it should be is refused, and leaves nothing running', () => {
  const wrongHandshakes: [path: OddValue['path'], value: unknown, code: string][] = [
    [[], null, 'CONTRACT_MISMATCH'],
    [['protocol_version'], undefined, 'CONTRACT_MISMATCH'],
    [['protocol_version'], 5, 'PROTOCOL_VERSION_UNSUPPORTED'],
    [['contract', 'name'], 'x', 'CONTRACT_MISMATCH'],
    [method('args', 'required'), [5], 'CONTRACT_MISMATCH'],
    [['byte_channels'], 'x', 'CONTRACT_MISMATCH'],
  ]

  test('to the handshake', async () => {
    const root = temporaryFolder()
    const dir = await writePlainPlugin(root)
    writePlugin(root, 'fine', ttsPlugin())
    await using host = new PluginHost({ pluginsDir: root })
    for (const [path, value, codeName] of wrongHandshakes) {
      giveOddValue(dir, { request: 'plugin/handshake', path, value })
      const what = `${path.join('.')} = ${JSON.stringify(value)}`
      await expect(host.load('plain'), what).rejects.toMatchObject({ codeName })
      expect(runningOf(dir), what).toEqual([])
      expect((await host.list()).map(({ name, loaded }) => [name, loaded])).toEqual([
        ['fine', false],
        ['plain', false],
      ])
    }
    await host.load('fine')
  })

  test('to a health check', async () => {
    const root = temporaryFolder()
    const dir = await writePlainPlugin(root)
    await using host = new PluginHost({ pluginsDir: root })
    giveOddValue(dir, { request: 'plugin/health', path: ['status'], value: 'x' })
    await host.load('plain')
    await expect(host.health('plain')).rejects.toMatchObject({
      codeName: 'CONTRACT_MISMATCH',
      data: { issues: [{ path: 'status' }] },
    })
    expect(Object.keys(await host.health())).toEqual(['plain'])
    expect(await host.call('plain', 'get_voices')).toHaveLength(1)
    await host.unload('plain')
    expect(runningOf(dir)).toEqual([])
  })
})

describe('a contract of which no handle can be made is refused, and leaves nothing running', () => {
  const cases: Record<string, OddValue['value']> = {
    'a method named as what each handle has': 'name',
    'a method that would make a promise of the handle': 'then',
    'a method named as another': 'getVoices',
  }
  test.each(Object.entries(cases))('%s', async (_, value) => {
    const root = temporaryFolder()
    const dir = await writePlainPlugin(root)
    giveOddValue(dir, { request: 'plugin/handshake', path: method('name'), value })
    const host = new PluginHost({ pluginsDir: root })
    await expect(host.load('plain')).rejects.toMatchObject({ codeName: 'CONTRACT_MISMATCH' })
    await expect(host.describe('plain')).rejects.toMatchObject({ codeName: 'CONTRACT_MISMATCH' })
    await host.close()
    expect(runningOf(dir)).toEqual([])
  })
})

test('a plugin that answers initialize with false is not initialized', async () => {
  const root = temporaryFolder()
  const dir = await writePlainPlugin(root)
  await using host = new PluginHost({ pluginsDir: root })
  giveOddValue(dir, { request: 'plugin/initialize', path: [], value: false })
  await expect(host.load('plain')).rejects.toMatchObject({ codeName: 'PLUGIN_INITIALIZE_FAILED' })
  expect(runningOf(dir)).toEqual([])
  giveOddValue(dir, { request: 'plugin/initialize', path: [], value: true })
  await host.load('plain')
})

test('a plugin of a huge contract that is wrong all over is refused with few words', async () => {
  const root = temporaryFolder()
  const dir = await writePlainPlugin(root)
  await using host = new PluginHost({ pluginsDir: root })
  giveOddValue(dir, {
    request: 'plugin/handshake',
    path: ['contract', 'methods'],
    value: Array(100_000).fill({}),
  })
  const error: unknown = await host.load('plain').catch((reason: unknown) => reason)
  expect(error).toMatchObject({ codeName: 'CONTRACT_MISMATCH' })
  expect(String(error).length).toBeLessThan(2000)
})
