import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type STTContract, TTSContract } from '@appfactory/sdk'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { writePlugin } from '../../host/test/fixtures/plugins.js'
import { listener } from '../../host/test/fixtures/swapping.js'
import type { LinesProcess } from '../../sdk/test/lines-process.js'
import { Cluster } from '../src/cluster.js'
import { describeWithNats, type NatsServer, startNatsServer } from './nats-server.js'
import { startNode } from './node-process.js'
import { linked, pidOf, speaker } from './nodes.js'
import { temporaryFolder } from './temporary-folder.js'

describeWithNats('a cluster on NATS', () => {
  const folder = temporaryFolder()
  const ends: (() => unknown)[] = []
  const nodes = new Map<string, LinesProcess>()
  let server: NatsServer
  let cluster: Cluster

  const start = async (node: string): Promise<LinesProcess> => {
    const args = ['--load', 'speaker', '--load', 'ears']
    const atEnd = (end: () => unknown): void => void ends.push(end)
    const started = await startNode({ cwd: folder(), nats: server.url, node, args, atEnd })
    nodes.set(node, started)
    return started
  }

  beforeAll(async () => {
    const plugins = join(folder(), 'plugins')
    mkdirSync(plugins)
    writePlugin(plugins, 'speaker', speaker)
    writePlugin(plugins, 'ears', listener('heard'), { contract: 'stt' })
    server = await startNatsServer()
    await Promise.all(['a', 'b'].map(start))
    cluster = await Cluster.connect({ nats: server.url, namespace: 'test' })
  })

  afterAll(async () => {
    await cluster?.close()
    await Promise.all(ends.map((end) => end()))
    await server?.[Symbol.asyncDispose]()
  })

  /** How many calls of speakers each node has in flight. */
  async function callsInFlight(): Promise<Record<string, number>> {
    const { details } = await cluster.health('speaker')
    const each = Object(details)['nodes'] as { node: string; calls_in_flight: number }[]
    return Object.fromEntries(each.map(({ node, calls_in_flight: calls }) => [node, calls]))
  }

  /** Calls in flight that end when speakers are told to release them, and how many of them each node has. */
  async function waiting(
    count: number,
  ): Promise<{ ended: Promise<PromiseSettledResult<unknown>[]>; at: Record<string, number> }> {
    const calls = Array.from({ length: count }, () => cluster.call('speaker', 'synthesize', { text: 'wait' }))
    const ended = Promise.allSettled(calls)
    let at: Record<string, number> = {}
    await expect
      .poll(async () => {
        at = await callsInFlight()
        return Object.values(at).reduce((sum, each) => sum + each, 0)
      })
      .toBe(count)
    return { ended, at }
  }

  /** Ends the calls that wait, on whichever nodes they are: also on one that is linked again only later. */
  async function release(ended: Promise<unknown>): Promise<void> {
    const all = ended.then(() => true)
    while (!(await Promise.race([all, delay(50, false)])))
      await Promise.all(
        Array.from({ length: 6 }, () => cluster.call('speaker', 'synthesize', { text: 'release' })),
      )
  }

  it('carries calls, bytes, streams and sessions as a host does', async () => {
    const tts = await cluster.get(TTSContract, 'speaker')
    await linked(cluster, 2)
    await linked(cluster, 2, 'ears')
    const { audio } = await tts.synthesize('large')
    expect([audio.length, audio[44], audio.at(-1)]).toEqual([1_000_044, 2, 1])
    const pids = new Set(await Promise.all(Array.from({ length: 20 }, () => pidOf(cluster))))
    expect(pids.size).toBe(2)
    let pieces = 0
    for await (const { text } of tts.synthesizeStream('x')) {
      expect(pids).toContain(text)
      pieces += 1
      if (pieces === 100) break
    }
    const stt = await cluster.get<STTContract>('ears')
    const sessions = await Promise.all(Array.from({ length: 6 }, () => stt.startStream()))
    await Promise.all(sessions.map((id, index) => stt.feedAudio(id, new Uint8Array(2 * index + 2))))
    const texts = await Promise.all(sessions.map(async (id) => (await stt.endStream(id)).text))
    expect(texts.map((text) => Number(/\d+/.exec(text)?.[0]))).toEqual([2, 4, 6, 8, 10, 12])
    const { session_id } = (await cluster.call('ears', 'start_stream')) as { session_id: string }
    await cluster.call('ears', 'feed_audio', { session_id, audio_b64: new Uint8Array(70_000) })
    expect(await cluster.call('ears', 'end_stream', { session_id })).toMatchObject({ text: 'heard 70000' })
    await expect(cluster.call('nope', 'x')).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_FOUND' })
  })

  it('goes on after NATS was away: calls in flight are answered, new ones wait', async () => {
    const { ended } = await waiting(4)
    await server.stop()
    await expect(cluster.call('speaker', 'get_voices', {}, { timeoutMs: 300 })).rejects.toMatchObject({
      codeName: 'CALL_TIMEOUT',
    })
    const later = cluster.call('speaker', 'get_voices', {}, { timeoutMs: 30_000 })
    await server.restart()
    expect(await later).toHaveLength(1)
    await release(ended)
    const codes = (await ended).map((end) => (end.status === 'rejected' ? end.reason.message : 'answered'))
    expect(codes).toEqual(Array(4).fill('answered'))
  })

  it('a node that is killed: each of its calls fails once, and says why; others go on', async () => {
    const { ended, at } = await waiting(8)
    expect(at['a']).toBeGreaterThan(0)
    nodes.get('a')?.child.kill('SIGKILL')
    const after = await Promise.all(Array.from({ length: 20 }, () => pidOf(cluster).catch(() => 'lost')))
    await expect.poll(() => cluster.nodes().map(({ node }) => node)).toEqual(['b'])
    await release(ended)
    const failed = (await ended).flatMap((end) => (end.status === 'rejected' ? [end.reason] : []))
    expect(failed).toHaveLength(at['a'] ?? 0)
    for (const error of failed)
      expect(error).toMatchObject({ codeName: 'PLUGIN_CRASHED', data: { node: 'a', lost: 'node' } })
    expect(after.filter((pid) => pid === 'lost').length).toBeLessThan(20)
    await start('a')
    await linked(cluster, 2)
    await cluster.drain('a')
    expect(cluster.nodes().map(({ node }) => node)).toEqual(['b'])
    expect((await nodes.get('a')?.exited)?.code).toBe(0)
    expect(await pidOf(cluster)).toMatch(/\d/)
  })
})
