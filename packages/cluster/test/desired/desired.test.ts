import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { isAlive, ttsPlugin, writePlugin } from '../../../host/test/fixtures/plugins.js'
import type { LinesProcess } from '../../../sdk/test/lines-process.js'
import { Cluster } from '../../src/cluster.js'
import { describeWithNats, type NatsServer, startNatsServer } from '../nats-server.js'
import { startNode } from '../node-process.js'
import { pidOf, speaker } from '../nodes.js'
import { temporaryFolder } from '../temporary-folder.js'

/** Keeps state, says which process it is, and notes who has worked. */
const stateful = `import { appendFileSync } from 'node:fs'
${ttsPlugin(`
  async synthesize(text) { appendFileSync(this.config.log, process.pid + '\\n'); return super.synthesize(text) }
  async getVoices() { return [{ id: String(process.pid), name: 'One', language: 'en' }] }
  async captureState() { return {} }
  async restoreState() {}
`)}`

describeWithNats('what is wanted of a whole cluster', () => {
  const folder = temporaryFolder()
  const ends: (() => unknown)[] = []
  const nodes = new Map<string, LinesProcess>()
  let server: NatsServer
  let cluster: Cluster

  const start = async (node: string, ...more: string[]): Promise<void> => {
    const args = ['--desired', '--node-limit', 'leaseMs=1500', ...more]
    const atEnd = (end: () => unknown): void => void ends.push(end)
    nodes.set(node, await startNode({ cwd: folder(), nats: server.url, node, args, atEnd }))
  }

  const log = (): string => join(folder(), 'calls')

  const runningOn = (plugin: string): Record<string, number> => {
    const found = cluster.desired().find(({ name }) => name === plugin)
    const running = (found?.nodes ?? []).filter((each) => each.running > 0)
    return Object.fromEntries(running.map((each) => [each.node, each.running]))
  }

  beforeAll(async () => {
    const plugins = join(folder(), 'plugins')
    writePlugin(plugins, 'speaker', speaker)
    writePlugin(plugins, 'counter', stateful)
    writePlugin(plugins, 'singer', speaker)
    writePlugin(plugins, 'choir', speaker)
    server = await startNatsServer({ config: 'jetstream { store_dir: "js" }' })
    await Promise.all([start('a', '--label', 'gpu=true'), start('b', '--label', 'gpu=true'), start('c')])
    cluster = await Cluster.connect({ nats: server.url, namespace: 'test' })
  })

  afterAll(async () => {
    await cluster?.close()
    await Promise.all(ends.map((end) => end()))
    await server?.[Symbol.asyncDispose]()
  })

  it('runs on nodes with the labels; what no node has is told', async () => {
    const [tts] = await Promise.all([
      cluster.load('speaker', { replicas: 4, on: { gpu: 'true' } }),
      cluster.load('counter', { on: { gpu: 'true' }, config: { log: log() } }),
      expect(cluster.load('nothing')).rejects.toMatchObject({
        codeName: 'PLUGIN_NOT_FOUND',
        data: { nodes: ['a', 'b', 'c'] },
      }),
    ])
    expect(tts.contract).toBe('tts')
    // A node that has not heard of the other one yet runs all four for a moment.
    await expect.poll(() => runningOn('speaker')).toEqual({ a: 2, b: 2 })
    await cluster.scale('speaker', 2)
    await expect.poll(() => runningOn('speaker')).toEqual({ a: 1, b: 1 })
  })

  it('what is swapped for another plugin is wanted as that one, also by its old name', async () => {
    await cluster.load('singer', { replicas: 2, on: { gpu: 'true' } })
    await expect.poll(() => runningOn('singer')).toEqual({ a: 1, b: 1 })
    await cluster.swap('singer', 'choir')
    await expect.poll(() => runningOn('choir')).toEqual({ a: 1, b: 1 })
    const names = (): string[] =>
      cluster
        .nodes()
        .flatMap(({ plugins }) => plugins.map(({ name }) => name).filter((name) => /singer|choir/.test(name)))
    expect([names(), cluster.desired().some(({ name }) => name === 'singer')]).toEqual([
      ['choir', 'choir'],
      false,
    ])
    expect(await pidOf(cluster, 'singer')).toMatch(/\d/)
    await cluster.scale('singer', 3)
    await cluster.unload('singer')
    await expect.poll(names).toEqual([])
  })

  it('a node that stands still loses its plugins to another, and ends its own when it goes on', async () => {
    const [holder = ''] = Object.keys(runningOn('counter'))
    const before = await pidOf(cluster, 'counter')
    const stopped = nodes.get(holder)?.child
    stopped?.kill('SIGSTOP')
    // It lies before the node when that goes on.
    const late = cluster.call('counter', 'synthesize', { text: 'late' }).catch(({ codeName }) => codeName)
    expect(await late).toBe('PLUGIN_CRASHED')
    await expect.poll(() => runningOn('counter')[holder], { timeout: 10_000 }).toBeUndefined()
    await expect.poll(() => Object.values(runningOn('counter')), { timeout: 10_000 }).toEqual([1])
    await expect.poll(() => Object.values(runningOn('speaker'))).toEqual([2])
    const after = await pidOf(cluster, 'counter')
    expect(after).not.toBe(before)
    stopped?.kill('SIGCONT')
    // All who call reach the new one, also while the old one finds out.
    while (isAlive(Number(before))) expect(await pidOf(cluster, 'counter')).toBe(after)
    await expect.poll(() => cluster.nodes().length).toBe(3)
    await cluster.call('counter', 'synthesize', { text: 'now' })
    expect(readFileSync(log(), 'utf8')).toBe(`${after}\n`)
  })

  it('while JetStream is away, calls go on, and what has state ends; both are there again afterwards', async () => {
    const state = await pidOf(cluster, 'counter')
    const others = await Promise.all([1, 2, 3, 4].map(() => pidOf(cluster)))
    await server.stop()
    await expect.poll(() => isAlive(Number(state)), { timeout: 10_000 }).toBe(false)
    // One of the two may be on its way to the node that went on, at this moment.
    expect(others.some((pid) => isAlive(Number(pid)))).toBe(true)
    await server.restart()
    const again = await expectSoon(() => pidOf(cluster, 'counter'))
    expect(again).not.toBe(state)
    expect(await expectSoon(() => pidOf(cluster))).not.toBe(again)
  })

  it('a node that is killed is replaced by one that comes', async () => {
    const [victim = ''] = Object.keys(runningOn('speaker'))
    nodes.get(victim)?.child.kill('SIGKILL')
    await start('d', '--label', 'gpu=true')
    await expect.poll(() => Object.keys(runningOn('speaker')), { timeout: 10_000 }).not.toContain(victim)
    await expect.poll(() => Object.values(runningOn('speaker')).reduce((sum, each) => sum + each, 0)).toBe(2)
    await cluster.unload('speaker')
    expect(cluster.desired().map(({ name }) => name)).toEqual(['counter'])
  })
})

/** What it resolves to as soon as it does. */
async function expectSoon<T>(attempt: () => Promise<T>): Promise<T> {
  const begun = performance.now()
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (performance.now() - begun > 20_000) throw error
      await delay(50)
    }
  }
}
