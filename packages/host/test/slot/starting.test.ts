import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TTSContract } from '@appfactory/sdk'
import { expect, test } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { isAlive, temporaryFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'

/** Notes its process and then never finishes initialize(). */
const hanging = `import { writeFileSync } from 'node:fs'\n${ttsPlugin(`
  async initialize() {
    writeFileSync(new URL('pid', import.meta.url), String(process.pid))
    console.info('initializing')
    await new Promise(() => setInterval(() => {}, 1000))
  }`)}`

/** A host whose plugin `hanging` is in initialize(). */
async function hostThatStarts() {
  const root = temporaryFolder()
  const dir = writePlugin(root, 'hanging', hanging)
  // What is waited for here would be waited for a whole test long.
  const host = new PluginHost({ pluginsDir: root, initializeTimeoutMs: 1e8 })
  const loading = host.load<TTSContract>('hanging')
  loading.catch(() => {})
  await once(host, 'log')
  return { root, host, loading, pid: () => Number(readFileSync(join(dir, 'pid'), 'utf8')) }
}

test('unloading a plugin that is being loaded abandons the load, and leaves no process', async () => {
  const { host, loading, pid } = await hostThatStarts()
  await using _ = host
  await host.unload('hanging')
  await expect(loading).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_READY' })
  expect(isAlive(pid())).toBe(false)
  expect((await host.health('hanging')).status).toBe('UNLOADED')
})

test('closing the host does not wait for a plugin that never starts', async () => {
  const { host, loading, pid } = await hostThatStarts()
  await host.close()
  await expect(loading).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_READY' })
  expect(isAlive(pid())).toBe(false)
})

test('a call that waits for a plugin to start keeps its timeout and its signal', async () => {
  const { host } = await hostThatStarts()
  await using _ = host
  const args = { text: 'Hello' }
  await expect(host.call('hanging', 'synthesize', args, { timeoutMs: 30 })).rejects.toMatchObject({
    codeName: 'CALL_TIMEOUT',
    data: { plugin: 'hanging', timeout_ms: 30 },
  })
  const signal = AbortSignal.timeout(30)
  await expect(host.call('hanging', 'synthesize', args, { signal })).rejects.toMatchObject({
    codeName: 'REQUEST_CANCELLED',
  })
})

test('a plugin that is starting does not hold up those of other contracts, nor one that serves already', async () => {
  const { root, host } = await hostThatStarts()
  await using _ = host
  await expect(host.requireActive('stt')).rejects.toMatchObject({ codeName: 'CONTRACT_NOT_FOUND' })
  writePlugin(root, 'speaker', ttsPlugin())
  await host.load('speaker')
  expect(await host.requireActive('tts')).toBe('speaker')
})

test('a listener that throws harms nobody', async () => {
  const root = temporaryFolder()
  writePlugin(
    root,
    'speaker',
    `import { writeFileSync } from 'node:fs'\n${ttsPlugin(`async initialize() { writeFileSync(new URL('pid', import.meta.url), String(process.pid)); console.log('x') }`)}`,
  )
  const host = new PluginHost({ pluginsDir: root })
  for (const event of ['status', 'log', 'crash'] as const) {
    host.on(event, () => {
      throw new Error('a mistake of the application')
    })
  }
  const tts = await host.load<TTSContract>('speaker')
  expect((await tts.synthesize('Hello')).format).toBe('wav')
  await host.close()
  expect(isAlive(Number(readFileSync(join(root, 'speaker/pid'), 'utf8')))).toBe(false)
})

test.each([Number.POSITIVE_INFINITY, 3_000_000_000, 2 ** 31])(
  'a timeout of %d ms is long, not short',
  async (timeoutMs) => {
    const root = temporaryFolder()
    writePlugin(
      root,
      'slow',
      ttsPlugin(
        `async synthesize(text) { await new Promise((done) => setTimeout(done, 50)); return super.synthesize(text) }`,
      ),
    )
    await using host = new PluginHost({ pluginsDir: root })
    const tts = await host.load<TTSContract>('slow')
    expect((await tts.synthesize('Hello', undefined, { timeoutMs })).format).toBe('wav')
  },
)

test('a crash in initialize() or in shutdown() is told as what it is', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'early', ttsPlugin('initialize() { process.exit(3) }'))
  writePlugin(root, 'late', ttsPlugin('shutdown() { process.exit(3) }'))
  await using host = new PluginHost({ pluginsDir: root })
  await expect(host.load('early')).rejects.toMatchObject({
    codeName: 'PLUGIN_INITIALIZE_FAILED',
    data: { exit: 'exited with code 3' },
  })
  await host.load('late')
  await expect(host.unload('late')).rejects.toMatchObject({ codeName: 'PLUGIN_SHUTDOWN_FAILED' })
})

test('data that looks like a reference to bytes is data', async () => {
  const root = temporaryFolder()
  writePlugin(
    root,
    'speaker',
    ttsPlugin(
      `async synthesize(text, voice, options) { return { audio: await super.synthesize(text), metadata: { value: options.providerOptions.value } } }`,
    ),
  )
  await using host = new PluginHost({ pluginsDir: root })
  const tts = await host.load<TTSContract>('speaker')
  const value = { $bytes: 'x:1', length: 67_108_864 }
  const { metadata } = await tts.synthesize('x'.repeat(100), undefined, { providerOptions: { value } })
  expect(metadata).toEqual({ value })
})

test('what healthCheck() returns must be a health', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'odd', ttsPlugin('healthCheck() { return { status: "WEIRD" } }'))
  await using host = new PluginHost({ pluginsDir: root })
  const plugin = await host.load('odd')
  await expect(plugin.health()).rejects.toMatchObject({
    codeName: 'INTERNAL_ERROR',
    data: { plugin: 'odd', method: 'health_check' },
  })
})

test('an asynchronous or endless config_schema is refused, and the host lives', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'odd', ttsPlugin(), { config_schema: { $async: true, type: 'object', required: ['x'] } })
  writePlugin(root, 'inherited', ttsPlugin(), {
    config_schema: { type: 'object', properties: { constructor: { type: 'string' } } },
  })
  await using host = new PluginHost({ pluginsDir: root })
  await expect(host.load('odd')).rejects.toMatchObject({ codeName: 'MANIFEST_INVALID' })
  await host.load('inherited')
})
