import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { STTContract, TTSContract } from '@appfactory/sdk'
import { expect, onTestFinished, test } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { linkSdk, temporaryFolder, ttsPlugin, writeFiles, writePlugin } from '../fixtures/plugins.js'

/** Says what `code` evaluates to in its process. */
const evaluator = ttsPlugin(`
  async getVoices() { return [{ id: 'x', name: 'x', language: 'en', ...(await this.probe()) }] }
  async probe() { return { env: process.env, config: this.config, argv: process.execArgv } }
  async synthesize(code) {
    const value = await new (async () => {}).constructor('require', 'return ' + code)((await import('node:module')).createRequire(import.meta.url))
    return { audio: new Uint8Array(2), format: 'pcm_s16le', sampleRate: 16000, channels: 1, metadata: { value } }
  }
`)

async function evaluate(plugin: { synthesize(text: string): unknown }, code: string): Promise<unknown> {
  const { metadata } = (await plugin.synthesize(code)) as { metadata: { value: unknown } }
  return metadata.value
}

function setVariables(variables: Record<string, string>): void {
  Object.assign(process.env, variables)
  onTestFinished(() => {
    for (const name of Object.keys(variables)) delete process.env[name]
  })
}

test('a plugin’s environment is an allow-list, and what its configuration grants', async () => {
  const root = temporaryFolder()
  const configDir = temporaryFolder()
  writePlugin(root, 'plugin', evaluator)
  writeFileSync(
    join(configDir, 'plugin.json'),
    JSON.stringify({ voice: 'x', $env: ['API_KEY', 'NOT_THERE'] }),
  )
  setVariables({ API_KEY: 'secret', OTHER_SECRET: 'x', LD_AUDIT: '', NODE_OPTIONS: '', LC_TIME: 'C' })
  await using host = new PluginHost({ pluginsDir: root, configDir })
  const plugin = await host.load<TTSContract>('plugin', { env: { REGION: 'here' } })
  const [voice] = (await plugin.getVoices()) as unknown as [{ env: Record<string, string>; config: unknown }]
  expect(voice.env).toMatchObject({
    API_KEY: 'secret',
    REGION: 'here',
    LC_TIME: 'C',
    PATH: process.env['PATH'],
  })
  for (const name of ['OTHER_SECRET', 'NODE_OPTIONS', 'LD_AUDIT', 'NOT_THERE'])
    expect(voice.env).not.toHaveProperty(name)
  // What was granted is no part of the configuration.
  expect(voice.config).toEqual({ voice: 'x' })
})

for (const grant of [
  ['NODE_OPTIONS'],
  { LD_PRELOAD: '/x.so' },
  { DYLD_INSERT_LIBRARIES: 'x' },
  ['node_options'],
  { A: 1 },
  'A',
  7,
]) {
  test(`${JSON.stringify(grant)} can’t be granted`, async () => {
    const root = temporaryFolder()
    writePlugin(root, 'plugin', evaluator)
    await using host = new PluginHost({ pluginsDir: root })
    await expect(host.load('plugin', { env: grant as never })).rejects.toMatchObject({
      codeName: 'CONFIG_INVALID',
      data: { plugin: 'plugin' },
    })
  })
}

test('[3] names no variable, and grants nothing', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'plugin', evaluator)
  setVariables({ API_KEY: 'secret' })
  await using host = new PluginHost({ pluginsDir: root })
  const plugin = await host.load<TTSContract>('plugin', { env: [3] as never })
  const [voice] = (await plugin.getVoices()) as unknown as [{ env: object }]
  expect(voice.env).not.toHaveProperty('API_KEY')
  expect(voice.env).not.toHaveProperty('3')
})

