import { PluginError, TTSContract } from '@appfactory/sdk'
import { expect, test } from 'vitest'
import { ttsPlugin, writePlugin } from '../../host/test/fixtures/plugins.js'
import { linked, pidOf, startHosts } from './nodes.js'

const hosts = startHosts(['a', 'b'])

test('a call waits for a node, within its own time', async () => {
  const { cluster, cable } = await hosts.join([])
  const call = cluster.call('speaker', 'get_voices', {}, { timeoutMs: 60_000 })
  const stream = cluster.stream('speaker', 'synthesize_stream', { text: 'x' }).next()
  cable.join('a', hosts.host('a'))
  expect(await call).toHaveLength(1)
  expect((await stream).done).toBe(false)
  await cluster.close()
})

test('where no node is there, a call that has waited says so', async () => {
  const { cluster, cable } = await hosts.join(['a'])
  await linked(cluster, 1)
  cable.tell('a', { leaving: true })
  cable.kill('a')
  const late = (): Promise<unknown> => cluster.call('speaker', 'get_voices', {}, { timeoutMs: 50 })
  await expect(late()).rejects.toMatchObject({
    codeName: 'CALL_TIMEOUT',
    message: expect.stringContaining('No node is there'),
    data: { plugin: 'speaker', timeout_ms: 50 },
  })
  cable.join('b', hosts.host('b'))
  await hosts.host('b').unload('speaker')
  cable.tell('b')
  await expect(late()).rejects.toThrow('a had it and is not there any more; b does not have it')
  cable.connect(false)
  await expect(late()).rejects.toThrow('NATS is not connected')
  cable.connect(true)
  const call = cluster.call('speaker', 'get_voices', {}, { timeoutMs: 60_000 })
  await hosts.host('b').load('speaker')
  expect(await call).toHaveLength(1)
  await cluster.close()
})

test('a node is reached soon after NATS was away for long', async () => {
  const { cluster, cable } = await hosts.join(['a'])
  const dial = cable.dial.bind(cable)
  let attempts = 0
  cable.dial = async (plugin, node) => {
    attempts += 1
    if (cable.isConnected) return dial(plugin, node)
    throw new PluginError('PLUGIN_NOT_READY', 'not connected', { lost: 'link' })
  }
  cable.connect(false)
  const call = cluster.call('speaker', 'get_voices', {}, { timeoutMs: 60_000 })
  // With longer and longer waits, there were too few.
  await expect.poll(() => attempts, { timeout: 9000 }).toBeGreaterThan(12)
  cable.connect(true)
  expect(await call).toHaveLength(1)
  await cluster.close()
})

test('a plugin that no node has is not found, and one that was unloaded is not ready', async () => {
  const { cluster } = await hosts.join()
  await expect(cluster.call('nope', 'x')).rejects.toMatchObject({
    codeName: 'PLUGIN_NOT_FOUND',
    message: expect.stringMatching(/"nope".*; a, b were asked.*ears, serial, speaker/),
    data: { nodes: ['a', 'b'] },
  })
  await expect(cluster.get('nope')).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_FOUND' })
  await expect(cluster.stream('nope', 'x').next()).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_FOUND' })
  expect((await cluster.health('nope')).status).toBe('UNLOADED')
  expect(await pidOf(cluster, 'serial')).toMatch(/\d/)
  await Promise.all(['a', 'b'].map((node) => hosts.host(node).unload('serial')))
  await expect.poll(() => cluster.nodes().flatMap(({ plugins }) => plugins).length).toBe(4)
  await expect(cluster.call('serial', 'get_voices')).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_READY' })
  await Promise.all(['a', 'b'].map((node) => hosts.host(node).load('serial')))
  await expect.poll(() => pidOf(cluster, 'serial').catch(() => '')).toMatch(/\d/)
  await cluster.close()
})

test('a caller without the right is told so at once', async () => {
  const { cluster, cable } = await hosts.join()
  cable.refusals.set('speaker', new PluginError('CALL_FORBIDDEN', 'This user may not call it'))
  await expect(cluster.call('speaker', 'get_voices')).rejects.toMatchObject({ codeName: 'CALL_FORBIDDEN' })
  await expect(cluster.get('speaker')).rejects.toMatchObject({ codeName: 'CALL_FORBIDDEN' })
  cable.refusals.clear()
  await expect.poll(() => pidOf(cluster).catch(() => '')).toMatch(/\d/)
  await cluster.close()
})

test('a node that drains gets no more calls, and ends those that it has', async () => {
  const { cluster, cable } = await hosts.join()
  await linked(cluster, 2)
  const events: string[] = []
  cluster.on('node', ({ node, change }) => events.push(`${node} ${change}`))
  const calls = Array.from({ length: 4 }, () => cluster.call('speaker', 'synthesize', { text: 'wait' }))
  const inFlight = async (): Promise<number> =>
    Number((await hosts.host('a').health('speaker')).details?.['calls_in_flight'])
  await expect.poll(inFlight).toBe(2)
  cable.drain('a')
  const pids = await Promise.all(Array.from({ length: 10 }, () => pidOf(cluster)))
  expect(new Set(pids).size).toBe(1)
  for (const node of ['a', 'b']) await hosts.host(node).call('speaker', 'synthesize', { text: 'release' })
  await Promise.all(calls)
  cable.tell('a', { leaving: true })
  await expect.poll(() => events).toEqual(['a draining', 'a left'])
  await cluster.close()
})

