import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test, vi } from 'vitest'
import { isAlive, temporaryFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'
import { ttsPlugin as servedPlugin, startHost, writeLineMember } from '../server/client.js'

vi.setConfig({ testTimeout: 60_000 })

const command = fileURLToPath(new URL('../../bin/appfactory-host.js', import.meta.url))

type Stdio = 'pipe' | 'ignore' | number

/** Runs `appfactory-host` in a folder; killed at the end of the test. */
function start(
  cwd: string,
  args: readonly string[],
  stdout: Stdio = 'pipe',
): ChildProcess & { said: string } {
  const child = spawn(process.execPath, [command, ...args], { cwd, stdio: ['pipe', stdout, 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const started = Object.assign(child, { said: '' })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    started.said += text
  })
  return started
}

async function exitOf(child: ChildProcess): Promise<unknown> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode ?? child.signalCode
  const [code, signal] = await once(child, 'exit')
  return code ?? signal
}

const largeVoices = `getVoices() { return [{ id: 'v', name: 'v'.repeat(1.3e6), language: 'en' }] }`

/** A host that holds answers which its client does not read. */
async function unreadHost(): Promise<ReturnType<typeof startHost>> {
  const host = startHost(servedPlugin('a', largeVoices))
  await host.result('plugin/load', { name: 'a' })
  host.child.stdout.pause()
  for (let call = 0; call < 6; call++) host.request('plugin/call', { plugin: 'a', method: 'get_voices' })
  // The first answers have filled the pipe.
  await new Promise((resolve) => setTimeout(resolve, 700))
  return host
}

/** How it exited; what it wrote stays unread, so that 'close' never comes. */
const ended = (host: { child: ChildProcess }): Promise<unknown> => exitOf(host.child)

test.skipIf(process.platform === 'win32').each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const)('%s does not end a host whose client does not read', async (signal, status) => {
  const host = await unreadHost()
  host.child.kill(signal)
  expect(await ended(host)).toBe(status)
})

test('shutdown does not end a host whose client does not read', async () => {
  const host = await unreadHost()
  host.request('shutdown', { timeout: 1000 })
  expect(await ended(host)).toBe(0)
})

test.skipIf(process.platform === 'win32')(
  'SIGTERM comes too late for a host whose input has ended and whose client does not read',
  async () => {
    const host = await unreadHost()
    host.child.stdin.end()
    await new Promise((resolve) => setTimeout(resolve, 1000))
    expect(host.child.exitCode).toBeNull()
    host.child.kill('SIGTERM')
    expect(await ended(host)).toBe(143)
  },
)

test('a client that reads loses the answers that are under way at a shutdown', async () => {
  const host = startHost(servedPlugin('a', largeVoices))
  await host.result('plugin/load', { name: 'a' })
  const calls = Array.from({ length: 6 }, () =>
    host.request('plugin/call', { plugin: 'a', method: 'get_voices' }),
  )
  const shutdown = host.request('shutdown')
  for (const id of [...calls, shutdown]) expect((await host.reply(id)).error).toBeUndefined()
  expect(await host.exited).toEqual({ code: 0, signal: null })
})

test('a plugin that leaves behind a flood loses its answer to shutdown()', async () => {
  const members = `${writeLineMember}
    async shutdown() {
      const line = JSON.stringify({ jsonrpc: '2.0', id: 1e9, result: 'x'.repeat(20) })
      for (let at = 0; at < 20_000; at++) this.writeLine(line)
    }`
  const host = startHost(servedPlugin('a', members))
  await host.result('plugin/load', { name: 'a' })
  expect(await host.result('plugin/unload', { name: 'a' })).toEqual({ success: true, plugin: 'a' })
})

test.skipIf(process.platform === 'win32')(
  'a second signal has to wait for a plugin that does not leave',
  async () => {
    const root = temporaryFolder()
    const members = `
      async initialize() { process.on('SIGTERM', () => {}); (await import('node:fs')).writeFileSync('${root}/pid', String(process.pid)) }
      shutdown() { return new Promise((resolve) => setTimeout(resolve, 60_000)) }`
    writePlugin(join(root, 'plugins'), 'stubborn', ttsPlugin(members))
    const host = start(root, ['--auto-load', '--shutdown-timeout-ms', 'Infinity'])
    await expect.poll(() => existsSync(join(root, 'pid')), { timeout: 20_000 }).toBe(true)
    const pid = Number(readFileSync(join(root, 'pid'), 'utf8'))
    host.kill('SIGTERM')
    await new Promise((resolve) => setTimeout(resolve, 500))
    host.kill('SIGTERM')
    expect(await exitOf(host)).toBe(143)
    await expect.poll(() => isAlive(pid)).toBe(false)
  },
)

test.skipIf(process.platform === 'win32')('SIGTERM ends a host without shutdown()', async () => {
  const root = temporaryFolder()
  const members = `async shutdown() { (await import('node:fs')).writeFileSync('${root}/farewell', 'bye') }`
  writePlugin(join(root, 'plugins'), 'speaker', ttsPlugin(members))
  const host = start(root, ['--auto-load'])
  const log = join(root, 'logs/launcher.log')
  const said = (text: string): boolean => existsSync(log) && readFileSync(log, 'utf8').includes(text)
  await expect.poll(() => said('plugin loaded'), { timeout: 20_000 }).toBe(true)
  host.kill('SIGTERM')
  expect(await exitOf(host)).toBe(143)
  expect(said('host stopped')).toBe(true)
  expect(existsSync(join(root, 'farewell'))).toBe(true)
})