for (const [title, grant] of Object.entries({
  'a name that smuggles in another variable': { 'NODE_OPTIONS=--require=/tmp/x.cjs --title': '1' },
  'a name with a NUL': { 'A\0B': '1' },
  'a name that is empty': { '': '1' },
  'a name with a line end': ['A\nNODE_OPTIONS'],
  'a name of millions of characters': { ['A'.repeat(5_000_000)]: '1' },
  'a value with a NUL': { A: 'x\0y' },
  'a value that no system takes': { A: 'x'.repeat(1_000_000) },
  'LD_PRELOAD, also for the operator': { LD_PRELOAD: '/tmp/x.so' },
  'NODE_OPTIONS in other letters': ['Node_Options'],
})) {
  test(`a grant of ${title} is refused at once, wherever it stands`, async () => {
    const root = temporaryFolder()
    writePlugin(root, 'plugin', evaluator)
    await using host = new PluginHost({ pluginsDir: root, configDir: join(root, 'config') })
    const refused = { codeName: 'CONFIG_INVALID', data: { plugin: 'plugin' } }
    const error: unknown = await host
      .load('plugin', { env: grant as never })
      .catch((thrown: unknown) => thrown)
    expect(error).toMatchObject(refused)
    expect((error as Error).message.length).toBeLessThan(500)
    writeFiles(root, { 'config/plugin.json': JSON.stringify({ $env: grant }) })
    await expect(host.load('plugin')).rejects.toMatchObject(refused)
    writeFiles(root, { 'config/plugin.json': '{"$env": {"REGION": "here"}}' })
    const plugin = await host.load<TTSContract>('plugin')
    const [voice] = (await plugin.getVoices()) as unknown as [{ env: object }]
    expect(voice.env).toMatchObject({ REGION: 'here' })
  })
}

test('LD_LIBRARY_PATH is granted by the configuration file only, with a warning', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'plugin', evaluator)
  await using host = new PluginHost({ pluginsDir: root, configDir: join(root, 'config') })
  const warnings: string[] = []
  host.on('log', ({ level, message }) => level === 'WARNING' && warnings.push(message))
  const env = { LD_LIBRARY_PATH: root }
  await expect(host.load('plugin', { env })).rejects.toMatchObject({ codeName: 'CONFIG_INVALID' })
  writeFiles(root, { 'config/plugin.json': JSON.stringify({ $env: env }) })
  const plugin = await host.load<TTSContract>('plugin')
  const [voice] = (await plugin.getVoices()) as unknown as [{ env: object }]
  expect(voice.env).toMatchObject({ LD_LIBRARY_PATH: root })
  expect(warnings).toEqual([expect.stringContaining('LD_LIBRARY_PATH')])
})

test('a configuration that code passes on grants nothing', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'plugin', evaluator)
  setVariables({ API_KEY: 'secret' })
  await using host = new PluginHost({ pluginsDir: root })
  const refused = { codeName: 'CONFIG_INVALID', message: expect.stringContaining('option env') }
  const config = { $env: ['API_KEY'] }
  await expect(host.load('plugin', { config })).rejects.toMatchObject(refused)
  const plugin = await host.load<TTSContract>('plugin', { env: { REGION: 'here' } })
  await expect(host.swap('plugin', 'plugin', { config })).rejects.toMatchObject(refused)
  await host.swap('plugin', 'plugin', { config: { voice: 'x' } })
  const [voice] = (await plugin.getVoices()) as unknown as [{ env: object }]
  // What was granted at the load stays with the plugin, in a swap for itself.
  expect(voice.env).toMatchObject({ REGION: 'here' })
  expect(voice.env).not.toHaveProperty('API_KEY')
})

test('a manifest grants itself nothing', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'plugin', evaluator, { default_config: { $env: ['API_KEY'] } })
  setVariables({ API_KEY: 'secret' })
  await using host = new PluginHost({ pluginsDir: root })
  const plugin = await host.load<TTSContract>('plugin')
  const [voice] = (await plugin.getVoices()) as unknown as [{ env: object; config: object }]
  expect(voice.env).not.toHaveProperty('API_KEY')
  expect(voice.config).toEqual({})
})

test('permissions of a manifest become those of Node', async () => {
  const root = temporaryFolder()
  const dir = writePlugin(root, 'plugin', evaluator, {
    permissions: ['fs_read:./data', 'fs_write:./data', 'dance'],
  })
  linkSdk(dir)
  mkdirSync(join(dir, 'data'))
  writeFileSync(join(dir, 'data', 'a'), 'inside')
  const secret = join(temporaryFolder(), 'secret')
  writeFileSync(secret, 'outside')
  await using host = new PluginHost({ pluginsDir: root })
  const { plugins } = await host.discover()
  expect(plugins[0]?.warnings).toEqual([expect.stringContaining('dance')])
  const plugin = await host.load<TTSContract>('plugin')
  expect(await evaluate(plugin, `require('fs').readFileSync('data/a', 'utf8')`)).toBe('inside')
  await evaluate(plugin, `require('fs').writeFileSync('data/b', 'written')`)
  expect(readFileSync(join(dir, 'data', 'b'), 'utf8')).toBe('written')
  for (const code of [
    `require('fs').readFileSync(${JSON.stringify(secret)}, 'utf8')`,
    `require('fs').writeFileSync(${JSON.stringify(secret)}, '')`,
    `require('child_process').execFileSync('true')`,
    `new (require('worker_threads').Worker)('', { eval: true })`,
  ])
    await expect(evaluate(plugin, code)).rejects.toMatchObject({
      codeName: 'INTERNAL_ERROR',
      message: expect.stringMatching(/permission|restricted/),
    })
  expect(readFileSync(secret, 'utf8')).toBe('outside')
})

