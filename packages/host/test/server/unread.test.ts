import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import type { LinesProcess } from '../../../sdk/test/lines-process.js'
import { startHost, ttsPlugin } from './client.js'

vi.setConfig({ testTimeout: 60_000 })

/** Two million bytes in each answer: in the message itself, or raw beside it. `flood` logs twenty thousand lines. */
const large = `
  getVoices() { return [{ id: 'v', name: 'v'.repeat(2e6), language: 'en' }] }
  async synthesize(text) {
    if (text === 'one more') console.error(text)
    for (let line = 0; text === 'flood' && line < 20_000; line++) console.error(line + 'x'.repeat(1000))
    if (text === 'flood') (await import('node:fs')).writeFileSync('flooded', '')
    return encodeWav(new Int16Array(1e6), { sampleRate: 8000 })
  }
`

/** What the system says of a process: memory at its highest in MB, and the time that it has computed. */
function figures(pid: number): { peakMb: number; ticks: number } {
  const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return { peakMb: Number(peak) / 1000, ticks: Number(fields[11]) + Number(fields[12]) }
}

/** Resolves when a process has nothing left to do. */
async function settled({ pid }: LinesProcess): Promise<void> {
  let before = -1
  const idle = (): boolean => {
    const { ticks } = figures(pid)
    const isIdle = ticks === before
    before = ticks
    return isIdle
  }
  await expect.poll(idle, { interval: 500 }).toBe(true)
}

test.runIf(process.platform === 'linux').each([
  ['in the messages', 'get_voices', {}],
  ['beside them', 'synthesize', { text: 'x' }],
])(
  'a client that never reads: answers with 2 MB %s take bounded memory, and all arrive once it reads',
  async (_, method, args) => {
    const host = startHost(ttsPlugin('a', large))
    await host.result('plugin/load', { name: 'a' })
    await host.result('plugin/call', { plugin: 'a', method, args })
    await settled(host)
    const before = figures(host.pid).peakMb
    host.child.stdout.pause()
    const ids = Array.from({ length: 100 }, () => host.request('plugin/call', { plugin: 'a', method, args }))
    await settled(host)
    expect(figures(host.pid).peakMb - before).toBeLessThan(150)
    host.child.stdout.resume()
    for (const id of ids) expect((await host.reply(id)).error).toBeUndefined()
    expect(await host.result('plugin/health', { name: 'a' })).toMatchObject({ details: { restarts: 0 } })
  },
)

test.runIf(process.platform === 'linux')(
  'events for a client that never reads are dropped beyond a limit, and counted in the next one',
  async () => {
    const host = startHost(ttsPlugin('a', large))
    await host.result('events/subscribe', { types: ['log'] })
    await host.result('plugin/load', { name: 'a' })
    host.child.stdout.pause()
    const call = host.request('plugin/call', { plugin: 'a', method: 'synthesize', args: { text: 'flood' } })
    await expect.poll(() => existsSync(join(host.dir, 'plugins/a/flooded'))).toBe(true)
    await settled(host)
    host.child.stdout.resume()
    await host.reply(call)
    // The count of what was dropped comes with the next event.
    await host.result('plugin/call', { plugin: 'a', method: 'synthesize', args: { text: 'one more' } })
    await host.result('plugin/unload', { name: 'a' })
    const told = host.received.flat().filter(({ params }) => params?.['events_dropped'] !== undefined)
    const lines = host.received.flat().filter(({ params }) => params?.['type'] === 'log')
    const dropped = told.reduce((sum, { params }) => sum + Number(params?.['events_dropped']), 0)
    expect(dropped).toBeGreaterThan(1000)
    expect(lines.length + dropped).toBe(20_001)
  },
)
