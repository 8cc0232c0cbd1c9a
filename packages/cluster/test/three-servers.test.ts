import { PluginHost } from '@appfactory/host'
import type { TTSContract } from '@appfactory/sdk'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ttsPlugin, writePlugin } from '../../host/test/fixtures/plugins.js'
import type { BusChange } from '../src/bus.js'
import { Cluster } from '../src/cluster.js'
import { connectNats } from '../src/connection.js'
import { type ClusterNode, serveNode } from '../src/node.js'
import { allKnown, startNatsCluster } from './nats-cluster.js'
import { describeWithNats, type NatsServer } from './nats-server.js'
import { linked } from './nodes.js'
import { temporaryFolder } from './temporary-folder.js'

/** Gives a letter of sound for each letter of text, after a while. */
const members = `
  async synthesize(text) {
    await new Promise((resolve) => setTimeout(resolve, 10))
    return encodeWav(new Int16Array(text.length), { sampleRate: 8000 })
  }
`

describeWithNats('three NATS servers', () => {
  const folder = temporaryFolder()
  let servers: NatsServer[] = []
  let host: PluginHost
  let nodes: ClusterNode[] = []
  let cluster: Cluster
  const reach = () => ({ nats: servers.map(({ url }) => url), namespace: 'test' })

  beforeAll(async () => {
    writePlugin(folder(), 'voice', ttsPlugin(members))
    host = new PluginHost({ pluginsDir: folder(), projectDir: false })
    const [started] = await Promise.all([startNatsCluster(3), host.load('voice')])
    servers = started
    nodes = await Promise.all(['a', 'b', 'c'].map((node) => serveNode(host, { ...reach(), node })))
    cluster = await Cluster.connect(reach())
  })

  afterAll(async () => {
    await cluster?.close()
    await Promise.all(nodes.map((node) => node.drain()))
    await host?.close()
    await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()))
  })

  it('tell those who know all of them that one has gone', async () => {
    const bus = await connectNats(reach(), 'a test')
    const changes: BusChange[] = []
    bus.onChange((change) => changes.push(change))
    await servers[1]?.stop()
    await expect.poll(() => changes).toContainEqual({ type: 'moved' })
    await servers[1]?.restart()
    await bus.close()
    for (const server of servers) await allKnown(server, 3)
  })

  it('lose no call of 64 callers, whichever of them is killed', async () => {
    const voice = await cluster.get<TTSContract>('voice')
    await linked(cluster, 3, 'voice')
    let isOver = false
    let answered = 0
    const callers = Array.from({ length: 64 }, async (_, caller) => {
      while (!isOver) {
        const { audio } = await voice.synthesize('x'.repeat(caller))
        expect(audio.length).toBe(44 + 2 * caller)
        answered += 1
      }
    })
    const all = Promise.all(callers)
    // Whoever fails tells at once.
    const go = async (): Promise<void> => {
      const before = answered
      await Promise.race([all, expect.poll(() => answered).toBeGreaterThan(before + 256)])
    }
    for (const server of servers) {
      await go()
      await server.stop()
      await go()
      await server.restart()
      await allKnown(server, 3)
    }
    isOver = true
    await all
  })
})
