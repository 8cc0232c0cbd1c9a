import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type HostOptions, PluginHost } from '../../src/index.js'
import { makeFolder, temporaryFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'
import { counter, llm, stateless } from '../fixtures/swapping.js'

/** Codes that the host gives to events of its own. A plugin may throw them too: it may stand for another host. */
const codes = [
  'CALL_TIMEOUT',
  'PLUGIN_CRASHED',
  'PLUGIN_NOT_FOUND',
  'PLUGIN_NOT_READY',
  'MANIFEST_INVALID',
  'CONFIG_INVALID',
  'CONTRACT_MISMATCH',
  'PLUGIN_LOAD_FAILED',
  'REQUEST_CANCELLED',
  'HEALTH_CHECK_TIMEOUT',
]

/** @param code Of the plugin's code, an expression. */
const throws = (code: string): string =>
  `throw new PluginError(${code}, 'as another host said', { plugin: 'other', transient: false })`

/** The source of a plugin without state that has these members beside those of a counter. */
const withMembers = (label: string, members: string): string =>
  stateless(label).replace(/class Counter extends Stateful \{/, `$& ${members}`)

/** A host for several tests on plugins in a folder. */
function openHost(options: HostOptions = {}): { root: string; host: PluginHost } {
  const { path, remove } = makeFolder()
  const host = new PluginHost({ pluginsDir: path, ...options })
  cleanups.push(async () => {
    await host.close({ force: true })
    remove()
  })
  return { root: path, host }
}

const cleanups: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const cleanup of cleanups) await cleanup()
})

describe('an error that a plugin throws is never taken for an event of the host’s own', () => {
  describe('in calls', () => {
    let host: PluginHost
    beforeAll(async () => {
      const opened = openHost()
      host = opened.host
      const members = `async complete(prompt) { ${throws('prompt')} } async *streamComplete(prompt) { ${throws('prompt')} }`
      writePlugin(opened.root, 'thrower', withMembers('thrower', members), llm)
      await host.load('thrower')
    })

    test.each(codes)('%s reaches the caller of a call and of a stream as it was thrown', async (code) => {
      const thrown = { codeName: code, message: 'as another host said', data: { plugin: 'other' } }
      await expect(host.call('thrower', 'complete', { prompt: code })).rejects.toMatchObject(thrown)
      const streamed = host.stream('thrower', 'stream_complete', { prompt: code })
      await expect(streamed.next()).rejects.toMatchObject(thrown)
      expect(await host.call('thrower', 'get_models')).toHaveLength(1)
    })
  })

  test('PLUGIN_CRASHED is no crash: the call is not made again', async () => {
    const root = temporaryFolder()
    const members = `calls = 0
      async getVoices() { this.calls += 1; throw new PluginError('PLUGIN_CRASHED', String(this.calls)) }`
    writePlugin(root, 'thrower', ttsPlugin(members))
    await using host = new PluginHost({ pluginsDir: root })
    await host.load('thrower')
    const options = { retry: 3, timeoutMs: 10_000 }
    await expect(host.call('thrower', 'get_voices', {}, options)).rejects.toMatchObject({ message: '1' })
    expect(await host.call('thrower', 'synthesize', { text: 'x' })).toHaveProperty('audio_b64')
  })

  describe('in health checks', () => {
    let host: PluginHost
    let dir: string
    beforeAll(async () => {
      const opened = openHost({ healthTimeoutMs: 1000 })
      host = opened.host
      writePlugin(opened.root, 'old', stateless('old'), llm)
      // It is well when it is probed, and not when it is confirmed.
      const members = `checks = 0
        async healthCheck() {
          if (++this.checks > 1) ${throws("readFileSync(new URL('code', import.meta.url), 'utf8')")}
          return { status: 'READY' }
        }`
      const source = `import { readFileSync } from 'node:fs'\n${withMembers('new', members)}`
      dir = writePlugin(opened.root, 'new', source, llm)
      await host.load('old')
    })

    test.each(codes)('%s of the health check of a new plugin does not hold up a swap', async (code) => {
      writeFileSync(join(dir, 'code'), code)
      expect(await host.swap('old', 'new')).toMatchObject({ newPlugin: 'new' })
      expect(await host.call('new', 'complete', { prompt: 'x' })).toHaveProperty('text')
      await host.swap('new', 'old')
    })
  })

  test.each(codes)('%s of initialize() in a restart is not the end of restarts', async (code) => {
    const root = temporaryFolder()
    const dir = writePlugin(
      root,
      'flaky',
      `import { existsSync, rmSync } from 'node:fs'\n${counter(
        'flaky',
        `async initialize() {
          const file = new URL('fail', import.meta.url)
          if (!existsSync(file)) return
          rmSync(file)
          ${throws(`'${code}'`)}
        }`,
      )}`,
      llm,
    )
    await using host = new PluginHost({ pluginsDir: root, restart: { firstDelayMs: 1 } })
    await host.load('flaky')
    writeFileSync(join(dir, 'fail'), '')
    await host.call('flaky', 'complete', { prompt: 'exit' }).catch(() => {})
    let answer: unknown
    for (let tries = 0; tries < 200 && answer === undefined; tries++) {
      answer = await host.call('flaky', 'complete', { prompt: 'x' }).catch(() => delay(25))
    }
    expect(answer).toMatchObject({ text: expect.stringContaining('flaky 1') })
  })
})

test('a call that takes too long is told as that, also where the plugin has codes of its own', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'slow', counter('slow'), llm)
  await using host = new PluginHost({ pluginsDir: root })
  await host.load('slow')
  await expect(
    host.call('slow', 'complete', { prompt: 'wait 5000' }, { timeoutMs: 50 }),
  ).rejects.toMatchObject({ codeName: 'CALL_TIMEOUT', data: { plugin: 'slow', timeout_ms: 50 } })
  const streamed = host.stream('slow', 'stream_complete', { prompt: 'x' }, { timeoutMs: 1 })
  await expect(streamed.next()).rejects.toMatchObject({ codeName: 'CALL_TIMEOUT', data: { timeout_ms: 1 } })
  await host.call('slow', 'complete', { prompt: 'x' })
})
