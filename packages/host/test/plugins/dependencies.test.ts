import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { parseDependency } from '../../src/plugins/dependencies.js'
import { temporaryFolder, ttsPlugin, writeFiles, writePlugin } from '../fixtures/plugins.js'

function writePackage(dir: string, name: string, version: string): void {
  writeFiles(dir, {
    'package.json': JSON.stringify({ name, version, main: 'index.js' }),
    'index.js': 'module.exports = 1',
  })
}

test('names and ranges, as npm and as pip write them', () => {
  const cases: [string, string, string][] = [
    ['zod', 'zod', '*'],
    ['zod@^4', 'zod', '^4'],
    ['zod>=4', 'zod', '>=4'],
    ['zod >= 4.1 <5', 'zod', '>= 4.1 <5'],
    ['@scope/name', '@scope/name', '*'],
    ['@scope/name@~1.2', '@scope/name', '~1.2'],
    ['local@file:../local', 'local', 'file:../local'],
  ]
  for (const [text, name, range] of cases) expect(parseDependency(text)).toEqual({ name, range })
})

test('dependencies that are missing, or there in the wrong version, are named, each, with the command', async () => {
  const root = temporaryFolder()
  const dir = writePlugin(root, 'needy', ttsPlugin(), {
    dependencies: ['absent@^1', 'old>=2.0.0', 'fine@1', 'any'],
  })
  writePackage(join(dir, 'node_modules/old'), 'old', '1.9.0')
  writePackage(join(dir, 'node_modules/fine'), 'fine', '1.4.0')
  await using host = new PluginHost({ pluginsDir: root })
  await expect(host.load('needy')).rejects.toMatchObject({
    codeName: 'DEPENDENCY_MISSING',
    message: expect.stringContaining(dir),
    data: {
      plugin: 'needy',
      missing: ['absent@^1', 'old@>=2.0.0 (version 1.9.0 is installed)', 'any'],
      command: 'npm install --save absent@^1 "old@>=2.0.0" any',
    },
  })
})

test('the command is that of the package manager whose lockfile is there', async () => {
  const root = temporaryFolder()
  const dir = writePlugin(root, 'needy', ttsPlugin(), { dependencies: ['absent@^1'] })
  writeFiles(dir, {
    'pnpm-lock.yaml': '',
    'package.json': '{"type": "module", "dependencies": {"absent": "^1"}}',
  })
  await using host = new PluginHost({ pluginsDir: root })
  await expect(host.load('needy')).rejects.toMatchObject({ data: { command: 'pnpm install' } })
})

test('with autoInstallDependencies they are installed, for real', async () => {
  const root = temporaryFolder()
  const library = join(root, 'library')
  writePackage(library, 'library', '1.0.0')
  const source = `import library from 'library'\n${ttsPlugin('async healthCheck() { return { status: this.status, details: { library } } }')}`
  writePlugin(join(root, 'plugins'), 'needy', source, { dependencies: [`library@file:${library}`] })
  await using host = new PluginHost({ pluginsDir: join(root, 'plugins'), autoInstallDependencies: true })
  const plugin = await host.load('needy')
  expect((await plugin.health()).details).toMatchObject({ library: 1 })
})

test('a failed install leaves the folder as it was', async () => {
  const root = temporaryFolder()
  const dir = writePlugin(root, 'needy', ttsPlugin(), {
    dependencies: [`absent@file:${join(root, 'nowhere')}`],
  })
  const before = readFileSync(join(dir, 'package.json'), 'utf8')
  await using host = new PluginHost({ pluginsDir: root, autoInstallDependencies: true })
  await expect(host.load('needy')).rejects.toMatchObject({
    codeName: 'DEPENDENCY_MISSING',
    message: expect.stringContaining('is unchanged'),
  })
  expect(readFileSync(join(dir, 'package.json'), 'utf8')).toBe(before)
  expect(existsSync(join(dir, 'package-lock.json'))).toBe(false)
  expect(existsSync(join(dir, 'node_modules'))).toBe(false)
})

test('closing the host ends an installation; the folder is as it was', async () => {
  const root = temporaryFolder()
  // A registry that never answers.
  const server = createServer()
  onTestFinished(() => void server.close().closeAllConnections())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const dir = writePlugin(root, 'needy', ttsPlugin(), {
    dependencies: [`library@http://127.0.0.1:${port}/library.tgz`],
  })
  const before = readFileSync(join(dir, 'package.json'), 'utf8')
  const host = new PluginHost({ pluginsDir: root, autoInstallDependencies: true })
  const asked = once(server, 'request')
  const loading = expect(host.load('needy')).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_READY' })
  await asked
  await host.close()
  await loading
  expect(readFileSync(join(dir, 'package.json'), 'utf8')).toBe(before)
  expect(existsSync(join(dir, 'node_modules'))).toBe(false)
})

test('a dependency that looks like a flag of the package manager is refused', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'needy', ttsPlugin(), { dependencies: ['--ignore-scripts=false'] })
  await using host = new PluginHost({ pluginsDir: root, autoInstallDependencies: true })
  await expect(host.load('needy')).rejects.toMatchObject({
    codeName: 'MANIFEST_INVALID',
    message: expect.stringContaining('dependencies.0'),
  })
})
