import { once } from 'node:events'
import { existsSync, mkdirSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createConnection, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { LLMContract, TTSContract } from '@appfactory/sdk'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  connect,
  connectHost,
  type HostSocket,
  PluginHost,
  type PluginSystem,
  serve,
  serveSocket,
} from '../../src/index.js'
import { memoryLink } from '../../src/link/memory-link.js'
import { makeFolder, temporaryFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'
import { listener } from '../fixtures/swapping.js'

const speaker = `
  async synthesize(text) { return encodeWav(new Int16Array(text === 'long' ? 1e6 : 80), { sampleRate: 8000 }) }
  async *synthesizeStream(text) {
    for (let piece = 0; piece < 3; piece++)
      yield { audio: new Uint8Array(5000).fill(piece), format: 'pcm_s16le', sampleRate: 8000, channels: 1 }
  }
`

const folder = makeFolder()
let host: PluginHost
let served: HostSocket

beforeAll(async () => {
  writePlugin(folder.path, 'one', ttsPlugin(speaker))
  writePlugin(folder.path, 'idle', ttsPlugin())
  host = new PluginHost({ pluginsDir: folder.path })
  await host.load('one')
  served = await serveSocket(host, { path: join(folder.path, 'host') })
})

afterAll(async () => {
  await served.close()
  await host.close()
  folder.remove()
})

/** A client without any of our own code. */
async function dial(path = served.path): Promise<Socket> {
  const socket = createConnection(path)
  await once(socket, 'connect')
  return socket.on('error', () => {})
}

const ping = (id: number): string => `${JSON.stringify({ jsonrpc: '2.0', id, method: 'ping' })}\n`

/** Answers to what is sent, up to the end of the connection. */
async function answersTo(sent: string | Buffer, path?: string): Promise<unknown[]> {
  const socket = await dial(path)
  socket.end(sent)
  return (await text(socket))
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as unknown)
}

/** The host has as many callers. */
const callers = (count: number) => expect.poll(() => served.callers).toBe(count)

test('only this user may connect, and the socket is gone at the end', async () => {
  const path = join(folder.path, 'short')
  const short = await serveSocket(host, { path })
  if (process.platform !== 'win32') expect(statSync(path).mode & 0o777).toBe(0o600)
  await short.close()
  expect(existsSync(path)).toBe(false)
  expect(await host.call('one', 'get_voices')).toHaveLength(1)
})

test('typed handles over a socket, with bytes that travel raw', async () => {
  await using remote = await connectHost({ path: served.path })
  const tts = await remote.get(TTSContract, 'one')
  expect((await tts.synthesize('long')).audio).toHaveLength(2_000_044)
  const pieces: Uint8Array[] = []
  for await (const { audio } of tts.synthesizeStream('x')) pieces.push(audio)
  expect(pieces.map(([first]) => first)).toEqual([0, 1, 2])
  async function* texts() {
    yield 'One. '
    yield 'Two.'
  }
  let spoken = 0
  for await (const { audio } of tts.synthesizeStream(texts())) spoken += audio.length
  expect(spoken).toBeGreaterThan(0)
  await expect(tts.synthesize('x', undefined, { signal: AbortSignal.abort() })).rejects.toMatchObject({
    codeName: 'REQUEST_CANCELLED',
  })
  expect(await tts.health()).toMatchObject({ status: 'READY' })
  expect(tts.name).toBe('one')
})

test('a connection is a system of plugins, as the host itself', async () => {
  await using remote = await connectHost({ path: served.path })
  const system: PluginSystem = remote
  expect(system.active('tts')).toBe('one')
  expect(system.active('llm')).toBeUndefined()
  const { plugin, contract } = await system.describe('one')
  expect([plugin.manifest?.version, contract]).toEqual(['1.0.0', (await host.describe('one')).contract])
  const seen: unknown[] = []
  const listen = (event: object): void => void seen.push(event)
  system.on('status', listen)
  system.on('swap', listen)
  await host.load('idle')
  await expect.poll(() => system.active('tts')).toBe('idle')
  await expect.poll(() => system.status()).toMatchObject({ pluginsLoaded: 2, pluginsTotal: 2 })
  expect(seen).toContainEqual({ plugin: 'idle', status: 'READY', previous: 'INITIALIZING' })
  system.off('status', listen)
  await host.swap('idle', 'idle')
  await expect
    .poll(() => seen.at(-1))
    .toMatchObject({ plugin: 'idle', step: 'retire', durationMs: expect.any(Number) })
  await host.unload('idle')
  await expect.poll(() => system.active('tts')).toBe('one')
  expect(seen).not.toContainEqual(expect.objectContaining({ status: 'STOPPED' }))
  await system.call('one', 'get_voices')
  await system.call('one', 'nothing').catch(() => {})
  expect(system.status()).toMatchObject({ requestsProcessed: 2, errors: 1 })
  expect(system.metrics()).toContain('appfactory_connection_requests_total 2\n')
})

