import { PluginError } from '@appfactory/sdk'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Cable } from '../../src/cable.js'
import { DesiredAdmin } from '../../src/desired/desired-admin.js'
import type { DesiredStore } from '../../src/desired/store.js'
import { MemoryStore } from './memory-store.js'
import { World } from './world.js'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** Administrators of a cluster of two nodes; time passes by itself. */
async function administrators(names = ['a', 'b']) {
  const world = new World()
  for (const name of names) world.join(name, { gpu: name === 'a' ? 'true' : 'false' })
  onTestFinished(() => {
    for (const { keeper } of world.nodes.values()) keeper.pause()
  })
  const cable: Pick<Cable, 'desired'> = { desired: async () => world.store }
  const admin = (): DesiredAdmin => new DesiredAdmin(cable, () => world.beats())
  await world.pass(12_000)
  return { world, one: admin(), other: admin() }
}

/** A store that a test puts something of its own into. */
function bound(store: DesiredStore): DesiredStore {
  return {
    state: () => store.state(),
    next: (after) => store.next(after),
    get: (key) => store.get(key),
    put: (...written) => store.put(...written),
    remove: (...removed) => store.remove(...removed),
  }
}

/** What came of it, after so much time. */
async function after<T>(world: World, promise: Promise<T>, ms = 10_000): Promise<T> {
  promise.catch(() => {})
  await world.pass(ms)
  return promise
}

test('it is loaded when it runs, scaled and unloaded; each change has a higher generation', async () => {
  const { world, one } = await administrators()
  await after(world, one.load('x', { replicas: 4, config: { voice: 'rms' } }))
  expect(world.on('x')).toEqual({ a: 2, b: 2 })
  await after(world, one.scale('x', 2))
  expect([world.count('x'), world.status('x')?.generation]).toEqual([2, 2])
  expect(await after(world, one.unload('x'))).toBe(true)
  expect([world.count('x'), one.has('x')]).toEqual([0, false])
  expect(await after(world, one.unload('x'))).toBe(false)
  await after(world, one.load('x', {}))
  expect(world.status('x')?.generation).toBeGreaterThan(2)
})

test('scaled down, no more than that run when it is told', async () => {
  const { world, one } = await administrators()
  await after(world, one.load('x', { replicas: 6 }))
  const told = one.scale('x', 1).then(() => world.status('x')?.running)
  expect(await after(world, told)).toBe(1)
})

test('what nodes have and nobody wants any more is not scaled', async () => {
  const { world, one } = await administrators()
  await after(world, one.load('x', { replicas: 2 }))
  const before = await world.store.get('plugins.x')
  await world.store.remove('plugins.x', before?.revision ?? 0)
  await expect(one.scale('x', 3)).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_FOUND' })
  await after(world, one.load('x', { replicas: 3 }))
  expect(world.count('x')).toBe(3)
})

test('of two who want different things at the same time, one is told', async () => {
  const { world, one, other } = await administrators()
  const both = Promise.allSettled([one.load('x', { replicas: 2 }), other.load('x', { replicas: 3 })])
  const ends = await after(world, both)
  expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  expect(ends).toContainEqual({
    status: 'rejected',
    reason: expect.objectContaining({ codeName: 'PLUGIN_ALREADY_LOADED' }),
  })
  expect(world.count('x')).toBe(ends[0]?.status === 'fulfilled' ? 2 : 3)
})

test('two who want the same get it, and again changes nothing', async () => {
  const { world, one, other } = await administrators()
  await after(world, Promise.all([one.load('x', { replicas: 2 }), other.load('x', { replicas: 2 })]))
  await after(world, one.load('x', { replicas: 2 }))
  expect([world.count('x'), world.status('x')?.generation]).toEqual([2, 1])
})

