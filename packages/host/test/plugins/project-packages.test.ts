import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TTSContract } from '@appfactory/sdk'
import { expect, test } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { ProjectPackages } from '../../src/plugins/project-packages.js'
import { runCommand } from '../fixtures/command.js'
import { temporaryFolder, ttsPlugin, writeFiles } from '../fixtures/plugins.js'

/** Writes a package into a project's node_modules, with a plugin if `plugin` names one. */
function install(project: string, name: string, plugin?: string, more: object = {}): string {
  const dir = join(project, 'node_modules', name)
  writeFiles(dir, {
    'package.json': JSON.stringify({
      ...{ name, version: '4.5.6', type: 'module' },
      ...(plugin === undefined ? {} : { keywords: ['appfactory-plugin'] }),
      ...more,
    }),
    // Whoever runs it fails.
    'index.js': `${ttsPlugin()}\nif (process.env.npm_config_probe) throw new Error('ran')`,
  })
  if (plugin !== undefined)
    writeFiles(dir, {
      'manifest.json': JSON.stringify({
        ...{ name: plugin, version: '1.0.0', contract: 'tts', entry_point: 'index.js' },
      }),
    })
  return dir
}

function declare(project: string, fields: object): void {
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'app', ...fields }))
}

test('dependencies that are plugins are found by their plugins’ names, behind those of the plugins folder', async () => {
  const project = temporaryFolder()
  const scoped = install(project, '@me/tts-x', 'tts_x')
  install(project, 'tts_optional', 'tts_optional')
  install(project, 'tts_development', 'tts_development')
  install(project, 'tts_undeclared', 'tts_undeclared')
  install(project, 'no_keyword', 'no_keyword', { keywords: ['tts'] })
  install(project, 'library')
  install(project, 'other-mine', 'mine')
  const mine = install(project, '../plugins/mine', 'mine')
  // As pnpm does it.
  const stored = install(project, '.store/tts_linked', 'tts_linked')
  symlinkSync(stored, join(project, 'node_modules/tts_linked'), 'junction')
  const names = ['@me/tts-x', 'tts_linked', 'no_keyword', 'library', 'other-mine', 'absent']
  declare(project, {
    dependencies: Object.fromEntries([...names, '../plugins/mine', '..', ''].map((name) => [name, '*'])),
    optionalDependencies: { tts_optional: '*' },
    devDependencies: { tts_development: '*' },
  })
  await using host = new PluginHost({ pluginsDir: join(project, 'plugins'), projectDir: project })
  const { plugins } = await host.discover()
  expect(plugins.map(({ name, valid, package: from }) => [name, valid, from])).toEqual([
    ['mine', true, undefined],
    ['tts_x', true, '@me/tts-x'],
    ['mine', false, 'other-mine'],
    ['tts_linked', true, 'tts_linked'],
    ['tts_optional', true, 'tts_optional'],
  ])
  expect(plugins[2]?.errors.join()).toContain(mine)
  const tts = await host.load<TTSContract>('tts_x')
  expect(await tts.getVoices()).toHaveLength(1)
  await host.swap('tts_x', 'tts_linked')
  expect(tts.name).toBe('tts_linked')
  expect((await host.list()).find(({ name }) => name === 'tts_x')?.path).toBe(scoped)
  await expect(host.load('tts_development')).rejects.toMatchObject({
    message: expect.stringContaining('tts_x'),
  })
  await using without = new PluginHost({ pluginsDir: join(project, 'plugins'), projectDir: false })
  expect((await without.discover()).plugins).toHaveLength(1)
})

test('a plugin that is installed while the host runs is found; a removed one is not any more', async () => {
  const project = temporaryFolder()
  mkdirSync(join(project, 'plugins'))
  await using host = new PluginHost({ pluginsDir: join(project, 'plugins'), projectDir: project })
  const names = async (): Promise<string[]> => (await host.list()).map(({ name }) => name)
  expect(await names()).toEqual([])
  declare(project, { dependencies: { tts_late: '*' } })
  expect(await names()).toEqual([])
  const dir = install(project, 'tts_late', 'tts_late')
  expect(await names()).toEqual(['tts_late'])
  renameSync(dir, `${dir}-gone`)
  expect(await names()).toEqual([])
})

test('a broken package.json is reported once, and hides no folder of plugins', async () => {
  const project = temporaryFolder()
  install(project, '../plugins/mine', 'mine')
  writeFileSync(join(project, 'package.json'), '{ "dependencies": ')
  const host = new PluginHost({
    ...{ pluginsDir: join(project, 'plugins'), projectDir: project, logDir: join(project, 'logs') },
  })
  for (let look = 0; look < 3; look++) expect((await host.discover()).valid).toBe(1)
  await host.close()
  const lines = readFileSync(join(project, 'logs/launcher.log'), 'utf8').split('\n')
  expect(lines.filter((line) => line.includes('package.json can’t be read'))).toHaveLength(1)
})

test('of thousands of dependencies, the first thousand are looked at, and a broken one is no plugin', async () => {
  const project = temporaryFolder()
  install(project, 'a_tts', 'a_tts')
  install(project, 'z_tts', 'z_tts')
  writeFileSync(join(install(project, 'b_broken', 'b_broken'), 'package.json'), '{')
  mkdirSync(join(project, 'node_modules/c_folder/package.json'), { recursive: true })
  const many = Array.from({ length: 5000 }, (_, at) => [`package-${at}`, '*'])
  declare(project, {
    dependencies: Object.fromEntries([
      ...many,
      ...['a_tts', 'b_broken', 'c_folder', 'z_tts'].map((name) => [name, '*']),
    ]),
  })
  const warnings: string[] = []
  const packages = new ProjectPackages(project, (message) => warnings.push(message))
  for (let look = 0; look < 2; look++)
    expect((await packages.find()).map(({ name }) => name)).toEqual(['a_tts'])
  expect(warnings).toEqual([expect.stringContaining('5004 dependencies')])
})

test('the command finds them in the working directory, which needs no plugins folder then', async () => {
  const project = temporaryFolder()
  install(project, '@me/tts-x', 'tts_x')
  declare(project, { dependencies: { '@me/tts-x': '*' } })
  const [listed, called, elsewhere] = await Promise.all([
    runCommand(project, 'list', '--json'),
    runCommand(project, 'call', 'tts_x', 'get_voices', '--json'),
    runCommand(project, 'list', '--plugins-dir', 'typo'),
  ])
  expect(JSON.parse(listed.stdout)).toMatchObject([
    { name: 'tts_x', origin: { package: '@me/tts-x', version: '4.5.6' } },
  ])
  expect(JSON.parse(called.stdout)).toHaveLength(1)
  expect(elsewhere).toMatchObject({ status: 1, stderr: expect.stringContaining('typo') })
})
