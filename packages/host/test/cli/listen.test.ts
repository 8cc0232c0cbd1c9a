import { spawn } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import type { LinesProcess } from '../../../sdk/test/lines-process.js'
import { connectHost } from '../../src/index.js'
import { patientMembers, startHost, ttsPlugin } from '../server/client.js'

/** Waits for a file beside its plugin. */
const untilGo = `
  async getVoices() {
    console.error('begun to wait')
    const { existsSync } = await import('node:fs')
    while (!existsSync(new URL('go', import.meta.url))) await new Promise((resolve) => setTimeout(resolve, 20))
    return [{ id: 'v', name: 'V', language: 'en' }]
  }
`

/** A real host that listens at a path, with the plugin `a` loaded. */
async function listening(args: readonly string[] = [], at?: string) {
  const name = at ?? `\\\\.\\pipe\\appfactory-${process.pid}`
  const flag = at === undefined && process.platform !== 'win32' ? 'socket' : name
  const host = startHost({ ...ttsPlugin('a', patientMembers), ...ttsPlugin('b', untilGo) }, [
    'serve',
    '--listen',
    flag,
    '--load',
    'a',
    '--load',
    'b',
    '--log-dir',
    '-',
    ...args,
  ])
  await expect.poll(() => host.garbage, { timeout: 30_000 }).toHaveLength(1)
  const path = host.garbage[0]?.replace('Listening: ', '') ?? ''
  return { host, path }
}

/** Resolves when the log on stderr says that. */
const logged = (host: LinesProcess, words: string) =>
  expect.poll(() => host.stderr, { timeout: 30_000 }).toContain(words)

test('callers are served until SIGTERM, which lets their calls finish', async () => {
  const { host, path } = await listening()
  expect(path).toBe(process.platform === 'win32' ? path : join(host.dir, 'socket'))
  const [one, other] = [await connectHost({ path }), await connectHost({ path })]
  const last = one.call('b', 'get_voices')
  await logged(host, 'begun to wait')
  host.child.kill('SIGTERM')
  await expect
    .poll(() =>
      connectHost({ path }).then(
        () => 'accepted',
        () => 'refused',
      ),
    )
    .toBe('refused')
  await expect(other.call('a', 'get_voices')).rejects.toMatchObject({ codeName: expect.any(String) })
  writeFileSync(join(host.dir, 'plugins/b/go'), '')
  expect(await last).toHaveLength(1)
  expect((await host.exited).code).toBe(143)
  expect(existsSync(path)).toBe(false)
}, 60_000)

test('a caller that is killed: its calls are cancelled; a caller with all rights ends the host', async () => {
  const { host, path } = await listening(['--rights', 'all'])
  const sdk = pathToFileURL(join(import.meta.dirname, '../../dist/index.js')).href
  const code = `
    const { connectHost } = await import(${JSON.stringify(sdk)})
    const host = await connectHost({ path: ${JSON.stringify(path)} })
    await host.call('a', 'synthesize', { text: 'orphan' })`
  const caller = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'ignore' })
  await logged(host, 'begun orphan')
  caller.kill('SIGKILL')
  await logged(host, 'aborted orphan')
  const boss = await connectHost({ path })
  expect(await boss.request('shutdown')).toMatchObject({ status: 'shutting_down' })
  expect((await host.exited).code).toBe(0)
}, 60_000)

test.each([
  ['--rights', 'some'],
  ['--max-callers', '0'],
])('%s %s is a wrong use', async (...flags) => {
  const host = startHost({}, ['serve', '--listen', 'socket', ...flags])
  expect((await host.exited).code).toBe(2)
  expect(host.stderr).toContain(flags[0])
})

test.runIf(process.platform !== 'win32')(
  'two hosts at one path: the second says so, and the first goes on',
  async () => {
    const { host, path } = await listening()
    const second = startHost({}, ['serve', '--listen', path])
    expect((await second.exited).code).toBe(1)
    expect(second.stderr).toContain(`A host listens at ${path} already`)
    const caller = await connectHost({ path })
    expect(await caller.call('a', 'get_voices')).toHaveLength(1)
    caller.close()
    host.child.kill('SIGKILL')
    await host.exited
    const next = await listening([], path)
    expect(next.path).toBe(path)
  },
  60_000,
)
