import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { PluginHost } from '../../src/index.js'
import {
  isAlive,
  notesProcess,
  runningOf,
  temporaryFolder,
  ttsPlugin,
  writeFiles,
  writePlugin,
} from '../fixtures/plugins.js'

/** Notes the process in a file, so that a test can see whether it is still there. */
const notePid = `constructor() { super(); writeFileSync(new URL('pid', import.meta.url), String(process.pid)) }`

function noting(members: string): string {
  return `import { writeFileSync } from 'node:fs'\n${ttsPlugin(`${notePid}\n${members}`)}`
}

describe('a plugin that does not initialize is PLUGIN_INITIALIZE_FAILED, with nothing left running', () => {
  const cases = {
    'never returns': 'initialize() { return new Promise(() => setInterval(() => {}, 1000)) }',
    throws: `initialize() { throw new Error('no engine') }`,
    rejects: `async initialize() { throw new Error('no engine') }`,
    'returns false': 'initialize() { return false }',
    'resolves to false': 'async initialize() { return false }',
  }
  for (const [title, members] of Object.entries(cases)) {
    test(title, async () => {
      const root = temporaryFolder()
      const dir = writePlugin(root, 'broken', noting(members))
      writePlugin(root, 'fine', ttsPlugin())
      // Only what never returns is waited for.
      const initializeTimeoutMs = title === 'never returns' ? 300 : 1e8
      await using host = new PluginHost({ pluginsDir: root, initializeTimeoutMs })
      await expect(host.load('broken')).rejects.toMatchObject({
        codeName: 'PLUGIN_INITIALIZE_FAILED',
        message: expect.stringContaining('broken'),
      })
      expect(isAlive(Number(readFileSync(join(dir, 'pid'), 'utf8')))).toBe(false)
      await host.load('fine')
      expect((await host.list()).map(({ name, loaded }) => [name, loaded])).toEqual([
        ['broken', false],
        ['fine', true],
      ])
    })
  }
})

describe('a plugin that can’t be started says why, and nothing is left running', () => {
  const cases: Record<
    string,
    { source: string; manifest?: Record<string, unknown>; code: string; says: RegExp }
  > = {
    'another contract than the manifest’s': {
      source: ttsPlugin(),
      manifest: { contract: 'stt' },
      code: 'CONTRACT_MISMATCH',
      says: /"stt".*"tts"/,
    },
    'no class': { source: 'export const answer = 42', code: 'CONTRACT_MISMATCH', says: /answer/ },
    'a required method is missing': {
      source: `import { TTSContract } from '@appfactory/sdk'\nexport default class extends TTSContract { initialize() {} shutdown() {} healthCheck() {} synthesize() {} }`,
      code: 'CONTRACT_MISMATCH',
      says: /getVoices/,
    },
    'a syntax error': { source: 'export default class {', code: 'PLUGIN_LOAD_FAILED', says: /index\.js/ },
    'it ends while it is imported': {
      source: 'console.error("not today"); process.exit(7)',
      code: 'PLUGIN_LOAD_FAILED',
      says: /code 7.*not today/,
    },
    'a package that is not there': {
      source: `import 'no-such-package'`,
      code: 'DEPENDENCY_MISSING',
      says: /npm install no-such-package/,
    },
    'a constructor that throws': {
      source: ttsPlugin(`constructor() { super(); throw new Error('too early') }`),
      code: 'PLUGIN_LOAD_FAILED',
      says: /too early/,
    },
    'an import that never ends': {
      source: 'await new Promise(() => setInterval(() => {}, 1000))',
      code: 'PLUGIN_LOAD_FAILED',
      says: /handshake in 700 ms/,
    },
  }
  for (const [title, { source, manifest, code, says }] of Object.entries(cases)) {
    test(title, async () => {
      const root = temporaryFolder()
      const dir = writePlugin(root, 'broken', notesProcess + source, manifest)
      await using host = new PluginHost({
        pluginsDir: root,
        startTimeoutMs: title.includes('never') ? 700 : 30_000,
      })
      await expect(host.load('broken')).rejects.toMatchObject({
        codeName: code,
        message: expect.stringMatching(says),
      })
      await expect.poll(() => runningOf(dir)).toEqual([])
      // What failed can be mended and loaded again.
      writePlugin(root, 'broken', ttsPlugin())
      await host.load('broken')
    })
  }
})

