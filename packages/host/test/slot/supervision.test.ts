import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { TTSContract } from '@appfactory/sdk'
import { expect, onTestFinished, test } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { RestartCounter } from '../../src/slot/restart-counter.js'
import { isAlive, temporaryFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'
import { counter, llm } from '../fixtures/swapping.js'

const index = fileURLToPath(new URL('../../dist/index.js', import.meta.url))

const troubled = ttsPlugin(`
  async synthesize(text, voice, options) {
    if (text === 'loop') for (;;);
    if (text === 'exit') process.exit(1)
    if (text === 'slow') await new Promise((resolve) => setTimeout(resolve, 1500))
    return { ...(await super.synthesize(text)), audio: new Uint8Array(2), format: 'pcm_s16le', sampleRate: 16000, channels: 1, metadata: { pid: process.pid } }
  }
  async getVoices() { process.exit(1) }
  async healthCheck() {
    if (this.config.sick) await new Promise(() => setTimeout(() => {}, 1e6))
    return { status: this.status, details: { config: this.config } }
  }
`)

async function pidOf(plugin: { synthesize: TTSContract['synthesize'] }): Promise<number> {
  const result = await plugin.synthesize('pid')
  return Number('metadata' in result ? result.metadata?.['pid'] : undefined)
}

test('an endless loop is noticed without a call that times out; the plugin is killed and restarted, others go on', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'troubled', troubled)
  writePlugin(root, 'other', ttsPlugin())
  await using host = new PluginHost({
    pluginsDir: root,
    unresponsiveTimeoutMs: 500,
    restart: { firstDelayMs: 1 },
  })
  const plugin = await host.load<TTSContract>('troubled')
  const other = await host.load<TTSContract>('other')
  const pid = await pidOf(plugin)
  const restarted = once(host, 'restart')
  const call = expect(plugin.synthesize('loop', undefined, { timeoutMs: 60_000 })).rejects.toMatchObject({
    codeName: 'PLUGIN_CRASHED',
    message: expect.stringContaining('event loop'),
  })
  expect((await other.synthesize('here')).sampleRate).toBe(16_000)
  await call
  await restarted
  expect(await pidOf(plugin)).not.toBe(pid)
  expect(isAlive(pid)).toBe(false)
})

for (const said of ['noise', '7', '{"jsonrpc":"2.0","id":1,"result":1}', '{"jsonrpc":"2.0","method":"x"}']) {
  test(`an endless loop is noticed while another process prints to the plugin’s stdout: ${said}`, async () => {
    const root = temporaryFolder()
    const script = `while :; do echo '${said}'; sleep 0.02; done`
    const source = ttsPlugin(`async getVoices() {
      const { spawn } = await import('node:child_process')
      const child = spawn('/bin/sh', ['-c', ${JSON.stringify(script)}], { stdio: ['ignore', 'inherit', 'ignore'] })
      await new Promise((resolve) => child.once('spawn', resolve))
      for (const end = Date.now() + 10_000; Date.now() < end; );
      return []
    }`)
    writePlugin(root, 'troubled', source)
    await using host = new PluginHost({ pluginsDir: root, unresponsiveTimeoutMs: 500 })
    const plugin = await host.load<TTSContract>('troubled')
    await expect(plugin.getVoices()).rejects.toMatchObject({ codeName: 'PLUGIN_CRASHED' })
  })
}

test('a plugin that waits, or is idle, is not taken for one in a loop', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'troubled', troubled)
  await using host = new PluginHost({ pluginsDir: root, unresponsiveTimeoutMs: 300 })
  const plugin = await host.load<TTSContract>('troubled')
  const pid = await pidOf(plugin)
  await plugin.synthesize('slow')
  expect(await pidOf(plugin)).toBe(pid)
  expect((await plugin.health()).details).toMatchObject({
    event_loop_delay_ms: expect.any(Number),
    restarts: 0,
  })
})

test('a plugin that misses health checks again and again is restarted', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'troubled', troubled)
  await using host = new PluginHost({
    pluginsDir: root,
    healthIntervalMs: 50,
    healthTimeoutMs: 40,
    restart: { maxMissedHealthChecks: 2, firstDelayMs: 1 },
  })
  const plugin = await host.load<TTSContract>('troubled', { config: { sick: true } })
  const pid = await pidOf(plugin)
  const [crash] = await once(host, 'crash')
  expect(crash).toMatchObject({ plugin: 'troubled', message: expect.stringContaining('health checks') })
  expect(await pidOf(plugin)).not.toBe(pid)
})

