import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import type { TTSContract } from '@appfactory/sdk'
import { expect, onTestFinished, test } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { isAlive, temporaryFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'

const fragile = ttsPlugin(`
  async synthesize(text) {
    if (text === 'pid') return { ...(await super.synthesize(text)), audio: new Uint8Array(), format: 'wav', sampleRate: 16000, channels: 1, metadata: { pid: process.pid } }
    if (text === 'exit') { console.error('the last words'); process.exit(3) }
    if (text === 'kill') process.kill(process.pid, 'SIGKILL')
    if (text === 'throw') setImmediate(() => { throw new Error('outside of any call') })
    if (text === 'hang' || text === 'throw') await new Promise(() => setTimeout(() => {}, 1e6))
    return super.synthesize(text)
  }
`)

const quick = { firstDelayMs: 1, maxDelayMs: 1 }

for (const how of ['exit', 'kill', 'throw']) {
  test(`a plugin whose process ends in the middle of a call (${how}): all its calls fail at once, it is restarted, others live`, async () => {
    const root = temporaryFolder()
    writePlugin(root, 'fragile', fragile)
    writePlugin(root, 'solid', ttsPlugin())
    await using host = new PluginHost({ pluginsDir: root, restart: quick })
    const [plugin, other] = await Promise.all([
      host.load<TTSContract>('fragile'),
      host.load<TTSContract>('solid'),
    ])
    const restarted = once(host, 'restart')
    const hanging = plugin.synthesize('hang')
    const ending = plugin.synthesize(how)
    const fate = { codeName: 'PLUGIN_CRASHED', data: { plugin: 'fragile' } }
    await Promise.all([
      expect(ending).rejects.toMatchObject(fate),
      expect(hanging).rejects.toMatchObject(fate),
    ])
    expect((await other.synthesize('still here')).sampleRate).toBe(16_000)
    await restarted
    expect((await plugin.synthesize('again')).durationMs).toBe(50)
    expect((await plugin.health()).details).toMatchObject({ restarts: 1 })
  })
}

test('the last of stderr is in the error and in the crash event', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'fragile', fragile)
  await using host = new PluginHost({ pluginsDir: root, restart: quick })
  const plugin = await host.load<TTSContract>('fragile')
  const crashed = once(host, 'crash')
  await expect(plugin.synthesize('exit')).rejects.toMatchObject({
    data: { exit: 'exited with code 3', stderr: expect.stringContaining('the last words') },
  })
  expect(await crashed).toEqual([
    expect.objectContaining({ plugin: 'fragile', stderr: expect.stringContaining('the last words') }),
  ])
})

test('a plugin that crashes again and again is quarantined; unloading and loading brings it back', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'fragile', fragile)
  await using host = new PluginHost({ pluginsDir: root, restart: { ...quick, maxCrashes: 3 } })
  let plugin = await host.load<TTSContract>('fragile')
  for (let crash = 1; crash <= 3; crash++)
    await expect(plugin.synthesize('exit')).rejects.toMatchObject({ codeName: 'PLUGIN_CRASHED' })
  await expect(plugin.synthesize('again')).rejects.toMatchObject({ codeName: 'PLUGIN_QUARANTINED' })
  expect((await host.health('fragile')).status).toBe('ERROR')
  await host.unload('fragile')
  plugin = await host.load<TTSContract>('fragile')
  expect((await plugin.synthesize('again')).durationMs).toBe(50)
})

test('closing the host leaves no process, and restarts nothing', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'fragile', fragile)
  const host = new PluginHost({ pluginsDir: root })
  const plugin = await host.load<TTSContract>('fragile')
  const pid = Number((await plugin.synthesize('pid')).metadata?.['pid'])
  expect(isAlive(pid)).toBe(true)
  let restarts = 0
  host.on('restart', () => {
    restarts += 1
  })
  await host.close()
  expect(isAlive(pid)).toBe(false)
  expect(restarts).toBe(0)
  await expect(plugin.synthesize('again')).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_READY' })
})