test('an argument that is base64 on the wire may be given as bytes', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'ears', listener('heard'), { contract: 'stt' })
  await using hearing = new PluginHost({ pluginsDir: root })
  await hearing.load('ears')
  const [near, far] = memoryLink()
  void serve(hearing, far)
  const remote = await connect(near)
  const { session_id } = (await remote.call('ears', 'start_stream')) as { session_id: string }
  await remote.call('ears', 'feed_audio', { session_id, audio_b64: new Uint8Array(70_000) })
  expect(await remote.call('ears', 'end_stream', { session_id })).toMatchObject({ text: 'heard 70000' })
  remote.close()
})

test('a caller that may only call one plugin connects all the same', async () => {
  const [near, far] = memoryLink()
  void serve(host, far, { rights: { plugin: 'one' } })
  const remote = await connect(near)
  expect(await remote.call('one', 'get_voices')).toHaveLength(1)
  expect(remote.active('tts')).toBeUndefined()
  remote.close()
})

test('untyped calls are as in the host itself', async () => {
  await using remote = await connectHost({ path: served.path })
  const args = { text: 'long' }
  expect(await remote.call('one', 'synthesize', args)).toEqual(await host.call('one', 'synthesize', args))
  const piecesOf = async (system: Pick<PluginSystem, 'stream'>): Promise<unknown[]> => {
    const pieces: unknown[] = []
    for await (const piece of system.stream('one', 'synthesize_stream', args)) pieces.push(piece)
    return pieces
  }
  expect(await piecesOf(remote)).toEqual(await piecesOf(host))
  expect(await remote.list()).toEqual(await host.list())
  expect(Object.keys(await remote.health())).toEqual(['one'])
  expect(await remote.request('ping')).toBe('pong')
})

test.each<[string, () => Promise<unknown>, object]>([
  [
    'a plugin that is not loaded',
    async () => (await connected()).get('idle'),
    { codeName: 'PLUGIN_NOT_READY' },
  ],
  ['no plugin', async () => (await connected()).get('none'), { codeName: 'PLUGIN_NOT_FOUND' }],
  [
    'another contract',
    async () => (await connected()).get(LLMContract, 'one'),
    { codeName: 'CONTRACT_MISMATCH' },
  ],
  [
    'an unknown option',
    async () => (await connected()).call('one', 'x', {}, { wait: 1 } as object),
    { name: 'TypeError' },
  ],
  ['no time', async () => (await connected()).call('one', 'x', {}, { timeoutMs: 0 }), { name: 'TypeError' }],
  [
    'no right',
    async () => (await connected()).request('plugin/load', { name: 'idle' }),
    { codeName: 'CALL_FORBIDDEN' },
  ],
  ['nobody there', () => connectHost({ path: join(folder.path, 'nobody') }), { code: 'ENOENT' }],
])('%s is an error', async (_, ask, error) => {
  await expect(ask()).rejects.toMatchObject(error)
})

/** A caller that goes with its test's end of the file. */
async function connected() {
  const [near, far] = memoryLink()
  void serve(host, far)
  return connect(near)
}

test('calls fail when the connection is closed, by either end', async () => {
  const path = join(folder.path, 'ending')
  const ending = await serveSocket(host, { path })
  const [one, other] = [await connectHost({ path }), await connectHost({ path })]
  one.close()
  await expect(one.call('one', 'get_voices')).rejects.toMatchObject({ codeName: 'REQUEST_CANCELLED' })
  await ending.close()
  await expect(other.call('one', 'get_voices')).rejects.toMatchObject({ codeName: 'REQUEST_CANCELLED' })
})

