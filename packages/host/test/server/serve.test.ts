import { once } from 'node:events'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { join as pathOf } from 'node:path'
import { text } from 'node:stream/consumers'
import { PluginError } from '@appfactory/sdk'
import type { Peer } from '@appfactory/sdk/internal'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openPeer } from '../../src/client/open-peer.js'
import {
  type HostEvents,
  type Link,
  PluginHost,
  type Rights,
  type ServeOptions,
  serve,
  streamLink,
} from '../../src/index.js'
import { memoryLink } from '../../src/link/memory-link.js'
import { openMethods } from '../../src/server/rights.js'
import { makeFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'
import { listener } from '../fixtures/swapping.js'
import { patientMembers } from './client.js'

const large = `
  voice = 'x'.repeat(2e6)
  async getVoices() { return [{ id: 'one', name: this.voice, language: 'en' }] }
  async synthesize(text) { return encodeWav(new Int16Array(text === 'long' ? 1e6 : 80), { sampleRate: 8000 }) }
`

/** Tells which sessions it ends. */
const ears = listener('heard').replace(
  'async endStream(id) {',
  'async endStream(id) { console.error("closed " + id);',
)

const folder = makeFolder()
let host: PluginHost

beforeAll(async () => {
  writePlugin(folder.path, 'patient', ttsPlugin(patientMembers))
  writePlugin(folder.path, 'large', ttsPlugin(large))
  writePlugin(folder.path, 'ears', ears, { contract: 'stt' })
  listening = createServer({ allowHalfOpen: true }).listen(pathOf(folder.path, 'socket'))
  host = new PluginHost({ pluginsDir: folder.path })
  await Promise.all(['patient', 'large', 'ears'].map((name) => host.load(name)))
})

afterAll(async () => {
  await host.close()
  listening.close()
  folder.remove()
})

/** Both ends of a connection. */
type MakeLink = () => Promise<readonly [Link, Link]>

let listening: Server

/** Over a socket, bytes are base64. */
const connectedSockets: MakeLink = async () => {
  const accepted = once(listening, 'connection') as Promise<[Socket]>
  const near = createConnection({ path: String(listening.address()), allowHalfOpen: true })
  const [far] = await accepted
  return [streamLink({ input: near, output: near }), streamLink({ input: far, output: far })]
}

const links: [string, MakeLink][] = [
  ['memory', async () => memoryLink()],
  ['a socket', connectedSockets],
]

/** A caller of the host over a link, and the end of its service. */
async function join(options?: ServeOptions, makeLink?: MakeLink) {
  const [link, far] = makeLink ? await makeLink() : memoryLink()
  const served = serve(host, far, options)
  return { link, far, served, peer: await openPeer(link) }
}

function call(peer: Peer, plugin: string, method: string, args: object = {}, more: object = {}) {
  return peer.request('plugin/call', { plugin, method, args, ...more })
}

/** Resolves when a plugin has logged that. */
function logged(words: string): Promise<void> {
  return new Promise((resolve) => {
    const look = ({ message }: HostEvents['log'][0]): void => {
      if (!message.includes(words)) return
      host.off('log', look)
      resolve()
    }
    host.on('log', look)
  })
}

test.each(links)(
  'over %s, callers come and go, and the host goes on with the others',
  async (_, makeLink) => {
    const [one, other] = [await join({}, makeLink), await join({}, makeLink)]
    expect(await one.peer.request('ping', {})).toBe('pong')
    one.link.close()
    await one.served
    expect(await other.peer.request('ping', {})).toBe('pong')
    other.link.output.end()
    await other.served
    expect(host.active('stt')).toBe('ears')
  },
)

test.each(links)(
  'over %s, a caller that sends no more gets its answers before the link is closed',
  async (_, makeLink) => {
    const [link, far] = await makeLink()
    const served = serve(host, far)
    const params = { plugin: 'large', method: 'synthesize', args: { text: 'x' } }
    for (const id of [1, 2])
      link.output.write(`${JSON.stringify({ jsonrpc: '2.0', id, method: 'plugin/call', params })}\n`)
    link.output.end()
    const lines = (await text(link.input)).trim().split('\n')
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { result: { audio_b64: expect.any(String) } },
      { id: 2 },
    ])
    await served
    expect(await link.closed).toBeUndefined()
  },
)

test('bytes travel raw both ways, and as base64 for who does not ask for them', async () => {
  const { peer, link, served } = await join()
  const { audio_b64: audio } = (await call(peer, 'large', 'synthesize', { text: 'long' })) as {
    audio_b64: unknown
  }
  expect(audio).not.toBeTypeOf('string')
  const heard = await call(peer, 'ears', 'transcribe', { audio_b64: audio })
  expect(heard).toMatchObject({ text: 'heard' })
  await expect(peer.request('bytes/open', { nonce: 'x'.repeat(16) })).rejects.toMatchObject({
    codeName: 'INVALID_REQUEST',
  })
  link.close()
  await served
})

