import { expect, test } from 'vitest'
import { writePlugin } from '../../host/test/fixtures/plugins.js'
import type { Cluster } from '../src/cluster.js'
import { linked, pidOf, speaker, startHosts } from './nodes.js'

const hosts = startHosts(['a', 'b', 'c'], ['speaker'])

/** The versions that nodes answer with. */
async function versions(cluster: Cluster, nodes: readonly string[]): Promise<string[]> {
  const { length } = nodes
  await linked(cluster, length)
  return Promise.all(
    nodes.map(async (node) => {
      const [voice] = (await hosts.host(node).call('speaker', 'get_voices')) as { name: string }[]
      return voice?.name ?? ''
    }),
  )
}

test('a swap goes from node to node while calls go on', async () => {
  const { cluster } = await hosts.join()
  await linked(cluster, 3)
  writePlugin(hosts.dir, 'speaker', speaker, { version: '2.0.0' })
  let isOver = false
  const calling = (async () => {
    let calls = 0
    for (; !isOver; calls++) await pidOf(cluster)
    return calls
  })()
  const { oldPlugin, newPlugin, nodes } = await cluster.swap('speaker', 'speaker')
  isOver = true
  expect(await calling).toBeGreaterThan(0)
  expect([oldPlugin, newPlugin, nodes.map(({ node }) => node)]).toEqual([
    ...['speaker', 'speaker'],
    ['a', 'b', 'c'],
  ])
  expect(nodes[0]).toMatchObject({ oldVersion: '1.0.0', newVersion: '2.0.0' })
  expect(await versions(cluster, ['a', 'b', 'c'])).toEqual(['2.0.0', '2.0.0', '2.0.0'])
  await cluster.close()
})

test('a swap stops at the first node that fails, and goes back where that is asked for', async () => {
  const { cluster } = await hosts.join()
  await linked(cluster, 3)
  await hosts.host('b').load('serial')
  const swap = (rollback: boolean): Promise<unknown> => cluster.swap('speaker', 'serial', { rollback })
  await expect(swap(true)).rejects.toMatchObject({
    codeName: 'PLUGIN_ALREADY_LOADED',
    message: expect.stringContaining('stopped at node b'),
    data: { node: 'b', nodes: ['a'], rolled_back: ['a'] },
  })
  const loaded = (): string[][] =>
    cluster.nodes().map(({ plugins }) => plugins.map(({ name }) => name).sort())
  await expect.poll(loaded).toEqual([['speaker'], ['serial', 'speaker'], ['speaker']])
  await expect(swap(false)).rejects.toMatchObject({ data: { node: 'b', nodes: ['a'] } })
  await expect.poll(loaded).toEqual([['serial'], ['serial', 'speaker'], ['speaker']])
  // Calls by the old name reach the new plugin, as they do on a host.
  const pids = await Promise.all(Array.from({ length: 30 }, () => pidOf(cluster)))
  expect(new Set(pids).size).toBe(3)
  await cluster.swap('serial', 'speaker', { on: ['a'] })
  await hosts.host('b').unload('serial')
  await cluster.close()
})

test('plugins are loaded, scaled and unloaded on nodes that are named', async () => {
  const { cluster } = await hosts.join()
  const broken = cluster.load('broken', { on: ['a', 'b'] })
  await expect(broken).rejects.toMatchObject({
    codeName: 'PLUGIN_INITIALIZE_FAILED',
    data: { node: 'a', nodes: [] },
  })
  await expect(cluster.load('serial', { on: ['a', 'nowhere'] })).rejects.toMatchObject({
    codeName: 'INVALID_PARAMS',
    message: expect.stringContaining('There is a, b, c'),
  })
  const serial = await cluster.load('serial', { on: ['a', 'b', 'a'] })
  expect(serial.contract).toBe('tts')
  await cluster.scale('serial', 2, { on: ['b'] })
  const replicas = (): number[] =>
    cluster.nodes().map(({ plugins }) => plugins.find(({ name }) => name === 'serial')?.replicas ?? 0)
  await expect.poll(replicas).toEqual([1, 2, 0])
  await cluster.unload('serial')
  await expect.poll(replicas).toEqual([0, 0, 0])
  await expect(cluster.unload('serial')).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_FOUND' })
  await cluster.close()
})

test('a node that is told to drain leaves', async () => {
  const { cluster } = await hosts.join(['a', 'b'])
  const events: string[] = []
  cluster.on('node', ({ node, change }) => events.push(`${node} ${change}`))
  await cluster.drain('a')
  expect(events).toEqual(['a draining', 'a left'])
  expect(await pidOf(cluster)).toMatch(/\d/)
  await expect(cluster.drain('a')).rejects.toMatchObject({ codeName: 'INVALID_PARAMS' })
  await cluster.close()
})
