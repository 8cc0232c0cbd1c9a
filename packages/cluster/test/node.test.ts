import { randomBytes } from 'node:crypto'
import { PluginHost } from '@appfactory/host'
import { openPeer } from '@appfactory/host/internal'
import type { Peer } from '@appfactory/sdk/internal'
import { connect } from '@nats-io/transport-node'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ttsPlugin, writePlugin } from '../../host/test/fixtures/plugins.js'
import type { Beat } from '../src/beat.js'
import { Cluster } from '../src/cluster.js'
import { NatsCable } from '../src/nats-cable.js'
import { type ClusterNode, serveNode } from '../src/node.js'
import { listNodes } from '../src/nodes.js'
import { describeWithNats, type NatsServer, startNatsServer } from './nats-server.js'
import { temporaryFolder } from './temporary-folder.js'

/** Says how long its text is, slowly where it is told to, and gives large sound. */
const members = `
  async synthesize(text, voiceId, { signal } = {}) {
    if (text === 'wait') await new Promise((resolve, reject) => signal.addEventListener('abort', () => { console.error('cancelled'); reject(signal.reason) }))
    if (text === 'soon') await new Promise((resolve) => setTimeout(resolve, 300))
    return encodeWav(new Int16Array(text === 'long' ? 1e6 : text.length), { sampleRate: 8000 })
  }
  async *synthesizeStream(text) {
    for (let index = 0; index < Number(text); index++) yield { audio: encodeWav(new Int16Array(8), { sampleRate: 8000 }), text: String(index) }
  }
`

const call = (peer: Peer, text: string, more: object = {}): Promise<unknown> =>
  peer.request('plugin/call', { plugin: 'voice', method: 'synthesize', args: { text }, ...more })

