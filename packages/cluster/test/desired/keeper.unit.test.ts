import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { World } from './world.js'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A cluster of nodes that have been there for a while. */
async function worldOf(names: readonly string[], options = {}): Promise<World> {
  const world = new World()
  onTestFinished(() => {
    for (const { keeper } of world.nodes.values()) keeper.pause()
  })
  for (const name of names) world.join(name, {}, options)
  await world.pass(12_000)
  return world
}

test('nodes share out what is wanted, each the same, and follow changes', async () => {
  const world = await worldOf(['a', 'b', 'c'])
  world.store.set('plugins.x', { replicas: 4 })
  await world.pass(6000)
  expect([world.count('x'), Object.keys(world.on('x')).length]).toEqual([4, 3])
  world.store.set('plugins.x', { replicas: 7 })
  await world.pass(6000)
  expect(world.count('x')).toBe(7)
  world.store.set('plugins.x', { replicas: 2 })
  await world.pass(6000)
  expect(world.count('x')).toBe(2)
  const loaded = [...world.nodes.values()].flatMap(({ shelf }) =>
    shelf.log.filter((line) => line.startsWith('load')),
  )
  expect(loaded).toHaveLength(3)
  const { revision = 0 } = (await world.store.get('plugins.x')) ?? {}
  await world.store.remove('plugins.x', revision)
  await world.pass(6000)
  expect([world.count('x'), world.status('x')]).toEqual([0, undefined])
})

test('only nodes with the labels take it; where there is none, that is told', async () => {
  const world = new World()
  world.join('gpu', { gpu: 'true', zone: 'east' })
  world.join('cpu', { zone: 'east', kind: 'cpu' })
  await world.pass(2000)
  world.store.set('plugins.x', { replicas: 2, on: { gpu: 'true', zone: 'east' } })
  world.store.set('plugins.y', { on: { gpu: 'no' } })
  await world.pass(6000)
  expect(world.on('x')).toEqual({ gpu: 2 })
  expect(world.status('y')).toMatchObject({
    wanted: 1,
    running: 0,
    why: expect.stringContaining('gpu: it has no label "gpu=no"'),
  })
  // It is to run elsewhere, and then nowhere, for now.
  world.store.set('plugins.z', { replicas: 2, on: { gpu: 'true' } })
  await world.pass(6000)
  world.store.set('plugins.z', { replicas: 2, on: { kind: 'cpu' } })
  await world.pass(6000, () => expect(world.count('z')).toBeGreaterThanOrEqual(2))
  expect(world.on('z')).toEqual({ cpu: 2 })
  world.store.set('plugins.x', { replicas: 2, on: { zone: 'west' } })
  await world.pass(6000)
  expect(world.on('x')).toEqual({})
  world.kill('gpu')
  world.kill('cpu')
})

test('nodes begin when all have seen what is wanted, or have had the time', async () => {
  const world = await worldOf(['a', 'b'])
  const b = world.nodes.get('b')
  if (!b) throw new Error('no node')
  b.isBehind = true
  world.store.set('plugins.x', { replicas: 2 })
  await world.pass(2000)
  b.isBehind = false
  await world.pass(5000)
  expect(['a', 'b'].map((name) => world.nodes.get(name)?.shelf.log)).toEqual([['load x=1'], ['load x=1']])
  b.isBehind = true
  world.store.set('plugins.y', { replicas: 2 })
  await world.pass(2500)
  expect(world.count('y')).toBe(0)
  await world.pass(4000)
  expect(world.on('y')).toEqual({ a: 2 })
})

test('nodes that start at the same time do not all begin everything', async () => {
  const world = new World()
  world.store.set('plugins.x', { replicas: 3 })
  for (const name of ['a', 'b', 'c']) world.join(name)
  await world.pass(6000, () => expect(world.count('x')).toBeLessThanOrEqual(3))
  expect(world.on('x')).toEqual({ a: 1, b: 1, c: 1 })
  for (const name of ['a', 'b', 'c']) world.kill(name)
})

test('what is put into a plugins folder later is found, and what somebody unloads is loaded again', async () => {
  const world = await worldOf(['a'])
  const shelf = world.nodes.get('a')?.shelf
  shelf?.missing.add('x')
  world.store.set('plugins.x', { replicas: 2 })
  await world.pass(6000)
  expect(world.on('x')).toEqual({})
  shelf?.missing.clear()
  await world.pass(8000)
  expect(world.on('x')).toEqual({ a: 2 })
  shelf?.running.delete('x')
  await world.pass(1000)
  expect(world.on('x')).toEqual({ a: 2 })
})

