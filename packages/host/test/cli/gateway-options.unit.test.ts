import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { gatewayOptions } from '../../src/cli/gateway-options.js'
import { temporaryFolder } from '../fixtures/plugins.js'

function keyFile(text: string, mode = 0o600): string {
  const file = join(temporaryFolder(), 'keys')
  writeFileSync(file, text)
  chmodSync(file, mode)
  return file
}

test('keys come from a file and from the environment', async () => {
  const given = { keyFile: keyFile('\ufeff# ours\r\none\r\n\n  two  \n') }
  const options = await gatewayOptions(given, { APPFACTORY_GATEWAY_KEYS: 'three, four\nfive' })
  expect(options).toMatchObject({ keys: ['one', 'two', 'three', 'four', 'five'] })
  expect(await gatewayOptions({}, {})).toMatchObject({ keys: [] })
})

test('keys of a file may be JSON, with what each is good for', async () => {
  const keys = [{ key: 'one', name: 'kitchen', models: ['llm'] }, 'two']
  const given = { keyFile: keyFile(`\ufeff \n${JSON.stringify(keys)}`) }
  const options = await gatewayOptions(given, { APPFACTORY_GATEWAY_KEYS: 'three' })
  expect(options).toMatchObject({ keys: [...keys, 'three'] })
})

test.each([
  ['', /there is no key in it/],
  ['[]', /there is no key in it/],
  ['[{"key": "secret"]', /line 1, column 18 is not JSON$/],
  ['# nothing\n', /there is no key in it/],
  ['a b\n', /a key must not hold spaces/],
])('a file of keys that holds %j is refused, and not shown', async (text, message) => {
  await expect(gatewayOptions({ keyFile: keyFile(text) }, {})).rejects.toThrow(message)
})

test('a file of keys that is not there is refused', async () => {
  await expect(gatewayOptions({ keyFile: 'nowhere' }, {})).rejects.toThrow(
    '--key-file nowhere: there is no such file',
  )
})

test.skipIf(process.platform === 'win32')('a file of keys that others can read is refused', async () => {
  const file = keyFile('one\n', 0o640)
  await expect(gatewayOptions({ keyFile: file }, {})).rejects.toThrow(
    `others can read it; run chmod 600 ${file}`,
  )
})

test('limits are numbers, as text or not', async () => {
  const limits = { maxBodyBytes: '1000', slowBodyMs: 'Infinity', drainTimeoutMs: 5 }
  const options = await gatewayOptions({ port: 1, limits }, {})
  expect(options).toEqual({
    port: 1,
    limits: { maxBodyBytes: 1000, slowBodyMs: Number.POSITIVE_INFINITY, drainTimeoutMs: 5 },
    wyoming: [],
    keys: [],
  })
})

test('ports for Home Assistant, of all plugins or of one that is loaded', async () => {
  const given = { wyoming: ['10300', 'tts_flite=10200'] }
  const wyoming = [{ port: 10_300 }, { port: 10_200, plugin: 'tts_flite' }]
  for (const loading of [
    { load: new Map([['tts_flite', 2]]), autoLoad: false },
    { load: new Map(), autoLoad: true },
  ])
    expect(await gatewayOptions(given, {}, loading)).toMatchObject({ wyoming })
  await expect(gatewayOptions(given, {})).rejects.toThrow('tts_flite is not loaded; add --load tts_flite')
  for (const text of ['', 'x', '-1', '65536', '=1', 'tts_flite=', 'tts_flite:1'])
    await expect(gatewayOptions({ wyoming: [text] }, {})).rejects.toThrow(
      `--wyoming takes PORT or PLUGIN=PORT, not ${text}`,
    )
})

test('a certificate and its key, both or none', async () => {
  const [tlsCert, tlsKey] = [keyFile('a certificate'), keyFile('a key')]
  expect(await gatewayOptions({ tlsCert, tlsKey }, {})).toMatchObject({
    tls: { cert: 'a certificate', key: 'a key' },
  })
  await expect(gatewayOptions({ tlsCert }, {})).rejects.toThrow('need each other')
  await expect(gatewayOptions({ tlsCert, tlsKey: 'nowhere' }, {})).rejects.toThrow(
    '--tls-key nowhere: there is no such file',
  )
})
