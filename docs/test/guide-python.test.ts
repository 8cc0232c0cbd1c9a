import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PluginHost } from '@appfactory/host'
import {
  errorTable,
  type LLMContract,
  PluginStatus,
  type STTContract,
  type TTSContract,
} from '@appfactory/sdk'
import { manifestSchema } from '@appfactory/sdk/manifest'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Block } from './blocks.js'
import { checkChapters, pagesOf } from './chapters.js'
import { type TestedDocument, testPages } from './document.js'
import { pluginNameOf } from './plugins.js'
import { installWheel, python } from './python.js'
import { root } from './reader.js'
import { firstColumn, tableOf } from './tables.js'

const folder = 'docs/guide-python'
const text = pagesOf(folder)
  .map((page) => readFileSync(join(root, page), 'utf8'))
  .join('\n')

describe('the guide for Python', () => {
  checkChapters(folder, text, 'requirements.txt')

  it('has only keys of a manifest, and every status and errors with their codes', () => {
    const keys = [...firstColumn(text, 'Required Fields'), ...firstColumn(text, 'Optional Fields')]
    expect(Object.keys(manifestSchema.shape)).toEqual(expect.arrayContaining(keys))
    expect(firstColumn(text, 'Status Values')).toEqual(Object.keys(PluginStatus))
    const shown = tableOf(text, 'Error Codes Reference').map(([code, name]) => ({ code: Number(code), name }))
    expect(errorTable).toEqual(expect.arrayContaining(shown.map((error) => expect.objectContaining(error))))
  })
})

describe.skipIf(python === undefined)('blocks in Python (skipped without Python 3.9 or newer)', () => {
  let environment = ''
  beforeAll(() => {
    environment = mkdtempSync(join(tmpdir(), 'appfactory-docs-'))
    installWheel(environment)
  })
  afterAll(() => rmSync(environment, { recursive: true, force: true }))

  testPages('the guide for Python', pagesOf(folder), testClaims)
})

/** What the pages say of their blocks, and no block shows by itself. */
function testClaims({ blocks, reader }: TestedDocument): void {
  const hostOf = (plugins: string): PluginHost => new PluginHost({ pluginsDir: join(reader().path, plugins) })
  const nameOf = (code: string): string => pluginNameOf(blockWith(blocks, code))

  it('shows errors that reach the caller', async () => {
    await using host = hostOf('js/plugins')
    const tts = await host.load<TTSContract>(
      nameOf('raise ValueError("Text cannot be empty")\n\n        if len'),
    )
    await expect(tts.synthesize('')).rejects.toMatchObject({
      codeName: 'INVALID_PARAMS',
      message: expect.stringContaining('Text cannot be empty'),
    })
    await expect(tts.synthesize('x'.repeat(10_001))).rejects.toMatchObject({ code: 1002 })
    const limited = await host.load<TTSContract>(nameOf('{"limit": 10_000}'))
    await expect(limited.synthesize('x'.repeat(10_001))).rejects.toMatchObject({
      codeName: 'TTS_TEXT_TOO_LONG',
      data: { limit: 10_000 },
    })
    const handled = await host.load<TTSContract>(nameOf('except ModelError'))
    await expect(handled.synthesize('broken')).rejects.toMatchObject({
      codeName: 'TTS_SYNTHESIS_FAILED',
      message: expect.stringContaining('no model'),
    })
  })

  it('shows options as arguments, and drops the others with a warning', async () => {
    await using host = hostOf('js/plugins')
    const tts = await host.load<TTSContract>(nameOf('*, speed: float'))
    const speech = await tts.synthesize('Hello', undefined, { speed: 2, language: 'en-US' })
    expect(speech).toMatchObject({ sampleRate: 24_000, durationMs: 150 })
    expect(speech.warnings).toEqual([expect.stringContaining('language')])
    const other = await host.load<TTSContract>(nameOf('class SilentTTS'))
    expect(await other.synthesize('Hello', undefined, { sampleRate: 8000 })).toMatchObject({
      format: 'pcm_s16le',
      sampleRate: 8000,
      durationMs: 300,
      voiceId: 'still',
    })
  })

  it('shows sessions, and streams that are closed', async () => {
    await using host = hostOf('js/plugins')
    const stt = await host.load<STTContract>(nameOf('class StopwatchSTT'))
    const session = await stt.startStream()
    expect(await stt.feedAudio(session, new Uint8Array(10))).toMatchObject({ partial: '10 bytes so far' })
    expect(await stt.endStream(session)).toMatchObject({ text: '10 bytes of audio' })

    const llm = await host.load<LLMContract>(nameOf('class EchoLLM'))
    const content = 'word '.repeat(1000)
    for await (const _piece of llm.streamChat([{ role: 'user', content }])) break
    await expect.poll(async () => (await llm.health()).details).toMatchObject({ open_streams: 0 })
  })

  it('shows a contract of its own', async () => {
    await using host = hostOf('js/plugins')
    const name = nameOf('class Counter')
    await host.load(name)
    expect(await host.call(name, 'add', { left: 1 })).toBe(2)
    await expect(host.call(name, 'add', { left: 'one' })).rejects.toMatchObject({
      codeName: 'INVALID_PARAMS',
    })
    const counted: unknown[] = []
    for await (const piece of host.stream(name, 'count', { limit: 3 })) counted.push(piece)
    expect(counted).toEqual([0, 1, 2])
  })

  it('shows a state that a successor takes', async () => {
    await using host = hostOf('js/plugins')
    const name = nameOf('Capture current state for hot-swap.')
    await host.load(name)
    expect(await host.swap(name, name)).toMatchObject({ statePreserved: true })
  })

  it('says which packages are missing, and the command', async () => {
    const manifest = { name: 'heavy_tts', version: '1.0.0', contract: 'tts', entry_point: 'main' }
    reader().write('plugins/heavy_tts/manifest.json', JSON.stringify(manifest))
    reader().write('plugins/heavy_tts/main.py', '')
    await using host = hostOf('plugins')
    await expect(host.load('heavy_tts')).rejects.toMatchObject({
      codeName: 'DEPENDENCY_MISSING',
      message: expect.stringMatching(/torch.*install/s),
    })
  })
}

function blockWith(blocks: readonly Block[], code: string): Block {
  const found = blocks.find((block) => block.text.includes(code))
  if (!found) throw new Error(`No block has ${code}`)
  return found
}