test('health tells what the host knows: calls, percentiles, sessions, restarts', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'troubled', troubled)
  await using host = new PluginHost({ pluginsDir: root })
  const plugin = await host.load<TTSContract>('troubled')
  const pid = await pidOf(plugin)
  await expect(plugin.synthesize('x', undefined, { pitch: 'high' as never })).rejects.toThrow()
  const { details, latencyMs, memoryMb } = await plugin.health()
  expect(details).toMatchObject({
    pid,
    uptime_seconds: expect.any(Number),
    calls_in_flight: 0,
    open_streams: 0,
    open_sessions: 0,
    queued_calls: 0,
    calls_answered: 1,
    p50_ms: expect.any(Number),
    p95_ms: expect.any(Number),
    p99_ms: expect.any(Number),
    noise: 0,
    dropped_replies: 0,
    restarts: 0,
  })
  expect(latencyMs).toBeGreaterThan(0)
  expect(memoryMb).toBeGreaterThan(10)
})

test('restarts wait longer each time, at random; too many crashes are quarantine, then there is one try', () => {
  const policy = {
    firstDelayMs: 100,
    maxDelayMs: 250,
    maxCrashes: 5,
    windowMs: 1000,
    retryQuarantinedMs: 5000,
    maxMissedHealthChecks: 3,
  }
  for (const [crash, longest] of [100, 200, 250, 250].entries()) {
    const waits = Array.from({ length: 400 }, () => {
      const counter = new RestartCounter(policy)
      const all = Array.from({ length: crash + 1 }, (_, index) => counter.crashed(index))
      return all.at(-1) ?? Number.NaN
    })
    expect(Math.max(...waits)).toBeLessThanOrEqual(longest)
    expect(Math.max(...waits)).toBeGreaterThan(longest * 0.9)
    expect(Math.min(...waits)).toBeLessThan(longest * 0.1)
  }
  const counter = new RestartCounter(policy)
  for (let crash = 0; crash < 4; crash++) expect(counter.crashed(0)).toBeDefined()
  expect(counter.crashed(1)).toBeUndefined()
  expect(counter.crashed(5500)).toBeUndefined()
  // It lasted: all is forgiven.
  expect(counter.crashed(12_000)).toBeDefined()
})

test('a plugin in quarantine is tried again by itself, and comes back if it is mended', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'troubled', troubled)
  await using host = new PluginHost({
    pluginsDir: root,
    restart: { maxCrashes: 2, firstDelayMs: 1, retryQuarantinedMs: 300 },
  })
  const plugin = await host.load<TTSContract>('troubled')
  for (let crash = 0; crash < 2; crash++)
    await expect(plugin.synthesize('exit')).rejects.toMatchObject({ codeName: 'PLUGIN_CRASHED' })
  await expect(plugin.synthesize('x')).rejects.toMatchObject({ codeName: 'PLUGIN_QUARANTINED' })
  await expect
    .poll(
      () =>
        plugin.synthesize('x').then(
          () => 'back',
          () => 'away',
        ),
      { timeout: 5000 },
    )
    .toBe('back')
})

test('a failure that a restart can’t mend is not tried again', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'troubled', troubled)
  await using host = new PluginHost({ pluginsDir: root, restart: { firstDelayMs: 1 } })
  const plugin = await host.load<TTSContract>('troubled')
  writeFileSync(join(root, 'troubled', 'manifest.json'), '{}')
  let restarts = 0
  host.on('restart', () => {
    restarts += 1
  })
  await expect(plugin.synthesize('exit')).rejects.toMatchObject({ codeName: 'PLUGIN_CRASHED' })
  await expect(plugin.synthesize('x')).rejects.toMatchObject({ codeName: 'MANIFEST_INVALID' })
  await delay(100)
  expect(restarts).toBe(1)
})