test('what a node had that is gone is taken over by others at once', async () => {
  const world = await worldOf(['a', 'b', 'c'])
  world.store.set('plugins.x', { replicas: 3 })
  await world.pass(6000)
  expect(world.on('x')).toEqual({ a: 1, b: 1, c: 1 })
  world.kill('b')
  await world.pass(1000)
  expect(world.count('x')).toBe(3)
  expect(Object.keys(world.on('x'))).toEqual(['a', 'c'])
})

test('a node that comes takes over its share later, and nothing is short meanwhile', async () => {
  const world = await worldOf(['a', 'b'])
  for (const name of ['p', 'q', 'r', 's', 't', 'u', 'v', 'w'])
    world.store.set(`plugins.${name}`, { replicas: 2 })
  world.store.set('plugins.x', { replicas: 6 })
  await world.pass(6000)
  expect(world.on('x')).toEqual({ a: 3, b: 3 })
  const before = [...world.nodes.values()].map(({ shelf }) => shelf.log.length)
  world.join('c')
  await world.pass(8000)
  expect([...world.nodes.values()].map(({ shelf }) => shelf.log.length)).toEqual([...before, 0])
  let fewest = 6
  await world.pass(12_000, () => {
    fewest = Math.min(fewest, world.count('x'))
  })
  expect([fewest, world.on('x')]).toEqual([6, { a: 2, b: 2, c: 2 }])
  const moved = ['p', 'q', 'r', 's', 't', 'u', 'v', 'w'].filter((name) => 'c' in world.on(name))
  // Of 16 processes, the third is for it: no more has moved, and each plugin still has two.
  expect(moved.length).toBeGreaterThan(0)
  expect(moved.length).toBeLessThan(8)
  for (const name of ['p', 'q', 'r', 's', 't', 'u', 'v', 'w']) expect(world.count(name)).toBe(2)
})

test('a node that comes and goes moves nothing', async () => {
  const world = await worldOf(['a', 'b'])
  world.store.set('plugins.x', { replicas: 4 })
  await world.pass(6000)
  const logs = (): string[][] => ['a', 'b'].map((name) => [...(world.nodes.get(name)?.shelf.log ?? [])])
  const before = logs()
  for (let times = 0; times < 5; times++) {
    world.join('c')
    await world.pass(5000)
    world.kill('c')
    await world.pass(2000)
  }
  expect(logs()).toEqual(before)
})

test('a node that drains is no part of it: others take over while it still serves', async () => {
  const world = await worldOf(['a', 'b'])
  world.store.set('plugins.x', { replicas: 2 })
  await world.pass(6000)
  const a = world.nodes.get('a')
  if (!a) throw new Error('no node')
  a.isDraining = true
  a.keeper.pause()
  await world.pass(2000)
  expect(world.on('x')).toEqual({ a: 1, b: 2 })
  await a.keeper.end()
  expect(world.on('x')).toEqual({ b: 2 })
})

test('where there is no room, what is short is told, and nothing makes room for others', async () => {
  const world = await worldOf(['a', 'b'], { room: 3 })
  world.store.set('plugins.x', { replicas: 4 })
  world.store.set('plugins.y', { replicas: 4 })
  await world.pass(6000)
  expect([world.count('x'), world.count('y')]).toEqual([4, 2])
  expect(world.status('y')).toMatchObject({ wanted: 4, running: 2 })
  world.store.set('plugins.x', { replicas: 6 })
  await world.pass(6000)
  expect([world.count('x'), world.count('y')]).toEqual([4, 2])
  expect(world.status('x')?.why).toContain(
    'a: it has no room for more: its 3 processes are taken (maxReplicas)',
  )
})

test('a plugin that fails on one node runs on another, and is tried again', async () => {
  const world = await worldOf(['a', 'b'])
  const shelf = world.nodes.get('a')?.shelf
  shelf?.broken.add('x')
  world.store.set('plugins.x', { replicas: 2 })
  await world.pass(6000)
  expect(world.on('x')).toEqual({ b: 2 })
  expect(world.status('x')?.nodes).toContainEqual({ node: 'a', running: 0, why: 'no engine' })
  const tries = shelf?.log.length ?? 0
  expect(tries).toBeLessThan(4)
  shelf?.broken.clear()
  await world.pass(60_000)
  expect(world.on('x')).toEqual({ a: 1, b: 1 })
})

test('a plugin that has failed for good on one node goes to another', async () => {
  const world = await worldOf(['a', 'b'])
  world.store.set('plugins.x', { replicas: 2 })
  await world.pass(6000)
  world.nodes.get('a')?.shelf.failures.set('x', 'in quarantine')
  await world.pass(1000)
  expect(world.on('x')).toEqual({ b: 2 })
  expect(world.status('x')?.nodes[0]).toMatchObject({ node: 'a', why: 'in quarantine' })
})

