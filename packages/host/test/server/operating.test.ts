import { readFileSync, writeFileSync } from 'node:fs'
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
