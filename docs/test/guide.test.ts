import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PluginHost } from '@appfactory/host'
import { errorTable, PluginStatus, type TTSContract } from '@appfactory/sdk'
import { manifestSchema } from '@appfactory/sdk/manifest'
import { describe, expect, it } from 'vitest'
import type { Block } from './blocks.js'
import { testPages } from './document.js'
import { pluginNameOf } from './plugins.js'
import { root } from './reader.js'
import { firstColumn } from './tables.js'

/** Those of the guide that this one is the TypeScript edition of (D087), in its order. */
const chapters = [
  ['Overview', 'Quick Start', '1. Create Plugin Folder', '2. Define Manifest', '3. Implement Contract'],
  [
    'Contract Reference',
    'PluginBase (D001)',
    'Available Contracts',
    'TTS Contract (D002)',
    'STT Contract (D003)',
  ],
  ['LLM Contract (D004)', 'Manifest Schema', 'Required Fields', 'Optional Fields', 'Example Manifest'],
  ['Plugin Lifecycle', '1. Discovery', '2. Loading', '3. Initialization', '4. Operation', '5. Shutdown'],
  ['Health Monitoring', 'Status Values', 'Error Handling', 'Raising Errors', 'Error Codes Reference'],
  ['Configuration', 'Config Schema', 'Receiving Config', 'Hot-Swap Support', 'Dependencies', 'package.json'],
  ['Manifest Dependencies', 'Auto-Installation', 'Testing Plugins', 'Using Plugin Tester UI'],
  ['Command Line Testing', 'Unit Testing', 'Best Practices', '1. Keep Initialization Fast'],
  [
    '2. Handle Errors Gracefully',
    '3. Report Accurate Health',
    '4. Clean Up Resources',
    '5. Use Async Properly',
  ],
  ['Debugging', 'Enable Debug Logging', 'Check Logs', 'Common Issues', 'Example: Complete TTS Plugin'],
].flat()

const contents = readFileSync(join(root, 'docs/guide/README.md'), 'utf8')
/** The pages in the order of the contents: a chapter builds on files of those before it. */
const pages = [
  'README.md',
  ...[...contents.matchAll(/^\d+\. \[.*?\]\((.*?)\)/gm)].map(([, page = '']) => page),
]
const paths = pages.map((page) => `docs/guide/${page}`)

const { text, blocks, reader } = testPages('guide', paths, ({ reader: folder }) => {
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
  it('lists each of its pages, and each page links to the next', () => {
    expect(pages.toSorted()).toEqual(readdirSync(join(root, 'docs/guide')).toSorted())
    for (const [index, page] of pages.slice(1, -1).entries()) {
      const next = pages[index + 2] ?? ''
      expect(readFileSync(join(root, 'docs/guide', page), 'utf8')).toMatch(
        new RegExp(`Next: .*\\(${next}\\)\n$`),
      )
    }
  })

  it('has the chapters of D087, in its order', () => {
    const headings = [...text.matchAll(/^#{1,3} (.*)$/gm)].map(([, heading]) => heading)
    expect(headings.filter((heading) => chapters.includes(heading ?? ''))).toEqual(chapters)
  })

  it('lists every key of a manifest, every status and every error of a contract', () => {
    const keys = [...firstColumn(text, 'Required Fields'), ...firstColumn(text, 'Optional Fields')]
    expect(keys.toSorted()).toEqual(Object.keys(manifestSchema.shape).toSorted())
    expect(firstColumn(text, 'Status Values')).toEqual(Object.keys(PluginStatus))
    const codes = errorTable.filter(({ code }) => code > 0).map(({ code }) => String(code))
    expect(firstColumn(text, 'Error Codes Reference')).toEqual(codes)
  })
})
