import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TTSContract } from '@appfactory/sdk'
import { expect, onTestFinished, test, vi } from 'vitest'
import { LinesProcess } from '../../../sdk/test/lines-process.js'
import { PluginHost } from '../../src/index.js'
import { SharedWork } from '../../src/shared-work.js'
import { isAlive, temporaryFolder, ttsPlugin, writeFiles, writePlugin } from '../fixtures/plugins.js'

vi.setConfig({ testTimeout: 60_000 })

const command = fileURLToPath(new URL('../../bin/appfactory-host.js', import.meta.url))

/** Notes that it has run, and what it sees of the environment. */
const noting = (file: string): string =>
  `node -e "fs.appendFileSync('${file}', JSON.stringify(process.env) + '\\n')"`

/** Notes its process, and never ends. */
const endless = (file: string): string =>
  `node -e "fs.writeFileSync('${file}', String(process.pid)); setInterval(() => {}, 1000)"`

/** A plugin that needs a package which is not installed yet; both have install scripts. */
function writeNeedy(
  root: string,
  script: (file: string) => string,
): { dir: string; ran: string; lib: string } {
  const [ran, lib] = [join(root, 'ran'), join(root, 'lib-ran')]
  writeFiles(join(root, 'library'), {
    'package.json': JSON.stringify({
      ...{ name: 'library', version: '1.0.0', main: 'index.js' },
      scripts: { postinstall: script(lib) },
    }),
    'index.js': 'module.exports = 1',
  })
  const dir = writePlugin(join(root, 'plugins'), 'needy', ttsPlugin(), { dependencies: ['library'] })
  const declared = { library: `file:${join(root, 'library')}` }
  const own = { name: 'needy', type: 'module', scripts: { preinstall: script(ran) }, dependencies: declared }
  writeFileSync(join(dir, 'package.json'), JSON.stringify(own))
  return { dir, ran, lib }
}

const written = async (file: string): Promise<string> => {
  await expect.poll(() => existsSync(file) && readFileSync(file, 'utf8'), { timeout: 30_000 }).toBeTruthy()
  return readFileSync(file, 'utf8')
}

test('install scripts of a plugin and of its packages are run with nobody’s permission', async () => {
  const root = temporaryFolder()
  const { dir, ran, lib } = writeNeedy(root, noting)
  await using host = new PluginHost({ pluginsDir: join(root, 'plugins'), autoInstallDependencies: true })
  const needy = await host.load<TTSContract>('needy')
  expect([ran, lib].map((file) => existsSync(file))).toEqual([false, false])
  expect(existsSync(join(dir, 'node_modules/library'))).toBe(true)
  expect(await needy.getVoices()).toHaveLength(1)
})

test('install scripts that are allowed see secrets of the host', async () => {
  vi.stubEnv('OPENAI_API_KEY', 'sk-very-secret')
  vi.stubEnv('NODE_OPTIONS', '--no-deprecation')
  vi.stubEnv('npm_config__authToken', 'also-secret')
  vi.stubEnv('npm_config_fetch_retries', '1')
  vi.stubEnv('HTTPS_PROXY', 'http://127.0.0.1:9')
  onTestFinished(() => void vi.unstubAllEnvs())
  const root = temporaryFolder()
  const { ran, lib } = writeNeedy(root, noting)
  await using host = new PluginHost({
    pluginsDir: join(root, 'plugins'),
    autoInstallDependencies: true,
    allowInstallScripts: true,
  })
  const needy = await host.load('needy')
  expect(existsSync(lib)).toBe(true)
  const seen = JSON.parse(readFileSync(ran, 'utf8'))
  expect(seen).toMatchObject({ npm_config_fetch_retries: '1', HTTPS_PROXY: 'http://127.0.0.1:9' })
  expect(seen).toMatchObject({ HOME: process.env['HOME'] })
  expect(JSON.stringify(seen)).not.toContain('secret')
  expect(seen.NODE_OPTIONS).toBeUndefined()
  expect((await needy.health()).status).toBe('READY')
})

