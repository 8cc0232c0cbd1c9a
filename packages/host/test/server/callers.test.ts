import { PassThrough, Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { serveStdio } from '../../src/server/stdio.js'
import { temporaryFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'

/** Two million bytes in each answer and in each piece. */
const large = `
  async getVoices() { return [{ id: 'one', name: 'x'.repeat(2e6), language: 'en' }] }
  async *synthesizeStream() {
    for (let piece = 0; piece < 8; piece++)
      yield { audio: new Uint8Array(2e6), format: 'pcm_s16le', sampleRate: 8000, channels: 1 }
  }
`

/** Where a client reads nothing until it is released. */
class Unread extends Writable {
  text = ''
  #resume: (() => void) | undefined
  #isReleased = false

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString()
    if (this.#isReleased) done()
    else this.#resume = done
  }

  release(): void {
    this.#isReleased = true
    this.#resume?.()
  }

  /** Resolves when the host has stopped to write. */
  async full(): Promise<void> {
    for (let before = -1; before !== this.writableLength || before < 2 ** 24; ) {
      before = this.writableLength
      await delay(300)
    }
  }
}

/** A host with two plugins, and a client of it that does not read. */
async function startHost() {
  const root = temporaryFolder()
  writePlugin(root, 'one', ttsPlugin(large))
  writePlugin(root, 'other', ttsPlugin(large))
  const host = new PluginHost({ pluginsDir: root })
  await Promise.all([host.load('one'), host.load('other')])
  const [input, output, stop] = [new PassThrough(), new Unread(), new AbortController()]
  const served = serveStdio(host, { input, output, sequential: false, stop: stop.signal })
  const send = (method: string, more: object): void => {
    const params = { plugin: 'one', method, args: { text: 'x' }, ...more }
    for (let id = 1; id <= 20; id++)
      input.write(`${JSON.stringify({ jsonrpc: '2.0', id, method: 'plugin/call', params })}\n`)
  }
  const end = async (): Promise<void> => {
    stop.abort()
    await served
  }
  return { host, output, send, [Symbol.asyncDispose]: end }
}

/** How many bytes of voices a plugin has. */
async function askFor(host: PluginHost, plugin: string): Promise<number> {
  return JSON.stringify(await host.call(plugin, 'get_voices', {}, { timeoutMs: 20_000 })).length
}

test('a client that does not read holds up no other plugin for who calls beside it', async () => {
  await using running = await startHost()
  const { host, output, send } = running
  send('get_voices', { args: {} })
  await output.full()
  for (let call = 0; call < 5; call++) expect(await askFor(host, 'other')).toBeGreaterThan(2e6)
  expect(output.writableLength).toBeLessThan(2 ** 25)
  output.release()
  await expect.poll(() => output.text.match(/"result"/g)?.length, { timeout: 20_000 }).toBe(20)
}, 60_000)

test.each([
  ['calls', 'get_voices', { args: {} }],
  ['streams', 'synthesize_stream', { stream: true }],
])(
  'a plugin whose answers a client leaves unread serves others again when the %s of that client are over',
  async (_, method, more) => {
    await using running = await startHost()
    const { host, output, send } = running
    send(method, { ...more, timeout: 2000 })
    await output.full()
    for (let call = 0; call < 3; call++) expect(await askFor(host, 'one')).toBeGreaterThan(2e6)
    expect((await host.health('one')).details).toMatchObject({ restarts: 0 })
  },
  60_000,
)