test.each<[Rights, string, string | undefined]>([
  ['call', 'plugin/load', 'CALL_FORBIDDEN'],
  ['call', 'plugin/unload', 'CALL_FORBIDDEN'],
  ['call', 'plugin/scale', 'CALL_FORBIDDEN'],
  ['call', 'plugin/swap', 'CALL_FORBIDDEN'],
  ['call', 'system/discover', 'CALL_FORBIDDEN'],
  ['call', 'shutdown', 'CALL_FORBIDDEN'],
  ['call', 'plugin/nothing', 'METHOD_NOT_FOUND'],
  ['call', 'plugin/list', undefined],
  [{ plugin: 'ears' }, 'ping', undefined],
  [{ plugin: 'ears' }, 'plugin/list', 'CALL_FORBIDDEN'],
  [{ plugin: 'ears' }, 'stt/transcribe', 'CALL_FORBIDDEN'],
  [{ plugin: 'ears' }, 'plugin/health', 'CALL_FORBIDDEN'],
  [{ plugin: 'ears' }, 'events/subscribe', 'CALL_FORBIDDEN'],
  ['all', 'system/discover', undefined],
  ['all', 'plugin/load', 'INVALID_PARAMS'],
  ['all', 'shutdown', 'CALL_FORBIDDEN'],
])('a caller with the right %j asks for %s: %s', async (rights, method, codeName) => {
  const { peer, link, served } = await join({ rights })
  const answer = peer.request(method, {})
  if (codeName) await expect(answer).rejects.toMatchObject({ codeName })
  else await answer
  link.close()
  await served
})

test('without rights, a caller may do no more than these', () => {
  expect(openMethods.filter((method) => /load|swap|scale|shutdown|discover|fallback/.test(method))).toEqual(
    [],
  )
})

test('who may call one plugin can call no other', async () => {
  const { peer, link, served } = await join({ rights: { plugin: 'ears' } })
  await peer.request('plugin/health', { name: 'ears' })
  await call(peer, 'ears', 'get_languages')
  await expect(call(peer, 'large', 'get_voices')).rejects.toMatchObject({ codeName: 'CALL_FORBIDDEN' })
  link.close()
  await served
})

test('shutdown of a caller with all rights is for who serves it', async () => {
  const asked: number[] = []
  const { peer, link, served } = await join({ rights: 'all', onShutDown: (ms) => asked.push(ms) })
  expect(await peer.request('shutdown', { timeout: 7 })).toMatchObject({ status: 'shutting_down' })
  expect(asked).toEqual([7])
  link.close()
  await served
})

test.each(links)(
  'over %s, an abort lets calls in flight finish, refuses others, and closes the link',
  async (_, makeLink) => {
    const stop = new AbortController()
    const { peer, link, served } = await join({ signal: stop.signal }, makeLink)
    const begun = logged('begun last')
    const last = call(peer, 'patient', 'synthesize', { text: 'last' })
    await begun
    stop.abort()
    await expect(call(peer, 'patient', 'get_voices')).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_READY' })
    await host.call('patient', 'synthesize', { text: 'release' })
    expect(await last).toMatchObject({ format: 'wav' })
    await served
    expect(await link.closed).toBeUndefined()
    await expect(peer.request('ping', {})).rejects.toMatchObject({ codeName: 'REQUEST_CANCELLED' })
  },
)

test.each(links)(
  'over %s, a caller that goes: its calls are cancelled, its streams end, and its sessions are closed',
  async (_, makeLink) => {
    const { peer, link, served } = await join({}, makeLink)
    const events = ['begun going', 'aborted going', 'generator closed'].map(logged)
    const going = call(peer, 'patient', 'synthesize', { text: 'going' })
    going.catch(() => {})
    const params = {
      plugin: 'patient',
      method: 'synthesize_stream',
      args: { text: 'endless' },
      stream: { credit: 64 },
    }
    const pieces = peer.stream('plugin/call', params)
    await pieces.next()
    const sessions = [await call(peer, 'ears', 'start_stream'), await call(peer, 'ears', 'start_stream')]
    const [ended, left] = sessions.map((opened) => Reflect.get(Object(opened), 'session_id') as string)
    await call(peer, 'ears', 'end_stream', { session_id: ended })
    await events[0]
    const closed = logged('closed s')
    link.close(new PluginError('REQUEST_CANCELLED', 'gone'))
    await Promise.all([served, closed, ...events])
    await expect(going).rejects.toMatchObject({ codeName: 'REQUEST_CANCELLED' })
    await expect(host.call('ears', 'feed_audio', { session_id: left, audio_b64: '' })).rejects.toThrow()
    expect(await host.call('patient', 'get_voices')).toHaveLength(1)
  },
)

test.each(['lines', 'bytes'])(
  'a caller that never reads its %s is given up; the others are answered',
  async (unread) => {
    const [reader, lazy] = [await join(), await join()]
    const { bytes, input } = lazy.link
    // Its end of the connection is there, and full.
    if (unread === 'bytes') bytes?.pause()
    else input.pause()
    const [method, args] = unread === 'bytes' ? ['synthesize', { text: 'long' }] : ['get_voices', {}]
    const calls = Array.from({ length: 24 }, () => call(lazy.peer, 'large', method, args))
    const failed = Promise.all(calls.map((answer) => answer.catch(({ codeName }: PluginError) => codeName)))
    const closed = lazy.link.closed
    expect(await call(reader.peer, 'large', 'synthesize', { text: 'x' })).toMatchObject({ format: 'wav' })
    expect(await closed).toMatchObject({ codeName: 'RESOURCE_EXHAUSTED' })
    expect(await failed).toContain('RESOURCE_EXHAUSTED')
    await lazy.served
    expect(await call(reader.peer, 'large', 'synthesize', { text: 'x' })).toMatchObject({ format: 'wav' })
    reader.link.close()
    await reader.served
  },
)

test('a hundred callers at once', async () => {
  const callers = await Promise.all(Array.from({ length: 100 }, () => join()))
  for (const { peer } of callers) await peer.request('events/subscribe', {})
  const answers = await Promise.all(
    callers.map(({ peer }) => call(peer, 'large', 'synthesize', { text: 'x' })),
  )
  expect(answers).toHaveLength(100)
  expect(host.listenerCount('log')).toBe(100)
  for (const { link } of callers) link.close()
  await Promise.all(callers.map(({ served }) => served))
  expect(host.listenerCount('log')).toBe(0)
  expect(host.getMaxListeners()).toBe(10)
})
