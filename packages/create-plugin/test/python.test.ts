import { readFileSync, rmSync, symlinkSync } from 'node:fs'
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pythonFolder, pythonWith } from '../../sdk/test/python/environment.js'
import { plan } from '../src/plan.js'
import { withDefaults } from '../src/read-answers.js'
import { spawned } from './command.js'

const python = pythonWith('pytest')
const packages = fileURLToPath(new URL('../../', import.meta.url))
let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'create-python-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A new plugin in Python, and the packages that `npm install` would give it. */
async function write(contract: string, engine = 'sample'): Promise<string> {
  const name = `my_${contract}_${engine}`
  const dir = join(folder, name)
  const given = { name, contract, engine, language: 'python' }
  for (const { path, content } of plan(withDefaults(given, { packageManager: 'npm' }))) {
    await mkdir(dirname(join(dir, path)), { recursive: true })
    await writeFile(join(dir, path), content)
  }
  const modules = join(dir, 'node_modules/@appfactory')
  await mkdir(modules, { recursive: true })
  for (const name of ['sdk', 'host']) symlinkSync(join(packages, name), join(modules, name), 'junction')
  return dir
}

describe.skipIf(python === undefined)('in Python (skipped without Python 3.9 or newer)', () => {
  // Others are tested in e2e.
  it.each([
    ['tts', 'sample'],
    ['llm', 'http'],
    ['embedding', 'http'],
  ])('the tests of a new %s plugin over its %s pass', async (contract, engine) => {
    const env = { PYTHONPATH: pythonFolder, PYTHONDONTWRITEBYTECODE: '1' }
    const args = ['-m', 'pytest', '-q', '-p', 'appfactory.pytest_plugin', '-p', 'no:cacheprovider']
    // `appfactory-host test` has tests of its own, and a host takes seconds.
    const own = ['--no-contract-checks', ...(engine === 'sample' ? [] : ['-k', 'not application'])]
    const { status, out } = await spawned(python ?? '', [...args, ...own], {
      cwd: await write(contract, engine),
      env,
    })
    expect(out).toMatch(/^\d+ passed/m)
    expect(status, out).toBe(0)
  })
})

it('says what to do where there is no Python', async () => {
  const dir = await write('llm')
  const env = { PYTHON: 'no-such-python', PATH: dirname(process.execPath) }
  const { status, error } = await spawned(process.execPath, ['scripts/python.mjs', '-V'], { cwd: dir, env })
  expect(status).toBe(1)
  expect(error).toMatch(/no Python of at least 3\.9 with venv among no-such-python\. Install one/)
  expect(readFileSync(join(dir, '.gitignore'), 'utf8')).toMatch(/^\.venv\/$/m)
})
