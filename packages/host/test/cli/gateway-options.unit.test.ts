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
  stateless: false,
  hear: false,
  quietHeaders: false,
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