test('changes of one thing lose no other, also of what a newer version has written', async () => {
  const { world, one, other } = await administrators()
  world.store.set('plugins.x', { replicas: 1, generation: 5, config: { voice: 'rms' }, spread: { zone: 1 } })
  await world.pass(4000)
  await after(world, Promise.all([one.scale('x', 2), other.scale('x', 3)]))
  expect(world.store.read('plugins.x')).toMatchObject({
    generation: 7,
    config: { voice: 'rms' },
    spread: { zone: 1 },
  })
  expect(world.count('x')).toBe((world.store.read('plugins.x') as { replicas: number }).replicas)
})

test('another load changes what runs, when that is done', async () => {
  const { world, one } = await administrators()
  await after(world, one.load('x', { replicas: 2 }))
  await after(world, one.load('x', { replicas: 2, config: { voice: 'two' } }))
  expect(world.nodes.get('b')?.shelf.running.get('x')?.config).toEqual({ voice: 'two' })
  const wrong = after(world, one.load('x', { replicas: 2, config: { wrong: true } }))
  await expect(wrong).rejects.toThrow('it runs as before: wrong configuration')
  expect(world.count('x')).toBe(2)
})

test.each([
  ['is nowhere', { missing: 'x' }, {}, 'PLUGIN_NOT_FOUND', /a, b were asked|a and b were asked/],
  ['can’t be started', { broken: 'x' }, {}, 'PLUGIN_INITIALIZE_FAILED', /no engine/],
  ['has no node with the label', {}, { on: { gpu: 'big' } }, 'PLUGIN_NOT_FOUND', /no label "gpu=big"/],
  ['is there in another version', {}, { version: '2.0.0' }, 'PLUGIN_NOT_FOUND', /another version/],
])('what %s is not loaded, and wanted no more', async (_, fault, options, codeName, message) => {
  const { world, one } = await administrators()
  for (const { shelf } of world.nodes.values()) {
    if ('missing' in fault) shelf.missing.add('x')
    if ('broken' in fault) shelf.broken.add('x')
  }
  const failed = after(world, one.load('x', { replicas: 2, ...options }), 20_000)
  await expect(failed).rejects.toMatchObject({ codeName, message: expect.stringMatching(message) })
  await world.pass(4000)
  expect([world.count('x'), one.has('x')]).toEqual([0, false])
  await after(world, one.load('y', {}))
  expect(world.count('y')).toBe(1)
})

test('without a node that takes part, it is said so', async () => {
  const { world, one } = await administrators([])
  await expect(after(world, one.load('x', {}))).rejects.toMatchObject({
    codeName: 'PLUGIN_NOT_FOUND',
    message: expect.stringContaining('--desired'),
  })
  expect(world.store.read('plugins.x')).toBeUndefined()
})

test('while servers of NATS agree on who leads, changes wait, and one that was made unheard is made once', async () => {
  const { world, one } = await administrators()
  const away = (): Error => new PluginError('PLUGIN_NOT_READY', 'away', { transient: true })
  vi.spyOn(world.store, 'get').mockRejectedValueOnce(away()).mockRejectedValueOnce(away())
  vi.spyOn(world.store, 'put').mockImplementationOnce(async (...written) => {
    await MemoryStore.prototype.put.apply(world.store, written)
    throw away()
  })
  await after(world, one.load('x', { replicas: 2 }))
  expect([world.count('x'), world.status('x')?.generation]).toEqual([2, 1])
  vi.spyOn(world.store, 'remove').mockImplementationOnce(async (...removed) => {
    await MemoryStore.prototype.remove.apply(world.store, removed)
    throw away()
  })
  expect(await after(world, one.unload('x'))).toBe(true)
  expect(world.count('x')).toBe(0)
  world.store.isAway = true
  await expect(after(world, one.load('y', {}))).rejects.toThrow('the store is away')
})