for (const [what, source] of [
  ['has a syntax error', 'export default class {'],
  ['throws while it is imported', 'throw new Error("no")'],
  ['ends while it is imported', 'process.exit(3)'],
  ['does not answer', 'await new Promise(() => setInterval(() => {}, 1000))'],
] as const) {
  test(`a handshake that fails is not tried again: a plugin that ${what}`, async () => {
    const root = temporaryFolder()
    writePlugin(root, 'troubled', troubled)
    const restart = { firstDelayMs: 1 }
    await using host = new PluginHost({ pluginsDir: root, startTimeoutMs: 3000, restart })
    const plugin = await host.load<TTSContract>('troubled')
    const restarts: unknown[] = []
    host.on('restart', (event) => restarts.push(event))
    writeFileSync(join(root, 'troubled', 'index.js'), source)
    await expect(plugin.synthesize('exit')).rejects.toMatchObject({ codeName: 'PLUGIN_CRASHED' })
    await expect(plugin.synthesize('x')).rejects.toMatchObject({ codeName: 'PLUGIN_LOAD_FAILED' })
    // A restart that was to come would have come before these answers.
    await expect(plugin.synthesize('x')).rejects.toMatchObject({ codeName: 'PLUGIN_LOAD_FAILED' })
    expect(restarts).toHaveLength(1)
    writeFileSync(join(root, 'troubled', 'index.js'), troubled)
    await host.swap('troubled', 'troubled')
    expect(await pidOf(plugin)).toBeGreaterThan(0)
  })
}

test('a process that is ended from outside before its handshake is started again', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'troubled', troubled)
  await using host = new PluginHost({ pluginsDir: root, restart: { firstDelayMs: 1 } })
  const plugin = await host.load<TTSContract>('troubled')
  const killed = join(root, 'killed')
  const killing = `
    import { existsSync, writeFileSync } from 'node:fs'
    if (!existsSync(${JSON.stringify(killed)})) {
      writeFileSync(${JSON.stringify(killed)}, '')
      process.kill(process.pid, 'SIGKILL')
    }
    ${troubled}`
  writeFileSync(join(root, 'troubled', 'index.js'), killing)
  await expect(plugin.synthesize('exit')).rejects.toMatchObject({ codeName: 'PLUGIN_CRASHED' })
  expect(await pidOf(plugin)).toBeGreaterThan(0)
  expect((await plugin.health()).details).toMatchObject({ restarts: 2 })
})

test('retry calls an idempotent method again after a crash; of any other it is refused', async () => {
  const root = temporaryFolder()
  const once_ = join(root, 'once')
  writePlugin(
    root,
    'troubled',
    ttsPlugin(`
  async getVoices() {
    const { existsSync, writeFileSync } = await import('node:fs')
    if (!existsSync(${JSON.stringify(once_)})) { writeFileSync(${JSON.stringify(once_)}, ''); process.exit(1) }
    return super.getVoices()
  }`),
  )
  writePlugin(root, 'hopeless', troubled)
  await using host = new PluginHost({ pluginsDir: root, restart: { firstDelayMs: 1 } })
  const plugin = await host.load<TTSContract>('troubled')
  expect(await plugin.getVoices({ retry: 1 })).toHaveLength(1)
  await host.load('hopeless')
  await expect(host.call('hopeless', 'get_voices', {}, { retry: 2 })).rejects.toMatchObject({
    codeName: 'PLUGIN_CRASHED',
  })
  expect((await host.health('hopeless')).details?.['restarts']).toBe(2)
  writePlugin(root, 'writer', counter('x'), llm)
  await host.load('writer')
  const prompt = { prompt: 'exit' }
  await expect(host.call('writer', 'complete', prompt, { retry: 1 })).rejects.toMatchObject({
    codeName: 'INVALID_PARAMS',
  })
  expect((await host.health('writer')).details?.['restarts']).toBe(0)
})

const stubborn = `
import { spawn } from 'node:child_process'
process.on('SIGTERM', () => {})
const child = spawn(process.execPath, ['-e', 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)'], { stdio: 'inherit' })
${ttsPlugin('async getVoices() { return [{ id: String(process.pid), name: String(child.pid), language: "en" }] }  async shutdown() { await new Promise(() => setInterval(() => {}, 1000)) }')}
`

