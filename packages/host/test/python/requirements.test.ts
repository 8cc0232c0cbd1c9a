import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import type { Manifest } from '@appfactory/sdk'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { findPython, markFile, type PythonProgram } from '../../src/python/interpreter.js'
import { checkRequirements, type RequirementOptions } from '../../src/python/requirements.js'
import { isAlive, makeFolder, writeFiles } from '../fixtures/plugins.js'
import { findTestPython, findTestUv } from '../python-for-tests.js'
import {
  manifestOf,
  writeEnvironment,
  writeMetadata,
  writeProgram,
  writeQuickPython,
  writeWheel,
} from './environments.js'

const python = findTestPython()
const realUv = findTestUv()

// The links of these environments are POSIX's.
describe.skipIf(python === undefined || process.platform === 'win32')('what a plugin in Python needs', () => {
  const real = python ?? ''
  const wheels = makeFolder()
  let root: string
  let dir: string
  let remove: () => void

  beforeAll(() => {
    writeWheel(real, wheels.path, 'alpha', '1.0')
    writeWheel(real, wheels.path, 'alpha', '2.0')
    writeWheel(real, wheels.path, 'beta', '1.0', "alpha<2; extra == 'more'")
  })
  afterAll(wheels.remove)

  beforeEach(() => {
    const folder = makeFolder()
    root = folder.path
    remove = folder.remove
    dir = join(root, 'plugins', 'speaker')
    mkdirSync(dir, { recursive: true })
    for (const name of ['AF_PYTHON', 'VIRTUAL_ENV', 'CONDA_PREFIX']) vi.stubEnv(name, undefined)
    // Without uv, whatever this machine has.
    writeProgram(join(root, 'bin', 'uv'), 'exit 127')
    vi.stubEnv('PATH', [join(root, 'bin'), '/usr/bin', '/bin'].join(delimiter))
  })
  afterEach(() => {
    vi.unstubAllEnvs()
    remove()
  })

  const log: string[] = []
  const check = async (
    keys: Partial<Manifest> = {},
    options: Partial<RequirementOptions> = {},
  ): Promise<PythonProgram> => {
    const manifest = manifestOf(keys)
    const { signal } = new AbortController()
    const { install = false } = options
    const found = await findPython({
      ...{ dir, pluginsDirs: [dirname(dir)], manifest, install, signal },
      ...(existsSync(join(dir, '.venv')) ? {} : { pythonPath: real }),
    })
    return checkRequirements({
      ...{ dir, manifest, python: found, install, allowScripts: false, timeoutMs: 60_000, signal },
      progress: (message) => log.push(message),
      ...options,
    })
  }
  const sitePackages = (environment: string): string => {
    const code = 'import sysconfig; print(sysconfig.get_path("purelib"))'
    return execFileSync(environment, ['-I', '-c', code], { encoding: 'utf8' }).trim()
  }
  const ownFolder = (): string => sitePackages(writeEnvironment(join(dir, '.venv'), real))
  const local = (): string => `--no-index\n--find-links ${wheels.path}\n`
  const versionOf = (program: PythonProgram, module: string): string =>
    execFileSync(program.file, ['-I', '-c', `import ${module}; print(${module}.version)`], {
      encoding: 'utf8',
    }).trim()

  const theReal = (): Promise<PythonProgram> =>
    findPython({
      ...{ dir, pluginsDirs: [], manifest: manifestOf(), pythonPath: real },
      signal: new AbortController().signal,
    })

  describe('is checked by metadata', () => {
    test('what is missing, or there in the wrong version, is named, each, with the command', async () => {
      const packages = ownFolder()
      writeMetadata(packages, 'Old.Name', '1.9.0')
      writeMetadata(packages, 'fine', '2.1.0+cpu')
      writeFiles(dir, {
        'requirements.txt': 'old_name>=2.0 # wanted\nfine==2.1\nabsent[x]>=1 ; python_version > "3"\n',
      })
      await expect(check({ dependencies: ['other!=1', 'old-name>=1'] })).rejects.toMatchObject({
        codeName: 'DEPENDENCY_MISSING',
        message: expect.stringContaining(dir),
        data: {
          plugin: 'speaker',
          missing: ['old_name>=2.0 (version 1.9.0 is installed)', 'absent[x]>=1', 'other!=1'],
          command: '.venv/bin/python -m pip install -r requirements.txt "other!=1"',
        },
      })
    })

    test('where there is no environment, the command makes one: with uv, if that is there', async () => {
      await expect(check({ dependencies: ['absent'] })).rejects.toMatchObject({
        data: { command: `${real} -m venv .venv && .venv/bin/python -m pip install absent` },
      })
      writeProgram(join(root, 'bin', 'uv'), 'exit 0')
      await expect(check({ dependencies: ['absent'] })).rejects.toMatchObject({
        data: {
          command: `uv venv --no-project --python ${real} .venv && uv pip install --python .venv absent`,
        },
      })
    })

    test('options, comments, markers, continued lines and included files are read as pip reads them', async () => {
      const packages = ownFolder()
      for (const name of ['one', 'two', 'three', 'four']) writeMetadata(packages, name, '1.0')
      writeFiles(dir, {
        'requirements.txt': [
          '\u{feff}# packages',
          '--index-url https://user:secret@example.com/simple',
          '-r more/more.txt',
          '-c constraints.txt',
          '-f ./wheels --trusted-host example.com',
          'one \\',
          '  >=1.0 \\',
          '  --hash=sha256:aaaa \\',
          '  --hash=sha256:bbbb',
          'windows-only; sys_platform == "win32"',
          'two @ https://example.com/two-1.0-py3-none-any.whl ; python_version >= "3"',
          'https://example.com/three-1.0-py3-none-any.whl#sha256=aa',
          '-e ./nowhere',
          './also/nowhere',
        ].join('\r\n'),
        'constraints.txt': 'one<2\nunneeded==7\n',
        'more/more.txt': '-r ../requirements.txt\nfour\n',
      })
      await expect(check()).resolves.toMatchObject({ source: 'the plugin’s .venv' })
    })

    test('what an extra needs is missing too', async () => {
      const packages = ownFolder()
      writeMetadata(packages, 'speech', '1.0', [
        "deep[all]>=1; extra == 'en'",
        "unneeded; extra == 'zh'",
        'plain',
      ])
      writeMetadata(packages, 'deep', '1.0', ["speech[en]; extra == 'all'", "deepest>=3; extra == 'all'"])
      await expect(check({ dependencies: ['speech[EN]'] })).rejects.toMatchObject({
        data: { missing: ['deepest>=3'] },
      })
    })

    test.each([
      ['a b', 'requirements.txt, line 2'],
      ['numpy>=1.x', 'requirements.txt, line 2'],
      ['-r absent.txt', 'absent.txt'],
      [`${'a'.repeat(100_000)}`, 'requirements.txt, line 2'],
    ])('what can’t be read is named with its place', async (line, place) => {
      writeFiles(dir, { 'requirements.txt': `\n${line}\n` })
      const error = await check().catch((reason: unknown) => reason)
      expect(error).toMatchObject({ codeName: 'PLUGIN_LOAD_FAILED' })
      expect(String(error)).toContain(place)
      expect(String(error).length).toBeLessThan(1000)
    })

    test('without requirements no process is started', async () => {
      const { signal } = new AbortController()
      const nowhere = {
        file: join(root, 'gone'),
        version: '3.11.0',
        source: '',
        isVirtual: false,
        variables: {},
      }
      writeFiles(dir, { 'requirements.txt': '# nothing\n' })
      const options = { dir, manifest: manifestOf(), python: nowhere, install: true, allowScripts: false }
      await expect(
        checkRequirements({ ...options, timeoutMs: 1000, progress: () => {}, signal }),
      ).resolves.toBe(nowhere)
    })
  })

  describe('is installed', () => {
    test('into .venv by pip, once for all who ask; a failure leaves it as it was', async () => {
      writeFiles(dir, { 'requirements.txt': `${local()}alpha<2\n` })
      const quick = { ...(await theReal()), file: writeQuickPython(join(root, 'quick'), real) }
      const ask = (): Promise<PythonProgram> =>
        check({ dependencies: ['alpha'] }, { install: true, python: quick })
      log.length = 0
      const both = await Promise.all([ask(), ask()])
      expect(log.filter((line) => line.startsWith('installing'))).toHaveLength(1)
      expect(both[0]).toEqual(both[1])
      expect(both[0]).toMatchObject({ file: join(dir, '.venv', 'bin', 'python'), isVirtual: true })
      expect(versionOf(both[0], 'alpha')).toBe('1.0')

      writeFiles(dir, { 'requirements.txt': `${local()}alpha>=2\nbeta[more]\n` })
      await expect(check({}, { install: true })).rejects.toMatchObject({
        codeName: 'DEPENDENCY_MISSING',
        message: expect.stringContaining('is unchanged'),
      })
      expect(versionOf(both[0], 'alpha')).toBe('1.0')
      expect(readdirSync(dir).sort()).toEqual(['.venv', 'requirements.txt'])

      writeFiles(dir, { 'requirements.txt': `${local()}alpha>=2\n` })
      expect(versionOf(await check({}, { install: true }), 'alpha')).toBe('2.0')
    })

    test.skipIf(realUv === undefined)('by uv where that is there', async () => {
      vi.stubEnv('PATH', [dirname(realUv ?? ''), '/usr/bin', '/bin'].join(delimiter))
      writeFiles(dir, { 'requirements.txt': `${local()}beta[more]\n` })
      const made = await check({ dependencies: ['alpha'] }, { install: true })
      expect(versionOf(made, 'alpha')).toBe('1.0')
      writeFiles(dir, { 'requirements.txt': `${local()}alpha>=3\n` })
      await expect(check({}, { install: true })).rejects.toMatchObject({ codeName: 'DEPENDENCY_MISSING' })
      expect(versionOf(made, 'alpha')).toBe('1.0')
    })

    /** A uv that does half of its work, and then `end`. */
    const halfUv = (end: string): string =>
      writeProgram(
        join(root, 'bin', 'uv'),
        `[ "$1" = --version ] && exit 0
if [ "$1" = venv ]; then mkdir -p .venv/bin; ln -s '${real}' .venv/bin/python; echo 'home = ${dirname(real)}' > .venv/pyvenv.cfg; exit 0; fi
echo half > .venv/half; ${end}`,
      )

    test('a failure leaves no half environment, and the next try succeeds', async () => {
      halfUv('echo "no such package" >&2; exit 1')
      await expect(check({ dependencies: ['alpha'] }, { install: true })).rejects.toMatchObject({
        codeName: 'DEPENDENCY_MISSING',
        message: expect.stringContaining('no such package'),
      })
      expect(readdirSync(dir)).toEqual([])
    })

    test('an installer that is done, and has not installed all, has failed', async () => {
      halfUv('exit 0')
      await expect(check({ dependencies: ['alpha'] }, { install: true })).rejects.toMatchObject({
        codeName: 'DEPENDENCY_MISSING',
        message: expect.stringContaining('lacks alpha'),
      })
      expect(readdirSync(dir)).toEqual([])
    })

    test('the deadline is that of all commands, and ends them', async () => {
      halfUv('sleep 60')
      await expect(
        check({ dependencies: ['alpha'] }, { install: true, timeoutMs: 1500 }),
      ).rejects.toMatchObject({ message: expect.stringContaining('installTimeoutMs') })
      expect(readdirSync(dir)).toEqual([])
    })

    test('an abort ends the installer with all its processes; the environment is as it was', async () => {
      ownFolder()
      const file = join(root, 'pid')
      halfUv(`sleep 60 & echo $! > '${file}.new'; mv '${file}.new' '${file}'; wait`)
      const leaving = new AbortController()
      const left = check({ dependencies: ['alpha'] }, { install: true, signal: leaving.signal })
      const refused = expect(left).rejects.toMatchObject({ codeName: 'REQUEST_CANCELLED' })
      await expect.poll(() => existsSync(file)).toBe(true)
      leaving.abort()
      await refused
      expect(readdirSync(dir)).toEqual(['.venv'])
      expect(readdirSync(join(dir, '.venv')).sort()).not.toContain('half')
      const pid = Number(readFileSync(file, 'utf8'))
      await expect.poll(() => isAlive(pid)).toBe(false)
    })

    test('what a killed host has left is put right', async () => {
      const packages = ownFolder()
      writeMetadata(packages, 'kept', '1.0')
      execFileSync('/bin/mv', [join(dir, '.venv'), join(dir, '.venv.before-install')])
      writeEnvironment(join(dir, '.venv'), real)
      halfUv('exit 1')
      await expect(check({ dependencies: ['alpha'] }, { install: true })).rejects.toMatchObject({
        codeName: 'DEPENDENCY_MISSING',
      })
      expect(readdirSync(dir)).toEqual(['.venv'])
      expect(await check({ dependencies: ['kept'] })).toMatchObject({ source: 'the plugin’s .venv' })
    })

    test('an environment of the host whose Python is gone is made anew, and is back if that fails', async () => {
      writeEnvironment(join(dir, '.venv'), join(root, 'gone'))
      writeFileSync(join(dir, '.venv', markFile), 'x')
      halfUv('exit 1')
      await expect(
        check({ dependencies: ['alpha'] }, { install: true, python: await theReal() }),
      ).rejects.toMatchObject({ codeName: 'DEPENDENCY_MISSING' })
      expect(readFileSync(join(dir, '.venv', markFile), 'utf8')).toBe('x')
    })

    test('an environment of the author’s for another Python stays as it is', async () => {
      writeEnvironment(join(dir, '.venv'), join(root, 'gone'))
      const { signal } = new AbortController()
      const options = {
        dir,
        manifest: manifestOf({ dependencies: ['alpha'] }),
        python: await theReal(),
        signal,
      }
      await expect(
        checkRequirements({
          ...options,
          install: true,
          allowScripts: true,
          timeoutMs: 9000,
          progress: () => {},
        }),
      ).rejects.toMatchObject({
        codeName: 'DEPENDENCY_MISSING',
        message: expect.stringContaining('Delete it'),
      })
      expect(readdirSync(join(dir, '.venv')).sort()).toEqual(['bin', 'pyvenv.cfg'])
    })

    test.each([
      './folder',
      '-e .',
      'alpha @ git+https://example.com/alpha',
      'https://example.com/a.tar.gz',
      '--no-binary :all:\nalpha',
      '-r https://example.com/r.txt\nalpha',
      '-c https://example.com/c.txt\nalpha',
      '-i https://example.com/ --no-bin :all:\nalpha',
      '-i https://example.com/ "--no-binary" :all:\nalpha',
      '# comment\u2028--no-binary :all:\nalpha',
      '# comment\r--no-binary :all:\nalpha',
      '# coding: utf-7\nalpha',
      '-c bounds.txt\nalpha',
    ])('what runs code when it is installed is refused before anything runs: %s', async (text) => {
      halfUv('exit 0')
      writeFiles(dir, { 'requirements.txt': text, 'bounds.txt': 'alpha @ git+https://example.com/alpha' })
      await expect(check({}, { install: true })).rejects.toMatchObject({
        codeName: 'DEPENDENCY_MISSING',
        message: expect.stringContaining('allowInstallScripts'),
      })
      expect(readdirSync(dir).sort()).toEqual(['bounds.txt', 'requirements.txt'])
    })

    test('a package of source only says what would allow it', async () => {
      writeEnvironment(join(dir, '.venv'), real)
      writeFiles(dir, { 'requirements.txt': 'alpha\n' })
      halfUv('echo "alpha has no wheels with a matching tag; --no-build" >&2; exit 1')
      await expect(check({}, { install: true })).rejects.toMatchObject({
        message: expect.stringContaining('allowInstallScripts'),
      })
    })

    test.each([
      "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(refused)'\nERROR: No matching distribution found for alpha",
      'error: Failed to fetch: `https://example.com/simple/alpha/`',
    ])('an index that does not answer is not taken for a package without wheels: %s', async (said) => {
      writeEnvironment(join(dir, '.venv'), real)
      writeFiles(dir, { 'requirements.txt': 'alpha\n', '../said': said })
      halfUv(`/bin/cat '${join(dir, '..', 'said')}' >&2; exit 1`)
      await expect(check({}, { install: true })).rejects.toMatchObject({
        codeName: 'DEPENDENCY_MISSING',
        message: expect.stringMatching(/^(?!.*allowInstallScripts).*check the network/s),
      })
    })

    test('an installer sees none of the host’s secrets, and nothing of its environment', async () => {
      vi.stubEnv('HOST_SECRET', 'hunter2')
      vi.stubEnv('VIRTUAL_ENV', join(root, 'elsewhere'))
      vi.stubEnv('PYTHONPATH', root)
      vi.stubEnv('PIP_INDEX_URL', 'https://example.com/simple')
      const seen = join(root, 'seen')
      halfUv(`/usr/bin/env > '${seen}'; exit 1`)
      await check({ dependencies: ['alpha'] }, { install: true }).catch(() => {})
      expect(readFileSync(seen, 'utf8')).not.toMatch(/HOST_SECRET|VIRTUAL_ENV|PYTHONPATH/)
      expect(readFileSync(seen, 'utf8')).toContain('PIP_INDEX_URL')
    })

    test('the log says what is installed, and how it ended', async () => {
      halfUv('exit 1')
      log.length = 0
      await check({ dependencies: ['alpha'] }, { install: true }).catch(() => {})
      expect(log).toEqual([
        `installing requirements into ${join(dir, '.venv')}: alpha`,
        expect.stringMatching(/^the installation has ended after \d+ s$/),
      ])
    })
  })
})