test('calls fail where another process holds the plugin’s stdout open', async () => {
  const root = temporaryFolder()
  const withHolder = `import { spawn } from 'node:child_process'\n${fragile.replace(
    "if (text === 'kill')",
    `if (text === 'hold') {
      const child = spawn('sleep', ['100'], { stdio: 'inherit', detached: true })
      return { ...(await super.synthesize(text)), audio: new Uint8Array(), format: 'wav', sampleRate: 16000, channels: 1, metadata: { pid: child.pid } }
    }
    if (text === 'kill')`,
  )}`
  writePlugin(root, 'fragile', withHolder)
  await using host = new PluginHost({ pluginsDir: root, restart: quick })
  const plugin = await host.load<TTSContract>('fragile')
  const { metadata } = await plugin.synthesize('hold')
  const holder = Number(metadata?.['pid'])
  onTestFinished(() => {
    if (isAlive(holder)) process.kill(holder, 'SIGKILL')
  })
  const pid = Number((await plugin.health()).details?.['pid'])
  const told = expect(plugin.synthesize('exit')).rejects.toMatchObject({
    codeName: 'PLUGIN_CRASHED',
    data: { stderr: expect.stringContaining('the last words') },
  })
  await told
  expect(isAlive(pid)).toBe(false)
  // Its output has not ended, and nobody waits for that.
  expect(isAlive(holder)).toBe(true)
})

test.skipIf(process.platform === 'win32')(
  'a process that holds the pipes of a plugin that has ended keeps no file of the host open, nor the host running',
  async () => {
    const root = temporaryFolder()
    const spawning = `spawn('sleep', ['100'], { stdio: 'inherit', detached: true })`
    const dir = writePlugin(
      root,
      'leaver',
      `import { spawn } from 'node:child_process'\n${ttsPlugin(`async shutdown() { const { pid } = ${spawning}; console.log('holder ' + pid) }`)}`,
    )
    const program = `
      const { readdirSync } = await import('node:fs')
      const { PluginHost } = await import(${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)})
      const host = new PluginHost({ pluginsDir: ${JSON.stringify(dirname(dir))} })
      host.on('log', ({ message }) => console.log(message))
      await host.load('leaver')
      const before = readdirSync('/proc/self/fd').length
      await host.unload('leaver')
      await new Promise((resolve) => setTimeout(resolve, 100))
      console.log('files more ' + (readdirSync('/proc/self/fd').length > before - 4))
      await host.load('leaver')
      await host.close()`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
      timeout: 30_000,
    })
    const holders = [...stdout.matchAll(/holder (\d+)/g)].map(([, pid]) => Number(pid))
    for (const pid of holders) process.kill(pid, 'SIGKILL')
    expect(holders).toHaveLength(2)
    if (process.platform === 'linux') expect(stdout).toContain('files more false')
  },
)

test('a large answer arrives whole at the host, in its message or beside it, where the plugin ends right after it', async () => {
  const root = temporaryFolder()
  const members = `
    async getVoices() { this.leave(); return [{ id: 'one', name: 'x'.repeat(5e6), language: 'en' }] }
    async synthesize() { this.leave(); return encodeWav(new Int16Array(2.5e6), { sampleRate: 16000 }) }
    leave() { setImmediate(() => process.exit(0)) }`
  writePlugin(root, 'leaving', ttsPlugin(members))
  await using host = new PluginHost({ pluginsDir: root, restart: { ...quick, maxCrashes: 1e6 } })
  const plugin = await host.load<TTSContract>('leaving')
  // The host is busy, so that it learns of the end and of the output late.
  const busy = setInterval(() => {
    for (const end = performance.now() + 40; performance.now() < end; );
  }, 45)
  onTestFinished(() => clearInterval(busy))
  for (let round = 0; round < 6; round++) {
    const crashed = once(host, 'crash')
    const size =
      round % 2 ? (await plugin.getVoices())[0]?.name.length : (await plugin.synthesize('x')).audio.length
    expect(size).toBeGreaterThanOrEqual(5e6)
    await crashed
  }
})