describeWithNats('a node', () => {
  const folder = temporaryFolder()
  const beats: Beat[] = []
  let server: NatsServer
  let host: PluginHost
  let node: ClusterNode
  let cable: NatsCable
  let reach: { nats: string; namespace: string }

  beforeAll(async () => {
    writePlugin(folder(), 'voice', ttsPlugin(members))
    server = await startNatsServer({ config: 'jetstream {}' })
    reach = { nats: server.url, namespace: 'test' }
    host = new PluginHost({ pluginsDir: folder(), projectDir: false })
    await host.load('voice', { replicas: 2 })
    node = await serveNode(host, { ...reach, node: 'gpu-1', labels: { gpu: 'true' }, maxLinksPerCaller: 8 })
    cable = await NatsCable.connect({ ...reach, caller: 'web' })
    cable.onBeat((beat) => beats.push(beat))
  })

  afterAll(async () => {
    await cable?.close()
    await node?.drain()
    await host?.close()
    await server?.[Symbol.asyncDispose]()
  })

  async function dial(plugin = 'voice', to = 'gpu-1'): Promise<{ peer: Peer; close(): void }> {
    const { link, byteNonce } = await cable.dial(plugin, to)
    return { peer: await openPeer(link, { byteNonce }), close: () => link.close() }
  }

  it('tells what it has, to whoever asks', async () => {
    beats.length = 0
    cable.who()
    await expect.poll(() => beats.length).toBeGreaterThan(0)
    expect(beats[0]).toMatchObject({
      ...{ node: 'gpu-1', labels: { gpu: 'true' }, draining: false, leaving: false, protocolVersions: [1] },
      plugins: [
        {
          name: 'voice',
          version: '1.0.0',
          contract: 'tts',
          status: 'READY',
          replicas: 2,
          inFlight: 0,
          generation: 0,
        },
      ],
    })
    expect(await listNodes(reach)).toMatchObject([{ node: 'gpu-1' }])
  })

  it('answers calls, with raw bytes both ways, and streams with credit', async () => {
    const { peer, close } = await dial()
    const audio = await call(peer, 'long')
    expect(audio).toMatchObject({ format: 'wav' })
    expect(Reflect.get(Object(audio), 'audio_b64')).toHaveProperty('data.length', 2_000_044)
    const texts: unknown[] = []
    const params = {
      plugin: 'voice',
      method: 'synthesize_stream',
      args: { text: '200' },
      stream: { credit: 4 },
    }
    for await (const piece of peer.stream('plugin/call', params, { window: 4 }))
      texts.push(Reflect.get(Object(piece), 'text'))
    expect(texts).toEqual(Array.from({ length: 200 }, (_, index) => String(index)))
    const many = await Promise.all(Array.from({ length: 500 }, (_, index) => call(peer, 'x'.repeat(index))))
    expect(many).toHaveLength(500)
    close()
  })

  it('lets a call link see nothing but its plugin', async () => {
    const { peer, close } = await dial()
    expect(await peer.request('plugin/describe', { name: 'voice' })).toMatchObject({
      contract: { name: 'tts' },
    })
    for (const [method, params] of [
      ['plugin/list', {}],
      ['plugin/load', { name: 'voice' }],
      ['plugin/call', { plugin: 'other', method: 'x' }],
      ['shutdown', {}],
    ] as const)
      await expect(peer.request(method, params)).rejects.toMatchObject({ codeName: 'CALL_FORBIDDEN' })
    close()
  })

  it('lets an administrator load, swap and unload', async () => {
    writePlugin(folder(), 'second', ttsPlugin())
    const { link, byteNonce } = await cable.admin('gpu-1')
    const peer = await openPeer(link, { byteNonce })
    await peer.request('plugin/load', { name: 'second' })
    beats.length = 0
    await peer.request('plugin/swap', { old: 'second', new: 'second' })
    const second = (): unknown => beats.at(-1)?.plugins.find(({ name }) => name === 'second')
    await expect.poll(second).toMatchObject({ generation: 1, status: 'READY' })
    await peer.request('plugin/unload', { name: 'second' })
    await expect.poll(second).toBeUndefined()
    link.close()
  })

  it('cancels what its caller waited for, when that goes', async () => {
    const { peer, close } = await dial()
    const cancelled = new Promise<void>((resolve) => {
      host.on('log', ({ message }) => {
        if (message.includes('cancelled')) resolve()
      })
    })
    const lost = call(peer, 'wait').catch((error: unknown) => error)
    await expect.poll(() => beats.at(-1)?.plugins[0]?.inFlight).toBe(1)
    close()
    await cancelled
    expect(await lost).toMatchObject({ codeName: 'REQUEST_CANCELLED' })
  })

  it.each([
    ['a plugin that it has not', 'other', 'gpu-1', 'PLUGIN_NOT_FOUND', undefined],
    ['a node that is not there', 'voice', 'gpu-2', 'PLUGIN_NOT_READY', 'node'],
  ])('says at once that there is no link to %s', async (_, plugin, to, codeName, lost) => {
    await expect(cable.dial(plugin, to)).rejects.toMatchObject({
      codeName,
      data: { node: to, ...(lost ? { lost } : {}) },
    })
  })

  it('opens so many links for a caller, and more once some are closed', async () => {
    const links = await Promise.all(Array.from({ length: 8 }, () => dial()))
    for (const { peer } of links) await peer.request('ping', {})
    await expect(dial()).rejects.toMatchObject({ codeName: 'RESOURCE_EXHAUSTED' })
    for (const { close } of links) close()
    await expect
      .poll(() =>
        dial()
          .then(({ close }) => close())
          .then(
            () => 'open',
            () => 'refused',
          ),
      )
      .toBe('open')
  })

  it('takes nothing of who dials in the name of another', async () => {
    const stranger = await connect({ servers: server.url })
    const forged = { linkVersion: 1, protocolVersions: [1], caller: 'web', takes: { lines: 1e6, bytes: 1e6 } }
    for (let index = 0; index < 50; index++) {
      const [link, byteNonce] = [randomBytes(16).toString('hex'), 'x'.repeat(16)]
      stranger.publish('af.test.dial.voice.gpu-1', JSON.stringify({ ...forged, link, byteNonce }))
    }
    for (const body of ['', '{', '[]', '{"caller":">"}', randomBytes(200)])
      stranger.publish('af.test.dial.voice.gpu-1', body)
    await stranger.flush()
    const { peer, close } = await dial()
    expect(await peer.request('ping', {})).toBe('pong')
    close()
    await stranger.close()
  })

  it('refuses a name that another node has', async () => {
    const refused = serveNode(host, { ...reach, node: 'gpu-1' })
    await expect(refused).rejects.toMatchObject({
      codeName: 'PLUGIN_NOT_READY',
      message: expect.stringContaining('"gpu-1"'),
    })
    await using other = await serveNode(host, { ...reach, node: 'gpu-2' })
    expect(other.name).toBe('gpu-2')
  })

  it('serves nobody who means another run of its name', async () => {
    const { boot } = beats.findLast(({ node: name }) => name === 'gpu-1') ?? {}
    await expect(cable.dial('voice', 'gpu-1', 'another')).rejects.toMatchObject({
      codeName: 'PLUGIN_NOT_READY',
      message: expect.stringContaining('has a namesake'),
    })
    const { link } = await cable.dial('voice', 'gpu-1', boot)
    link.close()
  })

  it('is heard and called where there is no limit to what can have none', async () => {
    const none = Number.POSITIVE_INFINITY
    const second = new PluginHost({ pluginsDir: folder(), projectDir: false })
    await second.load('voice')
    const limits = { maxReplicas: none, maxLinksPerCaller: none, maxCallersPerNode: none, resumeMs: none }
    const endless = await serveNode(second, { ...reach, node: 'endless', desired: true, ...limits })
    const patient = { resumeMs: none, connectTimeoutMs: none, callTimeoutMs: none }
    await using cluster = await Cluster.connect({ ...reach, ...patient })
    expect(cluster.nodes().map(({ node: name }) => name)).toContain('endless')
    const { link } = await cable.dial('voice', 'endless')
    link.close()
    expect(await cluster.call('voice', 'synthesize', { text: 'abc' })).toMatchObject({ format: 'wav' })
    await endless.drain()
    await second.close()
  })

  it('is listed by tools of NATS', async () => {
    const tool = await connect({ servers: server.url })
    const asked = await tool.request('$SRV.INFO.appfactory', '', { timeout: 5000 })
    expect(asked.json()).toMatchObject({
      type: 'io.nats.micro.v1.info_response',
      name: 'appfactory',
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      metadata: { node: 'gpu-1', namespace: 'test', gpu: 'true' },
      endpoints: [{ name: 'voice', subject: 'af.test.dial.voice.gpu-1' }],
    })
    const { id } = asked.json<{ id: string }>()
    for (const [question, type] of [
      ['PING', 'ping'],
      ['STATS', 'stats'],
    ])
      expect((await tool.request(`$SRV.${question}.appfactory.${id}`, '')).json()).toMatchObject({
        type: `io.nats.micro.v1.${type}_response`,
        id,
      })
    await tool.close()
  })

  it('finishes what it has begun before it leaves', async () => {
    const { peer } = await dial()
    const answer = call(peer, 'soon')
    await expect.poll(() => beats.at(-1)?.plugins[0]?.inFlight).toBe(1)
    beats.length = 0
    await node.drain()
    expect(await answer).toMatchObject({ format: 'wav' })
    expect(await node.left).toBeUndefined()
    expect(beats.map(({ draining }) => draining)).not.toContain(false)
    expect(beats.at(-1)).toMatchObject({ leaving: true, plugins: [] })
    await expect(cable.dial('voice', 'gpu-1')).rejects.toMatchObject({ data: { lost: 'node' } })
    // The host goes on.
    expect(await host.call('voice', 'synthesize', { text: 'x' })).toMatchObject({ format: 'wav' })
  })
})
