import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PluginHost } from '@appfactory/host'
import { errorTable, PluginStatus, type TTSContract } from '@appfactory/sdk'
import { manifestSchema } from '@appfactory/sdk/manifest'
import { describe, expect, it } from 'vitest'
import type { Block } from './blocks.js'
import { checkChapters, pagesOf } from './chapters.js'
import { testPages } from './document.js'
import { pluginNameOf } from './plugins.js'
import { firstColumn } from './tables.js'

const pages = pagesOf('docs/guide')

const { text, blocks, reader } = testPages('guide', pages, ({ reader: folder }) => {
  const hostOf = (): PluginHost => new PluginHost({ pluginsDir: join(folder().path, 'js/plugins') })

  it('shows a state that a successor can take', async () => {
    const { default: Shown } = await import(moduleOf(blockWith('captureState()')))
    const state: unknown = JSON.parse(JSON.stringify(new Shown().captureState()))
    const successor = new Shown()
    successor.restoreState(state)
    expect(successor.captureState()).toEqual(state)
    expect(() => successor.restoreState({})).not.toThrow()
  })

  it('shows errors that reach the caller', async () => {
    await using host = hostOf()
    const tts = await host.load<TTSContract>(pluginNameOf(blockWith("'TTS_TEXT_TOO_LONG', 'Text")))
    await expect(tts.synthesize(' ')).rejects.toMatchObject({ codeName: 'INVALID_PARAMS' })
    await expect(tts.synthesize('x'.repeat(10_001))).rejects.toMatchObject({
      code: 1002,
      data: { limit: 10_000 },
    })
  })

  it('shows an engine in a thread that is replaced when it dies', async () => {
    await using host = new PluginHost({ pluginsDir: join(folder().path, 'plugins') })
    const tts = await host.load<TTSContract>('example_tts')
    // More samples than an array can have: the thread dies of it.
    const tooLong = tts.synthesize('x'.repeat(7_000_000), undefined, { sampleRate: 48_000 })
    await expect(tooLong).rejects.toMatchObject({ codeName: 'TTS_SYNTHESIS_FAILED' })
    expect(await tts.synthesize('Hello')).toMatchObject({ durationMs: 300 })
  })

  it('shows a configuration in Zod that is checked and filled in', async () => {
    await using host = hostOf()
    const name = pluginNameOf(blockWith('static readonly configSchema'))
    await expect(host.load(name, { config: { timeout: 0 } })).rejects.toMatchObject({
      codeName: 'CONFIG_INVALID',
    })
    await host.load(name)
    expect(await host.health(name)).toMatchObject({ details: { timeout: 30 } })
  })
})

function blockWith(code: string): Block {
  const found = blocks.find((block) => block.text.includes(code))
  if (!found) throw new Error(`No block has ${code}`)
  return found
}

function moduleOf(block: Block): string {
  return pathToFileURL(join(reader().path, 'js/plugins', pluginNameOf(block), 'index.js')).href
}

describe('the guide', () => {
  checkChapters('docs/guide', text, 'package.json')

  it('lists every key of a manifest, every status and every error of a contract', () => {
    const keys = [...firstColumn(text, 'Required Fields'), ...firstColumn(text, 'Optional Fields')]
    expect(keys.toSorted()).toEqual(Object.keys(manifestSchema.shape).toSorted())
    expect(firstColumn(text, 'Status Values')).toEqual(Object.keys(PluginStatus))
    const codes = errorTable.filter(({ code }) => code > 0).map(({ code }) => String(code))
    expect(firstColumn(text, 'Error Codes Reference')).toEqual(codes)
  })
})
