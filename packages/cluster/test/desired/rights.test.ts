import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { PluginHost } from '@appfactory/host'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ttsPlugin, writePlugin } from '../../../host/test/fixtures/plugins.js'
import { Cluster } from '../../src/cluster.js'
import { connectNats } from '../../src/connection.js'
import { KvStore } from '../../src/desired/kv-store.js'
import { natsConfig } from '../../src/nats-config.js'
import { type ClusterNode, serveNode } from '../../src/node.js'
import { subjectsOf } from '../../src/subjects.js'
import { describeWithNats, type NatsServer, startNatsServer } from '../nats-server.js'
import { command } from '../node-process.js'
import { temporaryFolder } from '../temporary-folder.js'

describeWithNats('what is wanted of a whole cluster, with the rights of nats-config', () => {
  const folder = temporaryFolder()
  let server: NatsServer
  let host: PluginHost
  let node: ClusterNode
  const as = (name: string) => ({
    nats: server.url,
    namespace: 'test',
    creds: join(folder(), `${name}.nkey`),
  })

  beforeAll(async () => {
    writePlugin(join(folder(), 'plugins'), 'voice', ttsPlugin())
    const [config, ...seeds] = natsConfig({
      namespace: 'test',
      nodes: ['a'],
      callers: ['web'],
      admins: ['boss'],
    })
    for (const { name, text } of seeds) writeFileSync(join(folder(), name), text)
    const text = config?.text.replace(/^listen:.*$/m, 'jetstream { store_dir: "js" }') ?? ''
    server = await startNatsServer({ config: text })
    host = new PluginHost({ pluginsDir: join(folder(), 'plugins'), projectDir: false })
    node = await serveNode(host, { ...as('a'), node: 'a', labels: { gpu: 'true' }, desired: true })
  })

  afterAll(async () => {
    await node?.drain()
    await host?.close()
    await server?.[Symbol.asyncDispose]()
  })

  const storeAs = async (name: string) => {
    const bus = await connectNats(as(name), 'a test', subjectsOf('test').inbox(name))
    return { bus, store: await KvStore.open(bus, subjectsOf('test')) }
  }

  it('administrators say what is wanted, and nodes run it; callers see what came of it, and no more', async () => {
    await using caller = await Cluster.connect(as('web'))
    await expect(caller.load('voice')).rejects.toMatchObject({ codeName: 'CALL_FORBIDDEN' })
    await using admin = await Cluster.connect(as('boss'))
    const tts = await admin.load('voice', { config: { secret: 'x' } })
    expect(tts.contract).toBe('tts')
    expect(caller.desired()).toMatchObject([{ name: 'voice', wanted: 1, running: 1 }])
    const { bus, store } = await storeAs('web')
    await expect(store.get('plugins.voice')).rejects.toMatchObject({ codeName: 'CALL_FORBIDDEN' })
    await expect(store.state()).rejects.toMatchObject({ codeName: 'CALL_FORBIDDEN' })
    await bus.close()
    await admin.unload('voice')
    expect(host.status().pluginsLoaded).toBe(0)
  })

  it('the command says it too, and shows what came of it', async () => {
    const reach = ['--nats', server.url, '--namespace', 'test', '--creds', as('boss').creds]
    const run = async (...args: string[]): Promise<string> =>
      (await promisify(execFile)(process.execPath, [command, ...args, ...reach], { cwd: folder() })).stdout
    const none = run('load', 'voice', '--on', 'gpu=big')
    await expect(none).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('it has no label "gpu=big"'),
    })
    for (const [on, reason] of [
      ['gpu=true,gpu=false', 'a node has one value of the label "gpu"'],
      ['gpu=true,a', 'and not both'],
    ] as const)
      await expect(run('load', 'voice', '--on', on)).rejects.toMatchObject({
        ...{ code: 2, stderr: expect.stringContaining(reason) },
      })
    expect(await run('load', 'voice', '--on', 'gpu=true', '--replicas', '2')).toBe(
      'voice: 2 of 2 wanted processes run\n',
    )
    expect(await run('nodes')).toMatch(/^voice: 2 of 2 wanted processes run$/m)
    expect(await run('scale', 'voice', '1', '--json')).toContain('"wanted": 1')
    expect(await run('unload', 'voice')).toBe('voice is unloaded, and wanted no more\n')
  })

  it('nodes can’t say what is wanted', async () => {
    const { bus, store } = await storeAs('a')
    await expect(store.put('plugins.voice', Buffer.from('{}'), 0)).rejects.toMatchObject({
      codeName: 'CALL_FORBIDDEN',
    })
    await expect(KvStore.open(bus, subjectsOf('other'), { make: true })).rejects.toMatchObject({
      codeName: 'CALL_FORBIDDEN',
    })
    await bus.close()
  })

  it('without JetStream, nodes and administrators are told so', async () => {
    await using plain = await startNatsServer()
    const there = { nats: plain.url, namespace: 'test' }
    await using other = new PluginHost({ pluginsDir: join(folder(), 'plugins'), projectDir: false })
    const off = { codeName: 'PLUGIN_NOT_READY', message: expect.stringContaining('JetStream is off') }
    await expect(serveNode(other, { ...there, node: 'a', desired: true })).rejects.toMatchObject(off)
    await using cluster = await Cluster.connect(there)
    await expect(cluster.load('voice')).rejects.toMatchObject(off)
  })
})
