import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type GatewayFlags, gatewayOptions } from '../../src/cli/gateway-options.js'
import { temporaryFolder } from '../fixtures/plugins.js'

const flags: GatewayFlags = {
  port: 8080,
  host: '127.0.0.1',
  keyFile: undefined,
  allowOpen: false,
  model: undefined,
  fallbackModel: undefined,
  strictModels: false,
  hostName: undefined,
  cors: undefined,
  publicListings: false,
  quietHeaders: false,
  wyoming: undefined,
  wyomingAddress: '127.0.0.1',
}

function keyFile(text: string, mode = 0o600): string {
  const file = join(temporaryFolder(), 'keys')
  writeFileSync(file, text)
  chmodSync(file, mode)
  return file
}

test('keys come from a file and from the environment', async () => {
  const given = { ...flags, keyFile: keyFile('\ufeff# ours\r\none\r\n\n  two  \n') }
  const options = await gatewayOptions(given, { APPFACTORY_GATEWAY_KEYS: 'three, four\nfive' })
  expect(options).toMatchObject({ keys: ['one', 'two', 'three', 'four', 'five'] })
  expect(await gatewayOptions(flags, {})).toMatchObject({ keys: [] })
})

test.each([
  ['', /there is no key in it/],
  ['# nothing\n', /there is no key in it/],
  ['a b\n', /a key must not hold spaces/],
])('a file of keys that holds %j is refused, and not shown', async (text, message) => {
  await expect(gatewayOptions({ ...flags, keyFile: keyFile(text) }, {})).rejects.toThrow(message)
})

test('a file of keys that is not there is refused', async () => {
  await expect(gatewayOptions({ ...flags, keyFile: 'nowhere' }, {})).rejects.toThrow(
    '--key-file nowhere: there is no such file',
  )
})

test.skipIf(process.platform === 'win32')('a file of keys that others can read is refused', async () => {
  const file = keyFile('one\n', 0o640)
  await expect(gatewayOptions({ ...flags, keyFile: file }, {})).rejects.toThrow(
    `others can read it; run chmod 600 ${file}`,
  )
})

test('aliases of models', async () => {
  const given = { ...flags, model: ['gpt-4o=llm', 'a=llm/org/x=y'] }
  expect(await gatewayOptions(given, {})).toMatchObject({ models: { 'gpt-4o': 'llm', a: 'llm/org/x=y' } })
  for (const model of ['llm', '=llm', 'a=', ''])
    await expect(gatewayOptions({ ...flags, model: [model] }, {})).rejects.toThrow(
      '--model takes ALIAS=PLUGIN',
    )
})

test('ports for Home Assistant, of all plugins or of one that is loaded', async () => {
  const given = { ...flags, wyoming: ['10300', 'tts_flite=10200'] }
  const wyoming = [{ port: 10_300 }, { port: 10_200, plugin: 'tts_flite' }]
  for (const loading of [
    { load: ['tts_flite'], autoLoad: false },
    { load: [], autoLoad: true },
  ])
    expect(await gatewayOptions(given, {}, loading)).toMatchObject({ wyoming })
  await expect(gatewayOptions(given, {})).rejects.toThrow('tts_flite is not loaded; add --load tts_flite')
  for (const text of ['', 'x', '-1', '65536', '=1', 'tts_flite=', 'tts_flite:1'])
    await expect(gatewayOptions({ ...flags, wyoming: [text] }, {})).rejects.toThrow(
      `--wyoming takes PORT or PLUGIN=PORT, not ${text}`,
    )
})