test('another configuration is swapped in; one that is wrong is told, and what runs goes on', async () => {
  const world = await worldOf(['a', 'b'])
  world.store.set('plugins.x', { replicas: 2, config: { voice: 'one' } })
  await world.pass(6000)
  world.store.set('plugins.x', { replicas: 2, config: { voice: 'two' } })
  await world.pass(6000)
  const configs = (): unknown[] =>
    [...world.nodes.values()].map(({ shelf }) => shelf.running.get('x')?.config)
  expect(configs()).toEqual([{ voice: 'two' }, { voice: 'two' }])
  world.store.set('plugins.x', { replicas: 2, config: { wrong: true } })
  await world.pass(6000)
  expect([configs(), world.count('x')]).toEqual([[{ voice: 'two' }, { voice: 'two' }], 2])
  expect(world.status('x')?.nodes[0]?.why).toBe('it runs as before: wrong configuration')
  world.store.set('plugins.x', { replicas: 2, version: '2.0.0', config: { voice: 'three' } })
  await world.pass(6000)
  expect([configs()[0], world.status('x')?.nodes[0]?.why]).toEqual([
    { voice: 'two' },
    'it runs as before: another version',
  ])
})

describe('records', () => {
  test.each([
    ['no JSON', Buffer.from('{"replicas":'), 'it is no JSON'],
    ['no object', [1, 2], 'its record is wrong'],
    ['wrong types', { replicas: 'four' }, 'replicas: '],
    ['too many', { replicas: 1e9 }, 'replicas: '],
    ['labels that are none', { on: { gpu: true } }, 'on.gpu: '],
    ['an environment variable', { config: { $env: ['KEY'] } }, 'config.$env: '],
    ['5 MB', Buffer.alloc(5e6, ' '), 'it has 5000000 bytes'],
  ])('one that is wrong (%s) is told, and stops neither others nor what runs', async (_, value, why) => {
    const world = await worldOf(['a'])
    world.store.set('plugins.x', { replicas: 2 })
    await world.pass(6000)
    world.store.set('plugins.x', value)
    world.store.set('plugins.wrong', value)
    world.store.set('plugins.y', { replicas: 1 })
    await world.pass(6000)
    expect([world.on('x'), world.on('wrong'), world.on('y')]).toEqual([{ a: 2 }, {}, { a: 1 }])
    expect(world.status('wrong')?.nodes[0]?.why).toContain(why)
    world.store.set('plugins.x', { replicas: 1 })
    await world.pass(6000)
    expect(world.on('x')).toEqual({ a: 1 })
  })

  test('of a newer version: members that are not known are passed over', async () => {
    const world = await worldOf(['a'])
    world.store.set('plugins.x', { replicas: 2, generation: 7, spread: { zone: 1 }, on: {} })
    world.store.set('plugins.a.b', { replicas: 2 })
    world.store.set('future', { replicas: 2 })
    await world.pass(6000)
    expect(world.on('x')).toEqual({ a: 2 })
    expect(world.status('x')?.generation).toBe(7)
  })
})

test('while the store is away all goes on; when it is back, changes are followed', async () => {
  const world = await worldOf(['a', 'b'])
  world.store.set('plugins.x', { replicas: 2 })
  await world.pass(6000)
  world.store.isAway = true
  await world.pass(60_000)
  world.kill('b')
  await world.pass(2000)
  expect([world.on('x'), world.warnings.length]).toEqual([{ a: 2 }, 2])
  world.store.isAway = false
  world.store.set('plugins.x', { replicas: 3 })
  await world.pass(6000)
  expect(world.on('x')).toEqual({ a: 3 })
})

test('a store that was lost ends nothing: that only a record that was removed does', async () => {
  const world = await worldOf(['a'])
  world.store.set('plugins.x', { replicas: 2 })
  await world.pass(6000)
  world.store.remake()
  world.store.set('plugins.y', { replicas: 1 })
  await world.pass(6000)
  expect([world.on('x'), world.on('y')]).toEqual([{ a: 2 }, { a: 1 }])
  expect(world.status('x')?.nodes[0]?.why).toContain('its record is lost')
})

