import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../packages/host/test/fixtures/plugins.js'
import { pythonFolder, pythonWith } from '../../packages/sdk/test/python/environment.js'
import { blocksOf } from './blocks.js'
import { testDocument } from './document.js'

testDocument('docs/python.md')

const python = pythonWith('pytest')
const host = fileURLToPath(new URL('../../packages/host/bin/appfactory-host.js', import.meta.url))

describe.skipIf(python === undefined)('its plugin (skipped without Python 3.9 or newer)', () => {
  it('passes the tests that the page shows', async () => {
    const folder = temporaryFolder()
    const page = readFileSync(new URL('../python.md', import.meta.url), 'utf8')
    for (const { attributes, text } of blocksOf('docs/python.md', page)) {
      if (attributes['file'] === undefined) continue
      const file = join(folder, attributes['file'])
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, text)
    }
    const env = { ...process.env, PYTHONPATH: pythonFolder, APPFACTORY_HOST: host }
    // The checks of a contract have tests of their own, and take seconds.
    const args = ['-m', 'pytest', '-q', '-p', 'appfactory.pytest_plugin', '--no-contract-checks']
    const { stdout } = await promisify(execFile)(python ?? '', args, { cwd: join(folder, 'my_voice'), env })
    expect(stdout).toMatch(/^2 passed, 1 skipped/m)
  })
})
