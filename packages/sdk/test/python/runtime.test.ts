import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { pythonFolder, pythonWith } from './environment.js'

const python = pythonWith('pytest')
const tests = fileURLToPath(new URL('../../../python/tests', import.meta.url))

describe.skipIf(python === undefined)('the Python half (skipped without Python 3.9 or newer)', () => {
  it('passes its own tests, as it is shipped', { timeout: 180_000 }, async () => {
    const args = ['-m', 'pytest', '--quiet', '-p', 'no:cacheprovider', tests]
    const env = { ...process.env, PYTHONPATH: pythonFolder, PYTHONDONTWRITEBYTECODE: '1' }
    const { stdout } = await promisify(execFile)(python ?? '', args, { env }).catch(({ stdout }) => ({
      stdout,
    }))
    // Its last line is the summary; where tests fail, the whole says which, and why.
    expect(stdout).toMatch(/^\d+ passed[^\n]*\n$/m)
    expect(stdout).not.toMatch(/^(FAILED|ERROR) /m)
  })
})
