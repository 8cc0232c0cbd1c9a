import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, test } from 'vitest'
import { clusterSettings } from '../../src/cli/cluster-settings.js'
import { gatewaySettings } from '../../src/cli/gateway-settings.js'
import { jsonErrorPlace } from '../../src/cli/json-error.js'
import { type Holding, resolveSettings } from '../../src/cli/resolve.js'
import { hostSettings, loadSettings } from '../../src/cli/settings.js'
import { UsageError } from '../../src/cli/usage-error.js'
import { PluginHost } from '../../src/host.js'
import { defaultRestartPolicy } from '../../src/options.js'
import { temporaryFolder } from '../fixtures/plugins.js'

const table = [...hostSettings, ...loadSettings, ...gatewaySettings, ...clusterSettings]

/** A file of settings; what is no text is written as JSON. */
function fileOf(content: unknown): string {
  const file = join(temporaryFolder(), 'settings.json')
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
  return file
}

function resolve(content: unknown, args: Record<string, unknown> = {}) {
  return resolveSettings({ ...args, config: [fileOf(content)] }, table)
}

const held = (holdings: readonly Holding[], key: string) => holdings.find((holding) => holding.key === key)

test('a flag wins over the file, and the file over the default', async () => {
  const file = fileOf({ callTimeoutMs: 5, maxStreams: 6, restart: { maxCrashes: 7 } })
  const args = { config: [file], 'call-timeout-ms': '8', 'restart-window-ms': 'Infinity' }
  const { host, holdings } = await resolveSettings(args, table)
  expect(host).toMatchObject({ callTimeoutMs: 8, maxStreams: 6, startTimeoutMs: 30_000 })
  expect(host.restart).toEqual({
    ...defaultRestartPolicy,
    maxCrashes: 7,
    windowMs: Number.POSITIVE_INFINITY,
  })
  const origins = ['callTimeoutMs', 'maxStreams', 'startTimeoutMs'].map((key) => held(holdings, key)?.origin)
  expect(origins).toEqual(['--call-timeout-ms', file, 'default'])
})

test('every number can be given by its flag and by its key, and what holds is what a host takes', async () => {
  const numbers = hostSettings.filter(({ kind }) => kind === 'number')
  const args = Object.fromEntries(numbers.map(({ flag }, index) => [flag, String(index + 1)]))
  const byFlag = await resolve({}, args)
  const nested: Record<string, Record<string, number>> = { top: {}, restart: {} }
  for (const [index, { key }] of numbers.entries()) {
    const [name = '', group = 'top'] = key.split('.').reverse()
    Object.assign(nested[group] ?? {}, { [name]: index + 1 })
  }
  const byKey = await resolve({ ...nested['top'], restart: nested['restart'] })
  expect(byKey.host).toEqual(byFlag.host)
  expect(new Set(byFlag.holdings.map(({ value }) => value)).size).toBeGreaterThan(numbers.length)
  await new PluginHost({ ...byFlag.host, logDir: temporaryFolder() }).close()
})

test('Infinity is a word in the file, and sizes take none', async () => {
  expect((await resolve({ callTimeoutMs: 'Infinity' })).host.callTimeoutMs).toBe(Number.POSITIVE_INFINITY)
  await expect(resolve({ maxHeapMb: 'Infinity' })).rejects.toThrow(/maxHeapMb takes a whole number above 0/)
  await expect(resolve({}, { 'max-heap-mb': 'Infinity' })).rejects.toThrow(/--max-heap-mb takes .* not Inf/)
})

test('paths of a file are relative to its folder, and one folder needs no array', async () => {
  const root = temporaryFolder()
  mkdirSync(join(root, 'deep'))
  const file = join(root, 'deep/settings.json')
  writeFileSync(file, '{"pluginsDir": "../plugins", "logDir": "-"}')
  const { host } = await resolveSettings({ config: [file] }, table)
  expect(host).toMatchObject({ pluginsDir: [join(root, 'plugins')], logDir: '-', configDir: './config' })
})

