import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { findTestPython } from '../../../packages/host/test/python-for-tests.js'

const python = findTestPython()
const contracts = fileURLToPath(new URL('../../../packages/python/src', import.meta.url))

// On stand-ins, with what is in Python's standard library; on the engines, where that Python has their packages.
test.skipIf(python === undefined)('the Python plugins pass their own tests', async () => {
  for (const name of ['tts_kokoro', 'stt_whisper']) {
    const cwd = fileURLToPath(new URL(`../../plugins/${name}`, import.meta.url))
    const { stderr } = await promisify(execFile)(
      python ?? '',
      ['-B', '-m', 'unittest', 'discover', '-s', 'tests'],
      { cwd, env: { ...process.env, PYTHONPATH: contracts } },
    )
    expect(stderr).toMatch(/^Ran [1-9]\d* tests/m)
  }
})
