import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { describe, expect, it, vi } from 'vitest'
import type { LinesProcess } from '../../../sdk/test/lines-process.js'
import { tempDir } from '../../../sdk/test/temp-dir.js'
import { startHost, ttsPlugin } from './client.js'

vi.setConfig({ testTimeout: 60_000 })

const chatty = ttsPlugin(
  'a',
  `synthesize(text) { console.error('said ' + 'x'.repeat(3000)); return encodeWav(new Int16Array(80), { sampleRate: 8000 }) }`,
)

/** Root writes where it may not, unless it gives that up. */
const withoutPrivilege =
  process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search'] : []

/** Every file may take one block, of 512 bytes or 1,024. */
const noRoom = ['/bin/sh', '-c', 'ulimit -f 1; exec "$@"', 'sh']

describe.skipIf(process.platform === 'win32')('a log folder', () => {
  it('that is full', async () => {
    const logs = tempDir()
    await servesAndSaysSoOnce(startHost(chatty, ['--log-dir', logs], noRoom), logs)
  })

  it.skipIf(process.platform !== 'linux')('that is read-only', async () => {
    const logs = tempDir()
    mkdirSync(`${logs}/locked`, { mode: 0o555 })
    await servesAndSaysSoOnce(startHost(chatty, ['--log-dir', `${logs}/locked`], withoutPrivilege), logs)
  })

  it('that is a file', async () => {
    const logs = `${tempDir()}/logs`
    writeFileSync(logs, 'a file, not a folder')
    await servesAndSaysSoOnce(startHost(chatty, ['--log-dir', logs]), logs)
  })

  it.skipIf(process.platform !== 'linux')('that can never be made', async () => {
    await servesAndSaysSoOnce(startHost(chatty, ['--log-dir', '/proc/logs/of/mine']), '/proc')
  })

  it('that anybody may read', async () => {
    const logs = `${tempDir()}/one/two`
    const host = startHost(chatty, ['--log-dir', logs])
    await host.result('plugin/load', { name: 'a' })
    await host.result('plugin/call', { plugin: 'a', method: 'synthesize', args: { text: 'x' } })
    expect(await host.finish()).toEqual({ code: 0, signal: null })
    for (const file of ['', 'plugins.log', 'launcher.log'])
      expect(statSync(`${logs}/${file}`).mode & 0o077, file).toBe(0)
    expect(readFileSync(`${logs}/plugins.log`, 'utf8')).toContain('said x')
  })

  it('that goes away', async () => {
    const logs = tempDir()
    const host = startHost(chatty, ['--log-dir', logs])
    await host.result('plugin/load', { name: 'a' })
    rmSync(logs, { recursive: true })
    await saysSoOnce(host, logs)
    await host.result('plugin/unload', { name: 'a' })
    await servesAndSaysSoOnce(host, logs)
  })

  it('that can be written gives no cause to complain', async () => {
    const host = startHost(chatty, ['--log-dir', tempDir()])
    await serves(host)
    expect((await host.finish()).code).toBe(0)
    expect(host.stderr).toBe('')
  })
})

/** However much is logged: one line, which names the folder. */
async function servesAndSaysSoOnce(host: LinesProcess, logs: string): Promise<void> {
  await serves(host)
  await saysSoOnce(host, logs)
  await host.result('plugin/unload', { name: 'a' })
  await serves(host)
  expect((await host.finish()).code).toBe(0)
  expect(host.stderr.trim().split('\n')).toEqual([expect.stringContaining(logs)])
}

async function saysSoOnce(host: LinesProcess, logs: string): Promise<void> {
  await expect
    .poll(() => host.stderr.trim().split('\n'), { timeout: 20_000 })
    .toEqual([expect.stringContaining(logs)])
}

async function serves(host: LinesProcess): Promise<void> {
  await host.result('plugin/load', { name: 'a' })
  for (let call = 0; call < 5; call++)
    expect(
      await host.result('plugin/call', { plugin: 'a', method: 'synthesize', args: { text: 'x' } }),
    ).toMatchObject({ format: 'wav' })
}
