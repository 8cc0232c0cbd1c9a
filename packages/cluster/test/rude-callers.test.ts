import { PluginHost } from '@appfactory/host'
import { openPeer } from '@appfactory/host/internal'
import type { Peer } from '@appfactory/sdk/internal'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ttsPlugin, writePlugin } from '../../host/test/fixtures/plugins.js'
import { connectNats, type NatsBus } from '../src/connection.js'
import { NatsCable } from '../src/nats-cable.js'
import { type ClusterNode, serveNode } from '../src/node.js'
import { describeWithNats, type NatsServer, startNatsServer } from './nats-server.js'
import { temporaryFolder } from './temporary-folder.js'

/** As many letters of sound as it is told. */
const members = `
  async synthesize(text) { return encodeWav(new Int16Array(Number(text)), { sampleRate: 8000 }) }
`

const call = (id: number, samples: number): string =>
  `${JSON.stringify({
    ...{ jsonrpc: '2.0', id, method: 'plugin/call' },
    params: { plugin: 'voice', method: 'synthesize', args: { text: String(samples) } },
  })}\n`

describeWithNats('a node, among callers that do not behave,', () => {
  const folder = temporaryFolder()
  let server: NatsServer
  let host: PluginHost
  let node: ClusterNode
  let cable: NatsCable
  let stranger: NatsBus

  beforeAll(async () => {
    writePlugin(folder(), 'voice', ttsPlugin(members))
    server = await startNatsServer()
    const reach = { nats: server.url, namespace: 'test' }
    host = new PluginHost({ pluginsDir: folder(), projectDir: false })
    await host.load('voice')
    node = await serveNode(host, { ...reach, node: 'gpu-1' })
    cable = await NatsCable.connect({ ...reach, caller: 'web' })
    stranger = await connectNats(reach, 'a stranger')
  })

  afterAll(async () => {
    await stranger?.close()
    await cable?.close()
    await node?.drain()
    await host?.close()
    await server?.[Symbol.asyncDispose]()
  })

  async function polite(): Promise<{ peer: Peer; size(samples: number): Promise<number>; close(): void }> {
    const { link, byteNonce } = await cable.dial('voice', 'gpu-1')
    const peer = await openPeer(link, { byteNonce })
    const size = async (samples: number): Promise<number> => {
      const params = { plugin: 'voice', method: 'synthesize', args: { text: String(samples) } }
      const { audio_b64: audio } = Object(await peer.request('plugin/call', params))
      // Few bytes are in the message itself.
      return typeof audio === 'string' ? Buffer.from(audio, 'base64').length : audio.data.length
    }
    return { peer, size, close: () => link.close() }
  }

  it('breaks the link of one that reads nothing, and of no other', async () => {
    const { link } = await cable.dial('voice', 'gpu-1')
    const { size, close } = await polite()
    // Each answer is a million bytes: 64 of them are four times what it may leave unread.
    for (let id = 1; id <= 64; id++) link.output.write(call(id, 500_000))
    const sizes = await Promise.all(Array.from({ length: 64 }, (_, samples) => size(samples)))
    expect(sizes).toEqual(sizes.map((_, samples) => 44 + 2 * samples))
    expect(await link.closed).toMatchObject({ codeName: 'RESOURCE_EXHAUSTED' })
    expect(await size(500_000)).toBe(1_000_044)
    close()
  })

  it('refuses one that speaks another version, and answers nonsense of nobody', async () => {
    const answers: string[] = []
    const token = '0123456789abcdef0123456789abcdef'
    stranger.subscribe(`af.test.back.web.${token}.*`, ({ data }) =>
      answers.push(Buffer.from(data).toString()),
    )
    const dial = {
      ...{ linkVersion: 1, protocolVersions: [99], caller: 'web', link: token, byteNonce: token },
      takes: { lines: 1024, bytes: 1024 },
    }
    const dials = [dial, { ...dial, protocolVersions: [1], linkVersion: 9 }]
    const nonsense = [
      { ...dial, takes: { lines: -1, bytes: 0 } },
      { ...dial, link: '*' },
      { ...dial, caller: 'a.b' },
    ]
    for (const body of [...nonsense, ...dials])
      stranger.publish('af.test.dial.voice.gpu-1', Buffer.from(JSON.stringify(body)))
    stranger.publish('af.test.beat.gpu-1', Buffer.alloc(100_000, '['))
    await expect.poll(() => answers).toHaveLength(2)
    for (const answer of answers) expect(answer).toContain('Update the older of the two')
  })

  it('goes on where frames are forged, or sent where no link is', async () => {
    const { peer, size, close } = await polite()
    const forged = [Buffer.alloc(0), Buffer.alloc(13), Buffer.from([1, 0, 0, 0, 1]), Buffer.alloc(300_000, 1)]
    for (const frame of forged)
      for (const subject of ['to.gpu-1.web.x.f', 'to.gpu-1.web.x', 'admin.gpu-1', 'who.gpu-1'])
        stranger.publish(`af.test.${subject}`, frame, 'af.test.back.web.x.c')
    await stranger.flush()
    expect(await size(3)).toBe(50)
    expect(await peer.request('ping', {})).toBe('pong')
    close()
  })
})