describe('clients that do not keep to the protocol', () => {
  test.each<[string, string | Buffer, unknown[]]>([
    ['nothing', '', []],
    ['half a line', ping(1).trim(), [{ id: 1, result: 'pong' }]],
    ['half a message', '{"jsonrpc":"2.0","id":1,', [{ error: { code: -32700 } }]],
    [
      'garbage',
      Buffer.from([0xff, 0xfe, 0x0a, 0x00, 0x0a]),
      [{ error: { code: -32700 } }, { error: { code: -32700 } }],
    ],
    ['a first line that is long', `${' '.repeat(5000)}${ping(1)}`, [{ result: 'pong' }]],
    [
      'a line beyond the limit',
      `${'x'.repeat(9e6)}\n${ping(2)}`,
      [{ error: { code: -32053 } }, { result: 'pong' }],
    ],
    [
      'an unknown token',
      '{"id":7,"method":"bytes/attach","params":{"token":"x"}}\n',
      [{ id: 7, error: { code: -32602 } }],
    ],
    ['no token', '{"method":"bytes/attach"}\n', [{ id: null, error: { code: -32602 } }]],
    [
      'the words of it in a call',
      '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"bytes/attach"}}\n"bytes/attach"\n',
      [{ error: { code: -32600 } }, { error: { code: -32602 } }],
    ],
  ])('%s', async (_, sent, answers) => {
    expect(await answersTo(sent)).toMatchObject(answers)
    expect(await answersTo(ping(1))).toMatchObject([{ result: 'pong' }])
    await callers(0)
  })

  test('a token is good for one connection, and as long as its caller is there', async () => {
    const caller = await dial()
    caller.write(
      `${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'bytes/open', params: { nonce: 'n'.repeat(16) } })}\n`,
    )
    const [line] = (await once(createInterface({ input: caller }), 'line')) as [string]
    const { token } = (JSON.parse(line) as { result: { token: string } }).result
    const attach = `${JSON.stringify({ id: 1, method: 'bytes/attach', params: { token } })}\n`
    const bytes = await dial()
    bytes.write(attach)
    await once(bytes, 'data')
    expect(await answersTo(attach)).toMatchObject([{ error: { code: -32602 } }])
    caller.destroy()
    await once(bytes.resume(), 'close')
    await callers(0)
    expect(await answersTo(attach)).toMatchObject([{ error: { code: -32602 } }])
  })

  test('a connection for bytes that breaks: bytes are base64 from then on', async () => {
    const caller = await dial()
    const lines = createInterface({ input: caller })[Symbol.asyncIterator]()
    const ask = async (id: number, method: string, params: object): Promise<Record<string, never>> => {
      caller.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`)
      for (;;) {
        const message = JSON.parse(String((await lines.next()).value)) as {
          id?: number
          result: Record<string, never>
        }
        if (message.id === id) return message.result
      }
    }
    const { token } = await ask(1, 'bytes/open', { nonce: 'n'.repeat(16) })
    const bytes = await dial()
    bytes.write(`${JSON.stringify({ id: 1, method: 'bytes/attach', params: { token } })}\n`)
    await once(bytes, 'data')
    const call = { plugin: 'one', method: 'synthesize', args: { text: 'long' } }
    expect(await ask(2, 'plugin/call', call)).toMatchObject({ audio_b64: { length: 2_000_044 } })
    bytes.destroy()
    let id = 2
    await expect.poll(async () => typeof (await ask(++id, 'plugin/call', call))['audio_b64']).toBe('string')
    caller.end()
    await callers(0)
  })

  test('one that never reads is let go of, and the others are served', async () => {
    const lazy = await dial()
    lazy.pause()
    for (let id = 1; id <= 24; id++)
      lazy.write(
        `${JSON.stringify({ jsonrpc: '2.0', id, method: 'tts/synthesize', params: { text: 'long' } })}\n`,
      )
    expect(await answersTo(ping(1))).toHaveLength(1)
    await callers(0)
    expect(await answersTo(ping(1))).toHaveLength(1)
    lazy.destroy()
  }, 60_000)
})

test('one caller too many is told so, and is welcome when another has left', async () => {
  const path = join(folder.path, 'few')
  await using few = await serveSocket(host, { path, maxCallers: 1 })
  const first = await connectHost({ path })
  expect(await answersTo(ping(1), path)).toMatchObject([{ method: '$/close', params: { code: -32050 } }])
  await expect(connectHost({ path })).rejects.toMatchObject({ codeName: 'RESOURCE_EXHAUSTED' })
  first.close()
  await expect.poll(() => few.callers).toBe(0)
  expect(await answersTo(ping(1), path)).toMatchObject([{ result: 'pong' }])
})

test.runIf(process.platform !== 'win32')(
  'a socket that a dead host has left behind is replaced',
  async () => {
    const path = join(folder.path, 'stale')
    // Node removes it at the end; a host that was killed does not.
    const dead = createServer().listen(path)
    await once(dead, 'listening')
    renameSync(path, `${path}-kept`)
    await new Promise((resolve) => dead.close(resolve))
    renameSync(`${path}-kept`, path)
    await using again = await serveSocket(host, { path })
    expect(await answersTo(ping(1), again.path)).toHaveLength(1)
  },
)

test.runIf(process.platform !== 'win32').each<[string, (path: string) => void, RegExp]>([
  ['a live host', () => {}, /listens at .* already/],
  ['a file', (path) => writeFileSync(path, 'mine'), /is no socket/],
  ['a folder', (path) => mkdirSync(path), /is no socket/],
  ['a link to nothing', (path) => symlinkSync('/nowhere', path), /is no socket/],
])('%s at the path is left alone', async (what, put, reason) => {
  const path = what === 'a live host' ? served.path : join(folder.path, what)
  put(path)
  await expect(serveSocket(host, { path })).rejects.toThrow(reason)
  expect(await answersTo(ping(1))).toHaveLength(1)
})

test.runIf(process.platform !== 'win32').each([
  ['a folder that is not there', 'none/socket', /not there/],
  ['a long path', 'x'.repeat(200), /too long/],
])('%s is no place for a socket', async (_, name, reason) => {
  await expect(serveSocket(host, { path: join(folder.path, name) })).rejects.toThrow(reason)
})

test('a number of callers that means nothing is refused', async () => {
  await expect(serveSocket(host, { path: 'x', maxCallers: 0 })).rejects.toThrow(TypeError)
})

test('a caller with all rights makes fallbacks, with its options, and takes their names away', async () => {
  await host.load('idle')
  await using all = await serveSocket(host, { path: join(folder.path, 'all'), rights: 'all' })
  await using remote = await connectHost({ path: all.path })
  const plugins = ['idle', { plugin: 'one', defaults: { speed: 1 } }]
  const voice = await remote.fallback<TTSContract>('voice', plugins, { attemptTimeoutMs: 2000, probe: false })
  await host.unload('idle')
  expect((await voice.synthesize('Hello')).format).toBe('wav')
  await expect(remote.fallback('voice', ['one'])).rejects.toMatchObject({ codeName: 'PLUGIN_ALREADY_LOADED' })
  await expect(remote.fallback('other', ['one'], { leaveAfter: 0 })).rejects.toMatchObject({
    codeName: 'INVALID_PARAMS',
  })
  await voice.unload()
  expect((await host.list()).some(({ name }) => name === 'voice')).toBe(false)
  await using other = await connectHost({ path: all.path })
  await other.fallback('voice', ['one'], { whileConnected: true })
  await other.fallback('stays', ['one'])
  await other.request('plugin/unload', { name: 'voice' })
  // Another one of that name is not its own.
  await remote.fallback('voice', ['one'], { whileConnected: true })
  await other.fallback('goes', ['one'], { whileConnected: true })
  const names = async (): Promise<string[]> =>
    (await host.list()).filter((each) => each.fallback).map(({ name }) => name)
  expect(await names()).toEqual(['stays', 'voice', 'goes'])
  other.close()
  await expect.poll(names).toEqual(['stays', 'voice'])
  remote.close()
  await expect.poll(names).toEqual(['stays'])
  await host.unload('stays')
  await using weak = await connectHost({ path: served.path })
  await expect(weak.fallback('voice', ['one'])).rejects.toMatchObject({ codeName: 'CALL_FORBIDDEN' })
})
