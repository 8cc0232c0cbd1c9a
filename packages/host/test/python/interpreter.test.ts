import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type FindOptions, findPython, markFile } from '../../src/python/interpreter.js'
import { makeFolder } from '../fixtures/plugins.js'
import { findTestPython } from '../python-for-tests.js'
import { manifestOf, writeEnvironment, writeProgram } from './environments.js'

const python = findTestPython()

// The links of these environments are POSIX's.
describe.skipIf(python === undefined || process.platform === 'win32')('which Python runs a plugin', () => {
  const real = python ?? ''
  let root: string
  let dir: string
  let remove: () => void

  beforeEach(() => {
    const folder = makeFolder()
    root = folder.path
    remove = folder.remove
    dir = join(root, 'plugins', 'speaker')
    mkdirSync(dir, { recursive: true })
    for (const name of ['AF_PYTHON', 'VIRTUAL_ENV', 'CONDA_PREFIX']) vi.stubEnv(name, undefined)
    writeProgram(join(root, 'bin', 'python3'), `exec '${real}' "$@"`)
    vi.stubEnv('PATH', join(root, 'bin'))
  })

  afterEach(() => {
    vi.unstubAllEnvs()
    remove()
  })

  const find = (options: Partial<FindOptions> = {}): ReturnType<typeof findPython> =>
    findPython({
      ...{ dir, pluginsDirs: [join(root, 'plugins')], manifest: manifestOf() },
      ...{ signal: new AbortController().signal, ...options },
    })

  test('each place comes before those after it', async () => {
    const inPath = await find()
    expect(inPath.source).toBe('python3 in PATH')
    expect(inPath.version).toMatch(/^3\.\d+\.\d+/)
    // What a shim starts, not the shim.
    expect(inPath.file).toBe(real)

    const active = writeEnvironment(join(root, 'active'), real)
    vi.stubEnv('VIRTUAL_ENV', join(root, 'active'))
    expect(await find()).toMatchObject({ file: active, source: '$VIRTUAL_ENV', isVirtual: true })

    const shared = writeEnvironment(join(root, '.venv'), real)
    expect(await find()).toMatchObject({ file: shared, source: join(root, '.venv') })

    const other = writeEnvironment(join(dir, 'venv'), real)
    expect(await find()).toMatchObject({ file: other, source: 'the plugin’s venv' })

    const own = writeEnvironment(join(dir, '.venv'), real)
    expect(await find()).toMatchObject({ file: own, source: 'the plugin’s .venv' })

    vi.stubEnv('AF_PYTHON', shared)
    expect(await find()).toMatchObject({ file: shared, source: '$AF_PYTHON' })
    expect(await find({ pythonPath: active })).toMatchObject({ file: active, source: 'pythonPath' })
    expect(await find({ pythonPath: 'python3' })).toMatchObject({ file: real, source: 'pythonPath' })
  })

  test('an environment above the parent of the plugins folder is none of it', async () => {
    writeEnvironment(join(root, '.venv'), real)
    const deeper = join(root, 'a', 'b', 'plugins', 'speaker')
    mkdirSync(deeper, { recursive: true })
    const { source } = await find({ dir: deeper, pluginsDirs: [dirname(deeper)] })
    expect(source).toBe('python3 in PATH')
  })

  test('a folder venv of the plugin’s own code, and a file .venv of another tool, are no environments', async () => {
    mkdirSync(join(dir, 'venv'))
    writeFileSync(join(dir, 'venv', '__init__.py'), '')
    writeFileSync(join(dir, '.venv'), 'speaker-1a2b')
    expect((await find()).source).toBe('python3 in PATH')
  })

  test.each([
    ['a link to nowhere', (path: string) => writeEnvironment(path, join(root, 'gone'))],
    ['no Python at all', (path: string) => mkdirSync(path)],
    ['a link to a folder that is gone', (path: string) => symlinkSync(join(root, 'gone'), path)],
    [
      'a Python that can’t start',
      (path: string) => writeProgram(join(path, 'bin', 'python'), 'echo no >&2; exit 3'),
    ],
    ['something else', (path: string) => writeProgram(join(path, 'bin', 'python'), 'echo hello')],
  ])('a broken .venv is an error, not passed over: %s', async (_, make) => {
    const environment = join(dir, '.venv')
    make(environment)
    await expect(find()).rejects.toMatchObject({
      codeName: 'PLUGIN_LOAD_FAILED',
      data: { plugin: 'speaker', environment },
    })
    // What the author has made is not made anew.
    await expect(find({ install: true })).rejects.toMatchObject({ codeName: 'PLUGIN_LOAD_FAILED' })
    if (!existsSync(environment)) return
    writeFileSync(join(environment, markFile), '')
    expect((await find({ install: true })).source).toBe('python3 in PATH')
    // Once it is repaired, it is taken.
    rmSync(environment, { recursive: true })
    writeEnvironment(environment, real)
    expect((await find()).source).toBe('the plugin’s .venv')
  })

  test.each([
    ['exit 3', 'it exited with code 3 and said nothing'],
    ['echo "pyenv: not found" >&2; echo "  See its help" >&2; exit 127', 'pyenv: not found'],
    ['echo "Traceback (most recent)" >&2; echo "ImportError: no os" >&2; exit 1', 'ImportError: no os'],
  ])('a Python that can’t start says why, and not what it was asked: %s', async (script, reason) => {
    writeProgram(join(dir, '.venv', 'bin', 'python'), script)
    const error = await find().catch((thrown: unknown) => thrown)
    expect(String(error)).toContain(`can’t be run: ${reason}. `)
    expect(String(error)).not.toContain('import json')
  })

  test.each([{ python_requires: '>=3.99' }, { engines: { python: '>=3.9 <3.9' } }])(
    'a version that does not fit is named, with what was wanted and what there is: %j',
    async (keys) => {
      const error = await find({ manifest: manifestOf(keys) }).catch((reason: unknown) => reason)
      expect(error).toMatchObject({ codeName: 'PLUGIN_LOAD_FAILED', data: { plugin: 'speaker' } })
      expect(String(error)).toContain(real)
      expect(String(error)).toMatch(/3\.99|<3\.9/)
      await expect(find({ manifest: manifestOf(keys), pythonPath: real })).rejects.toMatchObject({
        codeName: 'PLUGIN_LOAD_FAILED',
      })
    },
  )

  test('of several in PATH the one is taken that fits; one that can’t run is passed over', async () => {
    const { version } = await find()
    const exact = `python${version.split('.').slice(0, 2).join('.')}`
    writeProgram(join(root, 'shims', exact), 'echo "pyenv: command not found" >&2; exit 127')
    writeProgram(join(root, 'more', exact), `exec '${real}' "$@"`)
    vi.stubEnv('PATH', [join(root, 'shims'), join(root, 'more')].join(delimiter))
    const found = await find({ manifest: manifestOf({ python_requires: `==${version}` }) })
    expect(found).toMatchObject({ file: real, source: `${exact} in PATH` })
  })

  test.each([
    [
      'pyenv',
      "pyenv: python3.13: command not found\n\nThe `python3.13' command exists in these Python versions:\n  3.13.0\n\nNote: See 'pyenv help global' for tips on allowing multiple\n      Python versions to be found at the same time.",
      'can’t be run: pyenv: python3.13: command not found. Name',
    ],
    [
      'a Python without its library',
      "Fatal Python error: init_fs_encoding: failed to get the Python codec\nPython runtime state: core initialized\nModuleNotFoundError: No module named 'encodings'\n\nCurrent thread 0x1 (most recent call first):\n  <no Python frame>",
      "can’t be run: ModuleNotFoundError: No module named 'encodings'. Name",
    ],
    ['another', 'No version is set.\nRun the setup.', 'can’t be run: No version is set. Name'],
  ])('of what %s says before it fails, the error has the reason', async (_who, said, message) => {
    writeFileSync(join(root, 'said'), said)
    const pythonPath = writeProgram(join(root, 'failing'), `/bin/cat '${join(root, 'said')}' >&2; exit 127`)
    await expect(find({ pythonPath })).rejects.toMatchObject({ message: expect.stringContaining(message) })
  })

  test('a folder that PATH has twice, once by a link, is listed once', async () => {
    symlinkSync(join(root, 'bin'), join(root, 'link'))
    vi.stubEnv('PATH', [join(root, 'bin'), join(root, 'link')].join(delimiter))
    const error = await find({ manifest: manifestOf({ python_requires: '>=3.99' }) }).catch(
      (reason: unknown) => reason,
    )
    expect(error).toMatchObject({ data: { found: [expect.stringContaining('python3 in PATH')] } })
  })

  test('without any Python the error says so', async () => {
    vi.stubEnv('PATH', join(root, 'empty'))
    await expect(find()).rejects.toMatchObject({ codeName: 'PLUGIN_LOAD_FAILED', data: { found: [] } })
  })

  test('a range that can’t be read is an error that names its key', async () => {
    await expect(find({ manifest: manifestOf({ python_requires: '^3.9' }) })).rejects.toMatchObject({
      codeName: 'PLUGIN_LOAD_FAILED',
      message: expect.stringContaining('python_requires'),
    })
  })

  test('a pythonPath that is none is an error of each load, and of none after it is there', async () => {
    const pythonPath = join(root, 'late', 'python')
    await expect(find({ pythonPath })).rejects.toMatchObject({ data: { python_path: pythonPath } })
    writeProgram(pythonPath, `exec '${real}' "$@"`)
    expect(await find({ pythonPath })).toMatchObject({ file: real })
  })

  test('a Python is asked once, whoever asks, until it is another one', async () => {
    const asked = join(root, 'asked')
    const pythonPath = writeProgram(join(root, 'counting'), `echo x >> '${asked}'; exec '${real}' "$@"`)
    await Promise.all([find({ pythonPath }), find({ pythonPath }), find({ pythonPath })])
    await find({ pythonPath })
    expect(readFileSync(asked, 'utf8')).toBe('x\n')
    writeProgram(pythonPath, `echo another >> '${asked}'; exec '${real}' "$@"`)
    await find({ pythonPath })
    expect(readFileSync(asked, 'utf8')).toBe('x\nanother\n')
  })

  test('who leaves does not end the question of the others', async () => {
    const pythonPath = writeProgram(join(root, 'slow'), `sleep 0.3; exec '${real}' "$@"`)
    const leaving = new AbortController()
    const left = find({ pythonPath, signal: leaving.signal })
    const stays = find({ pythonPath })
    leaving.abort()
    await expect(left).rejects.toMatchObject({ codeName: 'REQUEST_CANCELLED' })
    expect((await stays).file).toBe(real)
  })

  test('a Python that the plugin brings along sees none of the host’s variables', async () => {
    vi.stubEnv('HOST_SECRET', 'hunter2')
    vi.stubEnv('PYTHONPATH', root)
    const seen = join(root, 'seen')
    writeProgram(join(dir, '.venv', 'bin', 'python'), `/usr/bin/env > '${seen}'; exec '${real}' "$@"`)
    await find()
    expect(readFileSync(seen, 'utf8')).not.toMatch(/HOST_SECRET|PYTHONPATH/)
  })
})
