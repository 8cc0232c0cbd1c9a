import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { temporaryFolder, ttsPlugin, writeFiles, writePlugin } from '../fixtures/plugins.js'

const tellConfig = ttsPlugin(
  `async healthCheck() { return { status: this.status, details: { config: this.config } } }`,
)

const schema = {
  type: 'object',
  properties: {
    voice: { type: 'string', default: 'alto' },
    speed: { type: 'number', minimum: 0.5, maximum: 2 },
    effects: {
      type: 'object',
      properties: { echo: { type: 'boolean', default: false }, reverb: { type: 'number' } },
    },
    tags: { type: 'array', items: { type: 'string' } },
  },
  additionalProperties: false,
}

async function configOf(root: string, given?: Record<string, unknown>): Promise<unknown> {
  await using host = new PluginHost({ pluginsDir: root, configDir: join(root, 'config') })
  const plugin = await host.load('speaker', { config: given })
  return (await plugin.health()).details?.['config']
}

test('what the caller gives lies over the file, the file over default_config, that over the schema’s defaults', async () => {
  const root = temporaryFolder()
  const defaults = { speed: 1, effects: { reverb: 1, echo: true }, tags: ['a', 'b'] }
  writePlugin(root, 'speaker', tellConfig, { config_schema: schema, default_config: defaults })
  expect(await configOf(root)).toEqual({ voice: 'alto', ...defaults })
  writeFiles(root, { 'config/speaker.json': '{"speed": 1.5, "effects": {"reverb": 2}, "tags": ["c"]}' })
  expect(await configOf(root)).toEqual({
    voice: 'alto',
    speed: 1.5,
    effects: { reverb: 2, echo: true },
    tags: ['c'],
  })
  expect(await configOf(root, { speed: 2, voice: 'bass' })).toEqual({
    voice: 'bass',
    speed: 2,
    effects: { reverb: 2, echo: true },
    tags: ['c'],
  })
})

test('null as a default means that nothing is given, except where it is a value', async () => {
  const root = temporaryFolder()
  const config_schema = {
    type: 'object',
    properties: {
      model: { type: 'string', default: null },
      device: { enum: ['cpu', 'cuda'], default: null },
      seed: { type: ['integer', 'null'], default: null },
      server: { type: 'object', properties: { key: { type: 'string' }, port: { type: 'integer' } } },
      free: {},
    },
  }
  const default_config = { model: null, server: { key: null, port: 80 }, free: null, more: null }
  writePlugin(root, 'speaker', tellConfig, { config_schema, default_config })
  expect(await configOf(root)).toEqual({ seed: null, server: { port: 80 }, free: null, more: null })
  await expect(configOf(root, { model: null })).rejects.toMatchObject({
    codeName: 'CONFIG_INVALID',
    data: { issues: [expect.objectContaining({ path: 'model' })] },
  })
})

test('CONFIG_INVALID names each path', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'speaker', tellConfig, { config_schema: { ...schema, required: ['speed'] } })
  await expect(configOf(root, { voice: 1, effects: { echo: 'yes' }, pitch: 2 })).rejects.toMatchObject({
    codeName: 'CONFIG_INVALID',
    data: {
      issues: expect.arrayContaining([
        expect.objectContaining({ path: 'voice' }),
        expect.objectContaining({ path: 'effects.echo' }),
        expect.objectContaining({ path: 'pitch' }),
        expect.objectContaining({ path: 'speed' }),
      ]),
    },
  })
})

test('a schema in code, with Zod, counts where the manifest has none', async () => {
  const root = temporaryFolder()
  const source = `import { z } from 'zod'\n${tellConfig.replace('class Speaker extends Base {', `class Speaker extends Base {\n static configSchema = z.object({ voice: z.string().default('alto'), speed: z.number().max(2).optional() })`)}`
  writePlugin(root, 'speaker', source)
  // A plugin that imports Zod needs it installed; here the workspace's copy does.
  writeFiles(root, {})
  mkdirSync(join(root, 'node_modules'))
  symlinkSync(
    new URL('../../../../node_modules/zod', import.meta.url),
    join(root, 'node_modules/zod'),
    'junction',
  )
  expect(await configOf(root)).toEqual({ voice: 'alto' })
  await expect(configOf(root, { speed: 3 })).rejects.toMatchObject({
    codeName: 'CONFIG_INVALID',
    data: { issues: [{ path: 'speed' }] },
  })
})

test('a file that is no JSON object, and a schema that is none, are told', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'speaker', tellConfig)
  writeFiles(root, { 'config/speaker.json': '[1]' })
  await expect(configOf(root)).rejects.toMatchObject({
    codeName: 'CONFIG_INVALID',
    data: { path: join(root, 'config/speaker.json') },
  })
  writeFiles(root, { 'config/speaker.json': '{"a":' })
  await expect(configOf(root)).rejects.toMatchObject({ codeName: 'CONFIG_INVALID' })
  writeFiles(root, { 'config/speaker.json': '{}' })
  writePlugin(root, 'speaker', tellConfig, { config_schema: { type: 'nonsense' } })
  await expect(configOf(root)).rejects.toMatchObject({ codeName: 'MANIFEST_INVALID' })
})

