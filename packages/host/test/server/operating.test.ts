import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { startHost, ttsPlugin } from './client.js'

vi.setConfig({ testTimeout: 60_000 })

const teller = ttsPlugin(
  'teller',
  `getVoices() {
    console.debug('told')
    return [{ id: this.config.voice, name: process.env.VOICE_KEY, language: 'en' }]
  }
  synthesize(text) {
    if (text === 'crash') setImmediate(() => { throw new Error('thrown away') })
    return new Promise((_, reject) => { if (text === 'fail') reject(new PluginError('TTS_TEXT_TOO_LONG', 'too long')) })
  }
  async *synthesizeStream() { throw new PluginError('TTS_SYNTHESIS_FAILED', 'no sound') }`,
)
const bad = ttsPlugin('bad', "initialize() { throw new Error('no model') }")

test('serve loads what the file and the flags name, with their settings, and tells when that is done', async () => {
  const host = startHost({ ...teller, ...bad }, [
    ...['serve', '--config', 'host.json', '--load', 'teller', '--load', 'bad', '--load', 'missing'],
    ...['--log-level', 'teller=debug'],
  ])
  // The host reads the file later than this.
  writeFileSync(
    `${host.dir}/host.json`,
    JSON.stringify({
      load: ['nobody'],
      callTimeoutMs: 'Infinity',
      plugins: { teller: { config: { voice: 'deep' }, env: { VOICE_KEY: 'k' } } },
    }),
  )
  await host.result('events/subscribe', { types: ['log'] })
  expect(await host.result('tts/get_voices')).toMatchObject([{ id: 'deep', name: 'k' }])
  await host.notification('event', ({ message }) => message === 'told')
  await vi.waitFor(() => expect(host.stderr).toContain('appfactory-host: ready, 1 plugin loaded, 2 failed\n'))
  expect(host.stderr).toMatch(/missing/)
  expect(host.stderr).not.toMatch(/nobody/)
  // A load that failed is still told later, until one succeeds.
  expect(await host.result('plugin/list')).toMatchObject([
    {
      name: 'bad',
      valid: true,
      loaded: false,
      status: 'ERROR',
      errors: [expect.stringContaining('no model')],
    },
    { name: 'teller', status: 'READY', errors: [] },
  ])
  const call = (text: string, more = {}) =>
    host.ask('plugin/call', { plugin: 'teller', method: 'synthesize', args: { text }, ...more })
  await call('fail')
  await call('late', { timeout: 20 })
  await call('streamed', { method: 'synthesize_stream', stream: true })
  await call('crash')
  expect(await host.finish()).toEqual({ code: 0, signal: null })
  expect(host.garbage).toEqual([])
  const launcher = logOf(host.dir, 'launcher')
  const failed = launcher.filter(({ msg }) => msg === 'call failed')
  expect(failed.map(({ method, error }) => [method, error])).toEqual([
    ['synthesize', 'TTS_TEXT_TOO_LONG'],
    ['synthesize', 'CALL_TIMEOUT'],
    ['synthesize_stream', 'TTS_SYNTHESIS_FAILED'],
    ['synthesize', 'PLUGIN_CRASHED'],
  ])
  expect(failed[0]).toMatchObject({ plugin: 'teller', reason: 'too long', duration_ms: expect.any(Number) })
  expect(launcher.find(({ msg }) => msg === 'crash')).toEqual({
    ...{ level: 'ERROR', time: expect.any(String), plugin: 'teller', msg: 'crash' },
    ...{ reason: expect.stringContaining('teller'), stderr: expect.stringContaining('thrown away') },
  })
  // What Node writes of an error that ends a process is one entry.
  const thrown = logOf(host.dir, 'plugins').filter(({ msg }) => /thrown away|Node\.js v/.test(String(msg)))
  expect(thrown).toMatchObject([{ level: 'ERROR', plugin: 'teller' }])
})