test('settings in the plugin’s folder put a program of its own in the place of git', async () => {
  const root = temporaryFolder()
  const dir = writePlugin(root, 'needy', ttsPlugin(), {
    dependencies: ['library@git+file:///nowhere/library.git'],
  })
  const trap = join(dir, 'git.sh')
  writeFileSync(trap, `#!/bin/sh\ntouch '${root}/ran'\nexit 1\n`, { mode: 0o755 })
  writeFileSync(join(dir, '.npmrc'), `git=${trap}\nignore-scripts=false\n`)
  writePlugin(root, 'speaker', ttsPlugin())
  await using host = new PluginHost({ pluginsDir: root, autoInstallDependencies: true })
  await expect(host.load('needy')).rejects.toMatchObject({ codeName: 'DEPENDENCY_MISSING' })
  expect(existsSync(join(root, 'ran'))).toBe(false)
  expect((await (await host.load('speaker')).health()).status).toBe('READY')
})

test('a package manager runs what a plugin’s folder has for it: each is told not to', async () => {
  // Stand-ins note how they are called: not all of them are on every machine.
  const root = temporaryFolder()
  const note = `#!/bin/sh\necho "$0 $* $YARN_IGNORE_SCRIPTS" >> '${root}/calls'\nexit 1\n`
  for (const name of ['pnpm', 'yarn', 'bun']) {
    writeFiles(join(root, 'bin'), { [name]: '' })
    writeFileSync(join(root, 'bin', name), note, { mode: 0o755 })
  }
  execFileSync('chmod', ['-R', '755', join(root, 'bin')])
  vi.stubEnv('PATH', `${join(root, 'bin')}:${process.env['PATH']}`)
  onTestFinished(() => void vi.unstubAllEnvs())
  const kinds = {
    by_pnpm: ['pnpm-lock.yaml', '', 'pnpm add --ignore-scripts --ignore-pnpmfile'],
    by_yarn: ['yarn.lock', '# yarn lockfile v1\n', 'yarn add --ignore-scripts'],
    by_modern_yarn: ['yarn.lock', '__metadata:\n  version: 8\n', 'yarn add --mode=skip-build'],
    by_bun: ['bun.lock', '{}', 'bun add --ignore-scripts'],
    by_old_bun: ['bun.lockb', '', 'bun add --ignore-scripts'],
  }
  for (const [name, [lockfile = '', content = '']] of Object.entries(kinds)) {
    const dir = writePlugin(join(root, 'plugins'), name, ttsPlugin(), { dependencies: ['absent'] })
    writeFiles(dir, { [lockfile]: content })
  }
  await using host = new PluginHost({ pluginsDir: join(root, 'plugins'), autoInstallDependencies: true })
  for (const name of Object.keys(kinds))
    await expect(host.load(name)).rejects.toMatchObject({ codeName: 'DEPENDENCY_MISSING' })
  const calls = readFileSync(join(root, 'calls'), 'utf8').trimEnd().split('\n')
  for (const [index, [, , line = '']] of Object.values(kinds).entries()) {
    const [manager = '', add = '', ...flags] = line.split(' ')
    const call = calls[index] ?? ''
    expect(call).toContain(join(root, 'bin', manager))
    for (const word of [add, 'absent', ...flags]) expect(call.split(' ')).toContain(word)
    if (manager === 'yarn') expect(call.endsWith(' true')).toBe(true)
  }
})