test('names that are not there, folders without a manifest and manifests that are not valid are told apart', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'speaker', ttsPlugin())
  writePlugin(root, 'invalid', ttsPlugin(), { version: 'x' })
  writeFiles(root, { 'empty/readme.txt': '' })
  await using host = new PluginHost({ pluginsDir: root })
  await expect(host.load('speeker')).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_FOUND' })
  await expect(host.load('../speaker')).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_FOUND' })
  await expect(host.load('')).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_FOUND' })
  await expect(host.load('empty')).rejects.toMatchObject({ codeName: 'MANIFEST_MISSING' })
  await expect(host.load('invalid')).rejects.toMatchObject({
    codeName: 'MANIFEST_INVALID',
    message: expect.stringContaining('version'),
  })
  await expect(host.call('speaker', 'synthesize', { text: 'x' })).rejects.toMatchObject({
    codeName: 'PLUGIN_NOT_READY',
  })
  await expect(host.unload('speaker')).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_READY' })
  await host.load('speaker')
  await expect(host.load('speaker')).rejects.toMatchObject({ codeName: 'PLUGIN_ALREADY_LOADED' })
})

test('a shutdown() that fails or hangs is told, and the process is gone all the same', async () => {
  const root = temporaryFolder()
  const throwing = writePlugin(root, 'throwing', noting(`shutdown() { throw new Error('stuck') }`))
  const hanging = writePlugin(
    root,
    'hanging',
    noting('shutdown() { return new Promise(() => setInterval(() => {}, 1000)) }'),
  )
  await using host = new PluginHost({ pluginsDir: root, shutdownTimeoutMs: 200 })
  for (const dir of [throwing, hanging]) {
    const name = dir === throwing ? 'throwing' : 'hanging'
    await host.load(name)
    await expect(host.unload(name)).rejects.toMatchObject({ codeName: 'PLUGIN_SHUTDOWN_FAILED' })
    expect(isAlive(Number(readFileSync(join(dir, 'pid'), 'utf8')))).toBe(false)
    expect((await host.health(name)).status).toBe('UNLOADED')
  }
})

test('a process that exits in shutdown() is told as that', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'leaving', ttsPlugin('shutdown() { process.exit(5) }'))
  await using host = new PluginHost({ pluginsDir: root })
  await host.load('leaving')
  await expect(host.unload('leaving')).rejects.toMatchObject({
    codeName: 'PLUGIN_SHUTDOWN_FAILED',
    message: expect.stringContaining('exited with code 5 in shutdown()'),
    data: { plugin: 'leaving', exit: 'exited with code 5' },
  })
  await host.load('leaving')
})

test('unloading lets calls in flight finish; by force it does not', async () => {
  const root = temporaryFolder()
  writePlugin(
    root,
    'slow',
    ttsPlugin(
      `async synthesize(text) { await new Promise((done) => setTimeout(done, 150)); return super.synthesize(text) }`,
    ),
  )
  await using host = new PluginHost({ pluginsDir: root })
  await host.load('slow')
  const patient = host.call('slow', 'synthesize', { text: 'ab' })
  await host.unload('slow')
  expect(await patient).toMatchObject({ duration_ms: 20 })
  await host.load('slow')
  const cut = expect(host.call('slow', 'synthesize', { text: 'ab' })).rejects.toMatchObject({
    codeName: 'PLUGIN_NOT_READY',
  })
  await host.unload('slow', { force: true })
  await cut
})
