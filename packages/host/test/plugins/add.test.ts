import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { TTSContract } from '@appfactory/sdk'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { type AddedPlugin, addPlugin } from '../../src/plugins/add.js'
import { readOrigin } from '../../src/plugins/origin.js'
import { removePlugin } from '../../src/plugins/remove.js'
import { runCommand } from '../fixtures/command.js'
import { packageTarball, type Registry, startNpmRegistry, tarball } from '../fixtures/npm.js'
import { makeFolder, temporaryFolder, ttsPlugin, writeFiles, writePlugin } from '../fixtures/plugins.js'

const cache = makeFolder()
let registry: Registry

beforeAll(async () => {
  registry = await startNpmRegistry()
  vi.stubEnv('npm_config_registry', registry.url)
  vi.stubEnv('npm_config_cache', cache.path)
  vi.stubEnv('npm_config_@offline:registry', 'http://127.0.0.1:9')
  vi.stubEnv('npm_config_fetch_retries', '0')
  for (const version of ['1.0.0', '2.0.0']) registry.publish(voice(version))
  registry.publish(library('lib', '1.4.0'))
  registry.publish(library('named', '3.0.0'))
})

afterAll(async () => {
  vi.unstubAllEnvs()
  await registry[Symbol.asyncDispose]()
  cache.remove()
})

function library(name: string, version: string, more: object = {}): Record<string, string> {
  return {
    'package.json': JSON.stringify({ name, version, main: 'index.js', ...more }),
    'index.js': `module.exports = '${name} ${version}'`,
  }
}

/** `@me/tts-voice`, whose plugin is `tts_voice`: one dependency is npm's, another one only the manifest's. */
function voice(version: string, manifest: object = {}): Record<string, string> {
  const standard = { name: 'tts_voice', version, contract: 'tts', entry_point: 'dist/index.js' }
  return {
    'package.json': JSON.stringify({
      ...{ name: '@me/tts-voice', version, type: 'module', dependencies: { lib: '^1.0.0' } },
      devDependencies: { 'never-published': '1.0.0' },
    }),
    'manifest.json': JSON.stringify({ ...standard, dependencies: ['named@>=3'], ...manifest }),
    'dist/index.js': `import lib from 'lib'\nimport named from 'named'\n${ttsPlugin(
      "async getVoices() { return [{ id: 'a', name: lib + ', ' + named, language: 'en' }] }",
    )}`,
  }
}

function add(
  spec: string,
  dir: string,
  more: Partial<Parameters<typeof addPlugin>[1]> = {},
): Promise<AddedPlugin> {
  const { signal } = new AbortController()
  return addPlugin(spec, {
    ...{ dir, force: false, allowScripts: false, timeoutMs: 60_000, signal, onStep: () => {} },
    ...more,
  })
}

test('a package is put into a folder whose host finds it at once; another version replaces it only by force', async () => {
  const dir = join(temporaryFolder(), 'some', 'plugins')
  mkdirSync(dir, { recursive: true })
  await using host = new PluginHost({ pluginsDir: dir })
  expect((await host.discover()).plugins).toEqual([])
  const { origin, path } = await add('@me/tts-voice@^1.0.0', dir)
  expect(path).toBe(join(dir, 'tts_voice'))
  expect(origin).toMatchObject({ spec: '@me/tts-voice@^1.0.0', package: '@me/tts-voice', version: '1.0.0' })
  expect(origin.integrity).toMatch(/^sha512-/)
  expect(await readOrigin(path)).toEqual(origin)
  const tts = await host.load<TTSContract>('tts_voice')
  expect((await tts.getVoices())[0]?.name).toBe('lib 1.4.0, named 3.0.0')
  expect(readdirSync(join(path, 'node_modules')).toSorted()).toEqual(['lib', 'named'])

  await expect(add('@me/tts-voice', dir)).rejects.toMatchObject({
    message: expect.stringMatching(/already there \(@me\/tts-voice@1\.0\.0\).*--force/),
  })
  registry.publish(voice('3.0.0', { entry_point: 'not/built.js' }))
  await expect(add('@me/tts-voice', dir, { force: true })).rejects.toMatchObject({
    codeName: 'MANIFEST_INVALID',
    message: expect.stringContaining('entry_point'),
  })
  expect((await readOrigin(path))?.version).toBe('1.0.0')
  expect(await add('@me/tts-voice@2', dir, { force: true })).toMatchObject({
    ...{ replaced: true, manifest: { version: '2.0.0' } },
  })
  expect(readdirSync(dir)).toEqual(['tts_voice'])
  await host.swap('tts_voice', 'tts_voice')
  expect((await host.list())[0]?.version).toBe('2.0.0')
})