test.skipIf(process.platform === 'win32')(
  'SIGHUP reads the configuration again, with the log on stderr',
  async () => {
    const members = `
      count = 0
      getVoices() { return [{ id: this.config.voice ?? 'none', name: String(++this.count), language: 'en' }] }
      captureState() { return this.count }
      restoreState(count) { this.count = count }`
    const schema = { config_schema: { type: 'object', properties: { voice: { type: 'string' } } } }
    const host = startHost(
      { ...ttsPlugin('one', members, schema), ...ttsPlugin('two', members), ...ttsPlugin('late', members) },
      ['--log-dir', '-', '--sync-mode'],
    )
    const write = (file: string, value: unknown): void =>
      writeFileSync(`${host.dir}/${file}`, typeof value === 'string' ? value : JSON.stringify(value))
    const hangUp = async (says: string): Promise<void> => {
      const before = host.stderr.length
      host.child.kill('SIGHUP')
      await vi.waitFor(() => expect(host.stderr.slice(before)).toContain(says), { timeout: 20_000 })
    }
    const voice = async (plugin: string): Promise<unknown> =>
      (await host.result<unknown[]>('plugin/call', { plugin, method: 'get_voices' }))[0]
    for (const name of ['one', 'two']) await host.result('plugin/load', { name })
    expect([await voice('one'), await voice('two')]).toMatchObject([{ id: 'none' }, { id: 'none' }])
    const pids = async (): Promise<unknown[]> => {
      const health = await host.result<Record<string, { details: { pid: number } }>>('plugin/health')
      return ['one', 'two'].map((name) => health[name]?.details.pid)
    }
    const [onePid, twoPid] = await pids()

    // Its voice changes, and its state stays; a limit is for the next start; another plugin is loaded.
    write('appfactory.config.json', {
      ...{ load: ['late'], callTimeoutMs: 1234 },
      plugins: { one: { config: { voice: 'deep' } } },
    })
    await hangUp('one swapped, 1 plugin unchanged; callTimeoutMs needs a restart')
    expect(await voice('one')).toMatchObject({ id: 'deep', name: '2' })
    expect(await voice('late')).toMatchObject({ id: 'none' })
    const after = await pids()
    expect(after[0]).not.toBe(onePid)
    expect(after[1]).toBe(twoPid)

    // What is wrong changes nothing, wherever it is.
    for (const [file, content, says] of [
      ['appfactory.config.json', '{"load": [}', 'appfactory.config.json:1:11: what stands here is not JSON'],
      ['appfactory.config.json', { plugins: { one: { config: { voice: 7 } } } }, 'one runs as before: '],
      ['config/two.json', '{', 'two.json can’t be read'],
    ] as const) {
      mkdirSync(`${host.dir}/config`, { recursive: true })
      write(file, content)
      await hangUp(says)
      expect(await pids()).toEqual(after)
    }
    // A restart finds what served, and not what the plugin has refused.
    process.kill(Number(after[0]), 'SIGKILL')
    await vi.waitFor(async () => expect(await voice('one')).toMatchObject({ id: 'deep' }), {
      timeout: 20_000,
    })
    write('config/two.json', { voice: 'high' })
    write('appfactory.config.json', { plugins: { one: { config: { voice: 'deep' } } } })
    await hangUp('two swapped, 2 plugins unchanged')
    expect(await voice('two')).toMatchObject({ id: 'high', name: '2' })
    expect(await host.finish()).toEqual({ code: 0, signal: null })
    expect(host.garbage).toEqual([])
    // Nothing but lines of the log is on stderr, and there is no folder of logs.
    const lines = host.stderr.trim().split('\n')
    expect(lines.map((line): Record<string, unknown> => JSON.parse(line))).toContainEqual(
      expect.objectContaining({ level: 'INFO', msg: 'ready, 1 plugin loaded' }),
    )
    expect(existsSync(`${host.dir}/logs`)).toBe(false)
  },
)

test('nobody reads stderr, where the log goes: the host serves and ends, and lines that were dropped are counted', async () => {
  const chatty = `getVoices() {
    for (let line = 0; line < 200; line++) console.error('said ' + 'x'.repeat(20_000))
    return []
  }`
  const host = startHost(ttsPlugin('one', chatty), ['--log-dir', '-', '--load', 'one'])
  host.child.stderr.pause()
  expect(await host.result('tts/get_voices')).toEqual([])
  expect(await host.result('plugin/unload', { name: 'one' })).toMatchObject({ success: true })
  expect(await host.result('ping')).toBe('pong')
  host.child.stderr.resume()
  await vi.waitFor(async () => {
    await host.result('plugin/load', { name: 'one' })
    await host.result('plugin/unload', { name: 'one' })
    expect(host.stderr).toMatch(/"dropped":\d+/)
  })
  host.child.stderr.pause()
  host.child.stdin.end()
  const [code] = await once(host.child, 'exit')
  host.child.stderr.resume()
  expect(code).toBe(0)
})

/** The lines of a log file. */
function logOf(dir: string, name: string): Record<string, unknown>[] {
  const lines = readFileSync(`${dir}/logs/${name}.log`, 'utf8').trim().split('\n')
  return lines.map((line) => JSON.parse(line))
}

test('a plugins folder that is not there is reported at once', async () => {
  const host = startHost({}, ['--plugins-dir', 'nowhere'])
  expect(await host.finish()).toEqual({ code: 0, signal: null })
  expect(host.stderr).toMatch(/^appfactory-host: there is no folder .*nowhere, which --plugins-dir names/)
})
