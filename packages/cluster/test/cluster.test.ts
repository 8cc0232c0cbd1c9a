import { setImmediate as turn } from 'node:timers/promises'
import { type STTContract, TTSContract } from '@appfactory/sdk'
import { expect, test } from 'vitest'
import type { Cluster } from '../src/cluster.js'
import type { NodeEvent } from '../src/directory.js'
import { linked, pidOf, startHosts } from './nodes.js'

const hosts = startHosts(['a', 'b'])

/** Calls that end when a speaker is told to release them. */
function waiting(cluster: Cluster, count: number): Promise<unknown>[] {
  return Array.from({ length: count }, () => cluster.call('speaker', 'synthesize', { text: 'wait' }))
}

async function readAll(pieces: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of pieces);
}

async function callsAt(node: string): Promise<number> {
  const { details } = await hosts.host(node).health('speaker')
  return Number(details?.['calls_in_flight'])
}

async function madeAt(node: string): Promise<number> {
  const [voice] = await (await hosts.host(node).get(TTSContract, 'speaker')).getVoices()
  return Number(Reflect.get(Object(voice?.metadata), 'made'))
}

async function release(): Promise<void> {
  for (const node of ['a', 'b']) await hosts.host(node).call('speaker', 'synthesize', { text: 'release' })
}

test('the same handle as a host gives, on all nodes that have the plugin', async () => {
  const { cluster } = await hosts.join()
  const tts = await cluster.get(TTSContract, 'speaker')
  expect([tts.name, tts.contract]).toEqual(['speaker', 'tts'])
  const { audio, sampleRate } = await tts.synthesize('large')
  expect([audio.length, audio[44], audio.at(-1), sampleRate]).toEqual([1_000_044, 2, 1, 8000])
  await linked(cluster, 2)
  const pids = new Set<string>()
  for (let call = 0; call < 40; call++) pids.add(await pidOf(cluster))
  expect(pids.size).toBe(2)
  await expect(tts.synthesize('refuse')).rejects.toMatchObject({
    codeName: 'TTS_TEXT_TOO_LONG',
    data: { limit: 3 },
  })
  await tts.unload()
  expect((await tts.health()).message).toBe('2 of 2 nodes are ready')
  expect(await cluster.call('speaker', 'synthesize', { text: 'ab' })).toMatchObject({
    audio_b64: expect.stringMatching(/^UklGR/),
  })
  await cluster.close()
  await expect(tts.synthesize('x')).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_READY' })
})

test('calls are spread by what each node has to do', async () => {
  const { cluster } = await hosts.join()
  await linked(cluster, 2)
  const calls = waiting(cluster, 10)
  await expect.poll(() => Promise.all(['a', 'b'].map(callsAt))).toEqual([5, 5])
  await release()
  await Promise.all(calls)
  await cluster.close()
})

test('a plugin that does one call at a time leaves the others with the caller', async () => {
  const { cluster } = await hosts.join()
  await linked(cluster, 2, 'serial')
  const calls = Array.from({ length: 5 }, () => cluster.call('serial', 'synthesize', { text: 'x' }))
  const { details } = await cluster.health('serial')
  expect(details?.['queued_calls']).toBeLessThan(4)
  await Promise.all(calls)
  await cluster.close()
})

test('a stream makes no more than its reader takes, and ends where it is left', async () => {
  const { cluster } = await hosts.join(['a'])
  const before = await madeAt('a')
  const pieces = cluster.stream('speaker', 'synthesize_stream', { text: 'x' })
  expect((await pieces.next()).done).toBe(false)
  await expect.poll(() => madeAt('a')).toBeGreaterThan(before + 7)
  expect((await madeAt('a')) - before).toBeLessThan(40)
  await pieces.return?.()
  await expect.poll(() => madeAt('a')).toBe(-1)
  await cluster.close()
})

test('an argument may follow piece by piece', async () => {
  const { cluster } = await hosts.join()
  const tts = await cluster.get(TTSContract, 'speaker')
  async function* words() {
    for (let word = 0; word < 200; word++) yield `w${word}`
  }
  const said: unknown[] = []
  for await (const { text } of tts.synthesizeStream(words())) said.push(text)
  expect(said).toEqual(Array.from({ length: 200 }, (_, word) => `w${word}`))
  await cluster.close()
})

test('a call that is cancelled, or late, ends in the plugin too', async () => {
  const { cluster } = await hosts.join(['a'])
  const abort = new AbortController()
  const call = cluster.call('speaker', 'synthesize', { text: 'wait' }, { signal: abort.signal })
  await expect.poll(() => callsAt('a')).toBe(1)
  abort.abort()
  await expect(call).rejects.toMatchObject({ codeName: 'REQUEST_CANCELLED' })
  expect(await madeAt('a')).toBe(-1)
  const late = cluster.call('speaker', 'synthesize', { text: 'wait' }, { timeoutMs: 50 })
  await expect(late).rejects.toMatchObject({ codeName: 'CALL_TIMEOUT', data: { node: 'a', timeout_ms: 50 } })
  await expect.poll(() => callsAt('a')).toBe(0)
  await cluster.close()
})

