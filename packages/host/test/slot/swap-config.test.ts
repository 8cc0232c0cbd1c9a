import { join } from 'node:path'
import { expect, test } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { temporaryFolder, writePlugin } from '../fixtures/plugins.js'
import { counter, llm } from '../fixtures/swapping.js'

/** Its answers are its configuration. */
const teller = counter('x', 'complete() { return JSON.stringify(this.config) }')

async function configOf(host: PluginHost, plugin: string): Promise<unknown> {
  const { text } = (await host.call(plugin, 'complete', { prompt: 'x' })) as { text: string }
  return JSON.parse(text)
}

/** The plugin `one`, loaded with a secret, is swapped for `next`: to what configuration that has then. */
async function configAfterSwap(next: string, isPath: boolean, config?: object): Promise<unknown> {
  const root = temporaryFolder()
  for (const name of ['one', 'two']) writePlugin(root, name, teller, llm)
  await using host = new PluginHost({ pluginsDir: root })
  await host.load('one', { config: { api_key: 'secret' } })
  await host.swap('one', isPath ? join(root, next) : next, config ? { config: { ...config } } : {})
  return configOf(host, next)
}

for (const [how, isPath] of [
  ['name', false],
  ['path', true],
] as const) {
  test(`a swap for another plugin by its ${how} does not hand the configuration over`, async () => {
    expect(await configAfterSwap('two', isPath)).toEqual({})
  })

  test(`a swap for the same plugin by its ${how} keeps its configuration`, async () => {
    expect(await configAfterSwap('one', isPath)).toEqual({ api_key: 'secret' })
  })

  test(`a swap by a ${how} takes the configuration that it is given`, async () => {
    for (const next of ['one', 'two'])
      expect(await configAfterSwap(next, isPath, { voice: 'x' })).toEqual({ voice: 'x' })
  })
}
