import { expect, test } from 'vitest'
import { type PlacementNode, planOf } from '../../src/desired/placement.js'

function node(name: string, told: Partial<PlacementNode> = {}): PlacementNode {
  return {
    ...{ node: name, room: 64, isSettled: true },
    ...{ fits: () => true, running: () => 0, lease: () => undefined },
    ...told,
  }
}

const nodes = Array.from({ length: 10 }, (_, index) => node(`node-${index}`))
const plugins = Array.from({ length: 200 }, (_, index) => ({ name: `p${index}`, replicas: 2 }))

const pairs = (plan: ReturnType<typeof planOf>): Set<string> =>
  new Set([...plan].flatMap(([name, shares]) => [...shares.keys()].map((each) => `${name} ${each}`)))

test('many plugins are spread over the nodes, whoever asks', () => {
  const plan = planOf(plugins, nodes)
  const loads = nodes.map(({ node: name }) => [...plan.values()].filter((shares) => shares.has(name)).length)
  // 400 processes on 10 nodes: about 40 on each.
  expect(Math.min(...loads)).toBeGreaterThan(25)
  expect(Math.max(...loads)).toBeLessThan(55)
  expect(planOf([...plugins].reverse(), [...nodes].reverse())).toEqual(new Map([...plan]))
})

test('a node that goes moves what it had, and nothing else', () => {
  const [before, after] = [pairs(planOf(plugins, nodes)), pairs(planOf(plugins, nodes.slice(1)))]
  const gone = [...before].filter((pair) => !after.has(pair))
  expect(gone.every((pair) => pair.endsWith(' node-0'))).toBe(true)
})

test('one plugin is shared out evenly, within the room of each', () => {
  const [a, b, c] = [node('a', { room: 1 }), node('b'), node('c', { fits: () => false })]
  expect([...(planOf([{ name: 'x', replicas: 5 }], [a, b, c]).get('x') ?? [])].sort()).toEqual([
    ['a', 1],
    ['b', 4],
  ])
  expect(planOf([{ name: 'x', replicas: 500 }], [node('b'), node('d')]).get('x')).toEqual(
    new Map([
      ['b', 64],
      ['d', 64],
    ]),
  )
  expect(planOf([{ name: 'x', replicas: 3 }], []).get('x')).toEqual(new Map())
})

test('who has just come gets what is short, and nothing that runs', () => {
  const had = (running: number): PlacementNode[] => [
    node('old', { running: () => running }),
    node('new', { isSettled: false }),
  ]
  const sharesWith = (running: number) =>
    Object.fromEntries(planOf([{ name: 'x', replicas: 4 }], had(running)).get('x') ?? [])
  expect([sharesWith(4), sharesWith(0)]).toEqual([{ old: 4 }, { old: 2, new: 2 }])
})

test('a plugin with state stays with who has the newest lease', () => {
  const old = node('old', { running: () => 1, lease: () => 4 })
  const now = node('now', { running: () => 1, lease: () => 9 })
  expect(planOf([{ name: 'x', replicas: 1 }], [...nodes, old, now]).get('x')).toEqual(new Map([['now', 1]]))
})