test('what takes long stays wanted', async () => {
  const { world, one } = await administrators()
  for (const { shelf } of world.nodes.values()) shelf.startMs = 30_000
  const late = after(world, one.load('x', { replicas: 2, timeoutMs: 8000 }), 12_000)
  await expect(late).rejects.toMatchObject({
    codeName: 'CALL_TIMEOUT',
    message: expect.stringContaining('stays wanted'),
  })
  await world.pass(40_000)
  expect(world.count('x')).toBe(2)
})

test('where only some can run, that has to do', async () => {
  const { world, one } = await administrators()
  world.nodes.get('b')?.shelf.missing.add('x')
  await after(world, one.load('x', { replicas: 100 }))
  expect(world.status('x')).toMatchObject({
    wanted: 100,
    running: 64,
    why: expect.stringContaining('b: not there'),
  })
})

test('a plugin with state can’t be scaled', async () => {
  const { world, one } = await administrators()
  for (const { shelf } of world.nodes.values()) shelf.withState.add('x')
  await after(world, one.load('x', {}))
  await expect(one.scale('x', 2)).rejects.toMatchObject({ codeName: 'PLUGIN_LOAD_FAILED' })
  expect(world.count('x')).toBe(1)
})

test.each([
  ['a name that is none', 'X y', {}, 'PLUGIN_NOT_FOUND'],
  ['a name with a wildcard', '*', {}, 'PLUGIN_NOT_FOUND'],
  ['no replicas', 'x', { replicas: 0 }, 'INVALID_PARAMS'],
  ['half a replica', 'x', { replicas: 1.5 }, 'INVALID_PARAMS'],
  ['an environment variable', 'x', { config: { $env: ['KEY'] } }, 'INVALID_PARAMS'],
  ['a configuration that is too large', 'x', { config: { text: 'x'.repeat(300_000) } }, 'MESSAGE_TOO_LARGE'],
])('%s is refused, and nothing is written', async (_, name, options, codeName) => {
  const { world, one } = await administrators()
  await expect(one.load(name, options)).rejects.toMatchObject({ codeName })
  expect((await world.store.state()).last).toBe(0)
})

test.each([
  [0, 'replicas: must be at least 1, not 0'],
  [1.5, 'replicas: must be a whole number, not 1.5'],
  [1e9, 'replicas: must be at most 1000, not 1000000000'],
])('%s processes are refused in words for people', async (replicas, words) => {
  const { one } = await administrators()
  for (const refused of [one.load('x', { replicas }), one.scale('x', replicas)])
    await expect(refused).rejects.toMatchObject({ message: expect.stringContaining(words) })
})

test('what nodes leave to one that is about to go is not given up before they have heard of it', async () => {
  const store = new MemoryStore()
  const told = { name: 'x', generation: 1, wanted: 1, running: 0, current: true, share: 0, fits: true }
  const beat = {
    ...{ node: 'a', boot: 'a', sequence: 1, labels: {}, draining: false, leaving: false },
    ...{ protocolVersions: [1], plugins: [], desired: { room: 64, sinceMs: 60_000, plugins: [told] } },
  }
  const loaded = new DesiredAdmin({ desired: async () => store }, () => [beat]).load('x', {})
  loaded.catch(() => {})
  await vi.advanceTimersByTimeAsync(2000)
  Object.assign(told, { running: 1, share: 1 })
  await vi.advanceTimersByTimeAsync(1000)
  await expect(loaded).resolves.toBeUndefined()
})

test('where the store is away for a moment, a node takes the lease later', async () => {
  const { world, one } = await administrators(['a'])
  world.nodes.get('a')?.shelf.withState.add('x')
  world.access = (store) => ({
    ...bound(store),
    put: async () => {
      throw new PluginError('PLUGIN_NOT_READY', 'away', { transient: true })
    },
  })
  const loaded = one.load('x', {})
  loaded.catch(() => {})
  await world.pass(3000)
  world.access = (store) => store
  await after(world, loaded)
  expect([world.on('x'), world.store.read('leases.x')]).toMatchObject([{ a: 1 }, { node: 'a' }])
})