test('another contract is refused, and a node with another version of it is left out with one warning', async () => {
  const { cluster, cable } = await hosts.join(['a'])
  await expect(cluster.get(TTSContract, 'ears')).rejects.toMatchObject({ codeName: 'CONTRACT_MISMATCH' })
  const warnings: string[] = []
  cluster.on('warning', (message) => warnings.push(message))
  const pid = await pidOf(cluster)
  cable.join('b', hosts.host('b'), { contractVersion: '2.0.0' })
  for (let beat = 0; beat < 3; beat++) cable.tell('b')
  const pids = await Promise.all(Array.from({ length: 8 }, () => pidOf(cluster)))
  expect(new Set(pids)).toEqual(new Set([pid]))
  expect(warnings.map((text) => text.split(' of contract')[0])).toEqual([
    'Plugin "ears" on node b is left out: it has version 2.0.0',
    'Plugin "speaker" on node b is left out: it has version 2.0.0',
  ])
  await cluster.close()
})

test('a call that a node refuses for its limits goes to another one, and fails where all refuse', async () => {
  const small = await hosts.start({ maxCallsInFlight: 1 }, ['speaker'])
  const large = await hosts.start({ maxCallsInFlight: 5 }, ['speaker'])
  const { cluster, cable } = await hosts.join([])
  cable.join('small', small, { capacity: 5 })
  cable.join('large', large)
  await linked(cluster, 2)
  const calls = Array.from({ length: 8 }, () => cluster.call('speaker', 'synthesize', { text: 'wait' }))
  const settled = Promise.allSettled(calls)
  let ended = 0
  for (const call of calls) call.catch(() => {}).finally(() => (ended += 1))
  const inFlight = async (): Promise<unknown[]> =>
    (await Promise.all([small, large].map((host) => host.health('speaker')))).map(
      ({ details }) => details?.['calls_in_flight'],
    )
  await expect.poll(inFlight).toEqual([1, 5])
  await expect.poll(() => ended).toBe(2)
  await Promise.all([small, large].map((host) => host.close({ force: true })))
  const codes = (await settled).map((call) =>
    call.status === 'rejected' ? call.reason.codeName : 'answered',
  )
  expect(codes.filter((code) => code === 'RESOURCE_EXHAUSTED')).toHaveLength(2)
  await cluster.close()
})

test('a plugin that talks as its host does when it refuses a call gets the call once', async () => {
  const { cluster } = await hosts.join()
  await linked(cluster, 2)
  const made = async (): Promise<number> => {
    const counts = ['a', 'b'].map(async (node) => {
      const [voice] = (await hosts.host(node).call('speaker', 'get_voices')) as [
        { metadata: { made: number } },
      ]
      return voice.metadata.made
    })
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
  }
  const before = await made()
  const call = cluster.call('speaker', 'synthesize', { text: 'imitate' })
  await expect(call).rejects.toMatchObject({ codeName: 'RESOURCE_EXHAUSTED', data: { value: 1 } })
  expect((await made()) - before).toBe(1)
  await cluster.close()
})

test('a plugin that is swapped on its node is what callers see of it', async () => {
  const write = (version: string): void =>
    void writePlugin(hosts.dir, 'changing', ttsPlugin(), { version, max_concurrency: Number(version[0]) })
  write('1.0.0')
  const host = await hosts.start({}, ['changing'])
  const { cluster, cable } = await hosts.join([])
  cable.join('only', host)
  const seen = async (): Promise<unknown> => {
    const { manifest } = (await cluster.describe('changing')).plugin
    return [manifest?.version, manifest?.max_concurrency]
  }
  expect(await seen()).toEqual(['1.0.0', 1])
  write('2.0.0')
  await host.swap('changing', 'changing')
  await expect.poll(seen).toEqual(['2.0.0', 2])
  await cluster.close()
  await host.close()
})

test('one plugin answers for its contract: the one loaded last', async () => {
  const { cluster } = await hosts.join()
  expect(cluster.active('stt')).toBe('ears')
  await hosts.host('a').unload('speaker')
  await hosts.host('a').load('speaker')
  await expect.poll(() => cluster.active('tts')).toBe('speaker')
  await expect(cluster.requireActive('llm')).rejects.toMatchObject({ codeName: 'CONTRACT_NOT_FOUND' })
  const list = await cluster.list()
  expect(list.map(({ name, contract, replicas }) => [name, contract, replicas])).toEqual([
    ['ears', 'stt', 2],
    ['serial', 'tts', 2],
    ['speaker', 'tts', 2],
  ])
  expect(list[2]?.capabilities).toContain('synthesize_stream')
  const { contract, plugin } = await cluster.describe('speaker')
  expect([contract.name, plugin.manifest?.version]).toEqual(['tts', '1.0.0'])
  expect(cluster.status()).toMatchObject({ pluginsLoaded: 3 })
  await cluster.close()
})
