import { execFile } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build, type Format } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeFolder, ttsPlugin, writeFiles, writePlugin } from './fixtures/plugins.js'

const folder = makeFolder()
afterAll(folder.remove)

beforeAll(() => {
  const packages = fileURLToPath(new URL('../..', import.meta.url))
  const scope = join(folder.path, 'node_modules/@appfactory')
  mkdirSync(scope, { recursive: true })
  for (const name of ['host', 'sdk']) symlinkSync(join(packages, name), join(scope, name), 'junction')
  writePlugin(join(folder.path, 'plugins'), 'speaker', ttsPlugin())
  writeFiles(folder.path, {
    'name.ts': "export const name: string = 'speaker'",
    'application.ts': `import { PluginHost } from '@appfactory/host'
import { TTSContract } from '@appfactory/sdk'
import { name } from './name.js'
async function main() {
  const host = new PluginHost({ pluginsDir: ${JSON.stringify(join(folder.path, 'plugins'))} })
  const tts = await host.load(TTSContract, name)
  console.log((await tts.synthesize('Hello')).format)
  await host.close()
}
main()`,
  })
})

test.each<[Format, string]>([
  ['esm', 'mjs'],
  ['cjs', 'cjs'],
])(
  'an application that esbuild makes one %s file of runs, with packages left out of it',
  async (format, extension) => {
    const outfile = join(folder.path, `bundle.${extension}`)
    const entryPoints = [join(folder.path, 'application.ts')]
    await build({ entryPoints, outfile, format, bundle: true, platform: 'node', packages: 'external' })
    const { stdout } = await promisify(execFile)(process.execPath, ['--no-warnings', outfile])
    expect(stdout).toBe('wav\n')
  },
)