test('options of a cluster come from flags and from the file', async () => {
  const file = {
    cluster: { nats: 'nats://127.0.0.1:1', namespace: 'voice', creds: 'web.nkey', labels: { gpu: 'a' } },
  }
  const { cluster } = await resolve(file, { label: ['gpu=b', 'zone=1'], 'node-limit': ['maxCallers=7'] })
  expect(cluster).toMatchObject({
    nats: ['nats://127.0.0.1:1'],
    namespace: 'voice',
    labels: { gpu: 'b', zone: '1' },
  })
  expect(cluster).toMatchObject({
    nodeLimits: { maxCallers: '7' },
    creds: expect.stringMatching(/^\/.*web\.nkey$/),
  })
  await expect(resolve({ cluster: { label: {} } })).rejects.toThrow(/cluster\.label/)
  await expect(resolve({}, { label: ['gpu'] })).rejects.toThrow(/--label takes KEY=VALUE/)
})

test('options of the gateway come from flags and from the file', async () => {
  const file = { gateway: { port: 1, models: { a: 'b' }, cors: 'https://a.example', keyFile: 'keys' } }
  const args = {
    model: ['gpt-4o=llm', ' a = llm/org/x=y', 'b=tts?voice=slt'],
    voice: ['alloy=slt', 'onyx=rms', 'alloy=af'],
    limit: ['maxBodyBytes=1000'],
  }
  const { gateway, host, holdings } = await resolve(file, args)
  expect(gateway).toEqual({
    ...{ port: 1, address: '127.0.0.1', allowOpen: false, strictModels: false, hostNames: [] },
    ...{ publicListings: false, quietHeaders: false, openaiOnly: false, cors: ['https://a.example'] },
    ...{
      keepAlive: 'comment',
      stateless: false,
      hear: false,
      mcp: false,
      metrics: false,
      publicMetrics: false,
    },
    keyFile: expect.stringMatching(/^(\/|\w:).*keys$/),
    models: { 'gpt-4o': 'llm', a: 'llm/org/x=y', b: 'tts?voice=slt' },
    voices: { alloy: ['slt', 'af'], onyx: 'rms' },
    limits: { maxBodyBytes: '1000' },
    ...{ wyoming: [], wyomingAddress: '127.0.0.1' },
  })
  expect(host).not.toHaveProperty('gateway')
  expect(held(holdings, 'gateway.port')?.origin).toMatch(/settings\.json$/)
  for (const model of ['llm', '=llm', 'a=', '', '__proto__=llm'])
    await expect(resolve({}, { model: [model] })).rejects.toThrow('--model takes ALIAS=PLUGIN')
  await expect(resolve({}, { model: ['a=b', 'a=c'] })).rejects.toThrow('--model takes')
})

test('fallbacks come from the file, as a list of plugins or with options', async () => {
  const file = {
    fallbacks: {
      voice: ['tts_cloud', { plugin: 'tts_flite', voices: { alloy: 'slt' } }],
      text: { plugins: ['llm_cloud', 'llm_llama'], probeIntervalMs: 'Infinity' },
    },
  }
  const { fallbacks, holdings } = await resolve(file)
  expect(fallbacks).toMatchObject([
    { name: 'voice', plugins: [{ plugin: 'tts_cloud' }, { plugin: 'tts_flite', voices: { alloy: 'slt' } }] },
    { name: 'text', settings: { probeIntervalMs: Number.POSITIVE_INFINITY } },
  ])
  expect(held(holdings, 'fallbacks.voice')?.value).toEqual(['tts_cloud', 'tts_flite'])
  const wrong = [
    7,
    ['a'],
    { voice: [] },
    { voice: { plugin: 'a' } },
    { voice: { plugins: ['a'], leaveAfter: 0 } },
  ]
  for (const given of wrong)
    await expect(resolve({ fallbacks: given })).rejects.toThrow(/settings\.json: fallbacks/)
})

test('levels of plugins come from flags and from the file, in either case', async () => {
  const file = {
    plugins: { one: { logLevel: 'ERROR', config: { key: 'secret' } }, two: { logLevel: 'INFO' } },
  }
  const { host, holdings } = await resolve(file, { 'log-level': ['debug', 'one=Warning'] })
  expect(host).toMatchObject({ logLevel: 'DEBUG', plugins: { two: { logLevel: 'INFO' } } })
  expect(host.plugins?.['one']).toEqual({ logLevel: 'WARNING', config: { key: 'secret' } })
  expect(held(holdings, 'plugins.one.logLevel')).toMatchObject({ value: 'WARNING', origin: '--log-level' })
  expect(JSON.stringify(holdings)).not.toContain('secret')
  for (const wrong of [['INFO', 'DEBUG'], ['LOUD'], ['one='], ['=INFO'], ['']])
    await expect(resolve({}, { 'log-level': wrong })).rejects.toThrow(UsageError)
})

