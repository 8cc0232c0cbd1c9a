import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { temporaryFolder, ttsPlugin, writeFiles } from './fixtures/plugins.js'

const run = promisify(execFile)
const pnpm = join(dirname(createRequire(import.meta.url).resolve('pnpm')), 'bin/pnpm.cjs')

/** Packs a package as it would be published; returns the tarball's path. */
async function pack(name: 'sdk' | 'host', destination: string): Promise<string> {
  const cwd = fileURLToPath(new URL(`../../${name}`, import.meta.url))
  await run(process.execPath, [pnpm, 'pack', '--pack-destination', destination], { cwd })
  const file = readdirSync(destination).find((entry) => entry.startsWith(`appfactory-${name}-`))
  return join(destination, file ?? '')
}

test('a plugin written by hand outside the repository, on the packed SDK, runs under the packed host', async () => {
  const root = temporaryFolder()
  const [sdk, host] = [await pack('sdk', root), await pack('host', root)]
  const plugin = join(root, 'plugins/by_hand')
  // A pattern is checked in a thread, whose file must be among those that are packed.
  const schema = { properties: { voice: { type: 'string', pattern: '^[a-z]+$', default: 'alto' } } }
  const standard = { name: 'by_hand', version: '1.0.0', contract: 'tts', entry_point: 'index' }
  const manifest = { ...standard, config_schema: schema }
  writeFiles(root, {
    'plugins/by_hand/manifest.json': JSON.stringify(manifest),
    'plugins/by_hand/index.js': ttsPlugin(),
    'plugins/by_hand/package.json': '{"type": "module", "private": true}',
    'package.json': '{"private": true}',
  })
  const shell = process.platform === 'win32'
  await run('npm', ['install', '--no-audit', '--no-fund', sdk], { cwd: plugin, shell })
  await run('npm', ['install', '--no-audit', '--no-fund', sdk, host], { cwd: root, shell })
  const { stdout } = await run(
    'npx',
    ['appfactory-host', 'call', 'by_hand', 'synthesize', '--args', '{"text":"Hello"}', '--json'],
    { cwd: root, shell },
  )
  expect(JSON.parse(stdout)).toMatchObject({ format: 'wav', duration_ms: 50 })
})
