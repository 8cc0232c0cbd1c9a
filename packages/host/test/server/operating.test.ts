import { writeFileSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { startHost, ttsPlugin } from './client.js'

vi.setConfig({ testTimeout: 60_000 })

const teller = ttsPlugin(
  'teller',
  `getVoices() {
    console.debug('told')
    return [{ id: this.config.voice, name: process.env.VOICE_KEY, language: 'en' }]
  }`,
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
  expect(await host.finish()).toEqual({ code: 0, signal: null })
  expect(host.garbage).toEqual([])
})

test('a plugins folder that is not there is reported at once', async () => {
  const host = startHost({}, ['--plugins-dir', 'nowhere'])
  expect(await host.finish()).toEqual({ code: 0, signal: null })
  expect(host.stderr).toMatch(/^appfactory-host: there is no folder .*nowhere, which --plugins-dir names/)
})