describe('a file that is wrong is refused with its path, and what to do', () => {
  it.each([
    ['an unknown key', { calTimeoutMs: 5 }, /unknown key "calTimeoutMs"\. Did you mean callTimeoutMs\?/],
    ['an unknown key that is like none', { colour: 5 }, /unknown key "colour"\. Its keys are pluginsDir, /],
    ['an unknown key of restart', { restart: { crashes: 1 } }, /unknown key "restart\.crashes"/],
    ['a restart that is no object', { restart: [] }, /restart takes an object, not an array/],
    [
      'an unknown key of gateway',
      { gateway: { ports: 1 } },
      /unknown key "gateway\.ports"\. .*gateway\.port/,
    ],
    ['a gateway that is no object', { gateway: 7 }, /gateway takes an object, not 7/],
    [
      'aliases that are a text',
      { gateway: { models: 'a=b' } },
      /gateway\.models takes .* an object of these/,
    ],
    ['a limit that is no number', { gateway: { limits: { a: 'b' } } }, /gateway\.limits takes NAME=NUMBER/],
    ['a number as text', { maxStreams: '5' }, /maxStreams takes a whole number .* not the string "5"/],
    ['a time of 0', { callTimeoutMs: 0 }, /callTimeoutMs takes a number of ms above 0, or "Infinity"/],
    ['a flag as text', { autoLoad: 'yes' }, /autoLoad takes true or false/],
    ['a list of no names', { load: [1] }, /load takes an array of names/],
    ['no process', { load: ['a=0'] }, /whole number from 1 to 64/],
    ['too many processes', { load: ['a', 'b=65'] }, /whole number from 1 to 64/],
    ['processes of nobody', { load: ['=2'] }, /load takes an array of names/],
    ['a setting that plugins have not', { plugins: { a: { cofig: {} } } }, /Did you mean config\?/],
    ['a variable that is no text', { plugins: { a: { env: { A: 1 } } } }, /plugins\.a\.env takes/],
    ['an array', [], /takes a JSON object, such as /],
    ['no JSON', '{\n  "callTimeoutMs": 5,\n}', /settings\.json:3:1: /],
    ['nothing', '', /settings\.json:1:1: /],
    ['JSON that does harm', '{"__proto__": {}}', /"__proto__" is not allowed/],
    ['too many bytes', ' '.repeat(1024 * 1024 + 1), /limit is 1048576/],
  ])('%s', async (_, content, says) => {
    await expect(resolve(content)).rejects.toThrow(UsageError)
    await expect(resolve(content)).rejects.toThrow(/settings\.json/)
    await expect(resolve(content)).rejects.toThrow(says)
  })

  it('no file, a folder, or two of them', async () => {
    const missing = join(temporaryFolder(), 'nowhere.json')
    await expect(resolveSettings({ config: [missing] }, table)).rejects.toThrow(/there is no such file/)
    await expect(resolveSettings({ config: [temporaryFolder()] }, table)).rejects.toThrow(/regular file/)
    const two = { config: [fileOf({}), fileOf({})] }
    await expect(resolveSettings(two, table)).rejects.toThrow(/only one file/)
  })
})

test.each([
  ['{"a": 1,}', 1, 9],
  ['{\n "a": tru\n}', 2, 7],
  ['{"a": "\\x"}', 1, 7],
  ['{"a" 1}', 1, 6],
  ['{"a": [1, {"b": null}, 2}', 1, 25],
  ['[1 2]', 1, 4],
  ['{} {}', 1, 4],
  ['{"a": 1', 1, 8],
  ['\t[}', 1, 3],
  ['', 1, 1],
])('JSON that breaks off: %j', (text, line, column) => {
  expect(() => JSON.parse(text)).toThrow(SyntaxError)
  expect(jsonErrorPlace(text)).toEqual({ line, column })
})

test('a long text that is no JSON is looked through in linear time', () => {
  const strings = `["${'\\n'.repeat(200_000)}", ${'['.repeat(100_000)}`
  expect(jsonErrorPlace(strings)).toEqual({ line: 1, column: strings.length + 1 })
})
