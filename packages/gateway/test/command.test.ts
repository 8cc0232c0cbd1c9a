import { cpSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../../host/test/fixtures/plugins.js'
import { LinesProcess } from '../../sdk/test/lines-process.js'
import { chat, post, send, textIn } from './visitor.js'
import { WyomingVisitor } from './wyoming-visitor.js'

const command = fileURLToPath(new URL('../../host/bin/appfactory-host.js', import.meta.url))
const plugins = fileURLToPath(new URL('plugins', import.meta.url))

/** Runs `appfactory-host gateway` in a folder of its own. */
function run(args: readonly string[], cwd = temporaryFolder(), env: NodeJS.ProcessEnv = {}): LinesProcess {
  const common = ['gateway', '--plugins-dir', plugins, '--log-dir', '-']
  return new LinesProcess(command, [...common, ...args], { cwd, env: { ...process.env, ...env } })
}

/** The port in the first line. */
async function portOf({ garbage }: LinesProcess): Promise<number> {
  await expect.poll(() => garbage[0]).toMatch(/^Gateway: http:\/\/127\.0\.0\.1:\d+\/v1$/)
  return Number(new URL(garbage[0]?.replace('Gateway: ', '') ?? '').port)
}

test('gateway serves until SIGTERM, and waits for plugins that are loading', async () => {
  const root = temporaryFolder()
  const keys = join(root, 'keys')
  writeFileSync(keys, '# ours\n\nfirst-key\n', { mode: 0o600 })
  const args = [
    '--port',
    '0',
    '--load',
    'tool_llm',
    '--model',
    'gpt-4o-mini=tool_llm/large:v1',
    '--key-file',
    keys,
  ]
  const gateway = run(args, root, { APPFACTORY_GATEWAY_KEYS: 'two, three' })
  const port = await portOf(gateway)
  expect(await chat(port, 'hello')).toMatchObject({ status: 401 })
  for (const key of ['first-key', 'two', 'three']) {
    const body = { model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'hello' }] }
    const answer = await post(port, '/v1/chat/completions', body, { authorization: `Bearer ${key}` })
    expect(textIn(answer)).toBe('hello')
  }
  expect(gateway.stderr).not.toContain('first-key')
  gateway.child.kill('SIGTERM')
  expect(await gateway.exited).toEqual({ code: 143, signal: null })
  await expect(send(port, {})).rejects.toThrow()
})

test('gateway takes its options from the file too, and its keys again on SIGHUP', async () => {
  const root = temporaryFolder()
  const file = join(root, 'keys.json')
  const write = (keys: unknown): void => writeFileSync(file, JSON.stringify(keys), { mode: 0o600 })
  write([{ key: 'first', name: 'kitchen' }])
  const options = { port: 0, keyFile: 'keys.json', limits: { maxBodyBytes: 50 } }
  writeFileSync(join(root, 'appfactory.config.json'), JSON.stringify({ gateway: options }))
  const gateway = run([], root)
  const port = await portOf(gateway)
  const status = async (key: string): Promise<number> =>
    (await post(port, '/v1/completions', 'x'.repeat(51), { 'x-api-key': key })).status
  expect([await status('first'), await status('second')]).toEqual([413, 401])
  // Windows has no such signal.
  if (process.platform !== 'win32') {
    // What is wrong changes nothing, and is told without the key.
    write([{ key: 'second', contract: 'tts' }])
    gateway.child.kill('SIGHUP')
    await expect.poll(() => gateway.stderr).toMatch(/nothing has changed: keys\[0\] has no option/)
    expect(await status('first')).toBe(413)
    write([{ key: 'second' }])
    gateway.child.kill('SIGHUP')
    await expect.poll(() => status('second')).toBe(413)
    expect(await status('first')).toBe(401)
    expect(gateway.stderr).not.toMatch(/first|second/)
  }
  gateway.child.kill('SIGTERM')
  await gateway.exited
})

test('gateway prints which options hold, and where they come from', async () => {
  const root = temporaryFolder()
  const options = { models: { alias: 'tool_llm' }, limits: { maxBodyBytes: 50 } }
  writeFileSync(join(root, 'appfactory.config.json'), JSON.stringify({ gateway: options }))
  const printed = run(['--print-config', '--limit', 'maxBodyBytes=100'], root)
  expect(await printed.exited).toMatchObject({ code: 0 })
  const text = printed.garbage.join('\n')
  expect(text).toMatch(/^gateway\.port +8080 +default$/m)
  expect(text).toMatch(/^gateway\.models +alias=tool_llm +.*appfactory\.config\.json$/m)
  expect(text).toMatch(/^gateway\.limits +maxBodyBytes=100 +--limit$/m)
})

test('gateway with a key that has a wrong limit: exit status 2, and the key is not shown', async () => {
  const file = join(temporaryFolder(), 'keys.json')
  writeFileSync(file, '[{"key":"secret","requestsPerMinute":-1}]', { mode: 0o600 })
  const gateway = run(['--port', '0', '--key-file', file])
  expect(await gateway.exited).toMatchObject({ code: 2 })
  expect(gateway.stderr).toMatch(/keys\[0\]\.requestsPerMinute takes/)
  expect(gateway.stderr).not.toContain('secret')
})

test('gateway for others, without keys: exit status 2, and no plugin is started', async () => {
  const gateway = run(['--host', '0.0.0.0', '--load', 'tool_llm'])
  expect(await gateway.exited).toMatchObject({ code: 2 })
  expect(gateway.stderr).toMatch(/no key is set.*--key-file.*--allow-open/)
  expect(gateway.stderr).not.toContain('INITIALIZING')
  expect(gateway.garbage).toEqual([])
})

test('gateway for Home Assistant: a port for all, and one for a plugin that is loaded', async () => {
  const load = ['--port', '0', '--load', 'tool_llm', '--load', 'wave_tts']
  const gateway = run([...load, '--wyoming', '0', '--wyoming', 'wave_tts=0'])
  await portOf(gateway)
  await expect.poll(() => gateway.garbage.at(-1)).toMatch(/wave_tts\)$/)
  const ports = gateway.garbage.flatMap(
    (line) => /Home Assistant: 127.0.0.1, port (\d+) \(/.exec(line)?.[1] ?? [],
  )
  expect(ports).toHaveLength(2)
  for (const port of ports) {
    const client = await WyomingVisitor.enter(Number(port))
    client.send('ping')
    expect(await client.next()).toMatchObject({ type: 'pong' })
  }
  const inUse = run(['--port', '0', '--wyoming', String(ports[0])])
  expect(await inUse.exited).toMatchObject({ code: 1 })
  expect(inUse.stderr).toMatch(
    new RegExp(`Port ${ports[0]} on 127.0.0.1 is in use; choose another --wyoming`),
  )
  gateway.child.kill('SIGTERM')
  expect(await gateway.exited).toEqual({ code: 143, signal: null })
})

test('gateway without the package says how to install it', async () => {
  const root = temporaryFolder()
  const host = fileURLToPath(new URL('../../host', import.meta.url))
  for (const part of ['bin', 'dist', 'package.json'])
    cpSync(join(host, part), join(root, part), { recursive: true })
  symlinkSync(join(host, 'node_modules'), join(root, 'node_modules'), 'junction')
  // pnpm puts the folder of all packages there.
  const env = { ...process.env, NODE_PATH: '' }
  const gateway = new LinesProcess(join(root, 'bin/appfactory-host.js'), ['gateway', '--port', '0'], {
    cwd: root,
    env,
  })
  expect(await gateway.exited).toMatchObject({ code: 1 })
  expect(gateway.stderr).toContain('npm install @appfactory/gateway')
})
