import type { LLMContract } from '@appfactory/sdk'
import { expect, test } from 'vitest'
import { PluginHost } from '../src/index.js'
import { temporaryFolder, writePlugin } from './fixtures/plugins.js'
import { counter, listener, llm, textOf } from './fixtures/swapping.js'

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