test('what npm can’t get, or what is no plugin, is refused with the reason, and leaves nothing behind', async () => {
  const root = temporaryFolder()
  writeFiles(root, {
    'broken.tgz': 'no archive',
    'bad/package.json': JSON.stringify({ name: 'bad', version: '1.0.0' }),
    'bad/manifest.json': '{"name":"Not A Name"}',
    'taken/package.json': JSON.stringify({ name: 'taken', version: '1.0.0' }),
    'taken/manifest.json': JSON.stringify({
      ...{ name: 'node_modules', version: '1.0.0', contract: 'tts', entry_point: 'x.js' },
    }),
  })
  const cases: [string, string, RegExp][] = [
    ['lib', 'MANIFEST_MISSING', /the package lib is no plugin/],
    ['@offline/tts', 'PLUGIN_NOT_FOUND', /ECONNREFUSED/],
    [join(root, 'bad'), 'MANIFEST_INVALID', /name/],
    [join(root, 'taken'), 'MANIFEST_INVALID', /"node_modules" can’t be/],
    [join(root, 'broken.tgz'), 'PLUGIN_NOT_FOUND', /npm failed with/],
  ]
  const dir = temporaryFolder()
  await Promise.all(
    cases.map(([spec, codeName, message]) =>
      expect(add(spec, dir), spec).rejects.toMatchObject({
        codeName,
        message: expect.stringMatching(message),
      }),
    ),
  )
  expect(readdirSync(dir)).toEqual([])
  await expect(add('nobody-has-this', join(root, 'new', 'plugins'))).rejects.toMatchObject({
    message: expect.stringMatching(/E404.*nobody-has-this/),
  })
  expect(existsSync(join(root, 'new'))).toBe(false)
})

test('a folder is never replaced by itself, with what its package leaves out', async () => {
  const dir = temporaryFolder()
  const own = join(dir, 'own')
  writePlugin(dir, 'own', ttsPlugin())
  writeFiles(own, {
    'package.json': JSON.stringify({
      name: 'own',
      version: '1.0.0',
      type: 'module',
      files: ['manifest.json', 'index.js'],
    }),
    '.git/HEAD': 'ref',
    'test/t.js': '',
  })
  await expect(add(own, dir, { force: true })).rejects.toMatchObject({
    message: expect.stringContaining('the folder that it would replace'),
  })
  expect(readdirSync(own)).toEqual(expect.arrayContaining(['.git', 'test', 'manifest.json']))
})

test('what names no package is refused before npm is asked, and no folder is made', async () => {
  const root = temporaryFolder()
  writeFiles(root, { 'notes.txt': 'x', 'empty/x': '' })
  const specs = [
    '',
    '-g',
    '--prefix=/',
    'a b',
    'x & calc',
    'x@%PATH%',
    '$(id)',
    'git+ssh://h/x',
    'a/b/c',
    '../none',
  ]
  for (const spec of [...specs, 'x\0y', 'x'.repeat(5000), join(root, 'notes.txt'), join(root, 'empty')])
    await expect(add(spec, join(root, 'plugins')), spec).rejects.toMatchObject({ codeName: 'INVALID_PARAMS' })
  expect(existsSync(join(root, 'plugins'))).toBe(false)
})

test('a tarball writes nothing outside of its folder, and its scripts do not run unless they are allowed', async () => {
  const root = temporaryFolder()
  const ran = join(root, 'ran')
  const own = { name: 'tts_trap', version: '1.0.0' }
  const files = {
    'package.json': JSON.stringify({
      ...{ ...own, type: 'module', scripts: { postinstall: `node -e "fs.writeFileSync('${ran}', '')"` } },
    }),
    'manifest.json': JSON.stringify({ ...own, contract: 'tts', entry_point: 'index.js' }),
    'index.js': ttsPlugin(),
    '.appfactory/origin.json': '{"spec":"trusted"}',
  }
  const entries = Object.entries(files).map(([path, text]) => ({ path: `package/${path}`, text }))
  const file = join(root, 'trap.tgz')
  writeFileSync(
    file,
    tarball([
      ...entries,
      { path: 'package/../../../../escaped', text: 'x' },
      { path: join(root, 'absolute'), text: 'x' },
      { path: 'package/link', link: root },
      { path: 'package/link/through', text: 'x' },
    ]),
  )
  const dir = join(root, 'plugins')
  const { path, origin } = await add(file, dir)
  expect(readdirSync(root).toSorted()).toEqual(['plugins', 'trap.tgz'])
  expect(lstatSync(join(path, 'link'), { throwIfNoEntry: false })?.isSymbolicLink() ?? false).toBe(false)
  expect(origin).toMatchObject({ spec: file, package: 'tts_trap', version: '1.0.0' })
  expect(await readOrigin(path)).toEqual(origin)
  await add(file, dir, { force: true, allowScripts: true })
  expect(existsSync(ran)).toBe(true)
})