describe('an administrator waits for nothing that will not come', () => {
  test('where another one loads again what is being unloaded', async () => {
    const { world, one, other } = await administrators()
    await after(world, one.load('x', { replicas: 2 }))
    for (const { shelf } of world.nodes.values()) shelf.endMs = 3000
    const unloaded = one.unload('x')
    unloaded.catch(() => {})
    await world.pass(1000)
    await after(world, other.load('x', { replicas: 2 }))
    expect(world.count('x')).toBe(2)
    expect(await after(world, unloaded, 60_000)).toBe(true)
  })

  test('where a node drains, which has its plugins until it leaves', async () => {
    const { world, one } = await administrators()
    await after(world, one.load('x', { replicas: 2 }))
    const a = world.nodes.get('a')
    if (!a) throw new Error('no node')
    a.isDraining = true
    a.keeper.pause()
    expect(await after(world, one.unload('x'), 70_000)).toBe(true)
    expect(world.on('x')).toEqual({ a: 1 })
  })

  test('where another one unloads what is being loaded', async () => {
    const { world, one, other } = await administrators()
    for (const { shelf } of world.nodes.values()) shelf.inspectMs = 3000
    const loaded = one.load('x', { replicas: 2 })
    loaded.catch(() => {})
    await world.pass(500)
    await after(world, other.unload('x'))
    await expect(after(world, loaded, 60_000)).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_FOUND' })
  })
})

