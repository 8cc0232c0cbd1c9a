import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ChildProcess } from '../../src/process/child-process.js'
import { isAlive, temporaryFolder } from '../fixtures/plugins.js'

const patience = { endMs: 300, termMs: 10_000 }

/** Runs `code` in a folder; resolves once it has said that it is ready. */
async function running(cwd: string, code: string): Promise<ChildProcess> {
  const args = ['-e', `${code}\nprocess.stdout.write('ready')`]
  const child = new ChildProcess({ file: process.execPath, args, cwd, env: {} })
  await new Promise((resolve) => child.stdout.once('data', resolve))
  return child
}

test.each([
  ['its folder is gone', process.execPath, 'nowhere'],
  ['its program is gone', '/no/such/node', '.'],
])(
  'a process that can’t be started because %s has exited at once, with the reason',
  async (_, file, folder) => {
    const cwd = join(temporaryFolder(), folder)
    const child = new ChildProcess({ file, args: [], cwd, env: {} })
    expect(await child.exited).toMatchObject({ code: undefined, reason: expect.stringContaining('ENOENT') })
    await child.stop(patience)
  },
)

test.skipIf(process.platform === 'win32')(
  'a process that goes on after the end of its input gets SIGTERM, and may leave by itself',
  async () => {
    const cwd = temporaryFolder()
    const farewell = `process.on('SIGTERM', () => { fs.writeFileSync('farewell', 'bye'); process.exit(7) })`
    const child = await running(cwd, `${farewell}\nsetInterval(() => {}, 1000)`)
    await child.stop(patience)
    expect(await child.exited).toMatchObject({ code: 7 })
    expect(readFileSync(join(cwd, 'farewell'), 'utf8')).toBe('bye')
  },
)

test.skipIf(process.platform === 'win32')(
  'a process that ignores SIGTERM is killed, with its children',
  async () => {
    const cwd = temporaryFolder()
    const grandchild = `const { pid } = child_process.spawn('sh', ['-c', 'trap "" TERM; while :; do sleep 1; done'])
      fs.writeFileSync('pid', String(pid))`
    const child = await running(cwd, `process.on('SIGTERM', () => {})\n${grandchild}`)
    const pid = Number(readFileSync(join(cwd, 'pid'), 'utf8'))
    expect(isAlive(pid)).toBe(true)
    await child.stop({ endMs: 100, termMs: 300 })
    expect(await child.exited).toMatchObject({ signal: 'SIGKILL' })
    await expect.poll(() => isAlive(pid)).toBe(false)
  },
)

test('a process that leaves at the end of its input gets no signal', async () => {
  const cwd = temporaryFolder()
  const child = await running(
    cwd,
    `process.on('SIGTERM', () => fs.writeFileSync('term', '')); process.stdin.resume().on('end', () => process.exit(0))`,
  )
  await child.stop({ endMs: 60_000, termMs: 60_000 })
  expect(await child.exited).toMatchObject({ code: 0, signal: undefined })
  expect(existsSync(join(cwd, 'term'))).toBe(false)
})