test('a package that a plugin brings along, and another version that its dependency needs, do not mix', async () => {
  registry.publish(library('shared', '1.0.0'))
  registry.publish({
    ...library('user', '1.0.0', { dependencies: { shared: '1.0.0' } }),
    'index.js': `module.exports = require('shared')`,
  })
  const root = temporaryFolder()
  const files = voice('1.0.0', { name: 'tts_bundle', dependencies: [] })
  const file = join(root, 'bundle.tgz')
  writeFileSync(
    file,
    packageTarball({
      ...files,
      'package.json': JSON.stringify({
        ...{ name: 'tts_bundle', version: '1.0.0', type: 'module' },
        ...{ dependencies: { shared: '*', user: '1.0.0' }, bundleDependencies: ['shared'] },
      }),
      'dist/index.js': `import shared from 'shared'\nimport user from 'user'\n${ttsPlugin(
        "async getVoices() { return [{ id: 'a', name: shared + ', ' + user, language: 'en' }] }",
      )}`,
      ...Object.fromEntries(
        Object.entries(library('shared', '9.0.0')).map(([path, text]) => [
          `node_modules/shared/${path}`,
          text,
        ]),
      ),
    }),
  )
  await add(file, join(root, 'plugins'))
  await using host = new PluginHost({ pluginsDir: join(root, 'plugins') })
  const tts = await host.load<TTSContract>('tts_bundle')
  expect((await tts.getVoices())[0]?.name).toBe('shared 9.0.0, shared 1.0.0')
})

test('an abort ends npm and leaves what was there', async () => {
  const dir = temporaryFolder()
  const mine = writePlugin(dir, 'hangs', ttsPlugin())
  const controller = new AbortController()
  const adding = add('hangs', dir, { force: true, signal: controller.signal })
  await expect.poll(() => readdirSync(dir).length).toBe(2)
  controller.abort()
  await expect(adding).rejects.toThrow()
  expect(readdirSync(dir)).toEqual(['hangs'])
  expect(existsSync(join(mine, 'manifest.json'))).toBe(true)
})

test('remove deletes what was added; it never follows a symlink, and spares somebody’s own work', async () => {
  const root = temporaryFolder()
  const dir = join(root, 'plugins')
  const mine = writePlugin(dir, 'mine', ttsPlugin())
  const linked = writePlugin(join(root, 'elsewhere'), 'linked', ttsPlugin())
  symlinkSync(linked, join(dir, 'linked'), 'junction')
  writeFiles(dir, { 'data/file': 'x' })
  const remove = (name: string, force = false): ReturnType<typeof removePlugin> =>
    removePlugin([join(root, 'elsewhere-too'), dir], name, { force })
  mkdirSync(join(root, 'elsewhere-too'))
  await expect(remove('mine')).rejects.toThrow(/was not added by this command.*--force/)
  await expect(remove('data', true)).rejects.toThrow(/no manifest\.json/)
  for (const name of ['../elsewhere/linked', '..', '.', '', 'none'])
    await expect(remove(name, true), name).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_FOUND' })
  await remove('linked')
  expect(existsSync(join(linked, 'manifest.json'))).toBe(true)
  expect(await remove('mine', true)).toMatchObject({ path: mine, origin: undefined })
  expect(readdirSync(dir)).toEqual(['data'])
})

test('the commands: .npmrc of the folder counts, list tells where a plugin came from', async () => {
  const root = temporaryFolder()
  writeFileSync(join(root, '.npmrc'), `@mine:registry=${registry.url}\n`)
  const files = voice('1.0.0')
  registry.publish({ ...files, 'package.json': (files['package.json'] ?? '').replace('@me/', '@mine/') })
  const added = await runCommand(root, 'add', '@mine/tts-voice')
  expect(added).toMatchObject({ status: 0, stderr: '' })
  expect(added.stdout).toBe(`tts_voice 1.0.0 (tts) is in ${join('plugins', 'tts_voice')}\n`)
  const [, again] = await Promise.all([
    runCommand(root, 'list').then(({ stdout }) => expect(stdout).toContain(' @mine/tts-voice@1.0.0')),
    runCommand(root, 'add', '@mine/tts-voice', '--json'),
  ])
  expect(again).toMatchObject({ status: 1, stderr: '' })
  expect(JSON.parse(again.stdout)).toMatchObject({ error: { message: expect.stringContaining('--force') } })
  const removed = await runCommand(root, 'remove', 'tts_voice', '--json')
  expect(JSON.parse(removed.stdout)).toMatchObject({
    name: 'tts_voice',
    origin: { package: '@mine/tts-voice' },
  })
  expect(readFileSync(join(root, '.npmrc'), 'utf8')).toContain(registry.url)
  expect(readdirSync(join(root, 'plugins'))).toEqual([])
})
