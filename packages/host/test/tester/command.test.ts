import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { LinesProcess } from '../../../sdk/test/lines-process.js'
import { temporaryFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'
import { send, startTester } from './visitor.js'

const command = fileURLToPath(new URL('../../bin/appfactory-host.js', import.meta.url))

/** Runs `appfactory-host` with a plugin beside it. */
function run(...args: string[]): LinesProcess {
  const root = temporaryFolder()
  writePlugin(join(root, 'plugins'), 'one', ttsPlugin())
  return new LinesProcess(command, args, { cwd: root })
}

async function urlIn(output: () => string): Promise<URL> {
  await expect.poll(output).toMatch(/http:\S+\s/)
  return new URL(/http:\S+/.exec(output())?.[0] ?? '')
}

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)('tester serves until %s', async (signal, code) => {
  const process = run('tester')
  const { port, search } = await urlIn(() => process.garbage.join('\n'))
  expect(await send(Number(port), { path: `/${search}` })).toMatchObject({ status: 200 })
  process.child.kill(signal)
  expect(await process.exited).toEqual({ code, signal: null })
  expect(process.stderr).toBe('')
})

test('dev --tester serves it too, and leaves stdout to the protocol', async () => {
  const process = run('dev', 'plugins', '--tester')
  const { port, search } = await urlIn(() => process.stderr)
  expect(await send(Number(port), { path: `/${search}` })).toMatchObject({ status: 200 })
  expect(await process.result('ping', {})).toBe('pong')
  expect(process.garbage).toEqual([])
})

test('dev --tester takes a port', async () => {
  const { tester } = await startTester()
  const { port } = tester
  await tester.close()
  const process = run('dev', 'plugins', '--tester', '--port', String(port))
  expect((await urlIn(() => process.stderr)).port).toBe(String(port))
})

test.each(['--open', '--port=1'])('dev %s without --tester: exit status 2', async (flag) => {
  const process = run('dev', 'plugins', flag)
  expect(await process.exited).toMatchObject({ code: 2 })
  expect(process.stderr).toMatch(/need --tester/)
})

test.skipIf(process.platform !== 'linux')(
  '--open tells the browser the URL in a file of this user alone, not in its arguments',
  async () => {
    const root = temporaryFolder()
    writePlugin(join(root, 'plugins'), 'one', ttsPlugin())
    const browser = join(root, 'xdg-open')
    writeFileSync(browser, '#!/bin/sh\nprintf %s "$*" > "$OPENED.part" && mv "$OPENED.part" "$OPENED"\n', {
      mode: 0o755,
    })
    const opened = join(root, 'opened')
    const env = { ...process.env, OPENED: opened, PATH: `${root}:${process.env['PATH']}` }
    const started = new LinesProcess(command, ['tester', '--open'], { cwd: root, env })
    await expect.poll(() => existsSync(opened)).toBe(true)
    const target = readFileSync(opened, 'utf8')
    expect(target).not.toContain('token')
    const file = fileURLToPath(target)
    expect(statSync(file).mode & 0o077).toBe(0)
    const { href } = await urlIn(() => started.garbage.join('\n'))
    expect(readFileSync(file, 'utf8')).toContain(`url=${href}"`)
    started.child.kill('SIGTERM')
    await started.exited
    expect(existsSync(file)).toBe(false)
  },
)

test.each([
  [['--port', 'x'], 2, /--port must be a whole number/],
  [['--port', '70000'], 2, /--port must be a whole number/],
  [['--ports', '1'], 2, /Did you mean --port\?/],
])('tester %j: exit status %i', async (args, code, message) => {
  const process = run('tester', ...args)
  expect(await process.exited).toMatchObject({ code })
  expect(process.stderr).toMatch(message)
})

test('a port that is taken is told', async () => {
  const { tester } = await startTester()
  const process = run('tester', '--port', String(tester.port))
  expect(await process.exited).toMatchObject({ code: 1 })
  expect(process.stderr).toMatch(/Port \d+ is in use; choose another --port/)
})

test.skipIf(process.platform === 'win32')(
  'tester --open ends where there is no folder for temporary files',
  async () => {
    const root = temporaryFolder()
    writePlugin(join(root, 'plugins'), 'one', ttsPlugin())
    const env = { ...process.env, TMPDIR: join(root, 'nowhere') }
    const tester = new LinesProcess(command, ['tester', '--open'], { cwd: root, env })
    const { port, search } = await urlIn(() => tester.garbage.join('\n'))
    expect(tester.stderr).toContain('browser')
    expect(await send(Number(port), { path: `/${search}` })).toMatchObject({ status: 200 })
    tester.child.kill('SIGINT')
    expect(await tester.exited).toEqual({ code: 130, signal: null })
  },
)