describe('a configuration that code gives and JSON can’t hold', () => {
  const circle: Record<string, unknown> = {}
  circle['a'] = { circle, again: circle }
  test.each<[string, unknown, string]>([
    ['a text', 'x', ''],
    ['a number', 5, ''],
    ['an array', [], ''],
    ['null', null, ''],
    ['a map', new Map([['a', 1]]), ''],
    ['a function', () => {}, ''],
    ['a function inside', { a: { b: () => {} } }, 'a.b'],
    ['a BigInt inside', { a: [1, 5n] }, 'a.1'],
    ['a symbol inside', { a: Symbol('x') }, 'a'],
    ['NaN', { a: Number.NaN }, 'a'],
    ['a map inside', { a: new Map([['a', 1]]) }, 'a'],
    ['bytes inside', { a: new Uint8Array(2) }, 'a'],
    ['a circle', circle, 'a.circle'],
    ['a prototype', JSON.parse('{"a": {"__proto__": {"polluted": true}}}'), 'a.__proto__'],
  ])('%s is CONFIG_INVALID with its path, before anything is started', async (_, config, path) => {
    const root = temporaryFolder()
    writePlugin(root, 'speaker', tellConfig)
    await using host = new PluginHost({ pluginsDir: root, configDir: join(root, 'config') })
    const statuses: string[] = []
    host.on('status', ({ status }) => statuses.push(status))
    await expect(host.load('speaker', { config: config as never })).rejects.toMatchObject({
      codeName: 'CONFIG_INVALID',
      data: { plugin: 'speaker', issues: [expect.objectContaining({ path })] },
    })
    expect(statuses).toEqual([])
    const plugin = await host.load('speaker', {
      config: { when: new Date(0), not: undefined, list: [undefined] },
    })
    expect((await plugin.health()).details?.['config']).toEqual({
      when: '1970-01-01T00:00:00.000Z',
      list: [null],
    })
    await expect(host.swap('speaker', 'speaker', { config: config as never })).rejects.toMatchObject({
      codeName: 'CONFIG_INVALID',
    })
    expect((await host.health('speaker')).status).toBe('READY')
  })
})

test('a byte order mark in a configuration file is no fault', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'speaker', tellConfig)
  writeFiles(root, { 'config/speaker.json': '\u{feff}{"voice": "alto"}' })
  expect(await configOf(root)).toEqual({ voice: 'alto' })
})

test.skipIf(process.platform === 'win32')(
  'a configuration file that is a named pipe, a folder, or endless, stops nothing',
  async () => {
    const root = temporaryFolder()
    const file = join(root, 'config/speaker.json')
    writePlugin(root, 'speaker', tellConfig)
    writePlugin(root, 'other', ttsPlugin())
    await using host = new PluginHost({ pluginsDir: root, configDir: join(root, 'config') })
    mkdirSync(join(root, 'config'))
    const kinds: Record<string, () => void> = {
      pipe: () => execFileSync('mkfifo', [file]),
      folder: () => mkdirSync(file),
      device: () => symlinkSync('/dev/zero', file),
      long: () => writeFileSync(file, `"${'x'.repeat(9_000_000)}"`),
    }
    for (const [kind, make] of Object.entries(kinds)) {
      make()
      await expect(host.load('speaker'), kind).rejects.toMatchObject({
        codeName: 'CONFIG_INVALID',
        data: { path: file },
      })
      rmSync(file, { recursive: true })
    }
    expect((await host.load('other')).name).toBe('other')
    expect((await host.load('speaker')).name).toBe('speaker')
  },
)

test('a prototype in a configuration changes nothing', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'speaker', tellConfig)
  await configOf(root, JSON.parse('{"__proto__": {"polluted": true}}') as Record<string, unknown>).catch(
    () => {},
  )
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
})
