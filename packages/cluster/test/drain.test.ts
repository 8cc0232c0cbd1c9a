import { join } from 'node:path'
import { PluginHost } from '@appfactory/host'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { ttsPlugin, writePlugin } from '../../host/test/fixtures/plugins.js'
import { drainOver } from '../src/admin.js'
import { Cluster } from '../src/cluster.js'
import { NatsCable } from '../src/nats-cable.js'
import { serveNode } from '../src/node.js'
import { drainNode, listNodes } from '../src/nodes.js'
import { describeWithNats, type NatsServer, startNatsServer } from './nats-server.js'
import { startNode } from './node-process.js'
import { temporaryFolder } from './temporary-folder.js'

/** Waits where it is told to, and takes its time to end. */
const members = `
  async synthesize(text) {
    if (text === 'wait') await new Promise(() => {})
    if (text === 'soon') await new Promise((resolve) => setTimeout(resolve, 1000))
    return encodeWav(new Int16Array(text.length), { sampleRate: 8000 })
  }
  async shutdown() { await new Promise((resolve) => setTimeout(resolve, 1000)) }
`

describeWithNats('a node that is drained', () => {
  const folder = temporaryFolder()
  let server: NatsServer
  let cluster: Cluster

  beforeAll(async () => {
    writePlugin(join(folder(), 'plugins'), 'voice', ttsPlugin(members))
    server = await startNatsServer({ config: 'jetstream {}' })
    cluster = await Cluster.connect({ nats: server.url, namespace: 'test' })
  })

  afterAll(async () => {
    await cluster?.close()
    await server?.[Symbol.asyncDispose]()
  })

  const start = (node: string, args: readonly string[]) =>
    startNode({ cwd: folder(), nats: server.url, node, args, atEnd: onTestFinished })

  it('has left when its administrator is told so, however long its plugins take to end', async () => {
    await start('a', ['--desired'])
    await expect.poll(() => cluster.nodes().length).toBe(1)
    await cluster.load('voice')
    await cluster.drain('a')
    expect(cluster.nodes()).toEqual([])
    expect(await listNodes({ nats: server.url, namespace: 'test' })).toEqual([])
  })

  it('and is killed before its calls have ended, has not left', async () => {
    const node = await start('b', ['--load', 'voice'])
    const call = cluster.call('voice', 'synthesize', { text: 'wait' })
    call.catch(() => {})
    await expect
      .poll(() => cluster.nodes().some(({ plugins }) => plugins.some((each) => each.inFlight > 0)))
      .toBe(true)
    const drained = cluster.drain('b')
    drained.catch(() => {})
    await expect.poll(() => cluster.nodes().some(({ draining }) => draining)).toBe(true)
    node.child.kill('SIGKILL')
    await expect(drained).rejects.toMatchObject({ codeName: 'PLUGIN_CRASHED', data: { node: 'b' } })
    await expect(call).rejects.toMatchObject({ codeName: 'PLUGIN_CRASHED' })
  })

  it('is passed over by who scales and swaps on all nodes', async () => {
    await Promise.all([start('e', ['--load', 'voice']), start('f', ['--load', 'voice'])])
    await expect.poll(() => cluster.nodes().length).toBe(2)
    const call = cluster.call('voice', 'synthesize', { text: 'soon' })
    const busy = (): string | undefined =>
      cluster.nodes().find(({ plugins }) => plugins.some((each) => each.inFlight > 0))?.node
    await expect.poll(busy).toBeDefined()
    const node = busy() ?? ''
    const drained = cluster.drain(node)
    await expect.poll(() => cluster.nodes().some(({ draining }) => draining)).toBe(true)
    await cluster.scale('voice', 2)
    const { nodes } = await cluster.swap('voice', 'voice')
    expect(nodes.map((each) => each.node)).toEqual([node === 'e' ? 'f' : 'e'])
    await Promise.all([call, drained])
  })

  it('by two at once, has left for both', async () => {
    await start('c', ['--load', 'voice'])
    const call = cluster.call('voice', 'synthesize', { text: 'soon' })
    await expect
      .poll(() => cluster.nodes().some(({ plugins }) => plugins.some((each) => each.inFlight > 0)))
      .toBe(true)
    const first = cluster.drain('c')
    await expect.poll(() => cluster.nodes().some(({ draining }) => draining)).toBe(true)
    await Promise.all([first, drainNode('c', { nats: server.url, namespace: 'test' })])
    expect(await call).toMatchObject({ format: 'wav' })
  })

  it('is the run that is meant, and no other of that name', async () => {
    const reach = { nats: server.url, namespace: 'test' }
    const host = new PluginHost({ pluginsDir: join(folder(), 'plugins'), projectDir: false })
    const node = await serveNode(host, { ...reach, node: 'd' })
    await using cable = await NatsCable.connect(reach)
    await expect(drainOver(cable, { node: 'd', boot: 'before' })).rejects.toMatchObject({
      codeName: 'PLUGIN_NOT_READY',
    })
    expect(node.isDraining).toBe(false)
    await expect(drainNode('d d', reach)).rejects.toBeInstanceOf(TypeError)
    await expect(drainNode('nowhere', reach)).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_READY' })
    await drainNode('d', reach)
    expect(await node.left).toBeUndefined()
    await host.close()
  })
})
