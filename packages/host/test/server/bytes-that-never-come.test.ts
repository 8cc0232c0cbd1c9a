import { readFileSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { startHost, ttsPlugin, writeLineMember } from './client.js'

vi.setConfig({ testTimeout: 60_000 })

/** Watches the wire of its own process, and writes messages of its own there: they refer to bytes that never come. */
const flooding = `
  ${writeLineMember}
  watch = (() => {
    const { parse, stringify } = JSON
    JSON.parse = (text, ...rest) => {
      const value = parse(text, ...rest)
      if (value?.method === 'plugin/call') this.id = value.id
      return value
    }
    JSON.stringify = (value, ...rest) => {
      const text = stringify(value, ...rest)
      this.nonce ??= /"\\$bytes":"([0-9a-f]+):/.exec(text ?? '')?.[1]
      return text
    }
  })()
  write(message) { this.writeLine(JSON.stringify({ jsonrpc: '2.0', ...message })) }
  // A slow machine takes longer than a plugin may stand still.
  turn() { return new Promise(setImmediate) }
  get lost() { return { $bytes: this.nonce + ':' + ++this.number, length: 3000 } }
  number = 1e6
  async synthesize(text) {
    const [kind, count] = text.split(' ')
    const id = this.id
    const filler = 'x'.repeat(1e6)
    for (let n = 0; n < Number(count); n++) {
      if (kind === 'nobody') this.write({ id: 'no call ' + n, result: { filler, audio_b64: this.lost } })
      if (kind === 'answers') this.write({ id, result: { filler, audio_b64: this.lost } })
      if (kind === 'tiny') this.write({ id: 'no call ' + n, result: this.lost })
      if (kind !== 'tiny' || n % 1000 === 0) await this.turn()
    }
    return encodeWav(new Int16Array(2000), { sampleRate: 8000 })
  }
  async *synthesizeStream(text) {
    const id = this.id
    for (let seq = 0; seq < Number(text); seq++) {
      this.write({ method: '$/stream', params: { id, seq, value: { filler: 'x'.repeat(1e6), audio_b64: this.lost } } })
      await this.turn()
    }
    await new Promise((resolve) => setTimeout(resolve, 300))
    yield encodeWav(new Int16Array(8), { sampleRate: 8000 })
  }
`

/** Memory of a process at its highest, in MB. */
function peakMb(pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1000
}

test.runIf(process.platform === 'linux').each([
  ['answers that nobody waits for', 'synthesize', 'nobody 150'],
  ['very many small ones', 'synthesize', 'tiny 20000'],
  ['answers to a call in flight', 'synthesize', 'answers 150'],
  ['pieces beyond the credit', 'synthesize_stream', '150'],
])('messages that refer to bytes that never come fill the host’s memory: %s', async (_, method, text) => {
  const host = startHost({ ...ttsPlugin('flooding', flooding), ...ttsPlugin('other') })
  for (const name of ['flooding', 'other']) await host.result('plugin/load', { name })
  const call = (plugin: string, wire: string, args: object, more = {}) =>
    host.ask('plugin/call', { plugin, method: wire, args, ...more })
  // From its first bytes on it knows how to refer to others.
  await call('flooding', 'synthesize', { text: 'none 0' })
  const before = peakMb(host.pid)
  const stream = method === 'synthesize_stream' ? { stream: { credit: 5 } } : {}
  const [flood] = await Promise.all([
    call('flooding', method, { text }, stream),
    call('other', 'synthesize', { text: 'x' }),
  ])
  expect(flood).toBeDefined()
  expect((await call('other', 'synthesize', { text: 'x' })).error).toBeUndefined()
  expect(peakMb(host.pid) - before).toBeLessThan(120)
  const after = await call('flooding', 'synthesize', { text: 'none 0' })
  expect(after).toMatchObject({ result: { audio_b64: expect.stringMatching(/^UklGR/) } })
})

test('what waits for bytes that never come is let go when its call ends', async () => {
  const host = startHost({ ...ttsPlugin('flooding', flooding), ...ttsPlugin('other') })
  await host.result('plugin/load', { name: 'flooding' })
  const call = (text: string, more = {}) =>
    host.ask('plugin/call', { plugin: 'flooding', method: 'synthesize', args: { text }, ...more })
  await call('none 0')
  // Each leaves 20 MB waiting, below what ends the channel.
  for (let round = 0; round < 5; round++)
    expect((await call('answers 20', { timeout: 300 })).error?.code).toBe(-32041)
  expect((await call('none 0')).result).toMatchObject({ audio_b64: expect.stringMatching(/^UklGR/) })
})