test.skipIf(process.platform === 'win32')(
  'a failed install leaves the packages that were there',
  async () => {
    const root = temporaryFolder()
    writeFiles(join(root, 'bin'), { pnpm: '' })
    writeFileSync(join(root, 'bin/pnpm'), `#!/bin/sh\ntouch node_modules/begun\nexit 1\n`)
    execFileSync('chmod', ['755', join(root, 'bin/pnpm')])
    vi.stubEnv('PATH', `${join(root, 'bin')}:${process.env['PATH']}`)
    onTestFinished(() => void vi.unstubAllEnvs())
    const dir = writePlugin(join(root, 'plugins'), 'needy', ttsPlugin(), { dependencies: ['absent'] })
    writeFiles(dir, { 'pnpm-lock.yaml': '', 'node_modules/mine/index.js': '' })
    await using host = new PluginHost({ pluginsDir: join(root, 'plugins'), autoInstallDependencies: true })
    await expect(host.load('needy')).rejects.toMatchObject({ codeName: 'DEPENDENCY_MISSING' })
    expect(existsSync(join(dir, 'node_modules/begun'))).toBe(true)
    expect(existsSync(join(dir, 'node_modules/mine/index.js'))).toBe(true)
  },
)

/** A registry that takes requests and never answers. */
async function silentRegistry(): Promise<{ url: string; asked: Promise<unknown> }> {
  const server = createServer()
  onTestFinished(() => void server.close().closeAllConnections())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/library.tgz`, asked: once(server, 'request') }
}

test('an installation that does not come to an end holds up its plugin for ever', async () => {
  const root = temporaryFolder()
  const { url } = await silentRegistry()
  const dir = writePlugin(root, 'needy', ttsPlugin(), { dependencies: [`library@${url}`] })
  writePlugin(root, 'speaker', ttsPlugin())
  const before = readFileSync(join(dir, 'package.json'), 'utf8')
  await using host = new PluginHost({
    pluginsDir: root,
    autoInstallDependencies: true,
    installTimeoutMs: 1500,
  })
  await expect(host.load('needy')).rejects.toMatchObject({
    codeName: 'DEPENDENCY_MISSING',
    message: expect.stringContaining('installTimeoutMs'),
  })
  expect(readFileSync(join(dir, 'package.json'), 'utf8')).toBe(before)
  expect((await (await host.load('speaker')).health()).status).toBe('READY')
})

test.skipIf(process.platform === 'win32')(
  'an install script that does not end keeps the host from closing, and outlives it',
  async () => {
    const root = temporaryFolder()
    const { lib } = writeNeedy(root, (file) => `trap '' TERM; ${endless(file)} & wait`)
    const host = new PluginHost({
      pluginsDir: join(root, 'plugins'),
      autoInstallDependencies: true,
      allowInstallScripts: true,
    })
    const loading = expect(host.load('needy')).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_READY' })
    const pid = Number(await written(lib))
    await host.close({ force: true })
    await loading
    await expect.poll(() => isAlive(pid)).toBe(false)
  },
)

/** `appfactory-host` with a plugin that says when it shuts down, while the script of another one runs. */
async function installingHost(): Promise<{ host: LinesProcess; script: number; root: string }> {
  const root = temporaryFolder()
  const { lib } = writeNeedy(root, endless)
  const farewell = `async shutdown() { (await import('node:fs')).writeFileSync('${root}/farewell', 'bye') }`
  writePlugin(join(root, 'plugins'), 'speaker', ttsPlugin(farewell))
  const host = new LinesProcess(command, ['--auto-install-deps', '--allow-install-scripts'], { cwd: root })
  await host.result('plugin/load', { name: 'speaker' })
  host.request('plugin/load', { name: 'needy' })
  return { host, script: Number(await written(lib)), root }
}

test.skipIf(process.platform === 'win32').each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const)(
  '%s while dependencies are installed ends the host at once, its plugins not shut down',
  async (signal, status) => {
    const { host, script, root } = await installingHost()
    host.child.kill(signal)
    expect(await host.exited).toEqual({ code: status, signal: null })
    expect(readFileSync(join(root, 'farewell'), 'utf8')).toBe('bye')
    expect(isAlive(script)).toBe(false)
  },
)

test.skipIf(process.platform === 'win32')('an install script outlives a host that was killed', async () => {
  const { host, script } = await installingHost()
  host.child.kill('SIGKILL')
  await expect.poll(() => isAlive(script), { timeout: 10_000 }).toBe(false)
})

test('two loads of a plugin at once install its dependencies twice', async () => {
  const root = temporaryFolder()
  const { ran } = writeNeedy(root, noting)
  const options = {
    pluginsDir: join(root, 'plugins'),
    autoInstallDependencies: true,
    allowInstallScripts: true,
  }
  await using one = new PluginHost(options)
  await using other = new PluginHost(options)
  const loaded = await Promise.all([one.load('needy'), other.load('needy')])
  expect(readFileSync(ran, 'utf8').trimEnd().split('\n')).toHaveLength(1)
  for (const plugin of loaded) expect((await plugin.health()).status).toBe('READY')
})

test('who leaves shared work ends it for those who still wait', async () => {
  const work = new SharedWork<void>()
  const begun: AbortSignal[] = []
  const run = async (signal: AbortSignal): Promise<void> => {
    begun.push(signal)
    await new Promise<void>((resolve, reject) => {
      setTimeout(resolve, 100)
      signal.addEventListener('abort', () => reject(new Error('abandoned')))
    })
  }
  const [first, second] = [new AbortController(), new AbortController()]
  const left = expect(work.join('a', run, first.signal)).rejects.toThrow()
  const stays = work.join('a', run, second.signal)
  first.abort()
  await left
  await stays
  expect(begun).toHaveLength(1)
  // Where nobody is left it is aborted; who comes then begins it again.
  const third = new AbortController()
  const abandoned = expect(work.join('a', run, third.signal)).rejects.toMatchObject({
    codeName: 'REQUEST_CANCELLED',
  })
  third.abort()
  await abandoned
  await work.join('a', run, second.signal)
  expect(begun.map(({ aborted }) => aborted)).toEqual([false, true, false])
})

test.skipIf(process.platform === 'win32')(
  'a package.json that is a named pipe, or broken, stops the host or goes unnamed',
  async () => {
    const root = temporaryFolder()
    const needs = { dependencies: ['absent@^1'] }
    const pipe = writePlugin(root, 'piped', ttsPlugin(), needs)
    execFileSync('mkfifo', [join(pipe, 'pipe')])
    execFileSync('mv', [join(pipe, 'pipe'), join(pipe, 'package.json')])
    const broken = writePlugin(root, 'broken', ttsPlugin(), needs)
    writeFileSync(join(broken, 'package.json'), '{"type": "module",}')
    const listed = writePlugin(root, 'listed', ttsPlugin(), needs)
    writeFileSync(join(listed, 'package.json'), '[]')
    const marked = writePlugin(root, 'marked', ttsPlugin(), needs)
    writeFileSync(
      join(marked, 'package.json'),
      '\u{feff}{"type": "module", "dependencies": {"absent": "^1"}}',
    )
    writePlugin(root, 'speaker', ttsPlugin())
    await using host = new PluginHost({ pluginsDir: root, autoInstallDependencies: false })
    for (const dir of [pipe, broken, listed])
      await expect(host.load(dir.slice(root.length + 1))).rejects.toMatchObject({
        codeName: 'DEPENDENCY_MISSING',
        message: expect.stringContaining(join(dir, 'package.json')),
      })
    await expect(host.load('marked')).rejects.toMatchObject({ data: { command: 'npm install' } })
    const speaker = await host.load('speaker')
    expect((await speaker.health()).status).toBe('READY')
  },
)

test.skipIf(process.platform === 'win32')(
  'a dependency whose package.json is a named pipe stops the host',
  async () => {
    const root = temporaryFolder()
    const dir = writePlugin(root, 'needy', ttsPlugin(), { dependencies: ['odd'] })
    writeFiles(join(dir, 'node_modules/odd'), { 'index.js': '' })
    execFileSync('mkfifo', [join(dir, 'node_modules/odd/package.json')])
    await using host = new PluginHost({ pluginsDir: root })
    await expect(host.load('needy')).rejects.toMatchObject({ codeName: 'DEPENDENCY_MISSING' })
    expect(host.status().pluginsLoaded).toBe(0)
  },
)
