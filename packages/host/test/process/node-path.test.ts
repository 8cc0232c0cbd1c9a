import { execFile } from 'node:child_process'
import { chmodSync, existsSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import type { TTSContract } from '@appfactory/sdk'
import { afterAll, describe, expect, test } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { makeFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'

const folder = makeFolder()
const plugins = join(folder.path, 'plugins')
afterAll(folder.remove)

/** Tells what runs it. */
writePlugin(
  plugins,
  'speaker',
  ttsPlugin('async healthCheck() { return { status: this.status, message: process.execPath } }'),
)
writePlugin(
  plugins,
  'limited',
  ttsPlugin(
    'async healthCheck() { return { status: this.status, message: String(process.permission?.has("fs.write")) } }',
  ),
  { permissions: [] },
)

function program(name: string, script: string): string {
  const file = join(folder.path, name)
  writeFileSync(file, `#!/bin/sh\n${script}\n`)
  chmodSync(file, 0o755)
  return file
}

/** What makes a Node take itself for Electron. */
const disguise = join(folder.path, 'disguise.cjs')
writeFileSync(
  disguise,
  `Object.defineProperty(process, 'versions', { value: { ...process.versions, electron: '38.0.0' } })
if (process.env.STAND_IN) process.execPath = process.env.STAND_IN`,
)

const windows = join(folder.path, 'windows')

/** Electron can't be here: this opens a window, which is a line in a file, except where it is to be Node. */
const electron = (): string =>
  program(
    'electron',
    `if [ "$ELECTRON_RUN_AS_NODE" != 1 ]; then echo window >> '${windows}'; exit 0; fi
exec '${process.execPath}' -r '${disguise}' "$@"`,
  )

describe.skipIf(process.platform === 'win32')('in Electron', () => {
  test('plugins run in Electron as Node, and no second application starts', async () => {
    const application = join(folder.path, 'application.mjs')
    const host = pathToFileURL(join(import.meta.dirname, '../../dist/index.js'))
    writeFileSync(
      application,
      `import { PluginHost } from ${JSON.stringify(host)}
const host = new PluginHost({ pluginsDir: ${JSON.stringify(plugins)} })
const tts = await host.load('speaker')
console.log((await tts.synthesize('Hello')).format)
await host.close()`,
    )
    const env = { ...process.env, STAND_IN: electron() }
    const { stdout } = await promisify(execFile)(process.execPath, ['-r', disguise, application], { env })
    expect(stdout).toBe('wav\n')
    expect(existsSync(windows)).toBe(false)
  })

  test('another Electron can be named too', async () => {
    await using host = new PluginHost({ pluginsDir: plugins, nodePath: electron() })
    const tts = await host.load<TTSContract>('speaker')
    expect((await tts.synthesize('Hello')).format).toBe('wav')
    expect(existsSync(windows)).toBe(false)
  })
})

test('a Node that is named runs plugins, by its path or as a name in PATH, with its own flags', async () => {
  const { PATH } = process.env
  process.env['PATH'] = `${dirname(process.execPath)}:${PATH}`
  try {
    for (const nodePath of [process.execPath, basename(process.execPath)]) {
      await using host = new PluginHost({ pluginsDir: plugins, nodePath })
      await host.load('speaker')
      expect((await host.health('speaker')).message).toBe(process.execPath)
      await host.load('limited')
      expect((await host.health('limited')).message).toBe('false')
    }
  } finally {
    process.env['PATH'] = PATH
  }
})

describe('a nodePath that is none is an error of each load, and of none after it is there', () => {
  test.each([
    ['missing', undefined, 'does not exist'],
    ['silent', 'exit 0', 'does not answer'],
    ['chatty', 'echo hello', 'does not answer'],
    ['failing', 'echo no >&2; exit 3', 'can’t be run'],
    [
      'old',
      `echo '{"version":"18.20.0","flags":[],"registersHooks":false}'`,
      'is Node 18.20.0; plugins need',
    ],
  ])('%s', async (name, script, words) => {
    if (script !== undefined && process.platform === 'win32') return
    const nodePath = script === undefined ? join(folder.path, name) : program(name, script)
    await using host = new PluginHost({ pluginsDir: plugins, nodePath })
    for (const load of [host.load('speaker'), host.describe('speaker')])
      await expect(load).rejects.toMatchObject({
        codeName: 'PLUGIN_LOAD_FAILED',
        message: expect.stringContaining(words),
      })
    if (process.platform === 'win32') return
    program(name, `exec '${process.execPath}' "$@"`)
    await host.load('speaker')
  })

  test.each(['', 5, null])('%j is refused by the constructor', (nodePath) => {
    expect(() => Reflect.construct(PluginHost, [{ nodePath }])).toThrow(/^nodePath takes a path/)
  })
})