describe('what nodes have swapped', () => {
  /** As an administrator does, on one node after the other. */
  async function swapOnAll(world: World, [old, replacement]: [string, string], config = {}): Promise<void> {
    for (const { shelf } of world.nodes.values()) await shelf.swap(old, replacement, config)
  }

  test('for another plugin is wanted as that one, and goes on', async () => {
    const { world, one } = await administrators(['a', 'b', 'c'])
    await after(world, one.load('x', { replicas: 3, config: { voice: 'rms' }, version: '1.0.0' }))
    await swapOnAll(world, ['x', 'y'])
    let least = 3
    const swapped = one.swapped('x', 'y', { config: undefined, version: '1.0.0' })
    swapped.catch(() => {})
    await world.pass(12_000, () => {
      least = Math.min(least, world.count('y'))
    })
    expect(await swapped).toBe(true)
    expect([least, world.on('y'), world.on('x')]).toEqual([3, { a: 1, b: 1, c: 1 }, {}])
    expect([world.status('x'), world.status('y')]).toMatchObject([undefined, { wanted: 3, running: 3 }])
    expect([world.store.read('plugins.x'), world.store.read('plugins.y')]).toMatchObject([
      undefined,
      { replicas: 3, config: {}, version: '1.0.0' },
    ])
    world.join('d')
    world.kill('a')
    await world.pass(20_000)
    expect([world.count('y'), world.count('x')]).toEqual([3, 0])
    // The old one may be loaded anew beside it, and unloaded.
    await after(world, one.load('x', { replicas: 2 }), 20_000)
    expect([world.count('y'), world.count('x')]).toEqual([3, 2])
    await after(world, one.unload('x'), 20_000)
    expect([world.count('y'), world.count('x')]).toEqual([3, 0])
    await after(world, one.unload('y'))
    expect(world.count('y')).toBe(0)
  })

  test('goes on where a folder takes long to look at: the old name is no order to end it', async () => {
    const { world, one } = await administrators()
    await after(world, one.load('x', { replicas: 2 }))
    await swapOnAll(world, ['x', 'y'])
    for (const { shelf } of world.nodes.values()) shelf.inspectMs = 700
    await after(world, one.swapped('x', 'y', { config: undefined, version: '1.0.0' }))
    expect(world.on('y')).toEqual({ a: 1, b: 1 })
    for (const { shelf } of world.nodes.values()) expect(shelf.log).toEqual(['load x=1', 'swap x for y'])
  })

  test('for what is wanted beside it is refused, and both go on', async () => {
    const { world, one } = await administrators()
    await after(world, Promise.all([one.load('x', { replicas: 2 }), one.load('y', { replicas: 4 })]))
    const how = { config: undefined, version: '1.0.0' }
    for (const refused of [one.checkSwap('x', 'y'), one.swapped('x', 'y', how)])
      await expect(refused).rejects.toMatchObject({ codeName: 'PLUGIN_ALREADY_LOADED' })
    await expect(one.checkSwap('x', 'z')).resolves.toBeUndefined()
    await world.pass(4000)
    expect([world.count('x'), world.count('y')]).toEqual([2, 4])
  })

  test('on one node goes back where what it was swapped for comes to be wanted too', async () => {
    const { world, one } = await administrators()
    await after(world, one.load('x', { replicas: 2 }))
    await world.nodes.get('a')?.shelf.swap('x', 'y', {})
    await after(world, one.load('y', { replicas: 2 }))
    await world.pass(6000)
    expect([world.on('x'), world.on('y')]).toEqual([
      { a: 1, b: 1 },
      { a: 1, b: 1 },
    ])
  })

  test('in two steps, the first of which a node has not heard of, goes on there', async () => {
    const { world, one } = await administrators()
    await after(world, one.load('x', { replicas: 2 }))
    const b = world.nodes.get('b')
    if (!b) throw new Error('no node')
    b.isBehind = true
    const how = { config: undefined, version: '1.0.0' }
    await swapOnAll(world, ['x', 'y'])
    one.swapped('x', 'y', how).catch(() => {})
    await world.pass(4000)
    await swapOnAll(world, ['y', 'z'])
    const swapped = one.swapped('y', 'z', how)
    await world.pass(4000)
    b.isBehind = false
    expect(await after(world, swapped)).toBe(true)
    expect(world.on('z')).toEqual({ a: 1, b: 1 })
    expect(b.shelf.log.filter((line) => /load|kill/.test(line))).toEqual(['load x=1'])
  })

  test('leaves alone what is loaded by that name on a node that has not swapped it', async () => {
    const { world, one } = await administrators()
    await after(world, one.load('x', { replicas: 2 }))
    const [a, b] = ['a', 'b'].map((name) => world.nodes.get(name)?.shelf)
    a?.running.set('y', { config: { voice: 'own' }, replicas: 1 })
    await b?.swap('x', 'y', {})
    await after(world, one.swapped('x', 'y', { config: undefined, version: '1.0.0' }))
    await world.pass(10_000)
    expect([...(a?.running ?? [])]).toEqual([['y', { config: { voice: 'own' }, replicas: 1 }]])
    expect(world.on('y')).toEqual({ a: 1, b: 2 })
  })

  test('for itself with another configuration keeps that, and is not swapped again', async () => {
    const { world, one } = await administrators()
    await after(world, one.load('x', { replicas: 2 }))
    await swapOnAll(world, ['x', 'x'], { voice: 'two' })
    await after(world, one.swapped('x', 'x', { config: { voice: 'two' }, version: '1.0.0' }))
    expect(world.store.read('plugins.x')).toMatchObject({ config: { voice: 'two' }, generation: 2 })
    for (const { shelf } of world.nodes.values()) expect(shelf.log).toEqual(['load x=1', 'swap x'])
    expect(await after(world, one.swapped('y', 'y', { config: {}, version: '1.0.0' }))).toBe(false)
  })

  test('while a node was away is swapped there too', async () => {
    const { world, one } = await administrators()
    await after(world, one.load('x', { replicas: 2 }))
    await world.nodes.get('a')?.shelf.swap('x', 'y', {})
    await after(world, one.swapped('x', 'y', { config: undefined, version: '1.0.0' }))
    expect([world.on('x'), world.on('y')]).toEqual([{}, { a: 1, b: 1 }])
    expect(world.nodes.get('b')?.shelf.log).toContain('swap x for y')
  })

  test('and has state runs by the lease before it while its own can’t be taken, and no longer', async () => {
    const { world, one } = await administrators(['a'])
    const node = world.nodes.get('a')
    if (!node) throw new Error('no node')
    node.shelf.withState.add('x').add('y').add('z')
    await after(world, one.load('x', {}))
    world.access = (store) => ({
      ...bound(store),
      put: async (key, ...written) => {
        if (key === 'leases.y' || key === 'leases.z') throw new Error('away')
        return store.put(key, ...written)
      },
    })
    const how = { config: undefined, version: '1.0.0' }
    await swapOnAll(world, ['x', 'y'])
    await after(world, one.swapped('x', 'y', how))
    expect([world.on('y'), world.store.read('leases.x')]).toMatchObject([{ a: 1 }, { node: 'a' }])
    world.access = (store) => store
    await world.pass(2000)
    expect(['x', 'y'].map((name) => world.store.read(`leases.${name}`))).toMatchObject([
      undefined,
      { node: 'a' },
    ])
    world.access = (store) => ({ ...bound(store), put: () => Promise.reject(new Error('away')) })
    await swapOnAll(world, ['y', 'z'])
    one.swapped('y', 'z', how).catch(() => {})
    await world.pass(12_000)
    expect([world.on('z'), node.shelf.log.at(-1)]).toEqual([{}, 'kill z'])
  })

  test('and was given another configuration by somebody gets the one that is wanted', async () => {
    const { world, one } = await administrators()
    await after(world, one.load('x', { replicas: 2 }))
    await swapOnAll(world, ['x', 'y'], { voice: 'one' })
    await after(world, one.swapped('x', 'y', { config: { voice: 'two' }, version: '1.0.0' }))
    for (const { shelf } of world.nodes.values())
      expect(shelf.running.get('y')?.config).toEqual({ voice: 'two' })
  })

  test('and has state runs on its node, by a lease of its own', async () => {
    const { world, one } = await administrators()
    for (const { shelf } of world.nodes.values()) shelf.withState.add('x').add('y')
    await after(world, one.load('x', {}))
    const [holder = ''] = Object.keys(world.on('x'))
    await world.nodes.get(holder)?.shelf.swap('x', 'y', {})
    await after(world, one.swapped('x', 'y', { config: undefined, version: '1.0.0' }))
    expect([world.on('x'), world.on('y')]).toEqual([{}, { [holder]: 1 }])
    expect([world.store.read('leases.x'), world.store.read('leases.y')]).toMatchObject([
      undefined,
      { node: holder },
    ])
  })
})

test('a plugin that no node may have any more ends, and whoever said so is told why', async () => {
  const { world, one } = await administrators(['a'])
  await world.pass(120)
  // Nodes do not look at the same moment.
  world.join('b')
  await after(world, one.load('x', { replicas: 2 }))
  await expect(after(world, one.load('x', { on: { gpu: 'none' } }))).rejects.toMatchObject({
    ...{ codeName: 'PLUGIN_NOT_FOUND', message: expect.stringContaining('no label "gpu=none"') },
  })
  expect(world.count('x')).toBe(0)
  await after(world, one.load('x', { replicas: 2 }))
  expect(world.count('x')).toBe(2)
})

test('it is told why all processes run as before', async () => {
  const { world, one } = await administrators()
  await after(world, one.load('x', { replicas: 2 }))
  const change = after(world, one.load('x', { replicas: 2, config: { wrong: true } }))
  await expect(change).rejects.toMatchObject({ codeName: 'HOTSWAP_FAILED' })
  expect(world.status('x')).toMatchObject({
    wanted: 2,
    running: 2,
    why: expect.stringMatching(/^a: it runs as before: wrong/),
  })
  await after(world, one.load('x', { replicas: 2 }))
  expect(world.status('x')).not.toHaveProperty('why')
})
