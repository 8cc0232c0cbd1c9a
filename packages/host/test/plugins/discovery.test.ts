import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { toErrorObject } from '@appfactory/sdk/internal'
import { describe, expect, test } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { readSmallFile } from '../../src/small-file.js'
import { temporaryFolder, ttsPlugin, writeFiles, writePlugin } from '../fixtures/plugins.js'

const run = promisify(execFile)

async function discover(root: string) {
  await using host = new PluginHost({ pluginsDir: root })
  return host.discover()
}

test('finds folders with a manifest and leaves others alone', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'speaker', ttsPlugin())
  writeFiles(root, {
    'notes/readme.txt': 'no manifest',
    'loose.txt': 'no folder',
    '.hidden/manifest.json': '{}',
  })
  const { discovered, valid, invalid, plugins } = await discover(root)
  expect({ discovered, valid, invalid }).toEqual({ discovered: 1, valid: 1, invalid: 0 })
  expect(plugins[0]).toMatchObject({ name: 'speaker', valid: true, errors: [], dir: join(root, 'speaker') })
})

describe('a manifest or a folder that is not right is invalid with a reason, and the others are found', () => {
  const cases: Record<string, (root: string) => { reason: RegExp }> = {
    'an entry point above the folder': (root) => {
      writeFiles(root, { 'outside.js': '' })
      writePlugin(root, 'broken', ttsPlugin(), { entry_point: '../outside.js' })
      return { reason: /entry_point.*outside/ }
    },
    'an absolute entry point': (root) => {
      writePlugin(root, 'broken', ttsPlugin(), { entry_point: '/etc/passwd' })
      return { reason: /entry_point.*outside/ }
    },
    'an entry point that is a link out of the folder': (root) => {
      writeFiles(root, { 'outside.js': '' })
      const dir = writePlugin(root, 'broken', ttsPlugin(), { entry_point: 'link.js' })
      symlinkSync(join(root, 'outside.js'), join(dir, 'link.js'))
      return { reason: /entry_point.*link out/ }
    },
    'a folder that is a link out of the plugins folder': (root) => {
      const dir = writePlugin(temporaryFolder(), 'broken', ttsPlugin())
      symlinkSync(dir, join(root, 'broken'), 'junction')
      return { reason: /^folder: is a symlink.*--plugins-dir/ }
    },
    'a manifest that is a link out of the folder': (root) => {
      const dir = writePlugin(root, 'broken', ttsPlugin())
      renameSync(join(dir, 'manifest.json'), join(root, 'elsewhere.json'))
      symlinkSync(join(root, 'elsewhere.json'), join(dir, 'manifest.json'))
      return { reason: /manifest\.json is a symlink out/ }
    },
    'an entry point that is not there': (root) => {
      writePlugin(root, 'broken', ttsPlugin(), { entry_point: 'dist/index.js' })
      return { reason: /entry_point.*does not exist/ }
    },
    'a name that is not the folder’s': (root) => {
      writePlugin(root, 'broken', ttsPlugin(), { name: 'other' })
      return { reason: /name: "other" must equal/ }
    },
    'a manifest of 50 MB': (root) => {
      const dir = writePlugin(root, 'broken', ttsPlugin())
      truncateSync(join(dir, 'manifest.json'), 50_000_000)
      return { reason: /50000000 bytes/ }
    },
    'a FIFO called manifest.json': (root) => {
      writeFiles(root, { 'broken/index.js': '' })
      execFileSync('mkfifo', [join(root, 'broken', 'manifest.json')])
      return { reason: /not a regular file/ }
    },
    'a folder called manifest.json': (root) => {
      writeFiles(root, { 'broken/manifest.json/file': '' })
      return { reason: /not a regular file/ }
    },
    'no JSON': (root) => {
      writeFiles(root, { 'broken/manifest.json': '{"name": ' })
      return { reason: /manifest\.json: .*JSON/ }
    },
    'a prototype in the JSON': (root) => {
      writeFiles(root, { 'broken/manifest.json': '{"__proto__": {"valid": true}}' })
      return { reason: /__proto__/ }
    },
    'a version that is none': (root) => {
      writePlugin(root, 'broken', ttsPlugin(), { version: 'one' })
      return { reason: /^version: / }
    },
    'a Node that is not this one': (root) => {
      writePlugin(root, 'broken', ttsPlugin(), { engines: { node: '<4' } })
      return { reason: /engines\.node: needs <4/ }
    },
    'another platform': (root) => {
      writePlugin(root, 'broken', ttsPlugin(), { platforms: ['plan9'] })
      return { reason: /platforms: plan9/ }
    },
    'a file that the named runtime does not run': (root) => {
      writePlugin(root, 'broken', ttsPlugin(), { runtime: 'python' })
      return { reason: /entry_point: index\.js is index\.js, which python does not run/ }
    },
    'a file for Python in a plugin for Node': (root) => {
      const dir = writePlugin(root, 'broken', '', { runtime: 'node', entry_point: 'main' })
      writeFiles(dir, { 'main.py': '' })
      return { reason: /entry_point: main is main\.py, which node does not run/ }
    },
    'a module of Python that is not there': (root) => {
      writePlugin(root, 'broken', '', { runtime: 'python', entry_point: 'src.main:Speaker' })
      return { reason: /there is no src.main\.py or src.main.__init__\.py in .*broken/ }
    },
    'no entry point in a folder of Python': (root) => {
      const dir = writePlugin(root, 'broken', '', { entry_point: 'main' })
      rmSync(join(dir, 'package.json'))
      writeFiles(dir, { 'helper.py': '' })
      return { reason: /there is no main\.py or main.__init__\.py/ }
    },
    'a module of Python above the folder': (root) => {
      writeFiles(root, { 'outside.py': '' })
      writePlugin(root, 'broken', '', { entry_point: '../outside' })
      return { reason: /entry_point.*outside the plugin/ }
    },
    'a module of Python that is a link out of the folder': (root) => {
      writeFiles(root, { 'outside.py': '' })
      const dir = writePlugin(root, 'broken', '', { entry_point: 'main' })
      symlinkSync(join(root, 'outside.py'), join(dir, 'main.py'))
      return { reason: /entry_point.*link out/ }
    },
    'a requirement of pip in a plugin for Node': (root) => {
      writePlugin(root, 'broken', ttsPlugin(), { dependencies: ['zod', 'misaki[en]'] })
      return { reason: /^dependencies\.1: must be an npm package/ }
    },
    'an npm package in a plugin for Python': (root) => {
      const dir = writePlugin(root, 'broken', '', { entry_point: 'main', dependencies: ['@scope/name'] })
      writeFiles(dir, { 'main.py': '' })
      return { reason: /^dependencies\.0: must be a requirement of pip/ }
    },
  }
  for (const [title, make] of Object.entries(cases)) {
    test.skipIf(process.platform === 'win32' && title.includes('FIFO'))(title, async () => {
      const root = temporaryFolder()
      writePlugin(root, 'fine', ttsPlugin())
      const { reason } = make(root)
      const { plugins } = await discover(root)
      const broken = plugins.find(({ dir }) => dir === join(root, 'broken'))
      expect(broken?.valid).toBe(false)
      expect(broken?.errors.join('\n')).toMatch(reason)
      expect(plugins.find(({ name }) => name === 'fine')?.valid).toBe(true)
    })
  }
})