test.skipIf(process.platform === 'win32')(
  'a terminal is closed under a host that waits for requests',
  async () => {
    const root = temporaryFolder()
    const terminal = join(root, 'terminal.cjs')
    writeFileSync(terminal, 'process.stdin.isTTY = true')
    const env = { ...process.env, NODE_OPTIONS: `--require=${terminal}` }
    const host = spawn(process.execPath, [command], { cwd: root, env })
    let said = ''
    host.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    await expect
      .poll(() => said, { timeout: 20_000 })
      .toMatch(/^appfactory-host: waiting for JSON-RPC .*Ctrl\+D.*\n$/)
    host.kill('SIGHUP')
    expect(await exitOf(host)).toBe(129)
  },
)

/** A plugin with a stream without end, which notes when that is closed. */
function writeEndless(root: string): void {
  const members = `
    async *synthesizeStream() {
      try { for (let n = 0; ; n++) { await new Promise(setImmediate); yield { audio: new Uint8Array(1000), text: String(n) } } }
      finally { (await import('node:fs')).writeFileSync('${root}/closed', 'yes') }
    }`
  writePlugin(join(root, 'plugins'), 'speaker', ttsPlugin(members))
}

const callStream = ['call', 'speaker', 'synthesize_stream', '--args', '{"text":"x"}', '--json']

test('call goes on for ever once the reader of a stream has gone', async () => {
  const root = temporaryFolder()
  writeEndless(root)
  const call = start(root, callStream)
  await once(call.stdout ?? call, 'data')
  call.stdout?.destroy()
  expect(await exitOf(call)).toBe(0)
  expect(call.said).toBe('')
  expect(existsSync(join(root, 'closed'))).toBe(true)
})

test.runIf(process.platform === 'linux')(
  'call fills memory where its reader is slower than the plugin',
  async () => {
    const root = temporaryFolder()
    const members = `async *synthesizeStream() { for (;;) yield { audio: new Uint8Array(100_000) } }`
    writePlugin(join(root, 'plugins'), 'speaker', ttsPlugin(members))
    const call = start(root, callStream)
    await once(call.stdout ?? call, 'readable')
    const memoryMb = (): number =>
      Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${call.pid}/status`, 'utf8'))?.[1]) / 1000
    const before = memoryMb()
    await new Promise((resolve) => setTimeout(resolve, 4000))
    expect(memoryMb() - before).toBeLessThan(100)
    call.kill('SIGINT')
    expect(await exitOf(call)).toBe(130)
  },
)

test.runIf(existsSync('/dev/full')).each([
  ['list', ['list']],
  ['list --json', ['list', '--json']],
  ['validate', ['validate', 'plugins']],
  ['call', ['call', 'speaker', 'get_voices']],
  ['call of a stream', callStream],
  ['serve', ['--sync-mode']],
])('a full disk behind stdout is no failure of %s', async (_, args) => {
  const root = temporaryFolder()
  writeEndless(root)
  const full = start(root, args, openSync('/dev/full', 'w'))
  full.stdin?.end('{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
  expect(await exitOf(full)).toBe(1)
  expect(full.said).toMatch(/^appfactory-host: stdout .*ENOSPC.*\n$/)
})

test.skipIf(process.platform === 'win32')('a reader that has seen enough is an error', () => {
  const root = temporaryFolder()
  writeEndless(root)
  const line = `'${process.execPath}' '${command}' list 2> said | true; echo "$\{PIPESTATUS[0]}"`
  expect(execFileSync('bash', ['-c', line], { cwd: root, encoding: 'utf8' })).toBe('0\n')
  expect(readFileSync(join(root, 'said'), 'utf8')).toBe('')
})

test('a manifest’s escape sequences reach the terminal', async () => {
  const root = temporaryFolder()
  const evil = 'a\u001b]52;c;ZXZpbA==\u0007b\u009b2Jc\u007f\r\n\tend'
  writePlugin(join(root, 'plugins'), 'speaker', ttsPlugin(), { description: evil })
  writePlugin(join(root, 'plugins'), 'broken', ttsPlugin(), { version: evil, [evil]: 1 })
  writePlugin(join(root, 'plugins'), 'noisy', ttsPlugin(`synthesize() { throw new Error('bad \u001b[2J') }`))
  const terminal = join(root, 'terminal.cjs')
  writeFileSync(terminal, 'process.stdout.isTTY = process.stderr.isTTY = true')
  const run = async (...args: string[]) => {
    const env = { ...process.env, NO_COLOR: '', NODE_OPTIONS: `--require=${terminal}` }
    const child = spawn(process.execPath, [command, ...args], { cwd: root, env })
    let said = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text
      })
    await once(child, 'close')
    return said
  }
  const commands = [
    ['list'],
    ['validate', 'plugins'],
    ['call', 'noisy', 'synthesize', '--args', '{"text":"x"}'],
    ['call', evil.replace(/\0/g, ''), 'x'],
    ['test', 'plugins/noisy', '--only', 'tts.*'],
    [evil],
  ]
  // Our own colours, and the cursor of a check that runs, are what is left.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are looked for.
  const own = /\u001b\[[0-9;]*m|\r\u001b\[K/g
  for (const args of commands) {
    const said = await run(...args)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are looked for.
    expect(said.replace(own, ''), args.join(' ')).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/)
    if (args[0] !== 'test') expect(said).toContain('\\x1b')
  }
  expect(await run('list')).toContain('\u001b[31minvalid\u001b[39m')
  // A program gets what is there.
  const listed: { name: string; description: string }[] = JSON.parse(await run('list', '--json'))
  expect(listed.find(({ name }) => name === 'speaker')?.description).toBe(evil)
})