for (const permissions of [
  { fs_read: './data', fs_write: './data' },
  { fs_read: ['./data'], fs_write: ['./data', './elsewhere'] },
])
  test(`permissions ${JSON.stringify(permissions)} allow that and no more`, async () => {
    const root = temporaryFolder()
    linkSdk(writePlugin(root, 'plugin', evaluator, { permissions }))
    const secret = join(temporaryFolder(), 'secret')
    writeFileSync(secret, 'outside')
    await using host = new PluginHost({ pluginsDir: root })
    const plugin = await host.load<TTSContract>('plugin')
    for (const code of [
      `require('fs').readFileSync(${JSON.stringify(secret)}, 'utf8')`,
      `require('fs').writeFileSync(${JSON.stringify(secret)}, '')`,
      `require('fs').writeFileSync('database', '')`,
    ])
      await expect(evaluate(plugin, code)).rejects.toMatchObject({ codeName: 'INTERNAL_ERROR' })
    expect(readFileSync(secret, 'utf8')).toBe('outside')
    expect(
      await evaluate(plugin, `require('fs').mkdirSync('data') ?? require('fs').writeFileSync('data/a', '')`),
    ).toBe(undefined)
  })

for (const permissions of [
  { fs_read: { path: './data' } },
  { fs_write: null },
  { fs_read: 1 },
  { fs_read: [1] },
])
  test(`permissions ${JSON.stringify(permissions)} are MANIFEST_INVALID, and allow nothing`, async () => {
    const root = temporaryFolder()
    writePlugin(root, 'plugin', evaluator, { permissions })
    await using host = new PluginHost({ pluginsDir: root })
    const { plugins } = await host.discover()
    expect(plugins[0]?.errors).toEqual([expect.stringMatching(/^permissions\.fs_/)])
    await expect(host.load('plugin')).rejects.toMatchObject({ codeName: 'MANIFEST_INVALID' })
  })

test('a permission that can’t be limited to a part is a warning', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'plugin', evaluator, { permissions: { network: ['example.org'], fs_read: ['./a'] } })
  await using host = new PluginHost({ pluginsDir: root })
  const { plugins } = await host.discover()
  expect(plugins[0]?.warnings).toEqual([expect.stringContaining('network')])
})

test('a folder that is not there yet may be made and written, also through a link', async () => {
  const real = temporaryFolder()
  const root = join(temporaryFolder(), 'plugins')
  symlinkSync(real, root)
  linkSdk(writePlugin(real, 'plugin', evaluator, { permissions: ['fs_write:./cache', 'fs_write:./out'] }))
  mkdirSync(join(real, 'plugin', 'out'))
  await using host = new PluginHost({ pluginsDir: root })
  const plugin = await host.load<TTSContract>('plugin')
  for (const [index, folder] of ['out', join(root, 'plugin', 'out'), join(real, 'plugin', 'out')].entries())
    await evaluate(plugin, `require('fs').writeFileSync(${JSON.stringify(join(folder, String(index)))}, '')`)
  await evaluate(plugin, `require('fs').mkdirSync('cache/deep', { recursive: true })`)
  await evaluate(plugin, `require('fs').writeFileSync('cache/deep/a', '')`)
  expect(readdirSync(join(real, 'plugin', 'out')).toSorted()).toEqual(['0', '1', '2'])
  expect(readdirSync(join(real, 'plugin', 'cache'), { recursive: true }).toSorted()).toEqual([
    'deep',
    'deep/a',
  ])
  for (const path of ['cached', 'output', 'index.js'])
    await expect(
      evaluate(plugin, `require('fs').writeFileSync(${JSON.stringify(path)}, '')`),
    ).rejects.toMatchObject({ codeName: 'INTERNAL_ERROR' })
})