test('an unknown key is a warning', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'speaker', ttsPlugin(), { colour: 'red' })
  const { plugins } = await discover(root)
  expect(plugins[0]).toMatchObject({ valid: true, warnings: ['colour: unknown key, ignored'] })
})

test('an entry point may leave out its extension or name a folder', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'bare', ttsPlugin(), { entry_point: 'index' })
  const dir = writePlugin(root, 'folder', ttsPlugin(), { entry_point: 'lib' })
  writeFiles(dir, { 'lib/index.mjs': '' })
  const { plugins } = await discover(root)
  expect(plugins.map(({ entryFile }) => entryFile)).toEqual([
    join(root, 'bare/index.js'),
    join(root, 'folder/lib/index.mjs'),
  ])
})

test.each([
  ['__init__', '__init__.py'],
  ['main', 'main.py'],
  ['main.py', 'main.py'],
  ['./main', 'main.py'],
  ['src/main', 'src/main.py'],
  ['src.main', 'src/main.py'],
  ['package', 'package/__init__.py'],
  ['src.package', 'src/package/__init__.py'],
  ['main:Speaker', 'main.py'],
  ['main.py:Sprecherin_für_2', 'main.py'],
])('the entry point %s is %s, and Python runs it', async (entry_point, file) => {
  const root = temporaryFolder()
  const dir = writePlugin(root, 'speaker', '', { entry_point, dependencies: ['misaki[en]>=0.9'] })
  writeFiles(dir, { [file]: '' })
  const { plugins } = await discover(root)
  expect(plugins).toEqual([
    expect.objectContaining({
      ...{ valid: true, errors: [], warnings: [], entryFile: join(dir, file) },
      manifest: expect.objectContaining({ runtime: 'python' }),
    }),
  ])
})

