import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import type { TTSContract } from '@appfactory/sdk'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { watchPlugins } from '../../src/dev/dev.js'
import type { DevelopmentEvent } from '../../src/dev/events.js'
import { PluginHost } from '../../src/index.js'
import { readCodeSchema } from '../../src/sources.js'
import { makeFolder, temporaryFolder, writeFiles } from '../fixtures/plugins.js'
import { writePythonPlugin, writePythonStandIn } from '../fixtures/python-plugin.js'
import { findTestPython } from '../python-for-tests.js'

const python = findTestPython()
const folder = makeFolder()
afterAll(folder.remove)

// The host is tested here, and not the runtime of the SDK.
vi.mock(import('../../src/process/python-runtime.js'), () => ({
  pythonRuntime: () => join(folder.path, 'run.py'),
}))
beforeAll(() => writePythonStandIn(folder.path))

const tellsHow = `
import os
def health():
    return {
        "argv": argv, "cwd": os.getcwd(), "isolated": flags.isolated, "utf8": flags.utf8_mode,
        "no_bytecode": flags.dont_write_bytecode, "environment": dict(os.environ),
    }
`

const logged: string[] = []

async function load(root: string, options: object = {}) {
  vi.stubEnv('AF_PYTHON', python ?? '')
  const host = new PluginHost({ pluginsDir: root, ...options })
  onTestFinished(() => host.close())
  host.on('log', ({ level, message }) => logged.push(`${level} ${message}`))
  return host.load<TTSContract>('speaker')
}

const loadError = expect.objectContaining({ codeName: 'PLUGIN_LOAD_FAILED' })

describe.skipIf(python === undefined)('a plugin in Python', () => {
  test('is started with what its manifest and the host say', async () => {
    const root = temporaryFolder()
    const dir = writePythonPlugin(root, 'speaker', tellsHow, { entry_point: 'main:Speaker' })
    const { details = {} } = await (await load(root)).health()
    const [runtime, ...args] = details['argv'] as string[]
    expect(runtime).toBe(join(folder.path, 'run.py'))
    expect(args).toEqual([join(dir, 'main.py'), '--dir', dir, '--plugins-dir', root])
    expect(details).toMatchObject({ cwd: dir, isolated: 1, utf8: 1, no_bytecode: 0 })
    expect(details['environment']).not.toHaveProperty('AF_PYTHON')
    expect(details['python_version']).toMatch(/^3\.\d+\.\d+/)
    expect(realpathSync(String(details['python']))).toBe(realpathSync(python ?? ''))
  })

  test('is described without being loaded, and has no schema in its code', async () => {
    const root = temporaryFolder()
    writePythonPlugin(root, 'speaker', '')
    vi.stubEnv('AF_PYTHON', python ?? '')
    await using host = new PluginHost({ pluginsDir: root })
    const { plugin: described, contract } = await host.describe('speaker')
    expect(described.manifest?.runtime).toBe('python')
    expect(contract.methods.map(({ wire }) => wire)).toContain('synthesize')
    const [plugin] = (await host.discover()).plugins
    expect(plugin && (await readCodeSchema(plugin))).toBeUndefined()
  })

  test('writes no compiled files while its source is being changed', async () => {
    const root = temporaryFolder()
    writePythonPlugin(root, 'speaker', tellsHow)
    const speaker = await load(root, { preferSource: true })
    expect((await speaker.health()).details).toMatchObject({ no_bytecode: 1 })
  })

  test('is told that a limit of the heap is Node’s', async () => {
    const root = temporaryFolder()
    writePythonPlugin(root, 'speaker', '')
    logged.length = 0
    await load(root, { maxHeapMb: 64 })
    expect(logged).toEqual([expect.stringMatching(/^WARNING maxHeapMb does not hold/)])
  })

  test('that ends while it is imported says which Python it was', async () => {
    const root = temporaryFolder()
    writePythonPlugin(root, 'speaker', 'print("no model")\nos = __import__("os"); os._exit(3)')
    await expect(load(root)).rejects.toMatchObject({
      codeName: 'PLUGIN_LOAD_FAILED',
      message: expect.stringMatching(/exited with code 3 .*no model.*Python 3\.\d+\.\d+: \S/),
      data: { exit: 'exited with code 3', python: expect.any(String), python_version: expect.any(String) },
    })
  })

  test('has a time of its own to be imported', async () => {
    const root = temporaryFolder()
    writePythonPlugin(root, 'speaker', 'import time; time.sleep(0.3)')
    await load(root, { startTimeoutMs: 1 })
    writePythonPlugin(root, 'speaker', 'import time; time.sleep(600)')
    await expect(load(root, { pythonStartTimeoutMs: 300 })).rejects.toThrow(loadError)
  })

  test.each([
    ['holds NaN', 'return [float("nan")]', /NaN/],
    [
      'is no UTF-8',
      String.raw`wire.write(b'{"jsonrpc":"2.0","id":"%s","result":"\xff"}\n' % request_id.encode()); wire.flush()`,
      /UTF-8/,
    ],
  ])('whose answer %s fails that call at once, and serves the next one', async (_, statement, reason) => {
    const root = temporaryFolder()
    const voice = '{"id": "one", "name": "One", "language": "en"}'
    const source = `calls = 0\ndef get_voices():\n  global calls\n  calls += 1\n  if calls > 1: return [${voice}]\n  ${statement}`
    writePythonPlugin(root, 'speaker', source)
    const speaker = await load(root)
    await expect(speaker.getVoices()).rejects.toThrow(reason)
    expect(await speaker.getVoices()).toMatchObject([{ id: 'one' }])
  })

  test('is reloaded with its state when a file of it is saved', async () => {
    const root = temporaryFolder()
    const keeps = `
import os
from helper import label
state = os.getpid()
def health():
    return {"label": label, "state": state}
def capture():
    return state
def restore(given):
    global state
    state = given
`
    const dir = writePythonPlugin(root, 'speaker', `import sys; sys.path.append(r"${root}/speaker")${keeps}`)
    writeFiles(dir, { 'helper.py': 'label = "first"' })
    vi.stubEnv('AF_PYTHON', python ?? '')
    await using host = new PluginHost({ pluginsDir: root, preferSource: true, healthIntervalMs: 1e9 })
    const events: DevelopmentEvent[] = []
    await using _watch = await watchPlugins(host, { dir, onEvent: (event) => void events.push(event) })
    await expect.poll(() => events.map(({ type }) => type)).toContain('loaded')
    const health = async () => (await host.health('speaker')).details
    const before = await health()
    expect(before).toMatchObject({ label: 'first', state: before?.['pid'] })
    writeFiles(dir, { 'helper.py': 'label = "second"', 'data.txt': 'no code' })
    await expect.poll(() => events.map(({ type }) => type)).toContain('reloaded')
    expect(await health()).toMatchObject({ label: 'second', state: before?.['pid'] })
    expect(events.at(-1)).toMatchObject({ type: 'reloaded', statePreserved: true })
  })
})