test('a manifest without permissions limits nothing; one as an object says the same as an array', async () => {
  const root = temporaryFolder()
  const run = `String(require('child_process').execFileSync(process.execPath, ['-p', '6*7'])).trim()`
  writePlugin(root, 'free', evaluator)
  writePlugin(root, 'parent', evaluator, {
    permissions: { child_process: true, worker: false, fs_read: ['/'] },
  })
  await using host = new PluginHost({ pluginsDir: root })
  expect(await evaluate(await host.load<TTSContract>('free'), run)).toBe('42')
  expect(await evaluate(await host.load<TTSContract>('parent'), run)).toBe('42')
})

test('maxHeapMb ends a plugin that takes more; its calls get PLUGIN_CRASHED', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'plugin', evaluator)
  await using host = new PluginHost({ pluginsDir: root, maxHeapMb: 40, restart: { firstDelayMs: 1 } })
  const plugin = await host.load<TTSContract>('plugin')
  await expect(
    evaluate(plugin, `(() => { const all = []; for (;;) all.push(new Array(1000).fill(Math.random())) })()`),
  ).rejects.toMatchObject({ codeName: 'PLUGIN_CRASHED', data: { stderr: expect.stringContaining('heap') } })
  expect(await evaluate(plugin, '1 + 1')).toBe(2)
})

const slow = ttsPlugin(`
  async synthesize(text) { await new Promise((resolve) => setTimeout(resolve, Number(text))); return super.synthesize('x') }
  async *synthesizeStream() { for (;;) { await new Promise((resolve) => setTimeout(resolve, 5)); yield new Uint8Array(2) } }
  async initialize(config) { await new Promise((resolve) => setTimeout(resolve, config.delay ?? 0)) }
`)

test('calls in flight, streams, sessions and calls that wait are limited: RESOURCE_EXHAUSTED', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'slow', slow)
  writePlugin(
    root,
    'ears',
    `import { STTContract } from '@appfactory/sdk'
     export default class extends STTContract {
       async initialize() {} async shutdown() {} async healthCheck() { return { status: this.status } }
       async transcribe() { return '' } async getLanguages() { return [] }
       async startStream() { return String(this.next = (this.next ?? 0) + 1) }
       async feedAudio() { return null } async endStream() { return '' }
     }`,
    { contract: 'stt' },
  )
  await using host = new PluginHost({
    pluginsDir: root,
    maxCallsInFlight: 3,
    maxStreams: 2,
    maxSessions: 2,
    maxQueuedCalls: 2,
  })
  const loading = host.load<TTSContract>('slow', { config: { delay: 300 } })
  const early = Array.from({ length: 4 }, () => host.call('slow', 'synthesize', { text: '1' }))
  const settled = await Promise.allSettled(early)
  expect(settled.map(({ status }) => status).sort()).toEqual([
    'fulfilled',
    'fulfilled',
    'rejected',
    'rejected',
  ])
  const refusal = (limit: string): object => ({ codeName: 'RESOURCE_EXHAUSTED', data: { limit } })
  expect(settled.find(({ status }) => status === 'rejected')).toMatchObject({
    reason: refusal('maxQueuedCalls'),
  })

  const plugin = await loading
  const calls = Array.from({ length: 3 }, () => plugin.synthesize('100'))
  await expect(plugin.synthesize('1')).rejects.toMatchObject(refusal('maxCallsInFlight'))
  await Promise.all(calls)
  await plugin.synthesize('1')

  const streams = [1, 2].map(() => plugin.synthesizeStream('x')[Symbol.asyncIterator]())
  await Promise.all(streams.map((stream) => stream.next()))
  const third = plugin.synthesizeStream('x')[Symbol.asyncIterator]()
  await expect(third.next()).rejects.toMatchObject(refusal('maxStreams'))
  await Promise.all(streams.map((stream) => stream.return?.()))
  const fourth = plugin.synthesizeStream('x')[Symbol.asyncIterator]()
  expect((await fourth.next()).done).toBe(false)
  await fourth.return?.()

  const ears = await host.load<STTContract>('ears')
  const session = await ears.startStream()
  await ears.startStream()
  await expect(ears.startStream()).rejects.toMatchObject(refusal('maxSessions'))
  await ears.endStream(session)
  await ears.startStream()
})