test('of files for both runtimes Node’s is taken, which a warning says, unless the manifest decides', async () => {
  const root = temporaryFolder()
  const dir = writePlugin(root, 'speaker', '', { entry_point: 'index' })
  writeFiles(dir, { 'index.py': '' })
  const [open] = (await discover(root)).plugins
  expect(open).toMatchObject({ valid: true, entryFile: join(dir, 'index.js'), manifest: { runtime: 'node' } })
  expect(open?.warnings).toEqual([expect.stringMatching(/may be index\.js or index\.py; index\.js is taken/)])
  writePlugin(root, 'speaker', '', { entry_point: 'index', runtime: 'python' })
  const [decided] = (await discover(root)).plugins
  expect(decided).toMatchObject({ valid: true, entryFile: join(dir, 'index.py'), warnings: [] })
})

test.each([['all'], ['Linux', 'windows', 'macos'], [process.platform]])(
  'a plugin for %s and others runs here',
  async (...platforms) => {
    const root = temporaryFolder()
    writePlugin(root, 'speaker', ttsPlugin(), { platforms })
    expect((await discover(root)).plugins).toMatchObject([{ valid: true }])
  },
)

test('of two plugins of one name the folder that was named first wins', async () => {
  const [first, second] = [temporaryFolder(), temporaryFolder()]
  writePlugin(first, 'twin', ttsPlugin())
  writePlugin(second, 'twin', ttsPlugin())
  await using host = new PluginHost({ pluginsDir: [first, second] })
  const { plugins } = await host.discover()
  expect(plugins.map(({ dir, valid }) => [dir, valid])).toEqual([
    [join(first, 'twin'), true],
    [join(second, 'twin'), false],
  ])
})

test('a folder that can’t be read is DISCOVERY_FAILED', async () => {
  const root = temporaryFolder()
  await expect(discover(join(root, 'nowhere'))).rejects.toMatchObject({
    codeName: 'DISCOVERY_FAILED',
    data: { path: join(root, 'nowhere') },
  })
  writeFileSync(join(root, 'file'), '')
  await expect(discover(join(root, 'file'))).rejects.toMatchObject({ codeName: 'DISCOVERY_FAILED' })
})

test('a link out of the plugins folder can be neither loaded nor swapped in; between plugins folders it can', async () => {
  const root = temporaryFolder()
  const outside = temporaryFolder()
  const dir = writePlugin(outside, 'linked', ttsPlugin())
  symlinkSync(dir, join(root, 'linked'), 'junction')
  writePlugin(root, 'speaker', ttsPlugin())
  await using host = new PluginHost({ pluginsDir: root })
  await host.load('speaker')
  await expect(host.load('linked')).rejects.toMatchObject({ codeName: 'MANIFEST_INVALID' })
  await expect(host.swap('speaker', 'linked')).rejects.toMatchObject({
    codeName: 'HOTSWAP_FAILED',
    data: { step: 'start', cause: { name: 'MANIFEST_INVALID' } },
  })
  expect(await host.call('speaker', 'get_voices')).toHaveLength(1)
  await using other = new PluginHost({ pluginsDir: [root, outside] })
  expect((await other.load('linked')).name).toBe('linked')
})

test('a plugins folder may be a link itself', async () => {
  const root = temporaryFolder()
  const outside = temporaryFolder()
  writePlugin(outside, 'speaker', ttsPlugin())
  symlinkSync(outside, join(root, 'plugins'), 'junction')
  await using host = new PluginHost({ pluginsDir: join(root, 'plugins') })
  expect((await host.load('speaker')).name).toBe('speaker')
  expect(await host.discover()).toMatchObject({ valid: 1, invalid: 0 })
})