test('a record that a swap has left, since its administrator died, tells why nothing runs for it', async () => {
  const world = await worldOf(['a', 'b'])
  world.store.set('plugins.x', { replicas: 2, generation: 1 })
  await world.pass(6000)
  world.store.set('plugins.y', { replicas: 2, generation: 1, replaces: { name: 'x', generation: 1 } })
  await world.pass(6000)
  expect([world.on('x'), world.on('y')]).toEqual([{}, { a: 1, b: 1 }])
  expect(world.status('x')?.why).toBe(
    'a: plugin "y" has taken its place: unload it; b: plugin "y" has taken its place: unload it',
  )
  expect(world.status('y')).toMatchObject({ running: 2 })
})

test('what is loaded on a node by its name is left alone', async () => {
  const world = await worldOf(['a', 'b'])
  const shelf = world.nodes.get('a')?.shelf
  shelf?.running.set('x', { config: {}, replicas: 1 })
  world.store.set('plugins.x', { replicas: 2 })
  await world.pass(6000)
  expect([world.on('x'), shelf?.log]).toEqual([{ a: 1, b: 2 }, []])
  expect(world.status('x')?.nodes[0]?.why).toContain('loaded on this node by its name')
})

describe('a plugin with state', () => {
  async function worldWithState(): Promise<World> {
    const world = await worldOf(['a', 'b', 'c'])
    for (const { shelf } of world.nodes.values()) shelf.withState.add('x')
    world.store.set('plugins.x', { replicas: 1 })
    await world.pass(6000)
    expect(world.count('x')).toBe(1)
    return world
  }

  const holderOf = (world: World): string => Object.keys(world.on('x'))[0] ?? ''

  test('stays where it is while nodes come', async () => {
    const world = await worldWithState()
    const holder = holderOf(world)
    for (const name of ['d', 'e', 'f', 'g', 'h']) world.join(name).shelf.withState.add('x')
    await world.pass(30_000)
    expect(holderOf(world)).toBe(holder)
  })

  test('is never twice: a node that is cut off ends it before another begins', async () => {
    const world = await worldWithState()
    const holder = holderOf(world)
    const old = world.nodes.get(holder)
    if (!old) throw new Error('no node')
    old.isCut = true
    let most = 0
    let fewest = 1
    await world.pass(30_000, () => {
      most = Math.max(most, world.count('x'))
      fewest = Math.min(fewest, world.count('x'))
    })
    expect([most, fewest, world.count('x')]).toEqual([1, 0, 1])
    expect(holderOf(world)).not.toBe(holder)
    expect([old.lost, old.shelf.log]).toEqual([['x'], ['load x=1', 'kill x']])
    old.isCut = false
    await world.pass(20_000, () => expect(world.count('x')).toBe(1))
  })

  test('that was swapped answers by none of its names once its lease is over', async () => {
    const world = await worldWithState()
    const { keeper, shelf } = world.nodes.get(holderOf(world)) ?? {}
    if (!keeper || !shelf) throw new Error('no node')
    shelf.withState.add('y')
    await shelf.swap('x', 'y', {})
    const serves = (): boolean[] => ['x', 'y', 'other'].map((name) => keeper.mayServe(name))
    expect(serves()).toEqual([true, true, true])
    const unload = shelf.unload.bind(shelf)
    let atEnd: boolean[] = []
    shelf.unload = (...args) => {
      atEnd = serves()
      return unload(...args)
    }
    world.store.isAway = true
    await world.pass(10_100)
    expect([world.count('y'), atEnd]).toEqual([0, [false, false, true]])
  })

  test('is handed over at once where its node leaves', async () => {
    const world = await worldWithState()
    const holder = holderOf(world)
    await world.nodes.get(holder)?.keeper.end()
    world.nodes.delete(holder)
    await world.pass(3000)
    expect(world.count('x')).toBe(1)
  })

  test('may run nowhere while the store is away for longer than its lease', async () => {
    const world = await worldWithState()
    world.store.isAway = true
    await world.pass(10_100)
    expect(world.count('x')).toBe(0)
    world.store.isAway = false
    await world.pass(20_000)
    expect(world.count('x')).toBe(1)
  })

  test('is refused with more than one process', async () => {
    const world = await worldOf(['a', 'b'])
    for (const { shelf } of world.nodes.values()) shelf.withState.add('x')
    world.store.set('plugins.x', { replicas: 2 })
    await world.pass(6000)
    expect(world.status('x')).toMatchObject({
      running: 0,
      why: expect.stringContaining('it keeps state, and 2 are wanted'),
    })
  })

  test('one without state gives its lease back', async () => {
    const world = await worldOf(['a'])
    world.store.set('plugins.y', { replicas: 1 })
    await world.pass(6000)
    expect([world.on('y'), world.store.read('leases.y')]).toEqual([{ a: 1 }, undefined])
    world.store.isAway = true
    await world.pass(60_000)
    expect(world.on('y')).toEqual({ a: 1 })
  })
})
