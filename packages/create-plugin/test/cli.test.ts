import { type ChildProcess, spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { questions } from '../src/answers.js'
import { meantFlag } from '../src/flags.js'
import { command, filesIn, run, spawned, temporaryFolder } from './command.js'

const namespace = ['--user', '--map-root-user', '--mount']
/** Not everywhere may one have a disk of one's own. */
const mayMount =
  process.platform === 'linux' &&
  spawnSync('unshare', [...namespace, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0

const tts = ['my_plugin', '--contract', 'tts', '--yes']

describe('done', () => {
  it('writes, says what comes next, and how to do the same again', async () => {
    const cwd = temporaryFolder()
    const { status, out, error } = await run(tts, { cwd })
    expect({ status, error }).toEqual({ status: 0, error: '' })
    expect(out).toMatch(
      /Next:\n +cd my_plugin\n +npm install\n +npm test\n +npx --no-install appfactory-host call my_plugin.*\n +npm run dev\n +npm run tester/,
    )
    expect(out).toContain('npm create appfactory-plugin@0.1.0 my_plugin -- --contract tts --yes')
    expect(readdirSync(cwd)).toEqual(['my_plugin'])
    expect(Object.keys(filesIn(join(cwd, 'my_plugin')))).toContain('src/index.ts')
  })

  it('gives the same files when the command that it prints is run by a shell', async () => {
    const [first, second] = [temporaryFolder(), temporaryFolder()]
    const hostile = [
      '--author',
      `Tom & "J" \\x $HOME \`id\` it's`,
      '--display-name=-n',
      '--config',
      'say:string=a b',
    ]
    const { out } = await run([...tts, ...hostile, '--json'], { cwd: first })
    const { command: again }: { command: string } = JSON.parse(out)
    const flags = again.replace(/^npm create \S+ (\S+) -- /, '$1 ')
    const { status } = await spawned('sh', ['-c', `"$NODE" "$COMMAND" ${flags}`], {
      cwd: second,
      env: { NODE: process.execPath, COMMAND: command },
    })
    expect(status).toBe(0)
    expect(filesIn(second)).toEqual(filesIn(first))
    expect(filesIn(first)['my_plugin/manifest.json']).toContain(String.raw`"author": "Tom & \"J\" \\x $HOME`)
  })

  it.skipIf(process.platform === 'win32')(
    'makes a git repository when it is asked to, but none in another',
    async () => {
      const cwd = temporaryFolder()
      expect(await run([...tts, '--git'], { cwd })).toMatchObject({ status: 0 })
      expect(readdirSync(join(cwd, 'my_plugin'))).toContain('.git')
      mkdirSync(join(cwd, 'repository/.git'), { recursive: true })
      expect(await run([...tts, '--git'], { cwd: join(cwd, 'repository') })).toMatchObject({
        status: 0,
        error: expect.stringMatching(/already inside a git repository/),
      })
      expect(readdirSync(join(cwd, 'repository/my_plugin'))).not.toContain('.git')
    },
  )

  it('knows which package manager runs it', async () => {
    const env = { npm_config_user_agent: 'pnpm/10.0.0 npm/? node/v22.0.0' }
    const { out } = await run([...tts, '--dry-run'], { cwd: temporaryFolder(), env })
    expect(out).toContain('pnpm create appfactory-plugin@0.1.0 my_plugin')
  })

  it('prints help that names every answer, and the version', async () => {
    const cwd = temporaryFolder()
    const { status, out } = await run(['--help'], { cwd })
    expect(status).toBe(0)
    for (const { describe: said } of questions) expect(out.replace(/\s+/g, ' ')).toContain(said)
    expect((await run(['--version'], { cwd })).out).toBe('0.1.0\n')
    expect(readdirSync(cwd)).toEqual([])
  })
})

describe('a dry run', () => {
  it('writes nothing, and shows in JSON what would be written', async () => {
    const cwd = temporaryFolder()
    const { status, out } = await run([...tts, '--dry-run', '--json'], { cwd })
    expect(status).toBe(0)
    expect(readdirSync(cwd)).toEqual([])
    const { written, ...planned }: { written: boolean; files: { path: string; content: string }[] } =
      JSON.parse(out)
    expect(written).toBe(false)
    const { written: afterwards, ...done }: typeof planned & { written: boolean } = JSON.parse(
      (await run([...tts, '--json'], { cwd })).out,
    )
    expect(afterwards).toBe(true)
    expect(done).toEqual(planned)
    const files = planned.files.map(({ path, content }) => [path, Buffer.from(content).toString('latin1')])
    expect(filesIn(join(cwd, 'my_plugin'))).toEqual(Object.fromEntries(files))
  })

  it('shows bytes as base64', async () => {
    const { out } = await run(['x', '--contract', 'stt', '--yes', '--dry-run', '--json'], {
      cwd: temporaryFolder(),
    })
    const { files }: { files: { path: string; bytes: number; base64?: string }[] } = JSON.parse(out)
    const { bytes, base64 = '' } = files.find(({ path }) => path === 'samples/sos.wav') ?? {}
    expect(Buffer.from(base64, 'base64')).toHaveLength(bytes ?? 0)
    expect(Buffer.from(base64, 'base64').subarray(0, 4).toString()).toBe('RIFF')
  })

  it.each([
    ['a file of that name', (dir: string) => writeFileSync(dir, 'mine'), ['.']],
    [
      'a folder with planned files',
      (dir: string) => {
        mkdirSync(join(dir, 'src'), { recursive: true })
        for (const path of ['README.md', 'src/index.ts', 'NOTES.md']) writeFileSync(join(dir, path), 'mine')
      },
      ['README.md', 'src/index.ts'],
    ],
    [
      'a folder with other files',
      (dir: string) => {
        mkdirSync(dir)
        writeFileSync(join(dir, 'NOTES.md'), 'mine')
      },
      ['NOTES.md'],
    ],
  ])('fails as the run itself would, with %s', async (_name, make, conflicts) => {
    const cwd = temporaryFolder()
    make(join(cwd, 'my_plugin'))
    for (const more of [[], ['--json']]) {
      const real = await run([...tts, ...more], { cwd })
      expect(real.status).toBe(1)
      expect(await run([...tts, ...more, '--dry-run'], { cwd })).toEqual(real)
      if (more.length > 0) expect(JSON.parse(real.out)).toMatchObject({ error: { conflicts } })
      else for (const path of conflicts) expect(real.error).toContain(path === '.' ? 'my_plugin' : path)
    }
  })

  it('says with --force what would be overwritten', async () => {
    const cwd = temporaryFolder()
    mkdirSync(join(cwd, 'my_plugin'))
    writeFileSync(join(cwd, 'my_plugin/README.md'), 'mine')
    const forced = [...tts, '--force', '--dry-run']
    expect((await run(forced, { cwd })).out).toMatch(/README\.md .*overwritten\n/)
    const { files }: { files: { path: string; overwritten?: boolean }[] } = JSON.parse(
      (await run([...forced, '--json'], { cwd })).out,
    )
    expect(files.filter(({ overwritten }) => overwritten).map(({ path }) => path)).toEqual(['README.md'])
    expect(filesIn(cwd)).toEqual({ 'my_plugin/README.md': 'mine' })
  })
})

describe('a name as a shell completes it', () => {
  const flags = ['--contract', 'tts', '--yes', '--json']

  it.each(['my_plugin/', './my_plugin', './my_plugin//'])('is refused: %s', async (name) => {
    const cwd = temporaryFolder()
    const { status, out } = await run([name, ...flags], { cwd })
    expect({ status, ...JSON.parse(out) }).toMatchObject({
      status: 0,
      answers: { name: 'my_plugin' },
      target: join(cwd, 'my_plugin'),
    })
    expect(existsSync(join(cwd, 'my_plugin/manifest.json'))).toBe(true)
  })

  it.each(['.', './'])('is refused: %s, the current folder', async (name) => {
    const cwd = join(temporaryFolder(), 'my_plugin')
    mkdirSync(cwd)
    const { status, out } = await run([name, ...flags], { cwd })
    const { answers, target, next, command }: Record<string, unknown> & { next: string[] } = JSON.parse(out)
    expect({ status, answers, target }).toMatchObject({
      status: 0,
      answers: { name: 'my_plugin' },
      target: cwd,
    })
    expect(JSON.parse(readFileSync(join(cwd, 'manifest.json'), 'utf8')).name).toBe('my_plugin')
    expect(next.filter((step) => step.startsWith('cd '))).toEqual([])
    expect(command).toContain(' . ')
    // What is there already is not overwritten.
    expect((await run([name, ...flags], { cwd })).status).toBe(1)
  })

  it.each(['', '/', '..', '../', 'a/b/', './../x', '.x'])('is taken for another one: %j', async (name) => {
    const cwd = temporaryFolder()
    expect((await run([`--name=${name}`, ...flags], { cwd })).status).toBe(2)
    expect(readdirSync(cwd)).toEqual([])
  })

  it('does not make a plugin of a folder whose name is none', async () => {
    const cwd = join(temporaryFolder(), 'My Plugin')
    mkdirSync(cwd)
    const { status, out } = await run(['.', ...flags], { cwd })
    expect(status).toBe(2)
    expect(JSON.parse(out).error.problems[0]).toMatchObject({ answer: 'name' })
    expect(readdirSync(cwd)).toEqual([])
  })
})

describe('usage', () => {
  it.each([
    [[], /required:\n +name:.*\n +--contract:.*tts.*\n.*defaults:\n(.*\n)* +--git:/],
    [['--yes'], /required:\n +name:.*\n +--contract:.*no default/],
    [['x', '--contract', 'tts'], /^[^\n]*no terminal[^\n]*\n[^\n]*defaults:\n +--engine:.*sample/],
    [['x', '--typescript'], /Did you mean --language typescript\?/],
    [['x', '--pm', 'pnpm'], /Did you mean --package-manager\?/],
    [
      ['x', '--contract', 'tts', '--config', 'voice:integer=3', '--yes'],
      /--config: voice is already an option/,
    ],
    [['zod', '--contract', 'tts', '--yes'], /name: "zod"/],
    [['x', '--contract', 'ttss', '--yes'], /Did you mean tts\?/],
    [['x', '--contrat', 'tts'], /Did you mean --contract\?/],
    [['x', '--dryrun'], /Did you mean --dry-run\?/],
    [['x', '--contract'], /contract/],
    [['x', 'y', '--contract', 'tts', '--yes'], /Unknown argument: y/],
    [['x', '--contract', 'tts', '--contract', 'stt', '--yes'], /--contract may be given only once/],
    [['../x', '--contract', 'tts', '--yes'], /name: .* is a path/],
    [['CON', '--contract', 'tts', '--yes'], /device on Windows/],
    [['x', '--contract', 'tts', '--yes', '--author', 'two\nlines'], /--author: .*U\+000A/],
  ])('refuses %j with status 2, and writes nothing', async (args, reason) => {
    const cwd = temporaryFolder()
    const { status, out, error } = await run(args, { cwd })
    expect(error).toMatch(reason)
    expect({ status, out, left: readdirSync(cwd) }).toEqual({ status: 2, out: '', left: [] })
  })

  it('is refused in JSON too', async () => {
    const { status, out } = await run(['--json', '--yes', '--language', 'c'], { cwd: temporaryFolder() })
    expect(status).toBe(2)
    expect(JSON.parse(out)).toMatchObject({ error: { problems: [{ answer: '--language' }] } })
  })

  it('names with --json what is missing, and is not about a terminal', async () => {
    const { status, out } = await run(['--json'], { cwd: temporaryFolder() })
    expect(status).toBe(2)
    const { error }: { error: { message: string; problems: { answer: string }[] } } = JSON.parse(out)
    expect(error.message).not.toMatch(/terminal/)
    expect(error.problems.slice(0, 2).map(({ answer }) => answer)).toEqual(['name', '--contract'])
  })
})

describe('flags that npm kept', () => {
  const npm = { npm_lifecycle_event: 'npx', npm_command: 'init' }

  it.each([
    [['x', 'tts'], { contract: 'true', dry_run: 'true' }, 'x -- --contract tts --dry-run'],
    [['x'], { contract: 'tts', json: 'true', yes: 'true' }, 'x -- --contract tts --json --yes'],
    [['x', 'tts', 'js'], { contract: 'true', language: 'true' }, 'x -- --contract tts --language js'],
    [
      ['x', 'tts', 'Tom & "J"'],
      { author: 'true', contract: 'true' },
      `x -- --contract tts --author 'Tom & "J"'`,
    ],
    [['x', 'A', 'B'], { author: 'true', display_name: 'true' }, 'x -- --display-name … --author …'],
    [['x'], { git: '', force: 'true', install: 'true' }, 'x -- --force --git --install'],
    [['x', '--contract', 'tts'], { dry_run: 'true' }, 'x -- --dry-run --contract tts'],
    [['x'], { contrat: 'tts', dryrun: 'true' }, 'x -- --contract tts --dry-run'],
    [['x', 'tts'], { kind: 'true', typescript: 'true' }, 'x -- --contract tts --language typescript'],
    [[], { name: 'x', contract: 'tts' }, 'x -- --contract tts'],
    [['x', '--contract=tts'], { json: 'true' }, 'x -- --json --contract=tts'],
  ])('%j with %j is refused with the command that works', async (args, kept, meant) => {
    const cwd = temporaryFolder()
    const env = Object.fromEntries(Object.entries(kept).map(([key, value]) => [`npm_config_${key}`, value]))
    const { status, error } = await run(args, { cwd, env: { ...npm, ...env } })
    expect(error).toContain(`\n  npm create appfactory-plugin@latest ${meant}\n`)
    expect({ status, left: readdirSync(cwd) }).toEqual({ status: 2, left: [] })
  })

  it.each([
    ['settings of npm', { git: '/usr/bin/git', yes: 'true', description: '', dry_run: '', json: '' }],
    ['old settings of npm', { auth: 'secret', gid: 'true' }],
    ['nothing', {}],
  ])('%s are none of ours', async (_name, settings) => {
    const env = Object.fromEntries(
      Object.entries(settings).map(([key, value]) => [`npm_config_${key}`, value]),
    )
    expect(await run(tts, { cwd: temporaryFolder(), env: { ...npm, ...env } })).toMatchObject({ status: 0 })
  })

  it.each(['force', 'json', 'dry-run'])('may be settings of npm: --no-%s answers that', async (flag) => {
    const env = { ...npm, [`npm_config_${flag.replace('-', '_')}`]: 'true' }
    const refused = await run(tts, { cwd: temporaryFolder(), env })
    expect(refused).toMatchObject({ status: 2, error: expect.stringContaining(`--no-${flag}`) })
    expect(refused.error).not.toContain('--help')
    const cwd = temporaryFolder()
    const answered = await run([...tts, `--no-${flag}`], { cwd, env })
    expect(answered).toMatchObject({ status: 0, out: expect.stringMatching(/^Wrote/) })
    expect(readdirSync(cwd)).toEqual(['my_plugin'])
  })

  it('may be --yes: then it says so where it can not go on', async () => {
    const env = { ...npm, npm_config_yes: 'true' }
    const { status, error } = await run(['x', '--contract', 'tts'], { cwd: temporaryFolder(), env })
    expect(status).toBe(2)
    expect(error).toMatch(/npm consumed --yes/)
  })

  it('are no other settings of npm', async () => {
    const { out } = await spawned('npm', ['config', 'list', '--long', '--json'], { cwd: temporaryFolder() })
    const same = ['yes', 'json', 'force', 'dry-run', 'git', 'description', 'name']
    const others = Object.keys(JSON.parse(out)).filter((name) => !same.includes(name))
    expect(others.length).toBeGreaterThan(100)
    expect(others.filter((name) => meantFlag(name) !== undefined)).toEqual([])
  })

  it('do not count in a script of npm’s', async () => {
    const env = { npm_lifecycle_event: 'test', npm_config_dry_run: 'true' }
    expect(await run(tts, { cwd: temporaryFolder(), env })).toMatchObject({ status: 0 })
  })
})

describe('failures', () => {
  it('an existing file: status 1, and it is still there', async () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'my_plugin'), 'mine')
    expect(await run(tts, { cwd })).toMatchObject({ status: 1, error: expect.stringMatching(/not a folder/) })
    expect(filesIn(cwd)).toEqual({ my_plugin: 'mine' })
  })

  it('existing files: listed, and overwritten with --force only', async () => {
    const cwd = temporaryFolder()
    mkdirSync(join(cwd, 'my_plugin'))
    writeFileSync(join(cwd, 'my_plugin/README.md'), 'mine')
    writeFileSync(join(cwd, 'my_plugin/NOTES.md'), 'mine')
    expect(await run(tts, { cwd })).toMatchObject({
      status: 1,
      error: expect.stringMatching(/README\.md(.|\n)*--force/),
    })
    expect(filesIn(join(cwd, 'my_plugin'))).toEqual({ 'README.md': 'mine', 'NOTES.md': 'mine' })
    expect(await run([...tts, '--force'], { cwd })).toMatchObject({ status: 0 })
    expect(filesIn(join(cwd, 'my_plugin'))).toMatchObject({
      'NOTES.md': 'mine',
      'README.md': expect.stringMatching(/^# /),
    })
  })

  it.skipIf(process.platform !== 'linux')('a read-only folder: nothing is left', async () => {
    const cwd = temporaryFolder()
    const copy = join(temporaryFolder(), 'create.cjs')
    copyFileSync(command, copy)
    chmodSync(join(copy, '..'), 0o755)
    chmodSync(cwd, 0o555)
    // Root may write everywhere.
    const nobody =
      process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : []
    const [file = '', ...args] = [...nobody, process.execPath, copy, ...tts]
    const { status, error } = await spawned(file, args, { cwd })
    expect(error).toMatch(/EACCES/)
    expect({ status, left: readdirSync(cwd) }).toEqual({ status: 1, left: [] })
  })

  it.skipIf(process.platform !== 'linux')(
    'a file that may not be that long, in the middle: nothing is left',
    async () => {
      const cwd = temporaryFolder()
      // Files may have one block: some fit, and then one does not.
      const { status, error } = await spawned(
        'bash',
        ['-c', 'ulimit -f 1; exec "$@"', 'bash', process.execPath, command, ...tts],
        { cwd },
      )
      expect(error).toMatch(/EFBIG/)
      expect({ status, left: readdirSync(cwd) }).toEqual({ status: 1, left: [] })
      expect(await run(tts, { cwd })).toMatchObject({ status: 0 })
    },
  )

  it.skipIf(!mayMount)('a disk that is full in the middle: nothing is left', async () => {
    // A disk of its own, which only this process and its children see.
    const small =
      'mount -t tmpfs -o size=16k tmpfs "$PWD" && cd "$PWD" && "$@"; status=$?; ls -A >&2; exit $status'
    const { status, error } = await spawned(
      'unshare',
      [...namespace, 'sh', '-c', small, 'sh', process.execPath, command, ...tts],
      { cwd: temporaryFolder() },
    )
    expect(error).toMatch(/^create-appfactory-plugin: ENOSPC.*\n$/)
    expect(status).toBe(1)
  })

  it.skipIf(process.platform !== 'linux')(
    'a current folder that is gone: status 1, one clear line',
    async () => {
      const cwd = temporaryFolder()
      const gone = 'mkdir gone; cd gone; rmdir ../gone; exec "$@"'
      const there = (more: string[]) =>
        spawned('sh', ['-c', gone, 'sh', process.execPath, command, ...tts, ...more], { cwd })
      expect(await there([])).toMatchObject({
        status: 1,
        out: '',
        error: expect.stringMatching(/^create-appfactory-plugin: the current folder[^\n]*\n$/),
      })
      const { status, out } = await there(['--json'])
      expect({ status, ...JSON.parse(out) }).toEqual({ status: 1, error: { message: expect.any(String) } })
    },
  )

  it('an installation that fails: status 1, the files stay, and what is to be done is said', async () => {
    const cwd = temporaryFolder()
    const env = { PATH: join(cwd, 'nothing') }
    const { status, error, out } = await run([...tts, '--install'], { cwd, env })
    expect(error).toMatch(/npm could not be started/)
    expect(out).toMatch(/^Wrote 11 files (.|\n)*Next:\n +cd my_plugin\n +npm install\n +npm test\n/)
    expect(status).toBe(1)
    expect(Object.keys(filesIn(join(cwd, 'my_plugin')))).toContain('manifest.json')
  })

  it('an installation that fails, in JSON: what is written, and what is to be done', async () => {
    const cwd = temporaryFolder()
    const env = { PATH: join(cwd, 'nothing') }
    const { status, out } = await run([...tts, '--git', '--install', '--json'], { cwd, env })
    expect(status).toBe(1)
    expect(JSON.parse(out)).toMatchObject({
      written: true,
      target: join(cwd, 'my_plugin'),
      error: { message: expect.stringMatching(/git could not be started/) },
      next: [
        ...['cd my_plugin', 'git init -q', 'npm install', 'npm test'],
        ...[expect.stringMatching(/ call my_plugin /), 'npm run dev', 'npm run tester'],
      ],
    })
  })
})

describe.skipIf(process.platform === 'win32')('Ctrl-C', () => {
  it.each([
    ['SIGINT', ''],
    ['SIGTERM', ''],
    ['SIGHUP', ''],
    ['SIGINT', 'SIGINT'],
    ['SIGINT', 'SIGTERM'],
  ])('%s while files are written, and again %s, leaves nothing and has status 130', async (first, again) => {
    const cwd = temporaryFolder()
    const { status, error } = await spawned(
      process.execPath,
      ['--require', fileURLToPath(new URL('stopped.cjs', import.meta.url)), command, ...tts],
      { cwd, env: { STOP_AT_WRITE: first, STOP_AT_REMOVAL: again } },
    )
    expect(error).toMatch(/Cancelled; nothing was written/)
    expect({ status, left: readdirSync(cwd) }).toEqual({ status: 130, left: [] })
    expect(await run(tts, { cwd })).toMatchObject({ status: 0 })
  })

  it('at any moment leaves all files or none', async () => {
    for (let delay = 20; delay <= 200; delay += 15) {
      const cwd = temporaryFolder()
      const onStart = async (child: ChildProcess): Promise<void> => {
        await wait(delay)
        child.kill('SIGINT')
      }
      const { status } = await run(tts, { cwd, onStart })
      const left = readdirSync(cwd)
      expect([[], ['my_plugin']]).toContainEqual(left)
      if (left.length > 0) expect(Object.keys(filesIn(join(cwd, 'my_plugin')))).toHaveLength(11)
      // Where no handler stands, before and after the files are written, the signal itself ends the process.
      expect(status === 0 ? 1 : status === 130 ? 0 : left.length).toBe(left.length)
    }
  })

  it('a second time ends an installation that does not listen', async () => {
    const bin = temporaryFolder()
    const deaf =
      "process.on('SIGTERM', () => console.error('no')); console.error('installing'); setInterval(() => {}, 1e6)"
    writeFileSync(join(bin, 'npm'), `#!${process.execPath}\n${deaf}\n`, { mode: 0o755 })
    const onStart = (child: ChildProcess): void => {
      child.stderr?.on('data', (data: Buffer) => {
        if (/installing\n|no\n/.test(data.toString())) child.kill('SIGINT')
      })
    }
    const env = { PATH: `${bin}:${process.env['PATH']}` }
    const { status } = await run([...tts, '--install'], { cwd: temporaryFolder(), env, onStart })
    expect(status).toBe(130)
  })

  it('while packages are installed stops that, keeps the files and has status 130', async () => {
    const cwd = temporaryFolder()
    const bin = temporaryFolder()
    writeFileSync(join(bin, 'npm'), '#!/bin/sh\necho installing >&2\nexec sleep 60\n', { mode: 0o755 })
    const onStart = (child: ChildProcess): void => {
      child.stderr?.on('data', (data: Buffer) => {
        if (data.includes('installing\n')) child.kill('SIGINT')
      })
    }
    const env = { PATH: `${bin}:${process.env['PATH']}` }
    const { status, error, out } = await run([...tts, '--install'], { cwd, env, onStart })
    expect(status).toBe(130)
    expect(error).toMatch(/Cancelled: npm install/)
    expect(out).toMatch(/Next:\n +cd my_plugin\n +npm install\n/)
    expect(Object.keys(filesIn(join(cwd, 'my_plugin')))).toHaveLength(11)
  })
})