describe('one bad entry in a plugins folder', () => {
  const onUnix = test.skipIf(process.platform === 'win32')

  onUnix('that links to itself hides no other', async () => {
    const root = temporaryFolder()
    writePlugin(root, 'fine', ttsPlugin())
    symlinkSync('loop', join(root, 'loop'))
    mkdirSync(join(root, 'inner'))
    symlinkSync('manifest.json', join(root, 'inner/manifest.json'))
    const entry = writePlugin(root, 'entry', ttsPlugin())
    rmSync(join(entry, 'index.js'))
    symlinkSync('index.js', join(entry, 'index.js'))
    await using host = new PluginHost({ pluginsDir: root })
    const { plugins } = await host.discover()
    expect(plugins.map(({ name, valid }) => [name, valid])).toEqual([
      ['entry', false],
      ['fine', true],
      ['inner', false],
      ['loop', false],
    ])
    for (const name of ['loop', 'inner', 'entry'])
      await expect(host.load(name), name).rejects.toMatchObject({ codeName: 'MANIFEST_INVALID' })
    await expect(host.load('fin')).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_FOUND' })
    expect((await host.load('fine')).name).toBe('fine')
  })

  test('that comes and goes while it is looked at hides no other, and is in no list once it is gone', async () => {
    const root = temporaryFolder()
    writePlugin(root, 'fine', ttsPlugin())
    await using host = new PluginHost({ pluginsDir: root })
    let lists = 0
    let done = false
    const listing = (async () => {
      while (!done) {
        const names = (await host.list()).map(({ name }) => name)
        expect(names).toContain('fine')
        lists += 1
      }
    })()
    for (let round = 0; round < 150; round++) {
      writePlugin(root, `fleeting${round % 5}`, ttsPlugin())
      await new Promise((resolve) => setImmediate(resolve))
      rmSync(join(root, `fleeting${round % 5}`), { recursive: true })
    }
    done = true
    await listing
    expect(lists).toBeGreaterThan(0)
    expect((await host.list({ includeInvalid: true })).map(({ name }) => name)).toEqual(['fine'])
  })

  test('whose name breaks the rule of names is told by that rule', async () => {
    const root = temporaryFolder()
    writePlugin(root, 'readonlyAr', ttsPlugin())
    writePlugin(root, 'other Name', ttsPlugin(), { name: 'other_name' })
    writePlugin(root, 'fine', ttsPlugin())
    await using host = new PluginHost({ pluginsDir: root })
    for (const name of ['readonlyAr', 'other Name'])
      await expect(host.load(name)).rejects.toMatchObject({
        codeName: 'MANIFEST_INVALID',
        message: expect.stringContaining('lower-case words'),
      })
    await expect(host.load('readonlyA')).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_FOUND' })
    expect((await host.load('fine')).name).toBe('fine')
  })
})

test.skipIf(process.platform !== 'linux')(
  'without a file descriptor left, a plugin is not invalid: it loads once there is one',
  async () => {
    const root = temporaryFolder()
    writePlugin(root, 'speaker', ttsPlugin())
    const script = `
    import { openSync, closeSync } from 'node:fs'
    import { PluginHost } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)}
    const host = new PluginHost({ pluginsDir: ${JSON.stringify(root)}, configDir: ${JSON.stringify(join(root, 'config'))} })
    await host.discover()
    const open = []
    const take = () => { try { for (;;) open.push(openSync('/dev/null')) } catch {} }
    take()
    const refused = await host.load('speaker').catch((error) => error)
    const listed = await host.list({ includeInvalid: true }).catch((error) => error)
    for (const fd of open) closeSync(fd)
    const loaded = await host.load('speaker').catch((error) => error)
    console.log(JSON.stringify({ code: refused.codeName, transient: refused.data?.transient, listed: listed.codeName ?? listed.length, loaded: loaded.name }))
    await host.close()`
    const { stdout } = await run('bash', [
      '-c',
      `ulimit -n 150; exec "$0" --input-type=module -e "$1"`,
      process.execPath,
      script,
    ])
    expect(JSON.parse(stdout)).toEqual({
      code: 'PLUGIN_LOAD_FAILED',
      transient: true,
      // The folder itself can't be read either.
      listed: 'DISCOVERY_FAILED',
      loaded: 'speaker',
    })
  },
)

test.skipIf(process.platform !== 'linux')(
  'a file that has more than its size says is read no further than its limit',
  async () => {
    const file = join(temporaryFolder(), 'small')
    writeFileSync(file, '\u{feff}{"a": "ü"}')
    expect(await readSmallFile(file, 100)).toBe('{"a": "ü"}')
    // Files of the kernel have the size 0.
    expect(await readSmallFile('/proc/self/status', 100_000)).toContain('Name:')
    await expect(readSmallFile('/proc/self/status', 100)).rejects.toThrow('100')
    await expect(readSmallFile('/dev/zero', 100)).rejects.toThrow('regular file')
  },
)

test('a name of millions of characters gets a short answer at once', async () => {
  const root = temporaryFolder()
  for (let index = 0; index < 30; index++) writePlugin(root, `plugin${index}`, ttsPlugin())
  await using host = new PluginHost({ pluginsDir: root })
  for (const name of [
    'XxXx'.repeat(1_750_000),
    'x'.repeat(7_000_000),
    '-'.repeat(7_000_000),
    `a${'_a'.repeat(3_000_000)}`,
  ]) {
    // Time that was computed: a busy machine takes longer.
    const before = process.cpuUsage()
    for (const ask of [
      () => host.load(name),
      () => host.health(name),
      () => host.call(name, 'x'),
      () => host.describe(name),
    ]) {
      const error: unknown = await ask().catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ codeName: 'PLUGIN_NOT_FOUND' })
      expect(JSON.stringify(toErrorObject(error)).length).toBeLessThan(2000)
    }
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(3000)
  }
  await expect(host.load('plugin_1')).rejects.toMatchObject({
    message: expect.stringContaining('Did you mean'),
  })
})