test('a plugin that ignores SIGTERM and has a child of its own is stopped with its whole process group', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'stubborn', stubborn)
  await using host = new PluginHost({ pluginsDir: root, shutdownTimeoutMs: 100 })
  const plugin = await host.load<TTSContract>('stubborn')
  const [{ id, name } = { id: '', name: '' }] = await plugin.getVoices()
  expect([isAlive(Number(id)), isAlive(Number(name))]).toEqual([true, true])
  await expect(plugin.unload()).rejects.toMatchObject({ codeName: 'PLUGIN_SHUTDOWN_FAILED' })
  await expect.poll(() => [isAlive(Number(id)), isAlive(Number(name))]).toEqual([false, false])
})

const looping = ttsPlugin(`
  async getVoices() { return [{ id: String(process.pid), name: 'x', language: 'en' }] }
  async synthesize() { for (;;); }
`)

for (const [what, source] of [
  ['in an endless loop', looping],
  ['that ignores SIGTERM, with a child', stubborn],
] as const) {
  test(`the host is killed with SIGKILL: a plugin ${what} is gone 3 s later`, async () => {
    const root = temporaryFolder()
    writePlugin(root, 'plugin', source)
    const host = startHost(root)
    const pids = await pidsFrom(host)
    expect(pids.every(isAlive)).toBe(true)
    host.kill('SIGKILL')
    await expect.poll(() => pids.some(isAlive), { timeout: 3000, interval: 50 }).toBe(false)
  })
}

/** A host in a process of its own that loads `plugin`, prints its voice, and calls `synthesize`. */
function startHost(root: string): ChildProcess {
  const script = `
    const { PluginHost } = await import(${JSON.stringify(index)})
    const host = new PluginHost({ pluginsDir: ${JSON.stringify(root)} })
    const plugin = await host.load('plugin')
    const voices = await plugin.getVoices()
    console.log(JSON.stringify(voices))
    await plugin.synthesize('x')
    await new Promise(() => setInterval(() => {}, 1000))`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  return child
}

async function pidsFrom(host: ChildProcess): Promise<number[]> {
  const [line] = await once(host.stdout ?? host, 'data')
  const [voice] = JSON.parse(String(line)) as [{ id: string; name: string }]
  return [voice.id, voice.name].map(Number).filter((pid) => pid > 0)
}

test('the guard against orphans ends with the host, and with nothing to guard', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'plugin', ttsPlugin())
  const script = `
    const { PluginHost } = await import(${JSON.stringify(index)})
    const host = new PluginHost({ pluginsDir: ${JSON.stringify(root)} })
    await host.load('plugin')
    console.log(process.pid)
    await new Promise((resolve) => process.stdin.once('data', resolve))
    process.stdin.destroy()
    await host.close()`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const [line] = await once(child.stdout, 'data')
  const children = childrenOf(Number(line))
  // The plugin and the guard.
  if (process.platform === 'linux') expect(children).toHaveLength(2)
  child.stdin.write('close')
  const [code] = await exited
  expect(code).toBe(0)
  await expect.poll(() => children.filter(isAlive)).toEqual([])
})

function childrenOf(pid: number): number[] {
  if (process.platform !== 'linux') return []
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
}

test('nothing is restarted while the host closes', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'troubled', troubled)
  const host = new PluginHost({ pluginsDir: root, restart: { firstDelayMs: 500 } })
  const plugin = await host.load<TTSContract>('troubled')
  const restarts: unknown[] = []
  host.on('restart', (event) => restarts.push(event))
  await expect(plugin.synthesize('exit')).rejects.toMatchObject({ codeName: 'PLUGIN_CRASHED' })
  await host.close()
  await delay(600)
  expect(restarts).toEqual([])
})

test('a plugin that is stopped for its health checks: the crash says what they threw', async () => {
  const root = temporaryFolder()
  const members = `healthCheck() { if (this.config.sick) throw new Error('the engine is on fire'); return { status: this.status } }`
  writePlugin(root, 'troubled', ttsPlugin(members))
  await using host = new PluginHost({
    pluginsDir: root,
    healthIntervalMs: 20,
    restart: { maxMissedHealthChecks: 2, firstDelayMs: 1, maxCrashes: 1 },
  })
  await host.load<TTSContract>('troubled', { config: { sick: true } })
  const [crash] = await once(host, 'crash')
  expect(crash).toMatchObject({ message: expect.stringContaining('the engine is on fire') })
})
