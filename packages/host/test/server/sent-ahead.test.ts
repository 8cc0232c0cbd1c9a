import { readFileSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { patientMembers, startHost, ttsPlugin, writeLineMember } from './client.js'

vi.setConfig({ testTimeout: 120_000 })

const megabyte = 'x'.repeat(1e6)

/** Memory of a process at its highest, in MB. */
function peakMb(pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1000
}

const slow = `
  async synthesize(text, voiceId) {
    if (text === 'wait') await new Promise((resolve) => setTimeout(resolve, 3000))
    if (text === 'compute') for (const end = Date.now() + 3000; Date.now() < end; );
    return encodeWav(new Int16Array(8), { sampleRate: 8000 })
  }
`

test.runIf(process.platform === 'linux').each([
  ['for their turn', ['--sync-mode'], 'wait'],
  ['for a plugin that does not read', [], 'compute'],
])('what a client sends ahead fills the host’s memory: requests that wait %s', async (_, flags, text) => {
  const host = startHost(ttsPlugin('a', slow), flags)
  await host.result('plugin/load', { name: 'a' })
  const call = (args: object) => host.request('plugin/call', { plugin: 'a', method: 'synthesize', args })
  await host.reply(call({ text: 'x' }))
  const before = peakMb(host.pid)
  const ids = [call({ text }), ...Array.from({ length: 300 }, () => call({ text: megabyte }))]
  for (const id of ids) expect((await host.reply(id)).error).toBeUndefined()
  expect(peakMb(host.pid) - before).toBeLessThan(300)
  expect(await host.result('plugin/health', { name: 'a' })).toMatchObject({ details: { restarts: 0 } })
})

test.each([
  ['a cancel', '$/cancelRequest', -32800],
  ['credit', '$/credit', undefined],
])(
  '%s behind more than the host keeps is never read, and what waits for it waits for ever',
  async (_, method, code) => {
    const host = startHost(ttsPlugin('a', patientMembers), ['--sync-mode'])
    await host.result('plugin/load', { name: 'a' })
    const text = method === '$/credit' ? '3' : 'endless'
    const args = { plugin: 'a', method: 'synthesize_stream', args: { text }, stream: { credit: 1 } }
    const stream = host.request('plugin/call', args)
    await host.notification('$/stream')
    const pings = Array.from({ length: 18 }, () => host.request('ping', { padding: megabyte }))
    host.notify(method, { id: stream, n: 10 })
    expect((await host.reply(stream)).error?.code).toBe(code)
    // Refused by their params, not for want of room.
    for (const id of pings) expect((await host.reply(id)).error?.code).toBe(-32602)
    expect(await host.result('ping')).toBe('pong')
  },
)

test.runIf(process.platform === 'linux')(
  'a plugin that asks its host and does not read the answers fills the host’s memory',
  async () => {
    const asking = `
      ${writeLineMember}
      async synthesize(text) {
        const line = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'plugin/load', params: {} })
        for (let n = 0; text === 'ask' && n < 20_000; n++) this.writeLine(line)
        return encodeWav(new Int16Array(8), { sampleRate: 8000 })
      }
      getVoices() { return [{ id: 'a', name: String(this.answers), language: 'en' }] }
      answers = 0
      watch = (() => {
        const { parse } = JSON
        JSON.parse = (text, ...rest) => {
          const value = parse(text, ...rest)
          if (value?.error) this.answers += 1
          return value
        }
      })()
    `
    const host = startHost(ttsPlugin('a', asking))
    await host.result('plugin/load', { name: 'a' })
    const call = (method: string, args = {}) => host.result('plugin/call', { plugin: 'a', method, args })
    await call('synthesize', { text: 'ask' })
    expect(await call('get_voices')).toEqual([{ id: 'a', name: '0', language: 'en' }])
    const { details } = await host.result<{ details: { noise: number } }>('plugin/health', { name: 'a' })
    expect(details.noise).toBeGreaterThan(0)
  },
)

test('a call of a session by its contract is overtaken by one by its plugin', async () => {
  const listener = `
import { STTContract } from '@appfactory/sdk'
export default class extends STTContract {
  heard = []
  async initialize() {}
  async shutdown() {}
  healthCheck() { return { status: this.status } }
  async transcribe() { return '' }
  async getLanguages() { return [] }
  async startStream() { return 'one' }
  async feedAudio(id, audio) { this.heard.push(audio[0]); return { partial: null, final: null } }
  async endStream() { return this.heard.join(' ') }
}`
  const host = startHost({ ...ttsPlugin('a', '', { contract: 'stt' }), 'a/index.js': listener })
  await host.result('plugin/load', { name: 'a' })
  const { session_id } = await host.result<{ session_id: string }>('stt/start_stream')
  const feed = (part: number) => ({
    session_id,
    audio_b64: Buffer.alloc(5000 - part * 400, part).toString('base64'),
  })
  const lines = [0, 1, 2, 3, 4, 5, 6, 7].map((part) => ({
    jsonrpc: '2.0',
    id: `part ${part}`,
    ...(part % 2 === 0
      ? { method: 'stt/feed_audio', params: feed(part) }
      : { method: 'plugin/call', params: { plugin: 'a', method: 'feed_audio', args: feed(part) } }),
  }))
  host.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  const end = { plugin: 'a', method: 'end_stream', args: { session_id } }
  expect(await host.result('plugin/call', end)).toMatchObject({ text: '0 1 2 3 4 5 6 7' })
})