test('a caller that leaves: its calls end, here and in the plugin', async () => {
  const { cluster } = await hosts.join(['a'])
  await linked(cluster, 1)
  const [call] = waiting(cluster, 1)
  const stream = cluster.stream('speaker', 'synthesize_stream', { text: 'x' })
  await stream.next()
  const settled = Promise.allSettled([call, readAll(stream)])
  await expect.poll(() => callsAt('a')).toBe(1)
  await cluster.close()
  for (const end of await settled)
    expect(end).toMatchObject({ status: 'rejected', reason: { codeName: 'PLUGIN_NOT_READY' } })
  await expect.poll(() => callsAt('a')).toBe(0)
})

test('a session stays with its node, by an id of the caller’s own', async () => {
  const { cluster } = await hosts.join()
  await linked(cluster, 2, 'ears')
  const stt = await cluster.get<STTContract>('ears')
  const sessions = await Promise.all(Array.from({ length: 6 }, () => stt.startStream()))
  expect(new Set(sessions).size).toBe(6)
  for (let round = 0; round < 3; round++)
    await Promise.all(sessions.map((id, index) => stt.feedAudio(id, new Uint8Array(2 * index + 2))))
  const ends = await Promise.all(sessions.map((id) => stt.endStream(id)))
  expect(ends.map(({ text }) => Number(/\d+/.exec(text)?.[0]))).toEqual([6, 12, 18, 24, 30, 36])
  await expect(stt.feedAudio(sessions[0] ?? '', new Uint8Array(2))).rejects.toThrow('no session')
  await cluster.close()
})

test('a node that is gone: each call there fails once, and the next ones go to others', async () => {
  const { cluster, cable } = await hosts.join()
  await linked(cluster, 2)
  const events: NodeEvent[] = []
  cluster.on('node', (event) => events.push(event))
  const calls = Promise.allSettled(waiting(cluster, 8))
  await expect.poll(() => Promise.all(['a', 'b'].map(callsAt))).toEqual([4, 4])
  cable.kill('a')
  expect(new Set(await Promise.all(Array.from({ length: 8 }, () => pidOf(cluster))))).toEqual(
    new Set([await pidOf(cluster)]),
  )
  await release()
  const failed = (await calls).flatMap((call) => (call.status === 'rejected' ? [call.reason] : []))
  expect(failed).toHaveLength(4)
  for (const error of failed)
    expect(error).toMatchObject({
      codeName: 'PLUGIN_CRASHED',
      data: { plugin: 'speaker', node: 'a', lost: 'node' },
    })
  // What the node does for a caller that is gone, it stops.
  await expect.poll(() => callsAt('a')).toBe(0)
  await expect.poll(() => events).toMatchObject([{ node: 'a', change: 'lost' }])
  expect(cluster.nodes().map(({ node }) => node)).toEqual(['b'])
  await cluster.close()
})

test('calls and streams that a node has certainly not read go to another one by themselves', async () => {
  const { cluster, cable } = await hosts.join()
  await linked(cluster, 2)
  await linked(cluster, 2, 'ears')
  const stt = await cluster.get<STTContract>('ears')
  const alone = await hosts.host('b').call('speaker', 'get_voices')
  cable.hold('a')
  const calls = Array.from({ length: 8 }, () => pidOf(cluster))
  const streams = Array.from({ length: 4 }, () =>
    cluster.stream('speaker', 'synthesize_stream', { text: 'x' }),
  )
  const pieces = Promise.all(streams.map((stream) => stream.next()))
  const sessions = Promise.all(Array.from({ length: 4 }, () => stt.startStream()))
  // What is sent is on its way.
  await turn()
  cable.kill('a')
  const { id } = Object((alone as unknown[])[0])
  expect(await Promise.all(calls)).toEqual(Array(8).fill(id))
  expect((await pieces).map(({ value }) => value.text)).toEqual(Array(4).fill(id))
  for (const session of await sessions) await stt.endStream(session)
  await Promise.all(streams.map((stream) => stream.return?.()))
  await cluster.close()
})

test('a call that is repeated goes to another node, whether the node or only the plugin has crashed', async () => {
  const { cluster, cable } = await hosts.join()
  await linked(cluster, 2)
  const good = await pidOf(await (await hosts.join(['b'])).cluster)
  for (const config of [{ crashes: true }, { hangs: true }]) {
    await hosts.host('a').swap('speaker', 'speaker', { config })
    const calls = Array.from({ length: 6 }, () =>
      cluster.call('speaker', 'get_voices', {}, { retry: 1, timeoutMs: 20_000 }),
    )
    if (config.hangs) {
      await expect.poll(() => callsAt('a')).toBeGreaterThan(0)
      cable.kill('a')
    }
    for (const answer of await Promise.all(calls)) expect(answer).toMatchObject([{ id: good }])
  }
  await hosts.host('a').swap('speaker', 'speaker', { config: {} })
  await cluster.close()
})

test('a plugin whose process ends: the error names the node', async () => {
  const { cluster } = await hosts.join(['a'])
  await hosts.host('a').swap('speaker', 'speaker', { config: { crashes: true } })
  await expect(cluster.call('speaker', 'get_voices')).rejects.toMatchObject({
    codeName: 'PLUGIN_CRASHED',
    data: { plugin: 'speaker', node: 'a', exit: 'exited with code 1' },
  })
  await hosts.host('a').swap('speaker', 'speaker', { config: {} })
  expect(await pidOf(cluster)).toMatch(/^\d+$/)
  await cluster.close()
})
