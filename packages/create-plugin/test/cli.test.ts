import { chmodSync, copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { questions } from '../src/answers.js'
import { command, filesIn, run, spawned, temporaryFolder } from './command.js'

const tts = ['my_plugin', '--contract', 'tts', '--yes']

describe('done', () => {
  it('writes, says what comes next, and how to do the same again', async () => {
    const cwd = temporaryFolder()
    const { status, out, error } = await run(tts, { cwd })
    expect({ status, error }).toEqual({ status: 0, error: '' })
    expect(out).toMatch(
      /Next:\n +cd my_plugin\n +npm install\n +npm test\n +npx appfactory-host call my_plugin/,
    )
    expect(out).toContain('npm create appfactory-plugin@0.1.0 -- my_plugin --contract tts --yes')
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
    const flags = again.replace(/^.* -- /, '')
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
      expect(await run([...tts, '--git'], { cwd: join(cwd, 'repository') })).toMatchObject({ status: 0 })
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
})

describe('usage', () => {
  it.each([
    [[], /name:.*\n(.*\n)* +--contract:.*tts.*\n(.*\n)* +--git:/],
    [['--yes'], /name:.*\n +--contract:.*no default/],
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
  ])('%j with %j is refused with the command that works', async (args, kept, meant) => {
    const cwd = temporaryFolder()
    const env = Object.fromEntries(Object.entries(kept).map(([key, value]) => [`npm_config_${key}`, value]))
    const { status, error } = await run(args, { cwd, env: { ...npm, ...env } })
    expect(error).toContain(`\n  npm create appfactory-plugin@latest ${meant}\n`)
    expect({ status, left: readdirSync(cwd) }).toEqual({ status: 2, left: [] })
  })

  it.each([
    ['settings of npm', { git: '/usr/bin/git', yes: 'true', description: '', dry_run: '', json: '' }],
    ['nothing', {}],
  ])('%s are none of ours', async (_name, settings) => {
    const env = Object.fromEntries(
      Object.entries(settings).map(([key, value]) => [`npm_config_${key}`, value]),
    )
    expect(await run(tts, { cwd: temporaryFolder(), env: { ...npm, ...env } })).toMatchObject({ status: 0 })
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

  it.skipIf(process.platform !== 'linux')('a disk that is full in the middle: nothing is left', async () => {
    const cwd = temporaryFolder()
    // Files may have one block: some fit, and then one does not.
    const { status, error } = await spawned(
      'bash',
      ['-c', 'ulimit -f 1; exec "$@"', 'bash', process.execPath, command, ...tts],
      { cwd },
    )
    expect(error).toMatch(/EFBIG|ENOSPC/)
    expect({ status, left: readdirSync(cwd) }).toEqual({ status: 1, left: [] })
    expect(await run(tts, { cwd })).toMatchObject({ status: 0 })
  })

  it('an installation that fails: status 1, and the files stay', async () => {
    const cwd = temporaryFolder()
    const env = { PATH: join(cwd, 'nothing') }
    const { status, error } = await run([...tts, '--install'], { cwd, env })
    expect(error).toMatch(/npm could not be started/)
    expect(status).toBe(1)
    expect(Object.keys(filesIn(join(cwd, 'my_plugin')))).toContain('manifest.json')
  })
})

describe.skipIf(process.platform === 'win32')('Ctrl-C', () => {
  it('at any moment leaves all files or none', async () => {
    const seen = new Set<string>()
    for (let delay = 20; delay <= 200; delay += 15) {
      const cwd = temporaryFolder()
      const onStart = async (child: { kill(signal: 'SIGINT'): boolean }): Promise<void> => {
        await wait(delay)
        child.kill('SIGINT')
      }
      const { status } = await run(tts, { cwd, onStart })
      const left = readdirSync(cwd)
      expect([[], ['my_plugin']]).toContainEqual(left)
      if (left.length > 0) expect(Object.keys(filesIn(join(cwd, 'my_plugin')))).toHaveLength(10)
      seen.add(`${status} ${left.length}`)
    }
    // Before the handler stands, the signal itself ends the process.
    for (const outcome of seen) expect(['0 1', '130 0', 'null 0', 'null 1']).toContain(outcome)
  })

  it('while packages are installed stops that, keeps the files and has status 130', async () => {
    const cwd = temporaryFolder()
    const bin = temporaryFolder()
    writeFileSync(join(bin, 'npm'), '#!/bin/sh\necho installing >&2\nexec sleep 60\n', { mode: 0o755 })
    const onStart = (child: {
      stderr: NodeJS.ReadableStream | null
      kill(signal: 'SIGINT'): boolean
    }): void => {
      child.stderr?.on('data', (data: Buffer) => {
        if (data.includes('installing\n')) child.kill('SIGINT')
      })
    }
    const env = { PATH: `${bin}:${process.env['PATH']}` }
    const { status, error } = await run([...tts, '--install'], { cwd, env, onStart })
    expect(status).toBe(130)
    expect(error).toMatch(/go on with: npm install/)
    expect(Object.keys(filesIn(join(cwd, 'my_plugin')))).toHaveLength(10)
  })
})
